//! Moments as IRC writes them (IRCv3 server-time): `2019-01-04T14:33:26.123Z`.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The last moment that can be written, in milliseconds of Unix time: the end of the year 9999 less a day, since clocks of
/// others may say anything.
const LAST_MS: u64 = 253_402_207_200_000 - 86_400_000;

/// Writes a moment, in milliseconds of Unix time.
pub(super) fn write(ms: u64) -> String {
    format!("{:.3}", timestamp(ms))
}

/// Writes a moment for people: to the minute, as clocks show it where they are.
pub(super) fn short(ms: u64, zone: &TimeZone) -> String {
    timestamp(ms).to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
}

fn timestamp(ms: u64) -> Timestamp {
    let ms = i64::try_from(ms.min(LAST_MS)).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Reads a moment.
pub(super) fn read(text: &str) -> Option<u64> {
    let moment: Timestamp = text.parse().ok()?;
    u64::try_from(moment.as_millisecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_the_specification_says_and_read_back() {
        assert_eq!(write(1_546_612_406_123), "2019-01-04T14:33:26.123Z");
        assert_eq!(write(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(read("2019-01-04T14:33:26.123Z"), Some(1_546_612_406_123));
        assert_eq!(short(1_546_612_406_123, &TimeZone::UTC), "2019-01-04 14:33");
        assert_eq!(short(1_546_612_406_123, &TimeZone::fixed(jiff::tz::offset(10))), "2019-01-05 00:33");
        for no_moment in ["", "*", "2019-01-04", "1546612406", "1903-01-04T14:33:26.123Z", "2019-13-04T14:33:26.123Z"] {
            assert_eq!(read(no_moment), None, "{no_moment}");
        }
    }

    #[test]
    fn a_clock_that_is_wrong_breaks_nothing() {
        for ms in [u64::MAX, LAST_MS, LAST_MS + 1] {
            assert_eq!(write(ms).len(), "2019-01-04T14:33:26.123Z".len());
            assert_eq!(read(&write(ms)), Some(LAST_MS));
        }
    }
}
