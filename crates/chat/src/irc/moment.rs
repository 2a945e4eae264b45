//! Moments as IRC writes them (IRCv3 server-time): `2019-01-04T14:33:26.123Z`.

use jiff::Timestamp;

/// The last moment that can be written, in milliseconds of Unix time: the end of the year 9999 less a day, since clocks of
/// others may say anything.
const LAST_MS: u64 = 253_402_207_200_000 - 86_400_000;

/// Writes a moment, in milliseconds of Unix time.
pub(super) fn write(ms: u64) -> String {
    let ms = i64::try_from(ms.min(LAST_MS)).unwrap_or(i64::MAX);
    let moment = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{moment:.3}")
}

/// Writes a moment for people who see no tags: to the minute.
pub(super) fn short(ms: u64) -> String {
    let text = write(ms);
    format!("{} {} UTC", &text[..10], &text[11..16])
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
        assert_eq!(short(1_546_612_406_123), "2019-01-04 14:33 UTC");
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
