//! Reading what `get`, `add` and `torrent show` are given: a magnet, a .torrent file, or the URL of one.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use data_encoding::HEXLOWER;
use metainfo::{Magnet, TorrentFile, UpdateLink};

use crate::client::install_crypto;

/// The largest torrent file that is read, in bytes; what the API takes.
const MAX_TORRENT_BYTES: u64 = 32 << 20;

/// How long a web server may take with a torrent file, in all.
const FETCH_TIMEOUT: Duration = Duration::from_secs(60);

/// Something to fetch, read and checked.
#[derive(Debug)]
pub enum Source {
    /// A magnet, and its text.
    Magnet(Magnet, String),
    /// A link to the newest of several torrents, which is to be looked up first.
    Updates(UpdateLink),
    /// A torrent file, and its bytes.
    File(Box<TorrentFile>, Vec<u8>),
}

impl Source {
    /// Returns what to call it until the node knows better.
    pub fn name(&self) -> String {
        match self {
            Source::Magnet(magnet, _) => magnet.name.clone().unwrap_or_else(|| magnet.hashes.key().to_string()),
            Source::Updates(link) => link.name.clone().unwrap_or_else(|| HEXLOWER.encode(&link.key)),
            Source::File(file, _) => file.info.name().to_owned(),
        }
    }

    /// Tells whether it names any tracker.
    pub fn has_trackers(&self) -> bool {
        match self {
            Source::Magnet(magnet, _) => !magnet.trackers.is_empty(),
            Source::Updates(link) => !link.trackers.is_empty(),
            Source::File(file, _) => !file.trackers.is_empty(),
        }
    }

    /// Tells whether it names any peer or web seed.
    pub fn has_peers(&self) -> bool {
        match self {
            Source::Magnet(magnet, _) => !magnet.peers.is_empty() || !magnet.web_seeds.is_empty(),
            Source::Updates(link) => !link.peers.is_empty(),
            Source::File(file, _) => !file.web_seeds.is_empty(),
        }
    }

    /// Puts it into an order for the node.
    pub fn fill(&self, request: &mut rpc::AddRequest) {
        match self {
            Source::Magnet(_, text) => request.link = Some(text.clone()),
            Source::Updates(link) => request.link = Some(link.to_string()),
            Source::File(_, bytes) => request.torrent_base64 = Some(data_encoding::BASE64.encode(bytes)),
        }
    }
}

/// Reads a link, fetching it where it is a URL.
pub async fn read(link: &str) -> Result<Source> {
    match link.split_once(':') {
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https") => {
            let bytes = fetch(link).await?;
            parse_file(bytes).with_context(|| format!("{link}: this is no torrent file"))
        }
        _ => read_local(link),
    }
}

/// Reads a magnet or a file.
pub fn read_local(link: &str) -> Result<Source> {
    if link.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("magnet:")) {
        let text = format!("magnet:{}", &link[7..]);
        if UpdateLink::is_meant(&text) {
            let link = text.parse().with_context(|| format!("{}: this link cannot be used", shorten(link)))?;
            return Ok(Source::Updates(link));
        }
        let magnet = text.parse().with_context(|| format!("{}: this link cannot be used", shorten(link)))?;
        return Ok(Source::Magnet(magnet, text));
    }
    let path = match link.get(..5) {
        Some(scheme) if scheme.eq_ignore_ascii_case("file:") => file_of(link)?,
        _ => PathBuf::from(link),
    };
    let length = match std::fs::metadata(&path) {
        Ok(found) if found.is_dir() => bail!("{link}: this is a folder; give a .torrent file, a magnet or a URL"),
        Ok(found) => found.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => bail!(
            "{}: there is no such file, and it is no link either; a link begins with magnet:, http: or https: \
             (put it between quotes: the shell reads & as its own)",
            shorten(link)
        ),
        Err(error) => bail!("{link}: cannot read it: {error}"),
    };
    if length > MAX_TORRENT_BYTES {
        bail!("{link}: too large for a torrent file ({})", base::units::format_bytes(length));
    }
    let bytes = std::fs::read(&path).with_context(|| format!("{link}: cannot read it"))?;
    parse_file(bytes).with_context(|| format!("{link}: this is no torrent file that can be used"))
}

/// Returns the path of a file URL of this computer (RFC 8089), as desktops give it.
fn file_of(url: &str) -> Result<PathBuf> {
    let rest = &url[5..];
    let path = match rest.strip_prefix("//") {
        None => rest,
        Some(rest) => rest.strip_prefix("localhost").unwrap_or(rest),
    };
    if !path.starts_with('/') {
        bail!("{}: this is no file of this computer; file:///PATH would be", shorten(url));
    }
    let bytes: Vec<u8> = percent_encoding::percent_decode_str(path).collect();
    #[cfg(unix)]
    let path = <std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(bytes);
    // The slash before the drive is the URL's.
    #[cfg(not(unix))]
    let path = String::from_utf8(bytes)?.trim_start_matches('/').to_owned();
    Ok(path.into())
}

fn parse_file(bytes: Vec<u8>) -> Result<Source> {
    let file = TorrentFile::from_bytes(&bytes)?;
    Ok(Source::File(Box::new(file), bytes))
}

async fn fetch(url: &str) -> Result<Vec<u8>> {
    install_crypto();
    let http = reqwest::Client::builder()
        .timeout(FETCH_TIMEOUT)
        .user_agent(concat!("Compeer/", env!("CARGO_PKG_VERSION")))
        .build()?;
    let failed = |error: reqwest::Error| {
        let mut cause: &dyn std::error::Error = &error;
        while let Some(next) = cause.source() {
            cause = next;
        }
        anyhow::anyhow!("{url}: cannot fetch it: {cause}; check the address and the connection")
    };
    let mut response = http.get(url).send().await.map_err(failed)?;
    if !response.status().is_success() {
        bail!("{url}: the server answers {}; check the address", response.status());
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() as u64 > MAX_TORRENT_BYTES {
            bail!("{url}: what it leads to is too large for a torrent file");
        }
    }
    Ok(bytes)
}

/// Shortens a link for a message.
fn shorten(link: &str) -> String {
    const SHOWN: usize = 70;
    let clean = crate::out::clean(link);
    if clean.chars().count() <= SHOWN { clean } else { clean.chars().take(SHOWN).chain(['…']).collect() }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_file_url_is_a_path() {
        for (url, path) in [
            ("file:///home/alice%20b/x.torrent", "/home/alice b/x.torrent"),
            ("FILE://localhost/x", "/x"),
            ("file:/x%25", "/x%"),
        ] {
            assert_eq!(file_of(url).unwrap(), PathBuf::from(path), "{url}");
        }
        assert!(file_of("file://elsewhere/x").is_err() && file_of("file:x").is_err());
    }
}
