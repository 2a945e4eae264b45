//! Feeds whose entries the node takes up.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A feed of the settings (`[[feeds]]`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FeedInfo {
    /// Where it is. Several may have the same URL: of those, the first takes an entry that it wants.
    pub url: String,
    /// Titles that are wanted: texts with `*` and `?`. None: all.
    #[serde(rename = "match")]
    pub matches: Vec<String>,
    /// Titles that are not.
    pub not: Vec<String>,
    /// Where the content goes; by default where all downloads go, or those of the category.
    pub folder: Option<String>,
    /// The labels of what is added.
    pub labels: Vec<String>,
    /// Its category.
    pub category: Option<String>,
    /// Whether it is begun by itself.
    pub paused: bool,
    /// How often it is asked.
    pub every_minutes: u64,
    /// When it was asked last, in seconds since 1970; nothing: not since the node began.
    pub polled_at_s: Option<u64>,
    /// How many entries were added that are still remembered.
    pub added: u32,
    /// What went wrong when it was asked last.
    pub error: Option<String>,
}
