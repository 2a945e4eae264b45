//! The foreign programs of the interop tests: which are missing, and how they are installed.
//!
//! Invariant: nothing is installed without a yes, no service that a package brings is started, and the file that prevents
//! this is left as it was found.

use crate::steps::{Outcome, program, root, run, succeeds};
use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Debian packages, and a program of each by which a copy that was installed otherwise is recognised.
const PACKAGES: &[(&str, &str)] = &[
    ("transmission-daemon", "transmission-daemon"),
    ("transmission-cli", "transmission-create"),
    ("aria2", "aria2c"),
    ("qbittorrent-nox", "qbittorrent-nox"),
    ("mktorrent", "mktorrent"),
    ("opentracker", "opentracker"),
    ("nodejs", "node"),
    ("npm", "npm"),
    ("iproute2", "ip"),
    ("util-linux", "unshare"),
    ("nftables", "nft"),
    ("miniupnpd-nftables", "miniupnpd"),
    ("microsocks", "microsocks"),
    ("zbar-tools", "zbarimg"),
    ("librsvg2-bin", "rsvg-convert"),
    ("valgrind", "valgrind"),
    ("irssi", "irssi"),
    ("weechat-headless", "weechat-headless"),
    // The pipe by which it is told what to do; no program of it is on the PATH.
    ("weechat-plugins", "/usr/share/doc/weechat-plugins/copyright"),
    ("chromium", "chromium"),
    ("tmux", "tmux"),
    ("dbus-daemon", "dbus-daemon"),
    ("libnotify-bin", "notify-send"),
    ("desktop-file-utils", "desktop-file-validate"),
    ("xdg-utils", "xdg-mime"),
    ("systemd", "systemd-analyze"),
    ("curl", "curl"),
    ("cadaver", "cadaver"),
    ("transmission-qt", "transmission-qt"),
    ("transmission-remote-gtk", "transmission-remote-gtk"),
    ("xvfb", "Xvfb"),
    ("xdotool", "xdotool"),
    // What tells the tests what is in a window; no program of it is on the PATH.
    ("at-spi2-core", "/usr/libexec/at-spi-bus-launcher"),
];

/// The Python wheels that the tests were written against.
const WHEELS: [&str; 13] = [
    "libtorrent==2.1.1",
    "iroh==1.2.0",
    "mnemonic==0.21",
    "bip-utils==2.12.3",
    "transmission-rpc==7.0.12",
    "prometheus-client==0.26.0",
    "qbittorrent-api==2026.10.1",
    "jeepney==0.9.0",
    "schemathesis==4.32.5",
    "feedgenerator==2.2.1",
    "autoremove-torrents==1.5.5",
    "autotorrent2==1.3.0",
    "tremcf==0.9.6.2",
];

/// What npm needs to install its packages, in `interop/npm`: their pinned versions, and a package of our own that stands
/// in for one whose install script would fetch a binary.
const NPM_FILES: &[&str] =
    &["package.json", "package-lock.json", "webrtc-polyfill/package.json", "webrtc-polyfill/index.js"];

/// Debian asks this file before it starts a service that a package brings; 101 is "not allowed" (invoke-rc.d).
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Where the things are kept that are not Debian packages.
pub fn cache() -> PathBuf {
    if let Some(folder) = std::env::var_os("BENCH_PEERS") {
        return folder.into();
    }
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(|| {
        let home = std::env::var_os("HOME")?;
        Some(PathBuf::from(home).join(".cache"))
    });
    base.unwrap_or_else(std::env::temp_dir).join("compeer-bench")
}

/// The Python that has the wheels.
pub fn python() -> PathBuf {
    cache().join("venv/bin/python")
}

/// The folder of the npm packages.
fn npm() -> PathBuf {
    cache().join("npm")
}

/// Installs what is missing, after a yes.
///
/// # Errors
/// On anything but Debian and its kin, when the answer is no, and when an installation fails.
pub fn ensure(yes: bool) -> Outcome {
    let packages = missing_packages();
    let (wheel, npm) = (!has_wheels(), !has_npm_packages());
    if packages.is_empty() && !wheel && !npm {
        println!("all foreign programs are there");
        return Ok(());
    }
    if !Path::new("/etc/debian_version").exists() {
        return Err("the interop half needs Debian (or a system made from it), since it installs its foreign programs by name. \
             `cargo test --workspace` runs all that needs none of them"
            .to_owned());
    }
    let others = [(wheel, "libtorrent, iroh and others (Python wheels)"), (npm, "the packages of interop/npm")];
    let others = others.iter().filter(|(missing, _)| *missing).map(|(_, name)| *name);
    println!("missing: {}", packages.iter().copied().chain(others).collect::<Vec<_>>().join(", "));
    if !yes && !agreed()? {
        return Err("not installed. `cargo test --workspace` runs all that needs no foreign program".to_owned());
    }
    if !packages.is_empty() {
        install_packages(&packages)?;
    }
    if wheel {
        install_wheels()?;
    }
    if npm {
        install_npm_packages()?;
    }
    let still = missing_packages();
    if still.is_empty() { Ok(()) } else { Err(format!("installed, but not found on the PATH: {}", still.join(" "))) }
}

