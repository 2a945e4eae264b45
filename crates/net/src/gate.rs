//! The gate: the one policy that admits or refuses a connection of any carrier, both ways, before anything else happens.
//!
//! Owns the policy, the counts and the list of what stands. Invariants: every [`Pass`] is counted once globally, once for
//! its service, address and person, and, from [`Pass::join`] on, once for its torrent; dropping it takes all of them back.
//! Nothing stands that the policy of the moment refuses: whoever changes the policy, or tells that contacts and groups
//! changed, revokes those passes before the call returns, and who holds a revoked pass ends its connection at once.

mod addresses;
mod counts;
mod lists;
mod policy;
mod target;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::{NodeId, PersonId};
use metainfo::InfoHashV1;
use tokio::sync::watch;
pub use torrent_proto::torrent::Direction;

use crate::budget::Budget;
use crate::usage::{Flow, Usage};
use crate::{Carrier, Limiter, Meter};
pub use addresses::{AddressRange, Addresses, ParseRangeError};
use counts::Counts;
pub use counts::{GateLimits, subscriber};
pub use lists::{ListError, MAX_LISTED, read_list, read_lists};
pub use policy::{Acquaintances, Audience, Meet, MostlyStrangers, Offer, Policy, Rules};
pub use target::{ParseTargetError, Target};

/// What a connection is about to be, as far as that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asking {
    /// The remote address; `None` where there is none, as over a relay. A stand-in ([`base::id::is_stand_in`]) is none.
    pub address: Option<SocketAddr>,
    /// The remote node, where that is proven or will be by the handshake.
    pub node: Option<NodeId>,
    /// Whose node it is; `None`: what the gate knows of the node.
    pub person: Option<PersonId>,
    /// What is spoken: `files` for public torrents, otherwise the name in the overlay's ALPN.
    pub service: &'static str,
    /// What carries it; of a dial that tries several, any, until [`Pass::carried_by`].
    pub carrier: Carrier,
    /// Who opens it.
    pub direction: Direction,
}

/// The service of public torrents: peers, web seeds and trackers.
pub const FILES: &str = "files";

/// The service of confined torrents: their peers are nodes of the overlay.
pub const WIRE: &str = "wire";

/// What relays do for us. Nobody offers it by this name. Who relays is not met: it carries what others say, so that lists keep
/// one away and modes ("contacts only") do not.
pub const RELAYING: &str = "relaying";

impl Asking {
    /// Describes a connection of a public torrent's peer, of whom only the address is known.
    pub fn peer(address: SocketAddr, carrier: Carrier, direction: Direction) -> Asking {
        Asking { address: Some(address), node: None, person: None, service: FILES, carrier, direction }
    }

    /// Describes a stream of the overlay. Whose node it is, the gate finds out.
    pub fn node(node: NodeId, service: &'static str, direction: Direction) -> Asking {
        Asking { address: None, node: Some(node), person: None, service, carrier: Carrier::Quic, direction }
    }

    /// Returns the remote IP address if there is a real one.
    fn ip(&self) -> Option<IpAddr> {
        self.address.map(|address| address.ip().to_canonical()).filter(|ip| !base::id::is_stand_in(*ip))
    }
}

/// Why a connection was refused, or has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The limit over everything is reached.
    #[error("too many connections")]
    Connections,
    /// The torrent's limit is reached.
    #[error("too many connections of this torrent")]
    Torrent,
    /// The service's limit is reached.
    #[error("too many connections of this service")]
    Service,
    /// The limit of the address is reached.
    #[error("too many connections to this address")]
    Address,
    /// The limit of the person is reached.
    #[error("too many connections with this person")]
    Person,
    /// The user blocks the address, the node, the person or a group of theirs.
    #[error("blocked")]
    Blocked,
    /// The user meets only contacts, members of groups, or those on the list.
    #[error("a stranger, and strangers are not met")]
    Stranger,
    /// The service is switched off.
    #[error("this service is switched off")]
    Off,
    /// The service is not offered to them.
    #[error("this service is not offered to them")]
    NotOffered,
    /// The administrator forbids it.
    #[error("the administrator's policy forbids it")]
    Forbidden,
    /// Everything is paused.
    #[error("everything is paused")]
    Paused,
    /// The person no longer has this node.
    #[error("the node is no longer this person's")]
    NotTheirs,
}

