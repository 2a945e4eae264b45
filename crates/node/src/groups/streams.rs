//! The streams of the overlay's service "group": frames, greetings, and what runs over them.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base::{NodeId, PersonId};
use db::DbError;
use futures_util::future::BoxFuture;
use net::{Place, Places};
use overlay::{Hint, Peer, Service, Stream};
use people::proto::group::message::{
    Fellow, MAX_FELLOW_HINTS, MAX_FELLOWS, MAX_FIRST_MESSAGE_BYTES, MAX_MESSAGE_BYTES, tag,
};
use people::proto::group::replica::{MAX_BAD, MAX_OUTSIDERS, PROOF_PATIENCE};
use people::proto::group::{Command, GroupLink, Input, JoinRequest, Kind, Message, Refusal, Replica, Shown};
use people::proto::{LinkNode, ShownList, SignedNodeList};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::circle::{Circle, MAX_EARLY, Order};
use super::{GroupError, Groups, now, random};
use crate::frames;

/// The name of the service.
pub(super) const SERVICE: &str = "group";

/// How long the other end may take to greet, and to answer.
const GREETING: Duration = Duration::from_secs(20);

/// How many streams of strangers are listened to at a time, until they have shown that they belong here. Arbitrary: each
/// may hold a short frame and some seconds.
const MAX_STRANGERS: usize = 16;

/// How many of them one node may have. Arbitrary: a stream for a greeting that comes to nothing, and one for the next.
const MAX_OF_STRANGER: usize = 2;

/// How many contacts and fellow members may show groups at a time, and how many one node of theirs. Arbitrary: a log may
/// hold some megabytes, and whoever finds no place comes again.
const MAX_SHOWING: usize = 16;
const MAX_SHOWING_OF_ONE: usize = 4;

/// How long a message may take to be written: whoever does not read for so long is gone.
const WRITING: Duration = Duration::from_secs(60);

/// How long the other end is listened to after we said all. Arbitrary.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Returns places for those who name a group that is not here: as many of each as one that is here has for outsiders.
pub(super) fn pretending() -> Places<base::GroupId> {
    // Bounded by the streams, of which strangers have few.
    Places::new(usize::MAX, MAX_OUTSIDERS)
}

/// Returns places for those who show groups that are not here.
pub(super) fn showing() -> Places<NodeId> {
    Places::new(MAX_SHOWING, MAX_SHOWING_OF_ONE)
}

/// Receives streams.
pub(super) struct GroupService {
    groups: Groups,
    strangers: Places<NodeId>,
}

impl GroupService {
    pub(super) fn new(groups: Groups) -> GroupService {
        GroupService { groups, strangers: Places::new(MAX_STRANGERS, MAX_OF_STRANGER) }
    }
}

impl Service for GroupService {
    fn name(&self) -> &'static str {
        SERVICE
    }

    fn serve(self: Arc<Self>, peer: Peer, stream: Stream) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let stranger = match peer.person {
                Some(_) => None,
                // One too many is let go: it tries again.
                None => match self.strangers.take(peer.node) {
                    Some(place) => Some(place),
                    None => return,
                },
            };
            // A stranger, and somebody who names a group that is not here, gets the end of the stream and nothing else.
            if let Err(error) = self.groups.receive(peer.node, stream, stranger).await {
                tracing::debug!(node = ?peer.node, %error, "a stream of the service group ended");
            }
        })
    }
}

/// Whoever is not known to be a member when a stream begins.
#[derive(Default)]
struct Newcomer {
    /// What was told of nodes until then.
    early: Vec<Fellow>,
    /// The place that is held until then.
    stranger: Option<Place<NodeId>>,
}

/// Why nobody let us in.
pub(super) enum Knock {
    Refused,
    Unreachable,
    Failed(GroupError),
}

impl From<io::Error> for Knock {
    fn from(_: io::Error) -> Knock {
        Knock::Unreachable
    }
}

impl From<GroupError> for Knock {
    fn from(error: GroupError) -> Knock {
        Knock::Failed(error)
    }
}

impl From<DbError> for Knock {
    fn from(error: DbError) -> Knock {
        Knock::Failed(error.into())
    }
}

