//! The home: the data directory of a node.
//!
//! Owns `config.toml`, `lock` (held by the one node that runs here), `api` (the address of its API, present while it
//! runs), `token` (the secret that callers of the API show; only its owner can read it), `port` (the last port for
//! peers), `overlay-port` (the last one for nodes), `password` (the hash of the one that the user chose),
//! `api-certificate.der`, `api-certificate-names` and `api-key.der` (see `server::tls`), `keys/` (see `people::keys`),
//! `dht` (what the DHT knew last), `relay` (the secret key of its relay where there is no identity, readable for its owner
//! only) and `compeer.db`.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::{Config, NodeError};

/// 256 bits: as many as no one can guess.
const TOKEN_BYTES: usize = 32;

/// The data directory of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    folder: PathBuf,
}

/// The right to run the node of a home. Given up when it drops, or when the process ends in whatever way.
#[derive(Debug)]
pub struct HomeLock {
    _file: File,
}

impl Home {
    /// Opens a home, creating it where it is not there yet: `folder`, or else the platform's place for a user's data.
    pub fn open(folder: Option<&Path>) -> Result<Home, NodeError> {
        let folder = match folder {
            Some(folder) => std::path::absolute(folder).map_err(file_error(folder, "find"))?,
            None => default_folder().ok_or(NodeError::NoHome)?,
        };
        create_private_folder(&folder).map_err(file_error(&folder, "create the data directory"))?;
        Ok(Home { folder })
    }

    /// Returns its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns where the database is.
    pub fn database(&self) -> PathBuf {
        self.folder.join("compeer.db")
    }

    /// Reads the settings.
    pub fn config(&self) -> Result<Config, NodeError> {
        Config::read(&self.config_path())
    }

    /// Takes the lock; `None` when another process has it.
    pub fn lock(&self) -> Result<Option<HomeLock>, NodeError> {
        let path = self.folder.join("lock");
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(file_error(&path, "open"))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(HomeLock { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(file_error(&path, "lock")(error)),
        }
    }

    /// Returns where the settings are.
    pub(crate) fn config_path(&self) -> PathBuf {
        self.folder.join("config.toml")
    }

    /// Returns the secret that callers of the API show, drawing it at the first call.
    pub fn token(&self) -> Result<String, NodeError> {
        let path = self.folder.join("token");
        match fs::read_to_string(&path) {
            Ok(token) if token.trim().len() >= TOKEN_BYTES => return Ok(token.trim().to_owned()),
            // Absent, or cut short by a crash: draw it.
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(file_error(&path, "read")(error)),
        }
        let mut secret = [0; TOKEN_BYTES];
        getrandom::fill(&mut secret).map_err(|e| file_error(&path, "draw a random token for")(io::Error::other(e)))?;
        let token: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        self.write("token", &token)?;
        Ok(token)
    }

    /// Returns the key that the relay proves itself by, drawing it at the first call. It is none of an identity's, so that a
    /// relay needs no passphrase.
    #[cfg(feature = "relay")]
    pub(crate) fn relay_secret(&self) -> Result<[u8; 32], NodeError> {
        let path = self.folder.join("relay");
        match fs::read_to_string(&path) {
            Ok(text) => {
                let key = data_encoding::HEXLOWER.decode(text.trim().as_bytes()).ok();
                if let Some(key) = key.and_then(|key| key.try_into().ok()) {
                    return Ok(key);
                }
                // Cut short by a crash: draw it.
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(file_error(&path, "read")(error)),
        }
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|e| file_error(&path, "draw a random key for")(io::Error::other(e)))?;
        self.write("relay", &data_encoding::HEXLOWER.encode(&secret))?;
        Ok(secret)
    }

    /// Returns where the API of the running node is; `None` when none has said so (yet).
    pub fn api_address(&self) -> Option<SocketAddr> {
        fs::read_to_string(self.folder.join("api")).ok()?.trim().strip_prefix("http://")?.parse().ok()
    }

    /// Says where the API is.
    pub(crate) fn write_api_address(&self, address: SocketAddr) -> Result<(), NodeError> {
        self.write("api", &format!("http://{address}"))
    }

    /// Says that no node runs here any more.
    pub(crate) fn remove_api_address(&self) {
        // Left behind it does no harm: whoever reads it finds nobody there, and tries the lock.
        let _ = fs::remove_file(self.folder.join("api"));
    }

    /// Returns the port on which peers were awaited last, so that old links stay good.
    pub(crate) fn last_port(&self) -> Option<u16> {
        fs::read_to_string(self.folder.join("port")).ok()?.trim().parse().ok()
    }

    /// Remembers the port on which peers are awaited.
    pub(crate) fn write_port(&self, port: u16) -> Result<(), NodeError> {
        self.write("port", &port.to_string())
    }

    /// Returns the port on which other nodes were awaited last.
    pub(crate) fn last_overlay_port(&self) -> Option<u16> {
        fs::read_to_string(self.folder.join("overlay-port")).ok()?.trim().parse().ok()
    }

    /// Remembers the port on which other nodes are awaited.
    pub(crate) fn write_overlay_port(&self, port: u16) -> Result<(), NodeError> {
        self.write("overlay-port", &port.to_string())
    }

    /// Returns what the DHT knew last; nothing where that is damaged or absent.
    pub(crate) fn dht(&self) -> net::dht::Snapshot {
        net::dht::Snapshot::decode(&fs::read(self.folder.join("dht")).unwrap_or_default())
    }

    /// Remembers what the DHT knows.
    pub(crate) fn write_dht(&self, snapshot: &net::dht::Snapshot) -> Result<(), NodeError> {
        self.replace("dht", &snapshot.encode())
    }

    fn write(&self, name: &str, text: &str) -> Result<(), NodeError> {
        self.replace(name, format!("{text}\n").as_bytes())
    }

    /// Replaces a small file at once: a reader sees the old content or the new one. Only the owner can read it.
    pub(crate) fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), NodeError> {
        let path = self.folder.join(name);
        let fresh = self.folder.join(format!("{name}.new"));
        let mut options = OpenOptions::new();
        options.create(true).truncate(true).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let written = options.open(&fresh).and_then(|mut file| file.write_all(bytes));
        written.and_then(|()| fs::rename(&fresh, &path)).map_err(file_error(&path, "write"))
    }
}

