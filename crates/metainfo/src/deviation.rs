//! The one list of what specifications forbid and we accept all the same: each is harmless, and written by programs
//! that are in use. Everything else that is malformed is refused.

use std::collections::BTreeSet;
use std::fmt;

use crate::bencode::Value;

/// A known-harmless deviation from the specifications, accepted on reading. We never write any of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deviation {
    /// Keys of a dictionary are not in order (BEP 3). The info-hash is taken over the bytes as they are. Not accepted in
    /// a v2 `file tree`, whose order numbers the pieces.
    UnsortedKeys,
    /// White space or NUL bytes follow the torrent file: editors and downloads append them.
    TrailingSpace,
    /// A text is not UTF-8 (BEP 3); what is not, is replaced. Torrents from before 2008.
    NotUtf8,
    /// `name.utf-8` and `path.utf-8` stand beside `name` and `path` in another encoding, and are preferred (BitComet,
    /// old Azureus).
    Utf8Keys,
    /// `announce-list` is a flat list of URLs (BEP 12 asks for a list of lists): each is a tier.
    FlatTrackerList,
    /// A URL in `announce`, `announce-list` or `url-list` is empty: it is left out.
    EmptyUrl,
    /// A key that is only informative (`comment`, `creation date`, `nodes`, …) has the wrong type or a value out of its
    /// range: it is ignored.
    BadOptionalKey,
    /// `private` is neither 0 nor 1, or no integer (BEP 27): such a torrent is not private.
    OddPrivate,
    /// A path has an empty component: it is left out.
    EmptyComponent,
    /// An empty file has a `pieces root` (BEP 52): it is ignored.
    RootOfEmptyFile,
    /// `piece layers` is missing, or the layer of a file in it (BEP 52): peers have the hashes.
    MissingPieceLayer,
    /// `piece layers` has a layer that belongs to no file larger than a piece: it is ignored.
    ExtraPieceLayer,
}

/// The deviations met while reading.
pub(crate) type Deviations = BTreeSet<Deviation>;

impl fmt::Display for Deviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Deviation::UnsortedKeys => "keys of a dictionary are not in order",
            Deviation::TrailingSpace => "white space follows the end",
            Deviation::NotUtf8 => "a text is not UTF-8",
            Deviation::Utf8Keys => "a name is given in two encodings",
            Deviation::FlatTrackerList => "\"announce-list\" is not a list of lists",
            Deviation::EmptyUrl => "a URL is empty",
            Deviation::BadOptionalKey => "an informative key is malformed",
            Deviation::OddPrivate => "\"private\" is neither 0 nor 1",
            Deviation::EmptyComponent => "a path has an empty component",
            Deviation::RootOfEmptyFile => "an empty file has a \"pieces root\"",
            Deviation::MissingPieceLayer => "a piece layer is missing",
            Deviation::ExtraPieceLayer => "a piece layer belongs to no file",
        })
    }
}

/// Reads text, noting what is no UTF-8.
pub(crate) fn text(bytes: &[u8], deviations: &mut Deviations) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => {
            deviations.insert(Deviation::NotUtf8);
            String::from_utf8_lossy(bytes).into_owned()
        }
    }
}

/// Tells whether the keys of all dictionaries in a value are in order. The decoder bounds the depth.
pub(crate) fn is_sorted(value: &Value<'_>) -> bool {
    match value {
        Value::Int(_) | Value::Bytes(_) => true,
        Value::List(list) => list.iter().all(is_sorted),
        Value::Dict(dict) => dict.is_sorted() && dict.iter().all(|(_, value)| is_sorted(value)),
    }
}