impl Groups {
    /// `stranger`: kept for as long as the other end is one.
    async fn receive(&self, node: NodeId, mut stream: Stream, stranger: Option<Place<NodeId>>) -> io::Result<()> {
        let own = self.0.people.key().id();
        let greeting = timeout(GREETING, read(&mut stream, MAX_FIRST_MESSAGE_BYTES)).await??;
        let find =
            |wanted: &[u8; 32]| self.0.all().into_iter().find(|circle| tag(circle.group(), node, own) == *wanted);
        match greeting {
            Message::Hello { tag, list } => {
                let Some(circle) = find(&tag) else { return Ok(()) };
                let claimed = self.0.people.book().person_of(&node);
                let claimed = claimed.or_else(|| ShownList::read(&list).ok().map(|list| list.person()));
                let Some(claimed) = claimed else { return Ok(()) };
                // Whom we do not know may have come in while we were away, and says so next. Who was expelled is told that,
                // and nothing else. Who belongs to a group that nobody has told us of yet says who named it.
                let roster = circle.view().roster;
                let is_known = match &roster {
                    Some(_) => circle.knows(&claimed).await,
                    None => circle.nodes().named.contains(&node),
                };
                if !is_known || self.recognise(node, &list).await? != Some(claimed) {
                    return Ok(());
                }
                drop(stranger);
                self.welcome(&mut stream, roster.is_none_or(|roster| roster.has(&claimed))).await?;
                self.run(circle, node, claimed, stream, None, Newcomer::default()).await
            }
            Message::Join { tag, request, list } => {
                let Some(circle) = find(&tag) else { return Ok(()) };
                self.let_in(circle, node, *request, &list, stream, stranger).await
            }
            Message::Belongs { group, list } => {
                let Some(person) = self.recognise(node, &list).await? else { return Ok(()) };
                let Some(circle) = self.0.circle(group).filter(|circle| circle.view().roster.is_some()) else {
                    return self.pretend(group, (node, person), stream).await;
                };
                self.welcome(&mut stream, self.is_member(group, person)).await?;
                // Of use as soon as the person has shown to be a member.
                let shown = Fellow { list, hints: Vec::new() };
                self.run(circle, node, person, stream, None, Newcomer { early: vec![shown], stranger }).await
            }
            _ => Ok(()),
        }
    }

    /// Whether somebody may show that we belong to a group that is not here: a contact, a fellow member or a node of ours,
    /// and there is room for it.
    fn listens(&self, (node, person): (NodeId, PersonId), group: base::GroupId) -> Option<(Place<NodeId>, Shown)> {
        let is_friend = {
            let book = self.0.people.book();
            book.person_of(&node) == Some(person) && book.is_of_interest(&person)
        };
        let circles = self.0.lock_circles();
        let is_wanted = !circles.contains_key(&group) && circles.len() < super::MAX_GROUPS;
        let is_new = is_friend && is_wanted && !self.0.lock_left().contains(&group);
        is_new.then(|| self.0.showing.take(node)).flatten().map(|place| (place, Shown::new(group)))
    }

    /// Behaves as to somebody who is no member, though the group is not here: nobody learns which groups are. Whoever shows
    /// that we belong to it is believed.
    async fn pretend(&self, group: base::GroupId, from: (NodeId, PersonId), mut stream: Stream) -> io::Result<()> {
        self.welcome(&mut stream, false).await?;
        let place = self.0.pretending.take(group);
        let mut shown = self.listens(from, group);
        let (own, (node, person)) = (self.person(), from);
        let talk = async {
            let mut bad = 0;
            while place.is_some() && bad < MAX_BAD as usize {
                match read(&mut stream, MAX_MESSAGE_BYTES).await? {
                    Message::Have(_) => write(&mut stream, &Message::Have(Vec::new())).await?,
                    Message::Changes(changes) => match &mut shown {
                        Some((_, shown)) => {
                            bad += shown.take_in(&changes);
                            if shown.has_both(&own, &person) {
                                tracing::debug!(?node, "a fellow member shows a group that we belong to");
                                return self.adopt(group, node).await.map_err(io::Error::other);
                            }
                        }
                        None => bad += changes.len(),
                    },
                    Message::Want(_) | Message::People(_) => {}
                    _ => bad += 1,
                }
            }
            Ok::<_, io::Error>(())
        };
        if let Ok(Err(error)) = timeout(PROOF_PATIENCE, talk).await {
            return Err(error);
        }
        drop((place, shown));
        // As one leaves who is in the way, or has proven nothing.
        stream.shutdown().await?;
        let listen = async { while read(&mut stream, MAX_MESSAGE_BYTES).await.is_ok() {} };
        let _ = timeout(LAST_WORDS, listen).await;
        Ok(())
    }

