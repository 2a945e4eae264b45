//! The node and the people around it, as `/api/v1/events` tells them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    BudgetInfo, CategoryInfo, ChatState, ContactInfo, FeedInfo, GateInfo, IdentityInfo, InboxRuleInfo, InviteInfo,
    LabelInfo, LibraryInfo, NodeConnection, OfferInfo, PersonNode, PrivateShare, ScheduleWindow, SettingsInfo,
    UpdatesInfo,
};

/// The node and the people around it. In the snapshot all that there is; in an event only what changed, each list as a
/// whole: what is absent is as it was.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct NodeView {
    /// Who the node belongs to; absent in the snapshot: to nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<IdentityInfo>,
    /// The nodes of this person, those that were revoked last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nodes: Option<Vec<PersonNode>>,
    /// Contacts, and persons that are blocked. In the snapshot alone: later, each comes by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contacts: Option<Vec<ContactInfo>>,
    /// The invitations that were given out, the newest last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invites: Option<Vec<InviteInfo>>,
    /// What is shared with people, without what was made for libraries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shares: Option<Vec<PrivateShare>>,
    /// Whose shares are taken up without being asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rules: Option<Vec<InboxRuleInfo>>,
    /// The folders that people may look into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub libraries: Option<Vec<LibraryInfo>>,
    /// The connections with other nodes. They are told again when one comes, goes or takes another way, not for their
    /// numbers: those are in `/connections`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections: Option<Vec<NodeConnection>>,
    /// Whom the node meets. How many connections stand is told by `rates`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate: Option<GateInfo>,
    /// How much the node gives and takes. How much room is taken is told by `rates`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<BudgetInfo>,
    /// When other limits hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Vec<ScheduleWindow>>,
    /// The services, and to whom each is offered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offers: Option<Vec<OfferInfo>>,
    /// How talking goes: what waits, who keeps messages for this node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat: Option<ChatState>,
    /// The feeds that are polled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feeds: Option<Vec<FeedInfo>>,
    /// The shares that change, our own and those that are followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updates: Option<Vec<UpdatesInfo>>,
    /// The labels, and how many torrents have each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<LabelInfo>>,
    /// The categories, and how many torrents are in each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub categories: Option<Vec<CategoryInfo>>,
    /// The settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<SettingsInfo>,
}
