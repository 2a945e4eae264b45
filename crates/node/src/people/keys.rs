//! The keys in the home: `keys/node`, which the node drew for itself, and `keys/person`, the secret of the recovery
//! phrase, on those nodes only that are to have it; beside it `keys/account`, the address of the ledger account, which is
//! no secret and is shown without opening it.
//!
//! Only the owner of the files can read them. The person's secret can be sealed by a passphrase as well
//! (`people::keystore`); the node's key is not, since a node has to start without anybody at the keyboard. Whoever steals
//! it can speak for this node until it is revoked.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use people::keystore::{self, KeystoreError};
use people::proto::{NodeKey, ParcelKey, PersonKey, Phrase};

use crate::home::{create_private_folder, file_error};
use crate::{Home, NodeError};

/// The keys of a home.
#[derive(Clone, Debug)]
pub struct Keys {
    folder: PathBuf,
}

/// Why the secret of the person is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// This node does not have it.
    #[error(
        "this node does not hold the person's secret: do this on the computer where your identity was \
         made or restored"
    )]
    Absent,
    /// It cannot be opened.
    #[error("{0}")]
    Keystore(#[from] KeystoreError),
    /// The file cannot be read or written.
    #[error("{0}")]
    File(#[from] NodeError),
}

impl Keys {
    /// Names the keys of a home. Nothing is read.
    pub fn of(home: &Home) -> Keys {
        Keys { folder: home.folder().join("keys") }
    }

    /// Reads the node's key; `None` where none was drawn.
    pub fn node(&self) -> Result<Option<NodeKey>, NodeError> {
        let Some(bytes) = self.read("node")? else { return Ok(None) };
        let damaged = || file_error(&self.folder.join("node"), "use as a key")(io::ErrorKind::InvalidData.into());
        let secret: [u8; 32] = bytes.try_into().map_err(|_| damaged())?;
        Ok(Some(NodeKey::from_secret(&secret)))
    }

    /// Reads the node's key, drawing it at the first call.
    pub fn node_or_draw(&self) -> Result<NodeKey, NodeError> {
        if let Some(key) = self.node()? {
            return Ok(key);
        }
        let mut secret = [0; 32];
        self.draw(&mut secret)?;
        self.write("node", &secret)?;
        Ok(NodeKey::from_secret(&secret))
    }

    /// Draws a recovery phrase.
    pub fn draw_phrase(&self) -> Result<Phrase, NodeError> {
        let mut entropy = [0; 32];
        self.draw(&mut entropy)?;
        Ok(Phrase::from_entropy(entropy))
    }

    /// Whether this node holds the person's secret.
    pub fn has_person(&self) -> bool {
        self.folder.join("person").exists()
    }

    /// Whether a passphrase is needed to open it.
    pub fn is_sealed(&self) -> Result<bool, SecretError> {
        Ok(keystore::is_sealed(&self.read("person")?.ok_or(SecretError::Absent)?)?)
    }

    /// Opens the person's secret. Takes a moment where a passphrase seals it.
    pub fn phrase(&self, passphrase: Option<&str>) -> Result<Phrase, SecretError> {
        let bytes = self.read("person")?.ok_or(SecretError::Absent)?;
        Ok(keystore::open(&bytes, passphrase)?)
    }

    /// Opens the person key.
    pub fn person(&self, passphrase: Option<&str>) -> Result<PersonKey, SecretError> {
        Ok(self.phrase(passphrase)?.person_key())
    }

    /// Keeps the person's secret, sealed where there is a passphrase.
    pub fn keep_phrase(&self, phrase: &Phrase, passphrase: Option<&str>) -> Result<(), SecretError> {
        let mut random = [0; keystore::RANDOM_BYTES];
        self.draw(&mut random)?;
        let bytes = keystore::seal(phrase, passphrase, keystore::Cost::default(), random)?;
        self.write("account", phrase.account().address().to_string().as_bytes())?;
        self.write("book", ParcelKey::derive(phrase).bytes())?;
        Ok(self.write("person", &bytes)?)
    }

    /// Returns the key of what contacts keep for us; `None` where this node does not hold the person's secret.
    pub fn book(&self) -> Option<ParcelKey> {
        let kept = self.has_person().then(|| self.read("book").ok().flatten()).flatten();
        kept.and_then(|bytes| bytes.try_into().ok()).map(ParcelKey::from_bytes)
    }

    /// Returns the address of the ledger account; `None` where this node does not hold the person's secret.
    pub fn account(&self) -> Option<String> {
        let kept = self.has_person().then(|| self.read("account").ok().flatten()).flatten();
        kept.and_then(|bytes| String::from_utf8(bytes).ok())
    }

    fn draw(&self, bytes: &mut [u8]) -> Result<(), NodeError> {
        getrandom::fill(bytes).map_err(|e| file_error(&self.folder, "draw a random key for")(io::Error::other(e)))
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, NodeError> {
        let path = self.folder.join(name);
        match fs::read(&path) {
            Ok(bytes) if bytes.len() <= keystore::MAX_BYTES => Ok(Some(bytes)),
            Ok(_) => Err(file_error(&path, "use as a key")(io::ErrorKind::InvalidData.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(file_error(&path, "read")(error)),
        }
    }

    /// Writes a key so that a power failure leaves the old one or the new one, and only the owner can read it.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), NodeError> {
        let path = self.folder.join(name);
        write_durably(&self.folder, name, bytes).map_err(file_error(&path, "write"))
    }
}

fn write_durably(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    create_private_folder(folder)?;
    let fresh = folder.join(format!("{name}.new"));
    let mut options = OpenOptions::new();
    options.create(true).truncate(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&fresh, folder.join(name))?;
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_drawn_once_and_only_their_owner_can_read_them() {
        let folder = tempfile::tempdir().unwrap();
        let keys = Keys::of(&Home::open(Some(folder.path())).unwrap());
        assert!(keys.node().unwrap().is_none() && !keys.has_person());
        let node = keys.node_or_draw().unwrap();
        assert_eq!(keys.node_or_draw().unwrap().id(), node.id());
        assert!(matches!(keys.phrase(None), Err(SecretError::Absent)));
        let phrase = keys.draw_phrase().unwrap();
        keys.keep_phrase(&phrase, None).unwrap();
        assert!(!keys.is_sealed().unwrap());
        assert_eq!(keys.phrase(None).unwrap(), phrase);
        assert_eq!(keys.account(), Some(phrase.account().address().to_string()));
        #[cfg(unix)]
        for (name, wanted) in [("keys", 0o700), ("keys/node", 0o600), ("keys/person", 0o600)] {
            let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(folder.path().join(name)).unwrap());
            assert_eq!(mode & 0o777, wanted, "{name}");
        }
    }
}
