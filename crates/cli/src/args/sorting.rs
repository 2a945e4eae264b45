//! Arguments of sorting torrents, and of how long they are seeded.

use std::time::Duration;

use clap::Args;

use super::{duration, ratio};

/// By what a torrent is sorted.
#[derive(Clone, Debug, Default, Args)]
pub struct SortOptions {
    /// Give it this label; repeatable, or with commas between
    #[arg(long, value_name = "LABEL,…", value_delimiter = ',')]
    pub label: Vec<String>,
    /// Put it into this category, which is made if there is none of that name
    #[arg(long, value_name = "CATEGORY")]
    pub category: Option<String>,
}

#[derive(Debug, Args)]
pub struct List {
    /// Only those with this label; an empty text: those with none
    #[arg(long, value_name = "LABEL")]
    pub label: Option<String>,
    /// Only those in this category; an empty text: those in none
    #[arg(long, value_name = "CATEGORY")]
    pub category: Option<String>,
}

#[derive(Debug, Args)]
pub struct Label {
    /// The torrent: its id, the beginning of it, or its name [default: lists all labels and categories]
    #[arg(value_name = "TORRENT")]
    pub torrents: Vec<String>,
    /// Give it this label; repeatable, or with commas between
    #[arg(long, value_name = "LABEL,…", value_delimiter = ',', requires = "torrents")]
    pub add: Vec<String>,
    /// Take this label away; repeatable, or with commas between
    #[arg(long, value_name = "LABEL,…", value_delimiter = ',', requires = "torrents")]
    pub remove: Vec<String>,
    /// Put it into this category, which is made if there is none of that name; an empty text: into none
    #[arg(long, value_name = "CATEGORY", requires = "torrents")]
    pub category: Option<String>,
}

#[derive(Debug, Args)]
pub struct Goal {
    /// The torrent: its id, the beginning of it, or its name [default: what holds for those that are added from now on]
    pub torrent: Option<String>,
    /// Stop seeding when this many times the size was sent, for example 1.5; none: whatever was sent
    #[arg(long, value_name = "RATIO", value_parser = ratio_or_none)]
    pub ratio: Option<GoalRatio>,
    /// Stop seeding after this time, for example 90m, 12h or 7d; none: however long it takes
    #[arg(long, value_name = "TIME", value_parser = time_or_none)]
    pub time: Option<GoalTime>,
    /// Stop seeding when nothing was sent for this time; none: even then not
    #[arg(long, value_name = "TIME", value_parser = time_or_none)]
    pub idle: Option<GoalTime>,
}

/// A ratio at which seeding ends; `None` inside: at none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GoalRatio(pub Option<f64>);

/// A time after which seeding ends; `None` inside: after none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GoalTime(pub Option<Duration>);

fn ratio_or_none(text: &str) -> Result<GoalRatio, String> {
    let ratio = (text != "none").then(|| ratio(text)).transpose();
    ratio.map(GoalRatio).map_err(|error| format!("{error}, or none"))
}

fn time_or_none(text: &str) -> Result<GoalTime, String> {
    let time = (text != "none").then(|| duration(text)).transpose();
    time.map(GoalTime).map_err(|error| format!("{error}, or none"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_takes_a_goal_away() {
        assert_eq!(ratio_or_none("none"), Ok(GoalRatio(None)));
        assert_eq!(ratio_or_none("1.5"), Ok(GoalRatio(Some(1.5))));
        assert_eq!(time_or_none("none"), Ok(GoalTime(None)));
        assert_eq!(time_or_none("12h"), Ok(GoalTime(Some(Duration::from_secs(43_200)))));
        assert!(
            ratio_or_none("-1").unwrap_err().contains("none") && time_or_none("long").unwrap_err().contains("none")
        );
    }
}