    /// Takes a group that a fellow member has shown: its members tell the rest.
    async fn adopt(&self, group: base::GroupId, node: NodeId) -> Result<(), GroupError> {
        let identity = self.0.identity().clone();
        self.0.store.add(group, vec![node]).await?;
        self.insert(Replica::new(group, identity, random()?), vec![node]);
        self.0.wake.notify_one();
        Ok(())
    }

    async fn let_in(
        &self,
        circle: Arc<Circle>,
        node: NodeId,
        request: JoinRequest,
        list: &[u8],
        mut stream: Stream,
        stranger: Option<Place<NodeId>>,
    ) -> io::Result<()> {
        let person = request.person;
        let Some(shown) = ShownList::read(list).ok().filter(|list| list.person() == person) else { return Ok(()) };
        if !shown.proves(&node) || !self.0.people.book().admits(&node) {
            return Ok(());
        }
        let command = Command::Admit(Box::new(request));
        let admitted =
            self.drive(&circle, |replica| replica.command(now(), command)).await.map_err(io::Error::other)?;
        match admitted {
            // Already: the answer of the first time was lost.
            Ok(_) | Err(Refusal::Already) => {}
            Err(refusal) => {
                tracing::debug!(?node, %refusal, "somebody wants to come into a group");
                let private = circle.view().roster.is_none_or(|roster| roster.kind == Kind::Private);
                return if private { Ok(()) } else { write(&mut stream, &Message::Refused).await };
            }
        }
        drop(stranger);
        // Since then the person is of interest to the book.
        let Ok(list) = shown.verify() else { return Ok(()) };
        let learnt = self.0.people.update(|book, _| {
            book.learn(&list);
            book.person_of(&node) == Some(person)
        });
        if !learnt.await.map_err(io::Error::other)? {
            return Ok(());
        }
        self.welcome(&mut stream, true).await?;
        self.run(circle, node, person, stream, None, Newcomer::default()).await
    }

    async fn welcome(&self, stream: &mut Stream, known: bool) -> io::Result<()> {
        let own = self.0.own_list().filter(|_| known);
        write(stream, &Message::Welcome { list: own.map(|list| list.encode()).unwrap_or_default() }).await
    }

    /// Returns whose node this is, after taking in the list that it shows. What we know from elsewhere and is newer counts.
    async fn recognise(&self, node: NodeId, list: &[u8]) -> io::Result<Option<PersonId>> {
        let shown = ShownList::read(list).ok().filter(|list| list.names(&node));
        let wanted = {
            let book = self.0.people.book();
            if !book.admits(&node) {
                return Ok(None);
            }
            let known = book.person_of(&node);
            let Some(shown) = shown else { return Ok(known) };
            let of_shown = book.person(&shown.person());
            if of_shown.is_some_and(|person| person.newest().encode() == list) {
                return Ok(known);
            }
            if !book.is_of_interest(&shown.person()) {
                // The list of somebody whom we do not know yet is believed for this stream, unless we know better.
                let is_new = known.is_none() && of_shown.is_none();
                return Ok(known.or_else(|| (is_new && shown.proves(&node)).then(|| shown.person())));
            }
            shown
        };
        let Ok(list) = wanted.verify() else { return Ok(None) };
        let learnt = self.0.people.update(|book, _| {
            book.learn(&list);
            book.admits(&node).then(|| book.person_of(&node)).flatten()
        });
        learnt.await.map_err(io::Error::other)
    }

