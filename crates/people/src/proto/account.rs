//! The ledger account of a person: the first account that every Ethereum wallet derives from the recovery phrase
//! (BIP-32, BIP-44 with coin type 60 of SLIP-0044), so that any of them can import it.

use std::fmt;
use std::str::FromStr;

use bip32::secp256k1::ecdsa::VerifyingKey;
use bip32::{DerivationPath, XPrv};
use sha3::{Digest, Keccak256};
use zeroize::Zeroizing;

/// The path of the account.
pub const ACCOUNT_PATH: &str = "m/44'/60'/0'/0/0";

/// An account, with its secret, which is wiped when it drops.
pub struct Account(XPrv);

/// Where an account is paid: the last 20 bytes of the hash of its public key (Ethereum Yellow Paper, appendix F).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(pub [u8; 20]);

impl Account {
    /// Derives the account of a seed (BIP-39).
    pub(super) fn derive(seed: &[u8; 64]) -> Account {
        let path = DerivationPath::from_str(ACCOUNT_PATH).expect("the path is well formed");
        // A step fails where a hash is no scalar of the curve, which is one of 2¹²⁷ (BIP-32, "Child key derivation").
        Account(XPrv::derive_from_path(seed, &path).expect("no seed is known that has no such key"))
    }

    /// Returns its address.
    pub fn address(&self) -> Address {
        let key: &VerifyingKey = self.0.private_key().verifying_key();
        let point = key.to_sec1_point(false);
        let hash = Keccak256::digest(&point.as_bytes()[1..]);
        let mut address = [0; 20];
        address.copy_from_slice(&hash[12..]);
        Address(address)
    }

    /// Returns the secret scalar, for whoever signs with it.
    pub fn secret(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Account({})", self.address())
    }
}

impl fmt::Display for Address {
    /// With the checksum in the case of its letters (EIP-55).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = data_encoding::HEXLOWER.encode(&self.0);
        let hash = Keccak256::digest(digits.as_bytes());
        f.write_str("0x")?;
        for (at, digit) in digits.chars().enumerate() {
            let upper = hash[at / 2] >> (4 * (1 - at % 2)) & 8 != 0;
            write!(f, "{}", if upper { digit.to_ascii_uppercase() } else { digit })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::Phrase;

    #[test]
    fn the_examples_of_eip_55_hold() {
        for text in [
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
            "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
            "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
        ] {
            let bytes = data_encoding::HEXLOWER.decode(text[2..].to_lowercase().as_bytes()).unwrap();
            assert_eq!(Address(bytes.try_into().unwrap()).to_string(), text);
        }
    }

    #[test]
    fn the_account_of_a_phrase_stays() {
        // Golden, and what interop/cases/restore.py compares with bip-utils: a change here would lose everybody's money.
        let words = "abandon ".repeat(23) + "art";
        let account = Phrase::parse(&words).unwrap().account();
        assert_eq!(account.address().to_string(), "0xF278cF59F82eDcf871d630F28EcC8056f25C1cdb");
    }
}
