//! What a node has only while it belongs to somebody, or is about to: its people, the overlay, groups, shares with people,
//! conversations. It begins with the node where the home has a node's key, else when an identity is made while the node
//! runs; it ends with the node.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use base::PersonId;
use people::proto::{Name, Phrase};
use tokio::task::JoinHandle;
use torrent::Session;

use crate::chat::{self, Chats, Gateway, IrcGround};
use crate::config::NetworkConfig;
use crate::controls::Controls;
use crate::groups::Groups;
use crate::known::KnownPeople;
use crate::people::{self as persons, IdentityError, Keys, Off, Origin, People};
use crate::sharing::{self, Sharing};
use crate::sorting::Sorting;
use crate::{Config, Home, NodeError};

/// What all of it is made of.
#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) home: Home,
    /// The settings at the start of the node.
    pub(crate) config: Config,
    pub(crate) network: NetworkConfig,
    pub(crate) egress: net::Egress,
    /// Where the command line wants peers to be awaited.
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) session: Session,
    pub(crate) sorting: Sorting,
    pub(crate) controls: Controls,
    pub(crate) database: db::Db,
    /// The API's token, by which IRC clients are let in; `None`: the node is there for one command only.
    pub(crate) token: Option<Arc<str>>,
}

/// The handle. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Society(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    ground: Ground,
    members: OnceLock<Members>,
    /// One identity is made at a time.
    making: tokio::sync::Mutex<()>,
}

/// What there is.
#[derive(Debug)]
pub(crate) struct Members {
    pub(crate) people: People,
    pub(crate) groups: Groups,
    /// `None`: there is no overlay.
    pub(crate) sharing: Option<Sharing>,
    /// `None`: there is no overlay.
    pub(crate) chats: Option<Chats>,
    /// `None`: there is no overlay, or the node is there for one command only.
    pub(crate) irc: Option<Gateway>,
    publisher: Option<JoinHandle<()>>,
}

/// An identity that was made.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) person: PersonId,
    /// Why it takes effect with the next start only; `None`: it has taken effect.
    pub(crate) waits: Option<String>,
}

impl Society {
    /// Begins all of it where the home has a node's key.
    pub(crate) async fn start(ground: Ground) -> Result<Society, NodeError> {
        let society = Society(Arc::new(Inner { ground, members: OnceLock::new(), making: Default::default() }));
        society.begin().await?;
        Ok(society)
    }

    /// Returns what there is; `None` while the home has no node's key.
    pub(crate) fn members(&self) -> Option<&Members> {
        self.0.members.get()
    }

    /// Returns the people, to be joined by a code: draws the node's key where there is none.
    pub(crate) async fn prepare(&self) -> Result<&People, NodeError> {
        let _one_at_a_time = self.0.making.lock().await;
        if self.members().is_none() {
            Keys::of(&self.0.ground.home).node_or_draw()?;
            self.begin().await?;
        }
        let gone = || NodeError::Controls("the node's key is gone from the home again: was it removed?".to_owned());
        Ok(&self.members().ok_or_else(gone)?.people)
    }

    /// Returns the settings at the start of the node.
    pub(crate) fn settings_at_start(&self) -> &Config {
        &self.0.ground.config
    }

    /// Draws a recovery phrase.
    pub(crate) fn draw_phrase(&self) -> Result<Phrase, NodeError> {
        Keys::of(&self.0.ground.home).draw_phrase()
    }