/// Draws a key for mutable items of the DHT (BEP 44).
pub fn draw_secret_key() -> io::Result<net::dht::SecretKey> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(io::Error::other)?;
    Ok(net::dht::SecretKey::from_bytes(&secret))
}

pub(crate) fn file_error(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> NodeError {
    move |source| NodeError::File { path: path.to_owned(), action, source }
}

/// Creates a folder, and those above it, that only its owner can look into.
pub(crate) fn create_private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Returns the platform's place for a user's data (XDG Base Directory Specification on Unix).
fn default_folder() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let parent = if cfg!(windows) {
        absolute("LOCALAPPDATA")?
    } else if cfg!(target_os = "macos") {
        std::env::home_dir()?.join("Library/Application Support")
    } else {
        match absolute("XDG_DATA_HOME") {
            Some(folder) => folder,
            None => std::env::home_dir().filter(|home| home.is_absolute())?.join(".local/share"),
        }
    };
    Some(parent.join("compeer"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_has_the_lock_until_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(Some(folder.path())).unwrap();
        let lock = home.lock().unwrap().expect("the home is free");
        assert!(home.lock().unwrap().is_none());
        drop(lock);
        assert!(home.lock().unwrap().is_some());
    }

    #[test]
    fn the_token_is_drawn_once_and_only_its_owner_can_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(Some(&folder.path().join("new/home"))).unwrap();
        let token = home.token().unwrap();
        assert_eq!(token.len(), 64);
        assert_eq!(home.token().unwrap(), token);
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let mode = |name| fs::metadata(home.folder().join(name)).unwrap().mode() & 0o777;
            assert_eq!((mode("token"), mode("")), (0o600, 0o700));
        }
    }

    #[test]
    fn the_api_address_comes_and_goes() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(Some(folder.path())).unwrap();
        assert_eq!(home.api_address(), None);
        home.write_api_address("127.0.0.1:4711".parse().unwrap()).unwrap();
        assert_eq!(home.api_address(), Some("127.0.0.1:4711".parse().unwrap()));
        home.remove_api_address();
        assert_eq!(home.api_address(), None);
    }

    #[test]
    fn a_home_that_is_a_file_is_named_in_the_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = Home::open(Some(&file.path().join("home"))).unwrap_err().to_string();
        assert!(error.contains("cannot create the data directory"), "{error}");
    }
}
