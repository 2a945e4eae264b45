//! Byte counts and rates as people write and read them.

use std::time::Duration;

/// Why a byte count or a rate could not be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{input:?} is not a size: write a number with an optional K, M, G or T (1024-based), for example 500K or 1.5M")]
pub struct ParseSizeError {
    input: String,
}

/// Formats a byte count with a binary unit, for example `1.5 MiB`.
pub fn format_bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// Parses `123`, `500K`, `1.5 MiB`, `2g`: bytes, with binary prefixes. A trailing `/s` is accepted for rates.
pub fn parse_bytes(input: &str) -> Result<u64, ParseSizeError> {
    let error = || ParseSizeError { input: input.to_owned() };
    let text = input.trim().to_ascii_lowercase();
    let text = text.strip_suffix("/s").unwrap_or(&text).trim_end();
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = (&text[..split], text[split..].trim_start());
    let shift = match unit {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return Err(error()),
    };
    let value: f64 = number.parse().map_err(|_| error())?;
    let bytes = value * (1u64 << shift) as f64;
    // 2^53: beyond it a f64 no longer holds every integer, and no disk is that large.
    if bytes.is_finite() && bytes < 9_007_199_254_740_992.0 { Ok(bytes as u64) } else { Err(error()) }
}

/// Formats a duration as its two largest units, for example `3m 20s`.
pub fn format_duration(duration: Duration) -> String {
    let s = duration.as_secs();
    match s {
        0..60 => format!("{s}s"),
        60..3600 => format!("{}m {:02}s", s / 60, s % 60),
        3600..86400 => format!("{}h {:02}m", s / 3600, s / 60 % 60),
        _ => format!("{}d {:02}h", s / 86400, s / 3600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_read_back_what_people_write() {
        for (text, bytes) in [("0", 0), ("123", 123), ("500K", 512_000), ("1.5 MiB", 1_572_864), ("2g/s", 2 << 30)] {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
        for text in ["", "K", "-1", "1x", "1e400", "99999999T", "1.2.3"] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn bytes_are_shown_with_one_decimal() {
        assert_eq!(format_bytes(1023), "1023 B");
        assert_eq!(format_bytes(1024), "1.0 KiB");
        assert_eq!(format_bytes(1024 * 1024 - 1), "1.0 MiB");
        assert_eq!(format_bytes(3 << 29), "1.5 GiB");
    }

    #[test]
    fn durations_show_two_units() {
        assert_eq!(format_duration(Duration::from_secs(200)), "3m 20s");
        assert_eq!(format_duration(Duration::from_secs(90_000)), "1d 01h");
    }
}
