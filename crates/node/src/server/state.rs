//! What the requests work with.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use rpc::NodeMode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use torrent::{Session, TorrentStatus};

use super::doors::Doors;
use super::events::Streams;
use super::qbittorrent::Qbittorrent;
use super::stream::Tickets;
use super::tls::Remote;
use super::transmission::Transmission;
use super::{people, problem};
use crate::Home;
use crate::categories::Categories;
use crate::chat::{ChatHandle, Chats, Gateway};
use crate::controls::Controls;
use crate::convert;
use crate::feeds::Feeds;
use crate::groups::Groups;
use crate::jobs::Jobs;
use crate::labels::Labels;
use crate::logs::Logs;
use crate::people::People;
use crate::rates::Rates;
use crate::services::Services;
use crate::sharing::Sharing;
use crate::society::Society;
use crate::sorting::Sorting;
use crate::updates::Updates;
use crate::uploads::Uploads;

/// How many event streams are served at once; each may ask for a snapshot of everything. Arbitrary.
const MAX_EVENT_STREAMS: usize = 32;

/// What the requests work with. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct AppState(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    parts: Parts,
    jobs: Jobs,
    streams: Streams,
    event_streams: Arc<Semaphore>,
    tickets: Tickets,
    uploads: Uploads,
    qbittorrent: Qbittorrent,
    transmission: Transmission,
}

/// What the server is built from.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) session: Session,
    pub(crate) controls: Controls,
    /// What there is while the node belongs to somebody.
    pub(crate) society: Society,
    pub(crate) services: Services,
    pub(crate) updates: Updates,
    pub(crate) rates: Rates,
    pub(crate) logs: Logs,
    pub(crate) sorting: Sorting,
    pub(crate) doors: Doors,
    pub(crate) feeds: Feeds,
    pub(crate) token: String,
    pub(crate) api: SocketAddr,
    pub(crate) mode: NodeMode,
    pub(crate) home: Home,
    /// `None`: other computers do not reach the API.
    pub(crate) remote: Option<Remote>,
    pub(crate) begun: Instant,
}

impl AppState {
    /// # Errors
    /// When the system gives no random numbers.
    pub(crate) fn new(parts: Parts) -> Result<AppState, getrandom::Error> {
        let event_streams = Arc::new(Semaphore::new(MAX_EVENT_STREAMS));
        let (jobs, tickets, uploads, qbittorrent) = Default::default();
        let (streams, transmission) = (Streams::new(), Transmission::new()?);
        let inner = Inner { parts, jobs, streams, event_streams, tickets, uploads, qbittorrent, transmission };
        Ok(AppState(Arc::new(inner)))
    }

    pub(crate) fn session(&self) -> &Session {
        &self.0.parts.session
    }

    pub(crate) fn controls(&self) -> &Controls {
        &self.0.parts.controls
    }

    pub(crate) fn society(&self) -> &Society {
        &self.0.parts.society
    }

    pub(crate) fn rates(&self) -> &Rates {
        &self.0.parts.rates
    }

    pub(crate) fn logs(&self) -> &Logs {
        &self.0.parts.logs
    }

    pub(super) fn uploads(&self) -> &Uploads {
        &self.0.uploads
    }

    pub(crate) fn groups(&self) -> Option<&Groups> {
        Some(&self.society().members()?.groups)
    }

    pub(crate) fn people(&self) -> Option<&People> {
        Some(&self.society().members()?.people)
    }

    pub(crate) fn services(&self) -> &Services {
        &self.0.parts.services
    }

    pub(crate) fn jobs(&self) -> &Jobs {
        &self.0.jobs
    }

    pub(crate) fn sharing(&self) -> Result<&Sharing, problem::ApiError> {
        let sharing = self.society().members().and_then(|members| members.sharing.as_ref());
        sharing.ok_or_else(|| self.why_alone())
    }

    pub(super) fn sorting(&self) -> &Sorting {
        &self.0.parts.sorting
    }

    /// Tells of a torrent what lists show.
    pub(super) fn summary(&self, status: TorrentStatus) -> rpc::TorrentSummary {
        let sorted = self.sorting().of(status.id);
        convert::summary(status, sorted)
    }

    pub(crate) fn labels(&self) -> &Labels {
        &self.sorting().labels
    }

    pub(crate) fn categories(&self) -> &Categories {
        &self.sorting().categories
    }

    pub(super) fn qbittorrent(&self) -> &Qbittorrent {
        &self.0.qbittorrent
    }

    pub(super) fn transmission(&self) -> &Transmission {
        &self.0.transmission
    }

    pub(crate) fn chat(&self) -> Result<&ChatHandle, problem::ApiError> {
        let chats = self.society().members().and_then(|members| members.chats.as_ref());
        chats.and_then(Chats::get).ok_or_else(|| self.why_alone())
    }

    /// Says why nobody is met.
    pub(super) fn why_alone(&self) -> problem::ApiError {
        let unreachable = self.people().and_then(|people| people.reach().err());
        unreachable.map_or_else(people::nobody, Into::into)
    }

    pub(crate) fn irc(&self) -> Option<&Gateway> {
        self.society().members()?.irc.as_ref()
    }

    pub(super) fn parts(&self) -> &Parts {
        &self.0.parts
    }

    pub(crate) fn remote(&self) -> Option<rpc::RemoteInfo> {
        self.parts().remote.as_ref().map(|remote| remote.info.clone())
    }

    pub(super) fn tickets(&self) -> &Tickets {
        &self.0.tickets
    }

    pub(crate) fn doors(&self) -> &Doors {
        &self.parts().doors
    }

    pub(crate) fn streams(&self) -> &Streams {
        &self.0.streams
    }

    /// Takes a place among the streams of events.
    pub(super) fn event_stream(&self) -> Result<OwnedSemaphorePermit, problem::ApiError> {
        let permit = self.0.event_streams.clone().try_acquire_owned();
        permit.map_err(|_| problem::ApiError::busy("too many event streams are open: close one"))
    }
}
