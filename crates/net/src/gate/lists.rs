//! The usual files with lists of addresses: `.p2p` (text, `name:first-last`), `.dat` (eMule's ipfilter, `first - last , level
//! , name`), `.cidr` (a network a line), and the binary `.p2b`'s text kin; any of them may be compressed with gzip. The
//! form is told line by line, not by the file's name, since such files travel under all names.

use std::io::{BufRead, BufReader, Read};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use super::{AddressRange, Addresses};

/// How many ranges all list files together may have. The largest that go round have some 800,000; 8 bytes each.
pub const MAX_LISTED: usize = 2_000_000;

/// How long a line may be, in bytes. Names of networks are short; what is longer is no line of such a list.
const MAX_LINE: u64 = 4096;

/// From which level on a range of a `.dat` is not blocked: "127 or less" are, by eMule's rule.
const BLOCKED_BELOW: u32 = 128;

/// The first bytes of a file that gzip compressed (RFC 1952, 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Why a list cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// It cannot be read.
    #[error("cannot read the list {path}: {reason}")]
    Read {
        /// The file.
        path: String,
        /// What the system said.
        reason: std::io::Error,
    },
    /// Hardly any line is understood: it is another kind of file.
    #[error(
        "{path}: line {line} is no range of addresses, and most others are none either: is it a .p2p, .dat or .cidr list?"
    )]
    Form {
        /// The file.
        path: String,
        /// The first line that is not understood.
        line: usize,
    },
    /// There are too many ranges.
    #[error("{path}: the lists have more than {MAX_LISTED} ranges together; use fewer of them")]
    TooMany {
        /// The file.
        path: String,
    },
}

/// Reads a list file and adds its ranges to `ranges`. A line that is not understood is skipped, unless more are than are
/// not. Returns how many lines were skipped.
pub fn read_list(path: &Path, ranges: &mut Vec<AddressRange>) -> Result<usize, ListError> {
    let shown = path.display().to_string();
    let failed = |reason| ListError::Read { path: shown.clone(), reason };
    let mut file = BufReader::with_capacity(1 << 16, std::fs::File::open(path).map_err(failed)?);
    let compressed = file.fill_buf().map_err(failed)?.starts_with(&GZIP);
    if compressed {
        let unpacked = BufReader::with_capacity(1 << 16, flate2::bufread::MultiGzDecoder::new(file));
        read_lines(unpacked, &shown, ranges)
    } else {
        read_lines(file, &shown, ranges)
    }
}

fn read_lines(mut from: impl BufRead, shown: &str, ranges: &mut Vec<AddressRange>) -> Result<usize, ListError> {
    let failed = |reason| ListError::Read { path: shown.to_owned(), reason };
    let (mut line, mut number, mut good, mut skipped, mut first_bad) = (Vec::new(), 0, 0, 0, 0);
    loop {
        line.clear();
        if from.by_ref().take(MAX_LINE).read_until(b'\n', &mut line).map_err(failed)? == 0 {
            break;
        }
        number += 1;
        match parse_line(&line) {
            Line::Range(range) => {
                if ranges.len() >= MAX_LISTED {
                    return Err(ListError::TooMany { path: shown.to_owned() });
                }
                good += 1;
                ranges.push(range);
            }
            Line::Nothing => {}
            Line::Bad => {
                if skipped == 0 {
                    first_bad = number;
                }
                skipped += 1;
            }
        }
        // Told early, so that a film that was given instead of a list is not read to its end.
        if skipped > good + 100 {
            break;
        }
    }
    if skipped > good {
        return Err(ListError::Form { path: shown.to_owned(), line: first_bad });
    }
    Ok(skipped)
}

#[derive(Debug, PartialEq)]
enum Line {
    Range(AddressRange),
    /// A remark, an empty line, a range that the list itself lets pass.
    Nothing,
    Bad,
}

fn parse_line(line: &[u8]) -> Line {
    // Names are in any old encoding; what counts is ASCII.
    let text = String::from_utf8_lossy(line);
    let text = text.trim();
    if text.is_empty() || text.starts_with(['#', ';']) || text.starts_with("//") {
        return Line::Nothing;
    }
    // ipfilter.dat: `001.002.003.000 - 001.002.003.255 , 100 , a name`.
    if let Some((range, rest)) = text.split_once(',')
        && let Some(range) = parse_range(range)
    {
        let level = rest.split(',').next().and_then(|level| level.trim().parse::<u32>().ok());
        return if level.is_none_or(|level| level < BLOCKED_BELOW) { Line::Range(range) } else { Line::Nothing };
    }
    // A range alone, perhaps with a remark behind it; IPv6 has colons, so this comes before names.
    let bare = text.split_once('#').map_or(text, |(bare, _)| bare.trim());
    if let Some(range) = parse_range(bare) {
        return Line::Range(range);
    }
    // PeerGuardian: `a name:1.2.3.0-1.2.3.255`; the name may have colons, IPv6 ends stand behind the name's last one that
    // leaves a range.
    let colons = text.match_indices(':').map(|(at, _)| at);
    for at in colons {
        if let Some(range) = parse_range(&text[at + 1..]) {
            return Line::Range(range);
        }
    }
    Line::Bad
}