    /// Makes the person of a phrase at home here, and begins all of it. The node holds the lock of its home.
    pub(crate) async fn settle(
        &self,
        phrase: &Phrase,
        origin: Origin,
        names: (&Name, &Name),
        passphrase: Option<&str>,
    ) -> Result<Made, IdentityError> {
        let _one_at_a_time = self.0.making.lock().await;
        let ground = &self.0.ground;
        if let Some(members) = self.members() {
            // The key was drawn for a code that came to nothing.
            let person = members.people.settle(phrase, origin, names, passphrase).await?;
            let unlocked = members.groups.unlock(phrase.person_key()).await;
            return Ok(Made { person, waits: unlocked.err().map(|error| error.to_string()) });
        }
        let keys = Keys::of(&ground.home);
        let person = persons::settle_in(&keys, ground.database.clone(), phrase, origin, names, passphrase).await?;
        let waits = self.begin().await.err().map(|error| error.to_string());
        if let (Some(members), Some(_)) = (self.members(), passphrase) {
            // Whoever typed the passphrase just now need not type it again for the groups.
            let _ = members.groups.unlock(phrase.person_key()).await;
        }
        Ok(Made { person, waits })
    }

    /// Ends what is not ended with the overlay.
    pub(crate) fn stop(&self) {
        let Some(members) = self.members() else { return };
        if let Some(publisher) = &members.publisher {
            publisher.abort();
        }
        if let Some(irc) = &members.irc {
            irc.stop();
        }
    }

    /// Begins all of it where the home has a node's key.
    async fn begin(&self) -> Result<(), NodeError> {
        let ground = &self.0.ground;
        let Some(people) = People::open(&ground.home, ground.database.clone()).await? else { return Ok(()) };
        match ground.begin(&people).await {
            Ok(members) => {
                // Set once: at the start, or under the lock of the one who makes an identity.
                let _ = self.0.members.set(members);
                Ok(())
            }
            Err(error) => {
                people.shut_down().await;
                Err(error)
            }
        }
    }
}

impl Ground {
    async fn begin(&self, people: &People) -> Result<Members, NodeError> {
        people.inform(self.session.gate());
        self.open_overlay(people).await?;
        let groups = Groups::start(people.clone(), self.database.clone()).await?;
        let (mut sharing, mut chats, mut irc, mut publisher) = (None, None, None, None);
        if let Some(overlay) = people.overlay() {
            let both = (people, &groups);
            let (known, db) = (Arc::new(KnownPeople::new(people, &groups)), self.database.clone());
            let engine = (&self.session, &self.sorting);
            let begun = sharing::begin(both, known.clone(), overlay, engine, db).await?;
            let swarms = Arc::new(begun.clone());
            sharing = Some(begun);
            let begun = chat::begin(both, known, overlay, self.database.clone(), &self.controls, swarms).await?;
            irc = self.token.clone().map(|token| {
                let (chats, groups, overlay) = (begun.clone(), groups.clone(), overlay.clone());
                Gateway::start(IrcGround { chats, groups, overlay, controls: self.controls.clone(), token })
            });
            chats = Some(begun);
            publisher = Some(tokio::spawn(follow_publish(self.controls.clone(), overlay.clone())));
        }
        Ok(Members { people: people.clone(), groups, sharing, chats, irc, publisher })
    }

    async fn open_overlay(&self, people: &People) -> Result<(), NodeError> {
        if let Some(off) = Off::of(self.network.overlay, &self.egress) {
            people.stay_off(off);
            return Ok(());
        }
        let listen = self.egress.address.or(self.listen.map(|address| address.ip()));
        let mut overlay = self.config.overlay.clone();
        let placed = overlay.listen.map(|listen| self.egress.place(&listen)).transpose();
        overlay.listen = placed.map_err(|error| crate::node::contradiction("overlay.listen", error))?;
        // What was changed since the start holds.
        overlay.publish = self.controls.shown().config.overlay.publish;
        people.start(&self.home, &overlay, &self.network, (listen, &self.egress), &self.session).await
    }
}

/// Publishes where the node is, or no longer, as the settings in force say.
async fn follow_publish(controls: Controls, overlay: overlay::Overlay) {
    let mut changes = controls.applied();
    // The controls are held by ourselves.
    while changes.changed().await.is_ok() {
        overlay.set_publish(controls.shown().config.overlay.publish);
    }
}
