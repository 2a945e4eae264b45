//! Why a torrent is refused, and where.

use crate::bencode::{DecodeError, Fault};
use crate::names::NameError;

/// Why bytes are no torrent, and at which byte.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("byte {offset}: {problem}")]
pub struct MetainfoError {
    /// The offset of the value at fault; of the dictionary, where a key is missing.
    pub offset: usize,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a torrent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It is not bencode.
    #[error("not bencode: {0}")]
    Bencode(Fault),
    /// A key that has to be there is missing.
    #[error("the key \"{0}\" is missing")]
    Missing(&'static str),
    /// A value has the wrong type.
    #[error("\"{key}\" is not {expected}")]
    WrongType {
        /// Whose value.
        key: &'static str,
        /// What it has to be.
        expected: &'static str,
    },
    /// A value is out of its range, or contradicts another one.
    #[error("{0}")]
    Invalid(&'static str),
    /// A name that no file can be given safely.
    #[error("a file name is unusable: {0}")]
    Name(#[from] NameError),
}

impl MetainfoError {
    pub(crate) fn new(offset: usize, problem: impl Into<Problem>) -> MetainfoError {
        MetainfoError { offset, problem: problem.into() }
    }

    pub(crate) fn invalid(offset: usize, why: &'static str) -> MetainfoError {
        MetainfoError { offset, problem: Problem::Invalid(why) }
    }

    /// Counts the offset from an earlier byte.
    pub(crate) fn shifted(self, by: usize) -> MetainfoError {
        MetainfoError { offset: self.offset + by, ..self }
    }
}

impl From<DecodeError> for MetainfoError {
    fn from(error: DecodeError) -> MetainfoError {
        MetainfoError { offset: error.offset, problem: Problem::Bencode(error.fault) }
    }
}