/// Admits or refuses connections. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    /// What datagrams are judged by, without the lock.
    addresses: watch::Sender<Arc<Policy>>,
    budget: Budget,
    usage: Usage,
}

#[derive(Debug)]
struct State {
    judge: Judge,
    limits: GateLimits,
    counts: Counts,
    standing: BTreeMap<u64, Standing>,
    next: u64,
}

/// All that a decision needs, without the lock. `generation` tells whether it is still the one that holds.
#[derive(Clone, Debug)]
struct Judge {
    policy: Arc<Policy>,
    acquaintances: Arc<dyn Acquaintances>,
    generation: u64,
}

impl Judge {
    /// Adds whose node it is, if that is known.
    fn complete(&self, asking: &Asking) -> Asking {
        let person = asking.person.or_else(|| self.acquaintances.person_of(asking.node?));
        Asking { person, ..*asking }
    }

    fn judge(&self, asking: &Asking) -> Result<(), Refusal> {
        self.policy.judge(asking, asking.ip(), &*self.acquaintances)
    }
}

#[derive(Debug)]
struct Standing {
    asking: Asking,
    torrent: Option<(InfoHashV1, Option<u32>)>,
    revoked: watch::Sender<Option<Refusal>>,
}

/// An admitted connection; counted until it is dropped.
#[derive(Debug)]
pub struct Pass {
    gate: Gate,
    key: u64,
    revoked: watch::Receiver<Option<Refusal>>,
    flow: Arc<Flow>,
}

impl Gate {
    /// Opens a gate that knows nobody and whose policy is the default: everybody is met, within the limits.
    pub fn new(limits: GateLimits) -> Gate {
        Gate::with_budget(limits, Budget::default())
    }

    /// Opens a gate whose connections draw from `budget`.
    pub fn with_budget(limits: GateLimits, budget: Budget) -> Gate {
        let policy = Arc::new(Policy::default());
        let judge = Judge { policy: policy.clone(), acquaintances: Arc::new(MostlyStrangers), generation: 0 };
        let state = State { judge, limits, counts: Counts::default(), standing: BTreeMap::new(), next: 0 };
        let (addresses, usage) = (watch::channel(policy).0, Usage::default());
        Gate(Arc::new(Inner { state: Mutex::new(state), addresses, budget, usage }))
    }

    /// Returns the budget that admitted connections draw from.
    pub fn budget(&self) -> &Budget {
        &self.0.budget
    }

    /// Returns who uses what.
    pub fn usage(&self) -> &Usage {
        &self.0.usage
    }

    /// Changes the limits. The newest connections beyond them are revoked.
    pub fn set_limits(&self, limits: GateLimits) {
        let mut state = self.state();
        state.limits = limits;
        state.revoke_surplus();
    }

    /// Returns the limits.
    pub fn limits(&self) -> GateLimits {
        self.state().limits
    }

    /// Replaces the policy. What stands and is refused by the new one is revoked.
    pub fn set_policy(&self, policy: Policy) {
        let policy = Arc::new(policy);
        {
            let mut state = self.state();
            state.judge.policy = policy.clone();
            state.judge.generation += 1;
        }
        self.0.addresses.send_replace(policy);
        self.review();
    }

    /// Returns the policy.
    pub fn policy(&self) -> Arc<Policy> {
        self.state().judge.policy.clone()
    }

    /// Says who can tell which node is whose, who is a contact and who is in a group. Reviews what stands.
    pub fn know(&self, acquaintances: Arc<dyn Acquaintances>) {
        {
            let mut state = self.state();
            state.judge.acquaintances = acquaintances;
            state.judge.generation += 1;
        }
        self.review();
    }