    /// Opens a stream to a node of a link, after a while.
    pub(super) async fn door<'a>(&self, to: &'a LinkNode, pause: Duration) -> (&'a LinkNode, Result<Stream, Knock>) {
        tokio::time::sleep(pause).await;
        let hints: Vec<Hint> = to.hints.iter().filter_map(|hint| hint.parse().ok()).collect();
        let opened = match self.0.people.reach() {
            Ok(overlay) => overlay.open(to.node, SERVICE, &hints).await.map_err(|_| Knock::Unreachable),
            Err(off) => Err(Knock::Failed(off.into())),
        };
        (to, opened)
    }

    /// Asks a node to let us in; returns when the stream to it stands.
    pub(super) async fn knock(
        &self,
        link: &GroupLink,
        to: &LinkNode,
        mut stream: Stream,
        request: JoinRequest,
    ) -> Result<(), Knock> {
        let node = to.node;
        let overlay = self.0.people.reach().map_err(GroupError::from)?;
        let own = self.0.own_list().ok_or(GroupError::NoPerson)?;
        let tag = tag(link.group, overlay.node(), node);
        let message = Message::Join { tag, request: Box::new(request), list: own.encode() };
        write(&mut stream, &message).await?;
        let list = match timeout(GREETING, read(&mut stream, MAX_FIRST_MESSAGE_BYTES)).await {
            Ok(Ok(Message::Welcome { list })) => list,
            Ok(Ok(_)) => return Err(Knock::Refused),
            // The end without a word: of a private group, a refusal as well.
            Ok(Err(_)) => return Err(Knock::Refused),
            Err(_) => return Err(Knock::Unreachable),
        };
        let list = list_of(&list, node).ok_or(Knock::Refused)?;
        let person = list.person();
        let circle = match self.0.circle(link.group) {
            Some(circle) => circle,
            None => {
                let identity = self.identity().await?;
                let nodes: Vec<NodeId> = link.nodes.iter().map(|named| named.node).collect();
                self.0.store.add(link.group, nodes.clone()).await?;
                let seed = random().map_err(GroupError::Random)?;
                self.insert(Replica::new(link.group, identity, seed), nodes)
            }
        };
        let hints = to.hints.clone();
        self.0.people.update(|book, _| book.learn_hints(node, &hints)).await?;
        let groups = self.clone();
        tokio::spawn(async move {
            if let Err(error) = groups.run(circle, node, person, stream, None, Newcomer::default()).await {
                tracing::debug!(?node, %error, "a stream of the service group ended");
            }
        });
        Ok(())
    }

    /// Opens a stream to a node of a member, and serves it until it ends, or until `limit` is over. Returns whether it stood.
    pub(super) async fn visit(&self, circle: Arc<Circle>, node: NodeId, limit: Option<Duration>) -> bool {
        let (Some(overlay), Some(own)) = (self.0.people.overlay(), self.0.own_list()) else { return false };
        let hello = Message::Hello { tag: tag(circle.group(), overlay.node(), node), list: own.encode() };
        let Ok(mut stream) = overlay.open(node, SERVICE, &[]).await else { return false };
        if write(&mut stream, &hello).await.is_err() {
            return false;
        }
        let Some(person) = self.welcomed(node, &mut stream).await else {
            return self.show(circle, node, limit).await;
        };
        if let Err(error) = self.run(circle, node, person, stream, limit, Newcomer::default()).await {
            tracing::debug!(?node, %error, "a stream of the service group ended");
        }
        true
    }

    /// Waits for the answer to a greeting, and returns whose node it is that answers.
    async fn welcomed(&self, node: NodeId, stream: &mut Stream) -> Option<PersonId> {
        let answer = timeout(GREETING, read(stream, MAX_FIRST_MESSAGE_BYTES)).await;
        let Ok(Ok(Message::Welcome { list })) = answer else { return None };
        self.recognise(node, &list).await.ok().flatten()
    }

    /// Tells a member's node, which said nothing, that its person and ours belong to the group: it does not know the group,
    /// or not us. At each visit, which are fewer and fewer: a node that was restored may have ended before it could act on
    /// the first word. Returns whether a stream stood for longer than somebody is listened to who proves nothing.
    async fn show(&self, circle: Arc<Circle>, node: NodeId, limit: Option<Duration>) -> bool {
        let (Some(overlay), Some(own)) = (self.0.people.overlay(), self.0.own_list()) else { return false };
        let theirs = self.0.people.book().person_of(&node);
        if !theirs.is_some_and(|person| self.is_member(circle.group(), person)) {
            return false;
        }
        let Ok(mut stream) = overlay.open(node, SERVICE, &[]).await else { return false };
        let belongs = Message::Belongs { group: circle.group(), list: own.encode() };
        if write(&mut stream, &belongs).await.is_err() {
            return false;
        }
        let Some(person) = self.welcomed(node, &mut stream).await else { return false };
        let since = Instant::now();
        if let Err(error) = self.run(circle, node, person, stream, limit, Newcomer::default()).await {
            tracing::debug!(?node, %error, "a stream of the service group ended");
        }
        since.elapsed() > 2 * PROOF_PATIENCE
    }

    /// Serves a stream between two members until it ends, or until `limit` is over.
    async fn run(
        &self,
        circle: Arc<Circle>,
        node: NodeId,
        person: PersonId,
        stream: Stream,
        limit: Option<Duration>,
        newcomer: Newcomer,
    ) -> io::Result<()> {
        let (session, orders, settled) = circle.connect(&self.0.store, person).await.map_err(io::Error::other)?;
        self.settled(&circle, settled).await.map_err(io::Error::other)?;
        circle.tell(Some(session), &self.fellows(&circle)).await;
        let (reading, writing) = tokio::io::split(stream);
        let over = async {
            match limit {
                Some(limit) => tokio::time::sleep(limit).await,
                None => std::future::pending().await,
            }
        };
        let result = tokio::select! {
            result = converse(self.listen(&circle, (node, person), session, reading, newcomer), speak(orders, writing)) => result,
            () = over => Ok(()),
        };
        let settled = circle.close(&self.0.store, session).await.map_err(io::Error::other)?;
        self.settled(&circle, settled).await.map_err(io::Error::other)?;
        self.0.wake.notify_one();
        result
    }

    async fn listen(
        &self,
        circle: &Arc<Circle>,
        (node, person): (NodeId, PersonId),
        session: u64,
        mut stream: impl AsyncRead + Unpin,
        newcomer: Newcomer,
    ) -> io::Result<()> {
        let Newcomer { mut early, mut stranger } = newcomer;
        let is_member = || circle.view().roster.is_some_and(|roster| roster.has(&person));
        // Who proves nothing is not met: the group goes on seeking members. Whoever lets us in is, before the roster is here.
        let counts = || circle.view().roster.is_none() || is_member();
        let mut met = counts().then(|| circle.meet(node));
        let mut told = is_member();
        loop {
            match read(&mut stream, MAX_MESSAGE_BYTES).await? {
                Message::People(fellows) => {
                    early.extend(fellows);
                    early.truncate(MAX_EARLY);
                }
                message => {
                    let input = Input::Received { session, message };
                    self.drive(circle, |replica| replica.handle(now(), input)).await.map_err(io::Error::other)?;
                }
            }
            if met.is_none() && counts() {
                met = Some(circle.meet(node));
            }
            // Nobody else is believed who says where members are.
            if !early.is_empty() && counts() {
                let fellows = std::mem::take(&mut early);
                self.learn(circle, Some(node), fellows).await.map_err(io::Error::other)?;
            }
            if !told && is_member() {
                told = true;
                drop(stranger.take());
                circle.tell(Some(session), &self.fellows(circle)).await;
            }
        }
    }

    /// Takes in what a member's node tells of itself and of other members' nodes.
    pub(super) async fn learn(
        &self,
        circle: &Circle,
        from: Option<NodeId>,
        fellows: Vec<Fellow>,
    ) -> Result<(), DbError> {
        let roster = circle.view().roster;
        let is_member = |person: &PersonId| roster.as_ref().is_some_and(|roster| roster.has(person));
        let mut lists: Vec<(SignedNodeList, Vec<(NodeId, String)>)> = Vec::new();
        for fellow in fellows {
            match SignedNodeList::decode(&fellow.list) {
                Ok(list) if is_member(&list.person()) => lists.push((list, fellow.hints)),
                Ok(_) => circle.nodes().keep_early(fellow),
                Err(error) => tracing::debug!(%error, "a member told what is no list of nodes"),
            }
        }
        if lists.is_empty() {
            return Ok(());
        }
        let news = self.0.people.update(|book, _| {
            let (mut news, mut placed) = (false, Vec::new());
            for (list, hints) in lists {
                news |= book.learn(&list);
                for node in list.list().nodes.keys().copied() {
                    if book.person_of(&node) != Some(list.person()) {
                        continue;
                    }
                    let of_node: Vec<String> =
                        hints.iter().filter(|(named, _)| *named == node).map(|(_, hint)| hint.clone()).collect();
                    // What a node told of itself is better than what others heard of it.
                    if (from == Some(node) || book.hints(&node).is_empty()) && !of_node.is_empty() {
                        book.learn_hints(node, &of_node);
                        placed.push(node);
                    }
                }
            }
            (news, placed)
        });
        let (news, placed) = news.await?;
        // Whoever was tried without knowing where it is need not wait for the next time.
        circle.nodes().tried.retain(|node, (_, failures)| *failures == u32::MAX || !placed.contains(node));
        if news || !placed.is_empty() {
            self.0.wake.notify_one();
        }
        Ok(())
    }

    /// Says which nodes we have, and where this one may be reached.
    pub(super) fn own_fellow(&self) -> Option<Fellow> {
        let overlay = self.0.people.overlay()?;
        let hints =
            overlay.own_hints().into_iter().take(MAX_FELLOW_HINTS).map(|hint| (overlay.node(), hint.to_string()));
        Some(Fellow { list: self.0.own_list()?.encode(), hints: hints.collect() })
    }

    /// Says which nodes the members have, and where they may be reached.
    pub(super) fn fellows(&self, circle: &Circle) -> Vec<Message> {
        let Some(roster) = circle.view().roster else { return Vec::new() };
        let Some(overlay) = self.0.people.overlay() else { return Vec::new() };
        let own: Vec<String> = overlay.own_hints().iter().map(ToString::to_string).collect();
        let book = self.0.people.book();
        let fellows: Vec<Fellow> = roster
            .members
            .keys()
            .filter_map(|person| book.person(person))
            .map(|known| {
                let hints_of = |node: NodeId| {
                    let hints = if node == overlay.node() { own.as_slice() } else { book.hints(&node) };
                    hints.iter().map(move |hint| (node, hint.clone())).collect::<Vec<_>>()
                };
                let hints = known.nodes().flat_map(|(node, _)| hints_of(*node)).take(MAX_FELLOW_HINTS).collect();
                Fellow { list: known.newest().encode(), hints }
            })
            .collect();
        fellows.chunks(MAX_FELLOWS).map(|some| Message::People(some.to_vec())).collect()
    }
}

