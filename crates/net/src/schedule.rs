//! Hours: which part of a week a window covers. Pure: it is told which day and minute it is.

use std::fmt;
use std::str::FromStr;

/// The names of days, Monday first (ISO 8601).
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// How many minutes a day has.
const DAY: u16 = 24 * 60;

/// Days of the week. Written as `mon-fri,sun` or `all`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days(u8);

/// A time of the day, in minutes since midnight; 1,440 is the end of the day. Written as `08:30`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Minute(u16);

/// A moment of a week, by the clock on the wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The day: 0 is Monday.
    pub day: u8,
    /// Minutes since midnight.
    pub minute: u16,
}

/// A part of a week: the same hours on some days. It begins on those days; one whose end is before its begin lasts until
/// the next morning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// On which days it begins.
    pub days: Days,
    /// Its first minute.
    pub from: Minute,
    /// The minute that follows its last.
    pub to: Minute,
}

/// Why a text names no days or no time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseWindowError {
    /// No days.
    #[error("{0:?} names no days: write for example mon-fri, sat,sun or all")]
    Days(String),
    /// No time.
    #[error("{0:?} is no time of the day: write for example 08:30, from 00:00 to 24:00")]
    Time(String),
}

impl Window {
    /// Tells whether it covers a moment.
    pub fn covers(&self, moment: Moment) -> bool {
        let (from, to) = (self.from.0, self.to.0);
        let yesterday = (moment.day + 6) % 7;
        if from < to {
            self.days.has(moment.day) && (from..to).contains(&moment.minute)
        } else {
            // Past midnight; the same time twice is a whole day.
            self.days.has(moment.day) && moment.minute >= from || self.days.has(yesterday) && moment.minute < to
        }
    }
}

impl Days {
    /// All of them.
    pub const ALL: Days = Days(0x7f);

    fn has(self, day: u8) -> bool {
        self.0 >> (day % 7) & 1 == 1
    }
}

impl FromStr for Days {
    type Err = ParseWindowError;

    fn from_str(text: &str) -> Result<Days, ParseWindowError> {
        let day = |name: &str| DAYS.iter().position(|known| name.trim().eq_ignore_ascii_case(known));
        let parse = || {
            if text.trim().eq_ignore_ascii_case("all") {
                return Some(Days::ALL);
            }
            text.split(',').try_fold(Days(0), |days, part| {
                let (first, last) = part.split_once('-').unwrap_or((part, part));
                let (first, last) = (day(first)?, day(last)?);
                // `sat-mon` goes over the end of the week.
                let span = (last + 7 - first) % 7;
                Some((0..=span).fold(days, |days, i| Days(days.0 | 1 << ((first + i) % 7))))
            })
        };
        parse().ok_or_else(|| ParseWindowError::Days(text.chars().take(80).collect()))
    }
}

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Days::ALL {
            return f.write_str("all");
        }
        let mut parts = Vec::new();
        let mut day = 0;
        while day < 7 {
            let run = (day..7).take_while(|&day| self.has(day)).count() as u8;
            match run {
                0 => day += 1,
                1 => parts.push(DAYS[usize::from(day)].to_owned()),
                _ => parts.push(format!("{}-{}", DAYS[usize::from(day)], DAYS[usize::from(day + run - 1)])),
            }
            day += run;
        }
        f.write_str(&parts.join(","))
    }
}

impl FromStr for Minute {
    type Err = ParseWindowError;

    fn from_str(text: &str) -> Result<Minute, ParseWindowError> {
        let parse = || {
            let (hours, minutes) = text.trim().split_once(':')?;
            let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
            (hours <= 24 && minutes < 60 && hours * 60 + minutes <= DAY).then(|| Minute(hours * 60 + minutes))
        };
        parse().ok_or_else(|| ParseWindowError::Time(text.chars().take(80).collect()))
    }
}

impl fmt::Display for Minute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(days: &str, from: &str, to: &str) -> Window {
        Window { days: days.parse().unwrap(), from: from.parse().unwrap(), to: to.parse().unwrap() }
    }

    fn at(day: u8, time: &str) -> Moment {
        Moment { day, minute: time.parse::<Minute>().unwrap().0 }
    }

    #[test]
    fn a_window_covers_its_hours_and_a_night_goes_on_in_the_morning() {
        let work = window("mon-fri", "08:00", "18:00");
        for (moment, inside) in [
            (at(0, "08:00"), true),
            (at(4, "17:59"), true),
            (at(4, "18:00"), false),
            (at(5, "09:00"), false),
            (at(0, "07:59"), false),
        ] {
            assert_eq!(work.covers(moment), inside, "{moment:?}");
        }
        let night = window("sun", "22:00", "06:00");
        for (moment, inside) in
            [(at(6, "23:00"), true), (at(0, "05:59"), true), (at(0, "06:00"), false), (at(6, "05:00"), false)]
        {
            assert_eq!(night.covers(moment), inside, "{moment:?}");
        }
        assert!((0..7).all(|day| window("all", "00:00", "24:00").covers(at(day, "23:59"))));
        assert!(window("all", "00:00", "00:00").covers(at(3, "12:00")));
    }

    #[test]
    fn days_and_times_read_back_and_mistakes_are_named() {
        for (text, shown) in [
            ("mon-fri", "mon-fri"),
            ("SAT, Sun", "sat-sun"),
            ("all", "all"),
            ("sat-mon", "mon,sat-sun"),
            ("wed", "wed"),
        ] {
            assert_eq!(text.parse::<Days>().unwrap().to_string(), shown);
        }
        assert_eq!("8:05".parse::<Minute>().unwrap().to_string(), "08:05");
        for text in ["", "monday", "mon-", "mon;tue"] {
            assert!(text.parse::<Days>().is_err(), "{text}");
        }
        for text in ["", "8", "24:01", "08:60", "65535:00", "-1:00"] {
            assert!(text.parse::<Minute>().is_err(), "{text}");
        }
    }
}