    /// Judges again what stands, because contacts, groups or the nodes of a person changed.
    pub fn review(&self) {
        let (judge, standing) = {
            let mut state = self.state();
            // One that is being admitted meanwhile is judged again before it counts.
            state.judge.generation += 1;
            let standing: Vec<(u64, Asking)> = state.standing.iter().map(|(&key, it)| (key, it.asking)).collect();
            (state.judge.clone(), standing)
        };
        // Without the lock: acquaintances are asked.
        let judged: Vec<(u64, Option<PersonId>, Result<(), Refusal>)> = standing
            .iter()
            .map(|(key, asking)| {
                // Whose node it is may have become known meanwhile.
                let complete = judge.complete(asking);
                (*key, complete.person, judge.judge(&complete))
            })
            .collect();
        let mut state = self.state();
        for (key, person, judged) in judged {
            state.became_known(key, person);
            if let Err(refusal) = judged {
                state.revoke(key, refusal);
            }
        }
        state.revoke_surplus();
    }

    /// Asks for a connection.
    pub fn admit(&self, asking: &Asking) -> Result<Pass, Refusal> {
        let mut judge = self.state().judge.clone();
        loop {
            let asking = judge.complete(asking);
            judge.judge(&asking)?;
            let mut state = self.state();
            if state.judge.generation != judge.generation {
                // The policy changed meanwhile: by the new one, then.
                judge = state.judge.clone();
                continue;
            }
            let (own, limits) = (judge.policy.own_limits(&asking), state.limits);
            state.counts.enter(&asking, asking.ip(), &limits, own)?;
            let key = state.next;
            state.next += 1;
            let (sender, revoked) = watch::channel(None);
            state.standing.insert(key, Standing { asking, torrent: None, revoked: sender });
            drop(state);
            return Ok(Pass { gate: self.clone(), key, revoked, flow: self.0.usage.open(&asking) });
        }
    }

    /// Tells whether a connection would be refused, whatever the counts.
    pub fn refuses(&self, asking: &Asking) -> Option<Refusal> {
        let judge = self.state().judge.clone();
        judge.judge(&judge.complete(asking)).err()
    }

    /// Returns whose node this is, if that is known.
    pub fn person_of(&self, node: NodeId) -> Option<PersonId> {
        let acquaintances = self.state().judge.acquaintances.clone();
        acquaintances.person_of(node)
    }

    /// Tells whether nothing is to be exchanged with an address, whoever is there; a pause is not looked at.
    pub fn refuses_address(&self, ip: IpAddr) -> bool {
        self.0.addresses.borrow().refuses_address(ip)
    }

    /// Follows the policy, for those who judge many datagrams.
    pub(crate) fn watch(&self) -> watch::Receiver<Arc<Policy>> {
        self.0.addresses.subscribe()
    }

    /// Tells whether everything is paused.
    pub fn is_paused(&self) -> bool {
        self.0.addresses.borrow().paused
    }

    /// Waits until everything is paused, or no longer. Cancel safe.
    pub async fn paused(&self, wanted: bool) {
        let mut policy = self.0.addresses.subscribe();
        // The sender lives as long as this gate.
        let _ = policy.wait_for(|policy| policy.paused == wanted).await;
    }

    /// Tells whether peers are sought among strangers, [`Policy::seeks_strangers`].
    pub fn seeks_strangers(&self) -> bool {
        self.0.addresses.borrow().seeks_strangers()
    }

    /// Waits until peers are sought among strangers, or no longer. Cancel safe.
    pub async fn seeking_strangers(&self, wanted: bool) {
        let mut policy = self.0.addresses.subscribe();
        // The sender lives as long as this gate.
        let _ = policy.wait_for(|policy| policy.seeks_strangers() == wanted).await;
    }