/// Listens and speaks until either ends. What was said last is still listened to for a moment: it may be why the other
/// end goes.
async fn converse(
    listening: impl Future<Output = io::Result<()>>,
    speaking: impl Future<Output = io::Result<()>>,
) -> io::Result<()> {
    let mut listening = std::pin::pin!(listening);
    tokio::select! {
        result = &mut listening => result,
        result = speaking => {
            // Fails when the other end has nothing more to say.
            let _ = timeout(LAST_WORDS, listening).await;
            result
        }
    }
}

/// Reads a list of nodes and checks that it names this one.
fn list_of(bytes: &[u8], node: NodeId) -> Option<SignedNodeList> {
    SignedNodeList::decode(bytes).ok().filter(|list| list.list().nodes.contains_key(&node))
}

async fn speak(mut orders: mpsc::Receiver<Order>, mut stream: impl AsyncWrite + Unpin) -> io::Result<()> {
    while let Some(Order::Send(message)) = orders.recv().await {
        write(&mut stream, &message).await?;
    }
    stream.shutdown().await
}

async fn read(stream: &mut (impl AsyncRead + Unpin), limit: usize) -> io::Result<Message> {
    let bytes = frames::read(stream, limit).await?;
    Message::decode(&bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

async fn write(stream: &mut (impl AsyncWrite + Unpin), message: &Message) -> io::Result<()> {
    timeout(WRITING, frames::write(stream, &message.encode())).await?
}