fn missing_packages() -> Vec<&'static str> {
    let mut missing: Vec<_> =
        PACKAGES.iter().filter(|(_, binary)| !on_path(binary)).map(|(package, _)| *package).collect();
    if !has_wheels() && venv_maker().is_none() {
        missing.push("python3-venv");
    }
    missing
}

fn on_path(binary: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .any(|folder| folder.join(binary).is_file())
}

fn has_wheels() -> bool {
    let check = "import sys; from importlib.metadata import version; \
                 sys.exit(any(version(name) != wanted for name, wanted in (it.split('==') for it in sys.argv[1:])))";
    succeeds(program(python()).args(["-c", check]).args(WHEELS))
}

/// Whether the packages are there in the versions that are wanted now: npm leaves a list of what it installed.
fn has_npm_packages() -> bool {
    npm().join("node_modules/.package-lock.json").is_file()
        && NPM_FILES.iter().all(|name| {
            let wanted = std::fs::read(root().join("interop/npm").join(name));
            wanted.is_ok_and(|wanted| std::fs::read(npm().join(name)).is_ok_and(|there| there == wanted))
        })
}

/// A Python that can make a virtual environment: Debian ships it without, until python3-venv is there.
fn venv_maker() -> Option<&'static str> {
    ["python3", "/usr/bin/python3"].into_iter().find(|name| {
        succeeds(program(name).args(["-c", "import sys, venv, ensurepip; assert sys.version_info >= (3, 11)"]))
    })
}

fn agreed() -> Outcome<bool> {
    if !std::io::stdin().is_terminal() {
        return Err("foreign programs are missing and there is nobody to ask: run `cargo xtask test --yes`".to_owned());
    }
    print!("install them now? [y/N] ");
    std::io::stdout().flush().map_err(|error| error.to_string())?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(|error| error.to_string())?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn install_packages(packages: &[&str]) -> Outcome {
    let _quiet = NoServices::begin()?;
    run(as_root("apt-get").args(["update", "-q"]))?;
    run(as_root("env")
        .args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-yq", "--no-install-recommends"])
        .args(packages))
}

fn install_wheels() -> Outcome {
    let maker =
        venv_maker().ok_or("no Python 3.11 or newer that can make a virtual environment; install python3-venv")?;
    let folder = cache().join("venv");
    run(program(maker).args(["-m", "venv", "--clear"]).arg(&folder))?;
    run(program(python()).args(["-m", "pip", "install", "--quiet"]).args(WHEELS))
}

/// Installs what the lock file names, without running any script of a package.
fn install_npm_packages() -> Outcome {
    let folder = npm();
    for name in NPM_FILES {
        let to = folder.join(name);
        let copied = to.parent().map_or(Ok(()), std::fs::create_dir_all);
        copied
            .and_then(|()| std::fs::copy(root().join("interop/npm").join(name), &to))
            .map_err(|error| format!("{}: {error}", to.display()))?;
    }
    run(program("npm").current_dir(&folder).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]))
}

/// A command for root: as it is when we are root, by sudo otherwise.
fn as_root(name: &str) -> Command {
    if is_root() {
        program(name)
    } else {
        let mut command = program("sudo");
        command.arg(name);
        command
    }
}

/// Whether this process runs as root.
pub fn is_root() -> bool {
    // /proc/self belongs to the process's effective user; there is no portable call in the standard library.
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        std::fs::metadata("/proc/self").is_ok_and(|data| data.uid() == 0)
    }
    #[cfg(not(unix))]
    false
}

/// Keeps packages from starting their services, for as long as it lives.
struct NoServices {
    ours: bool,
}

impl NoServices {
    fn begin() -> Outcome<Self> {
        if Path::new(POLICY).exists() {
            // Somebody else's rule: theirs to keep. Where it allows services, they are the owner's wish.
            return Ok(Self { ours: false });
        }
        let script = std::env::temp_dir().join(format!("compeer-policy-{}", std::process::id()));
        std::fs::write(&script, "#!/bin/sh\nexit 101\n").map_err(|error| format!("{}: {error}", script.display()))?;
        let made = run(as_root("install").args(["-m", "755"]).arg(&script).arg(POLICY));
        std::fs::remove_file(&script).ok();
        made.map(|()| Self { ours: true })
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.ours && run(as_root("rm").args(["-f", POLICY])).is_err() {
            eprintln!("xtask: {POLICY} is ours and could not be removed: remove it, or no service will start");
        }
    }
}
