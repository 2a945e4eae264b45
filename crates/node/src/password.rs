//! The password by which the user's browsers log in from other computers: chosen by the user, kept as Argon2id's hash (RFC
//! 9106) in the file `password` of the home. There is none until one is chosen.

use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use unicode_normalization::UnicodeNormalization as _;

use crate::{Home, NodeError};

/// The fewest characters of a password: NIST SP 800-63B-4, section 3.1.1.2, where nothing else is asked for.
const MIN_CHARACTERS: usize = 15;

/// The fewest different ones. Arbitrary: nobody chooses fifteen times the same letter and means it.
const MIN_DIFFERENT: usize = 5;

/// The longest in bytes. Arbitrary.
const MAX_BYTES: usize = 1024;

/// What an attempt costs: the second recommended choice of RFC 9106, section 4: 64 MiB, 3 passes, 4 lanes.
const MEMORY_KIB: u32 = 64 << 10;
const PASSES: u32 = 3;
const LANES: u32 = 4;

/// Its name in the home.
const FILE: &str = "password";

/// What the file holds.
#[derive(Serialize, Deserialize)]
struct Kept {
    #[serde(with = "hex")]
    salt: Vec<u8>,
    #[serde(with = "hex")]
    hash: Vec<u8>,
}

impl Home {
    /// Tells whether a password was chosen.
    ///
    /// # Errors
    /// When there is a file that cannot be read: nobody knows then.
    pub(crate) fn has_password(&self) -> Result<bool, NodeError> {
        Ok(self.kept_password()?.is_some())
    }

    /// Sets the password.
    ///
    /// # Errors
    /// When it is too easy to guess, or cannot be stored.
    pub fn set_password(&self, password: &str) -> Result<(), NodeError> {
        check(password.trim()).map_err(NodeError::Remote)?;
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(|error| NodeError::Random(error.to_string()))?;
        let hash = hash(password, &salt).map_err(NodeError::Remote)?;
        let kept = Kept { salt: salt.to_vec(), hash: hash.to_vec() };
        let text = serde_json::to_vec(&kept).map_err(|error| NodeError::Remote(error.to_string()))?;
        self.replace(FILE, &text)
    }

    /// Forgets the password.
    pub fn remove_password(&self) -> Result<(), NodeError> {
        match std::fs::remove_file(self.folder().join(FILE)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(crate::home::file_error(&self.folder().join(FILE), "remove")(error))
            }
            _ => Ok(()),
        }
    }

    /// Tells whether this is the password. Takes a moment, and 64 MiB.
    pub(crate) fn is_password(&self, shown: &str) -> Result<bool, NodeError> {
        let Some(Kept { salt, hash: wanted }) = self.kept_password()? else { return Ok(false) };
        if shown.len() > MAX_BYTES {
            return Ok(false);
        }
        Ok(hash(shown, &salt).map_err(NodeError::Remote)?.as_slice().ct_eq(&wanted).into())
    }

    /// Returns by what the password is told from one before it; `None`: there is none. Nothing of it is in that.
    pub(crate) fn password_mark(&self) -> Result<Option<Vec<u8>>, NodeError> {
        Ok(self.kept_password()?.map(|kept| kept.salt))
    }

    fn kept_password(&self) -> Result<Option<Kept>, NodeError> {
        let path = self.folder().join(FILE);
        let bytes = match std::fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(crate::home::file_error(&path, "read"))?,
        };
        let kept = serde_json::from_slice(&bytes).map_err(|error| {
            let path = path.display();
            NodeError::Remote(format!("{path} holds no password ({error}): `compeer password` sets one anew"))
        });
        kept.map(Some)
    }
}

/// Bytes as the file has them.
mod hex {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&data_encoding::HEXLOWER.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        data_encoding::HEXLOWER.decode(String::deserialize(from)?.as_bytes()).map_err(D::Error::custom)
    }
}

/// Tells what is wrong with a password.
fn check(password: &str) -> Result<(), String> {
    let different: std::collections::BTreeSet<char> = password.chars().collect();
    if password.chars().count() < MIN_CHARACTERS {
        return Err(format!("a password has {MIN_CHARACTERS} characters or more: take some words"));
    }
    if different.len() < MIN_DIFFERENT {
        return Err(format!("a password has {MIN_DIFFERENT} different characters or more: take some words"));
    }
    if password.len() > MAX_BYTES {
        return Err(format!("a password has at most {MAX_BYTES} bytes"));
    }
    Ok(())
}

fn hash(password: &str, salt: &[u8]) -> Result<[u8; 32], String> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(32)).map_err(|error| error.to_string())?;
    // One keyboard writes a letter as one character, another as two.
    let password: String = password.trim().nfkc().collect();
    let mut hash = [0; 32];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_into(password.as_bytes(), salt, &mut hash).map_err(|error| error.to_string())?;
    Ok(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_again_and_no_other_is() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(Some(folder.path())).unwrap();
        assert!(!home.has_password().unwrap() && !home.is_password("").unwrap());
        home.set_password("correct horse battery").unwrap();
        assert!(home.has_password().unwrap() && home.is_password(" correct horse battery\n").unwrap());
        assert!(!home.is_password("correct horse batterz").unwrap() && !home.is_password("").unwrap());
        let kept = std::fs::read_to_string(folder.path().join(FILE)).unwrap();
        assert!(!kept.contains("horse"));
        let mark = home.password_mark().unwrap();
        home.set_password("correct horse battery").unwrap();
        assert!(mark.is_some() && home.password_mark().unwrap() != mark, "each time it is another");
        home.remove_password().unwrap();
        assert!(!home.has_password().unwrap() && !home.is_password("correct horse battery").unwrap());
        home.remove_password().unwrap();
    }

    #[test]
    fn a_file_that_cannot_be_read_is_no_missing_password() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(Some(folder.path())).unwrap();
        let file = folder.path().join(FILE);
        for text in ["", "{}", "{\"salt\": \"x\", \"hash\": \"00\"}"] {
            std::fs::write(&file, text).unwrap();
            let error = home.is_password("correct horse battery").unwrap_err().to_string();
            assert!(error.contains("compeer password"), "{error}");
            assert!(home.has_password().is_err() && home.password_mark().is_err());
        }
        home.set_password("correct horse battery").unwrap();
        assert!(home.is_password("correct horse battery").unwrap(), "it can be set anew");
        std::fs::remove_file(&file).unwrap();
        std::fs::create_dir(&file).unwrap();
        assert!(matches!(home.has_password(), Err(NodeError::File { action: "read", .. })));
    }

    #[test]
    fn what_is_guessed_at_once_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(Some(folder.path())).unwrap();
        for bad in ["", "compeer", "fourteen chars", "aaaaaaaaaaaaaaaaaaaa", &"long ".repeat(1000)] {
            assert!(home.set_password(bad).is_err(), "{bad}");
        }
        assert!(!home.has_password().unwrap());
    }
}