    /// Returns how many connections stand.
    pub fn connections(&self) -> u32 {
        self.state().counts.all
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Counts stay consistent across a panic elsewhere: nothing here panics between two changes.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn revoke(&mut self, key: u64, refusal: Refusal) {
        if let Some(standing) = self.standing.get(&key) {
            standing.revoked.send_if_modified(|revoked| {
                let first = revoked.is_none();
                revoked.get_or_insert(refusal);
                first
            });
        }
    }

    /// Counts a connection for its person, if that is known only now.
    fn became_known(&mut self, key: u64, person: Option<PersonId>) {
        if let (Some(it), Some(person)) = (self.standing.get_mut(&key), person)
            && it.asking.person.is_none()
        {
            self.counts.became_known(&it.asking, person);
            it.asking.person = Some(person);
        }
    }

    /// Counts what stands anew, the oldest first, and revokes what does not fit.
    fn revoke_surplus(&mut self) {
        let mut counts = Counts::default();
        let mut surplus = Vec::new();
        for (&key, it) in self.standing.iter().filter(|(_, it)| it.revoked.borrow().is_none()) {
            let own = self.judge.policy.own_limits(&it.asking);
            let entered = counts.enter(&it.asking, it.asking.ip(), &self.limits, own);
            let joined = entered.and_then(|()| match it.torrent {
                Some((torrent, own)) => counts.join(torrent, own.unwrap_or(self.limits.per_torrent)),
                None => Ok(()),
            });
            if let Err(refusal) = joined {
                surplus.push((key, refusal));
            }
        }
        for (key, refusal) in surplus {
            self.revoke(key, refusal);
        }
    }
}

impl Pass {
    /// Says which torrent the connection is for, with the torrent's own limit if it has one.
    pub fn join(&mut self, torrent: InfoHashV1, limit: Option<u32>) -> Result<(), Refusal> {
        let mut state = self.gate.state();
        let most = limit.unwrap_or(state.limits.per_torrent);
        state.counts.join(torrent, most)?;
        if let Some(standing) = state.standing.get_mut(&self.key) {
            debug_assert!(standing.torrent.is_none(), "a pass joins one torrent");
            standing.torrent = Some((torrent, limit));
        }
        Ok(())
    }

    /// Says what carries the connection, where that was open when it was asked for.
    pub fn carried_by(&mut self, carrier: Carrier) {
        let mut state = self.gate.state();
        let Some(standing) = state.standing.get_mut(&self.key).filter(|it| it.asking.carrier != carrier) else {
            return;
        };
        standing.asking.carrier = carrier;
        let asking = standing.asking;
        drop(state);
        self.gate.0.usage.close(&self.flow);
        self.flow = self.gate.0.usage.open(&asking);
    }

    /// Waits until the connection has to end, and says why. Cancel safe; the future holds nothing of the pass.
    pub fn revoked(&self) -> impl Future<Output = Refusal> + Send + 'static {
        let mut revoked = self.revoked.clone();
        async move {
            let refusal = revoked.wait_for(Option::is_some).await.ok().and_then(|refusal| *refusal);
            match refusal {
                Some(refusal) => refusal,
                // The pass was dropped: nobody has to end anything.
                None => std::future::pending().await,
            }
        }
    }

    /// Returns why the connection has to end, if it has to.
    pub fn refusal(&self) -> Option<Refusal> {
        *self.revoked.borrow()
    }

    /// Tells what is carried for whom; counts it and draws it from the budget, for both directions (down, up). With the
    /// limiter of a torrent it draws from that, too.
    pub fn meters(&self, torrent: Option<&Limiter>) -> (Meter, Meter) {
        let scopes = self.gate.0.budget.scopes(self.flow.service(), self.flow.person());
        (
            Meter::new(scopes.iter().chain(torrent).map(|limiter| &limiter.down), Some(self.flow.received())),
            Meter::new(scopes.iter().chain(torrent).map(|limiter| &limiter.up), Some(self.flow.sent())),
        )
    }

    /// Returns what this connection has carried.
    pub fn flow(&self) -> &Flow {
        &self.flow
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut state = self.gate.state();
        if let Some(standing) = state.standing.remove(&self.key) {
            let torrent = standing.torrent.map(|(torrent, _)| torrent);
            state.counts.leave(&standing.asking, standing.asking.ip(), torrent);
        }
        drop(state);
        self.gate.0.usage.close(&self.flow);
    }
}

#[cfg(test)]
mod tests;
