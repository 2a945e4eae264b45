//! By what torrents are sorted, and until when they are seeded.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Changes a torrent; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TorrentChange {
    /// Which labels it gets, and which are taken away.
    pub labels: LabelChange,
    /// The category that it is in from now on, which is made if there is none of that name; empty: none. The content stays
    /// where it is.
    pub category: Option<String>,
    /// Pieces are fetched in order, or no longer.
    pub sequential: Option<bool>,
    /// Pieces are offered one by one, so that the first copy spreads fastest (BEP 16), or no longer.
    pub super_seed: Option<bool>,
}

/// Changes of a torrent's labels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LabelChange {
    /// Labels that it gets: words without a comma.
    pub add: Vec<String>,
    /// Labels that are taken away.
    pub remove: Vec<String>,
}

/// A label: a word by which torrents are sorted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LabelInfo {
    /// The word.
    pub name: String,
    /// How many torrents have it.
    pub torrents: u32,
}

/// A category: a torrent is in one at most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CategoryInfo {
    /// Its name; a `/` in it parts it from the one that it is a part of.
    pub name: String,
    /// The folder that its new torrents go into, an absolute path or one inside the folder of downloads; absent: into that.
    pub folder: Option<String>,
    /// How many torrents are in it.
    pub torrents: u32,
}

/// Makes a category, or changes where its new torrents go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CategoryRequest {
    /// Its name; a `/` in it parts it from the one that it is a part of.
    pub name: String,
    /// The folder that its new torrents go into, an absolute path or one inside the folder of downloads; absent: into that.
    pub folder: Option<String>,
}

/// When the seeding of a torrent ends: at the first of these that is reached. Absent: not by that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SeedGoal {
    /// A ratio of bytes sent to the size.
    pub ratio: Option<f64>,
    /// A time of seeding.
    pub time_s: Option<u64>,
    /// A time in which nothing was sent.
    pub idle_s: Option<u64>,
}
