//! File names from the network: data, never paths. Each component is made safe or refused, and no two files of a
//! torrent get the same name.
//!
//! What happens to a component, in this order:
//!
//! - bytes that are no UTF-8 become U+FFFD (BEP 3 asks for UTF-8);
//! - `..` is refused: it has no purpose but to leave the folder; empty components and `.` are left out;
//! - `/`, `\`, control characters (NUL, line ends) and characters that reverse the direction of text (which make
//!   `gpj.exe` look like `exe.jpg`) become `_`;
//! - with [`Rules::Portable`] also `< > : " | ? *` (a drive letter needs the colon) and a trailing dot or space become
//!   `_`, and the reserved names of Windows (`CON`, `nul.txt`) get a `_` in front;
//! - what is too long is cut, keeping the extension, and marked with a hash of the whole name.
//!
//! An absolute path has an empty first component or a separator in it, so that it ends below the folder like any other.
//! Of files with the same path (by [`Rules::Portable`]: also such as differ by case or Unicode normal form only) the
//! later ones are numbered, `a (2).txt`; so is a file that is called like a folder. The result depends on nothing but
//! the list of paths and the rules.

mod distinct;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

pub use distinct::make_distinct;

/// How long a component may be, in bytes: what Linux and macOS allow (NAME_MAX), and Windows in UTF-16 units.
pub const MAX_COMPONENT_LEN: usize = 255;

/// How long a path below the download folder may be, in bytes: Linux allows 4,096 (PATH_MAX), the folder included.
pub const MAX_PATH_LEN: usize = 3_500;

/// How long an extension is worth keeping when a name is cut, in bytes. Arbitrary.
const MAX_EXTENSION_LEN: usize = 16;

/// How many hexadecimal digits mark a name that was cut. Arbitrary: within one torrent, equal names are numbered anyway.
const MARK_LEN: usize = 8;

/// Which names a file system takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// Linux and other Unix systems: bytes are compared, and all but `/` and NUL is legal.
    Exact,
    /// macOS and Windows, and disks that they share: case and normal form do not distinguish names, and more characters
    /// and names are reserved.
    Portable,
}

/// Why a name cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// `..`.
    #[error("a path component is \"..\", which leads out of the folder")]
    Parent,
    /// No usable component is left.
    #[error("a path is empty")]
    Empty,
    /// Too many bytes.
    #[error("a path is longer than {MAX_PATH_LEN} bytes")]
    TooLong,
}

impl Rules {
    /// Returns the rules of the platform that this was built for.
    pub const fn native() -> Rules {
        if cfg!(all(unix, not(target_vendor = "apple"))) { Rules::Exact } else { Rules::Portable }
    }
}

/// Makes one component safe; [`NameError::Empty`] where it is to be left out.
pub fn safe_component(raw: &[u8], rules: Rules) -> Result<String, NameError> {
    let text = String::from_utf8_lossy(raw);
    match &*text {
        ".." => return Err(NameError::Parent),
        "" | "." => return Err(NameError::Empty),
        _ => {}
    }
    let mut name: String = text.chars().map(|c| if is_unsafe(c, rules) { '_' } else { c }).collect();
    if rules == Rules::Portable {
        if name.ends_with(['.', ' ']) {
            name.pop();
            name.push('_');
        }
        if is_reserved(&name) {
            name.insert(0, '_');
        }
    }
    Ok(shortened(&name, ""))
}

/// Makes the components of one path safe.
pub fn safe_path<'a>(raw: impl IntoIterator<Item = &'a [u8]>, rules: Rules) -> Result<Vec<String>, NameError> {
    let mut path = Vec::new();
    let mut len = 0;
    for component in raw {
        match safe_component(component, rules) {
            Ok(component) => {
                len += component.len() + 1;
                path.push(component);
            }
            Err(NameError::Empty) => {}
            Err(error) => return Err(error),
        }
        if len > MAX_PATH_LEN {
            return Err(NameError::TooLong);
        }
    }
    if path.is_empty() { Err(NameError::Empty) } else { Ok(path) }
}

/// Tells whether a local file's name reaches a receiver with the same rules unchanged.
pub fn travels(component: &str) -> bool {
    safe_component(component.as_bytes(), Rules::native()).is_ok_and(|safe| safe == component)
}

/// Appends a suffix such as `.part` to a safe component, cutting the component where it gets too long.
pub fn with_suffix(component: &str, suffix: &str) -> String {
    shortened(component, suffix)
}

fn is_unsafe(c: char, rules: Rules) -> bool {
    let reverses = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let foreign = rules == Rules::Portable && matches!(c, '<' | '>' | ':' | '"' | '|' | '?' | '*');
    c.is_control() || c == '/' || c == '\\' || reverses || foreign
}

/// Tells whether Windows takes the name for a device, whatever its extension.
fn is_reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_uppercase();
    match stem.as_str() {
        "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$" => true,
        _ => stem.strip_prefix("COM").or_else(|| stem.strip_prefix("LPT")).is_some_and(|port| {
            matches!(port, "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³")
        }),
    }
}

/// Returns `name` + `suffix`, where it is too long with a piece cut out of the name and a hash in its place.
fn shortened(name: &str, suffix: &str) -> String {
    if name.len() + suffix.len() <= MAX_COMPONENT_LEN {
        return format!("{name}{suffix}");
    }
    let (stem, extension) = split_extension(name);
    let mark = &HEXLOWER.encode(&Sha256::digest(name))[..MARK_LEN];
    let room = MAX_COMPONENT_LEN.saturating_sub(suffix.len() + extension.len() + MARK_LEN + 1);
    let stem = &stem[..stem.floor_char_boundary(room)];
    format!("{stem}~{mark}{extension}{suffix}")
}

/// Splits a name before its extension's dot; the extension is empty where there is none worth keeping.
fn split_extension(name: &str) -> (&str, &str) {
    match name.rfind('.') {
        Some(dot) if dot > 0 && name.len() - dot <= MAX_EXTENSION_LEN => name.split_at(dot),
        _ => (name, ""),
    }
}

#[cfg(test)]
mod tests;
