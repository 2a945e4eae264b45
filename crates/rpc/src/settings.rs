//! The settings that most people want to see, in one place. Rates and counts are in the budget, whom the node meets is in
//! the gate.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What the settings say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SettingsInfo {
    /// The name that others see; absent while the node belongs to nobody.
    pub name: Option<String>,
    /// What this node is called among those of the person; absent where the newest list does not name it.
    pub node_name: Option<String>,
    /// What the user is called on this computer: to be proposed as a name.
    pub suggested_name: String,
    /// What this computer is called: to be proposed as the node's name.
    pub suggested_node_name: String,
    /// Where content goes when nobody says where: an absolute path.
    pub download_folder: String,
    /// At which ratio of bytes sent to the size seeding ends, of torrents without a goal of their own; absent: at none.
    pub seed_ratio: Option<f64>,
    /// After how many minutes seeding ends, likewise.
    pub seed_minutes: Option<u64>,
    /// After how many minutes in which nothing was sent, likewise.
    #[serde(default)]
    pub seed_idle_minutes: Option<u64>,
    /// The DHT tells whoever knows this node's id where it is.
    pub published: bool,
    /// This node is found by others in the local network, and finds them there.
    pub local_network: bool,
    /// It takes part in the DHT, by which it finds peers of torrents and is found by them.
    pub dht: bool,
    /// Others are told what was read of their messages.
    pub read_receipts: bool,
    /// Others are told while something is written to them.
    pub typing: bool,
    /// The fields of this whose change holds from the next start of the node on.
    pub restart: Vec<String>,
    /// The file that all of it stands in, but for the names.
    pub file: String,
    /// Why a change of that file does not hold; absent: all that is written holds.
    pub mistake: Option<String>,
}

/// Changes the settings; what is absent stays. All of it is changed, or nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SettingsChange {
    /// Where content goes when nobody says where: an absolute path. The folder is made if it is not there.
    pub download_folder: Option<String>,
    /// At which ratio of bytes sent to the size seeding ends; a negative one takes the goal away.
    pub seed_ratio: Option<f64>,
    /// After how many minutes seeding ends; 0 takes the goal away.
    pub seed_minutes: Option<u64>,
    /// After how many minutes in which nothing was sent it ends; 0 takes the goal away.
    pub seed_idle_minutes: Option<u64>,
    /// The DHT tells whoever knows this node's id where it is.
    pub published: Option<bool>,
    /// This node is found by others in the local network, and finds them there; from the next start on.
    pub local_network: Option<bool>,
    /// It takes part in the DHT; from the next start on.
    pub dht: Option<bool>,
    /// Others are told what was read of their messages.
    pub read_receipts: Option<bool>,
    /// Others are told while something is written to them.
    pub typing: Option<bool>,
}
