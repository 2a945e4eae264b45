//! Running the real `compeer`, in homes of its own.

#![allow(dead_code, reason = "every test file uses another part")]

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Far beyond what any step takes: a test that gets there hangs.
pub const LIMIT: Duration = Duration::from_secs(60);

/// A folder for a test, with a home in it.
pub struct Place {
    folder: tempfile::TempDir,
}

/// A command that goes on until it is told to stop.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    errors: Option<JoinHandle<String>>,
}

impl Place {
    pub fn new() -> Place {
        Place { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self) -> PathBuf {
        // The real path: the program resolves links, as those of /tmp on some systems.
        self.folder.path().canonicalize().unwrap()
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Writes a file of `len` bytes that differ by `seed`.
    pub fn file(&self, name: &str, len: usize, seed: u64) -> PathBuf {
        let path = self.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        };
        std::fs::write(&path, (0..len).map(|_| next()).collect::<Vec<u8>>()).unwrap();
        path
    }

    /// A folder with a few files: empty, small, larger than a piece, nested.
    pub fn photos(&self, parent: &str) -> PathBuf {
        self.file(&format!("{parent}/photos/sea.raw"), 700_001, 1);
        self.file(&format!("{parent}/photos/2024/hill ü.raw"), 300_000, 2);
        self.file(&format!("{parent}/photos/note.txt"), 5, 3);
        self.file(&format!("{parent}/photos/empty"), 0, 4);
        self.join(parent).join("photos")
    }

    pub fn command(&self, words: &[impl AsRef<OsStr>]) -> Command {
        self.command_in("home", words)
    }

    /// Prepares a command with another home of this place.
    pub fn command_in(&self, home: &str, words: &[impl AsRef<OsStr>]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_compeer"));
        command.args(words).current_dir(self.path()).env("COMPEER_HOME", self.join(home));
        command.stdin(Stdio::null());
        // Nothing is to speak to anybody whom the test does not name.
        command.env("COMPEER_WITHOUT", "dht,lsd,mapping").env("COMPEER_BOOTSTRAP", "none");
        for name in
            ["CARGO", "CARGO_MANIFEST_DIR", "COMPEER_LOG", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"]
        {
            command.env_remove(name);
        }
        command
    }

    /// Runs a command to its end, which has to come soon.
    pub fn run(&self, words: &[impl AsRef<OsStr>]) -> Output {
        finish(self.command(words))
    }

    pub fn run_in(&self, home: &str, words: &[impl AsRef<OsStr>]) -> Output {
        finish(self.command_in(home, words))
    }

    /// Starts a command that goes on.
    pub fn start(&self, words: &[impl AsRef<OsStr>]) -> Running {
        Running::start(self.command(words))
    }

    pub fn start_in(&self, home: &str, words: &[impl AsRef<OsStr>]) -> Running {
        Running::start(self.command_in(home, words))
    }
}

/// Runs a command to its end.
pub fn finish(command: Command) -> Output {
    let mut running = Running::start(command);
    let status = running.wait();
    let stdout: Vec<String> = running.lines.iter().collect();
    let stderr = running.errors.take().unwrap().join().unwrap();
    let stdout = stdout.iter().map(|line| format!("{line}\n")).collect::<String>();
    Output { status, stdout: stdout.into_bytes(), stderr: stderr.into_bytes() }
}

impl Running {
    /// Starts a command that was prepared.
    pub fn start(mut command: Command) -> Running {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut stderr = child.stderr.take().unwrap();
        let errors = std::thread::spawn(move || {
            let mut text = Vec::new();
            let _ = stderr.read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        });
        Running { child, lines, errors: Some(errors) }
    }

    /// Waits for the next line of stdout.
    pub fn line(&mut self) -> String {
        match self.lines.recv_timeout(LIMIT) {
            Ok(line) => line,
            Err(_) => {
                let _ = self.child.kill();
                panic!("no line came; stderr: {}", self.errors.take().unwrap().join().unwrap())
            }
        }
    }

    /// Waits for the end; -> the exit status.
    pub fn wait(&mut self) -> std::process::ExitStatus {
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            if Instant::now() > deadline {
                let _ = self.child.kill();
                panic!("it does not end; stderr: {}", self.errors.take().unwrap().join().unwrap());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Presses Ctrl-C; -> the exit code and stderr.
    pub fn interrupt(mut self) -> (Option<i32>, String) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        let code = self.wait().code();
        (code, self.errors.take().unwrap().join().unwrap())
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Checks that a command ended well.
pub fn ok(output: Output) -> Output {
    assert!(output.status.success(), "{:?}: {}", output.status.code(), stderr(&output));
    output
}

pub fn json(output: Output) -> serde_json::Value {
    serde_json::from_slice(&ok(output).stdout).expect("one JSON document")
}

/// Checks that two trees hold the same files with the same bytes.
pub fn assert_same(a: &Path, b: &Path) {
    let (a, b) = (tree(a), tree(b));
    assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>());
    for (path, bytes) in &a {
        assert!(bytes == &b[path], "{} differs", path.display());
    }
}

fn tree(root: &Path) -> std::collections::BTreeMap<PathBuf, Vec<u8>> {
    let mut found = std::collections::BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    if root.is_file() {
        found.insert(PathBuf::new(), std::fs::read(root).unwrap());
        return found;
    }
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(root).unwrap().to_owned(), std::fs::read(&path).unwrap());
            }
        }
    }
    found
}