fn parse_range(text: &str) -> Option<AddressRange> {
    let text = text.trim();
    if let Some((first, last)) = text.split_once('-') {
        return AddressRange::new(parse_ip(first)?, parse_ip(last)?);
    }
    match text.split_once('/') {
        Some((address, prefix)) => AddressRange::network(parse_ip(address)?, prefix.trim().parse().ok()?),
        None => parse_ip(text).and_then(|ip| AddressRange::new(ip, ip)),
    }
}

/// Reads an address; IPv4 also with leading zeros, which `.dat` files pad with and the standard library refuses.
fn parse_ip(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    if text.contains(':') {
        return text.parse().ok();
    }
    let mut octets = [0; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        let part = parts.next().filter(|part| (1..=3).contains(&part.len()))?;
        *octet = part
            .bytes()
            .try_fold(0u32, |n, byte| byte.is_ascii_digit().then(|| n * 10 + u32::from(byte - b'0')))?
            .try_into()
            .ok()?;
    }
    parts.next().is_none().then(|| Ipv4Addr::from(octets).into())
}

/// Reads list files into one set. Returns it with the number of lines that were skipped.
pub fn read_lists<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Result<(Addresses, usize), ListError> {
    let (mut ranges, mut skipped) = (Vec::new(), 0);
    for path in paths {
        skipped += read_list(path, &mut ranges)?;
    }
    Ok((Addresses::new(ranges), skipped))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Option<String> {
        match parse_line(text.as_bytes()) {
            Line::Range(range) => Some(range.to_string()),
            Line::Nothing => Some(String::new()),
            Line::Bad => None,
        }
    }

    #[test]
    fn every_usual_form_is_read() {
        for (text, expected) in [
            ("Some Network, Inc:1.2.3.0-1.2.3.255", "1.2.3.0/24"),
            ("http://a.example:80 test:1.2.3.4-1.2.3.4", "1.2.3.4"),
            ("Six:2001:db8::1-2001:db8::2", "2001:db8::1-2001:db8::2"),
            ("001.002.003.000 - 001.002.003.255 , 100 , A name", "1.2.3.0/24"),
            ("001.002.003.000 - 001.002.003.255 , 200 , let pass", ""),
            ("1.2.3.4 - 1.2.3.5 , 000 , name, with: signs", "1.2.3.4/31"),
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.0.0.0/8 # private", "10.0.0.0/8"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("192.0.2.7", "192.0.2.7"),
            ("192.0.2.7\r\n", "192.0.2.7"),
            ("# a remark", ""),
            ("// one more", ""),
            ("; and one", ""),
            ("", ""),
        ] {
            assert_eq!(line(text).as_deref(), Some(expected), "{text}");
        }
        for text in ["hello", "1.2.3", "1.2.3.256", "name:1.2.3.4-1.2.3", "1.2.3.9-1.2.3.1", "1.2.3.4/33", "1.2.3.4.5"]
        {
            assert_eq!(line(text), None, "{text}");
        }
    }

    #[test]
    fn a_long_list_is_read_also_compressed_and_another_file_is_refused() {
        use std::io::Write as _;
        let folder = tempfile::tempdir().unwrap();
        let mut text = String::from("# a list\n");
        for i in 0..300_000u32 {
            let ip = Ipv4Addr::from(0x0100_0000 + i * 4);
            text.push_str(&format!("network {i}:{ip}-{ip}\n"));
        }
        let plain = folder.path().join("list.p2p");
        std::fs::write(&plain, &text).unwrap();
        let packed = folder.path().join("list.gz");
        let mut gzip =
            flate2::write::GzEncoder::new(std::fs::File::create(&packed).unwrap(), flate2::Compression::fast());
        gzip.write_all(text.as_bytes()).unwrap();
        gzip.finish().unwrap();
        for path in [&plain, &packed] {
            let (addresses, skipped) = read_lists([path.as_path()]).unwrap();
            assert_eq!((addresses.len(), skipped), (300_000, 0));
            assert!(addresses.contains("1.0.0.4".parse().unwrap()) && !addresses.contains("1.0.0.5".parse().unwrap()));
        }
        let film = folder.path().join("film");
        std::fs::write(&film, [b'\n', 1, 2, b'\n'].repeat(1000)).unwrap();
        let error = read_lists([film.as_path()]).unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains(".p2p"), "{error}");
        assert!(read_lists([folder.path().join("none").as_path()]).unwrap_err().to_string().contains("cannot read"));
    }
}
