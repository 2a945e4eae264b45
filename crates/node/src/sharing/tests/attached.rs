//! Stories of people who send files with messages. The messages themselves are handed over by hand.

use chat::Swarms;
use chat::proto::{Conversation, MessageId, RoomName};
use sharing::proto::Audience;

use super::super::attached::Offer;
use super::*;

impl Person {
    /// Makes what goes with a message to somebody, or to the club.
    async fn attaches(&self, path: &Path, to: Option<&Person>) -> (Conversation, Offer) {
        let of = to.map_or_else(
            || Conversation::Room(CLUB, RoomName::main()),
            |other| Conversation::between(self.id, other.id),
        );
        let audience = self.sharing.audience_of(self.id, &of).unwrap();
        let offer = self.sharing.attach(path, audience, &of, Progress::default()).await.unwrap();
        (of, offer)
    }

    async fn says(&self, offer: &Offer, number: u64) {
        self.sharing.said(offer.share.id(), message(number)).await.unwrap();
    }

    /// Fetches what came with a message of somebody.
    async fn takes(&self, from: &Person, group: Option<GroupId>, notice: &[u8]) -> Result<InboxItem, SharingError> {
        self.sharing.take_attached(from.id, group, notice, None).await
    }

    fn shown(&self) -> Vec<InboxItem> {
        self.sharing.inbox().into_iter().filter(|item| !item.notice.attached).collect()
    }
}

fn message(number: u64) -> MessageId {
    format!("0011223344556677-{number}").parse().unwrap()
}

async fn soon(what: &str, holds: impl Fn() -> bool) {
    let end = tokio::time::Instant::now() + PATIENCE;
    while !holds() {
        assert!(tokio::time::Instant::now() < end, "not so: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn nobody_but_the_message_tells_of_it() {
    let world = Arc::default();
    let (alice, bob) = (Person::start(&world, 1, "alice").await, Person::start(&world, 2, "bob").await);
    let path = alice.write("photo.jpg", 777_777);
    let (_, offer) = alice.attaches(&path, Some(&bob)).await;
    alice.says(&offer, 1).await;
    alice.sharing.refresh().await;
    tokio::time::sleep(QUIET).await;
    assert!(bob.sharing.inbox().is_empty(), "it would stand in the inbox and in the conversation");
    let id = offer.share.id();
    assert!(bob.session.status(id).await.is_err(), "nothing is fetched before the user says so");
    bob.takes(&alice, None, &offer.notice).await.unwrap();
    bob.has(id).await;
    assert!(same(&path, &bob.downloads().join("photo.jpg")));
    assert!(bob.shown().is_empty(), "what was taken up from a conversation is in the conversation");
}

#[tokio::test]
async fn what_is_fetched_goes_on_after_a_restart_and_recipients_help_one_another() {
    let world: Arc<World> = Arc::default();
    let (alice, mut bob) = (Person::start(&world, 1, "alice").await, Person::start(&world, 2, "bob").await);
    let carol = Person::start(&world, 3, "carol").await;
    world.club.lock().unwrap().extend([alice.id, bob.id, carol.id]);
    let path = alice.write("photo.jpg", 777_777);
    let (_, offer) = alice.attaches(&path, None).await;
    alice.says(&offer, 1).await;
    let id = offer.share.id();
    alice.leave().await;
    bob.takes(&alice, Some(CLUB), &offer.notice).await.unwrap();
    bob.leave().await;
    bob.come_back().await;
    assert!(bob.session.status(id).await.is_ok_and(|status| !status.is_complete()));
    let mut alice = alice;
    alice.come_back().await;
    bob.has(id).await;
    alice.leave().await;
    carol.takes(&alice, Some(CLUB), &offer.notice).await.unwrap();
    carol.has(id).await;
}

#[tokio::test]
async fn a_message_that_is_gone_ends_what_was_taken_up_and_what_was_not() {
    let world = Arc::default();
    let (alice, bob) = (Person::start(&world, 1, "alice").await, Person::start(&world, 2, "bob").await);
    let carol = Person::start(&world, 3, "carol").await;
    world.club.lock().unwrap().extend([alice.id, bob.id, carol.id]);
    let path = alice.write("photo.jpg", 777_777);
    let (of, offer) = alice.attaches(&path, None).await;
    let id = offer.share.id();
    assert!(alice.sharing.attachments().is_empty(), "what has no message yet is nobody's but its maker's");
    alice.says(&offer, 4).await;
    let known = alice.sharing.attachments();
    assert_eq!((known[0].swarm, known[0].message), (id.0, Some(message(4))));
    assert_eq!(known[0].conversation, of);
    bob.takes(&alice, Some(CLUB), &offer.notice).await.unwrap();
    bob.has(id).await;
    alice.sharing.gone(id.0).await;
    assert!(alice.sharing.attachments().is_empty() && path.exists());
    soon("bob and carol are told", || {
        [&bob, &carol].iter().all(|who| who.sharing.inbox().first().is_some_and(|item| item.notice.withdrawn))
    })
    .await;
    assert!(bob.shown().is_empty() && carol.shown().is_empty());
    let late = carol.takes(&alice, Some(CLUB), &offer.notice).await;
    assert!(matches!(late, Err(SharingError::Input(_))), "{late:?}");
    assert!(same(&path, &bob.downloads().join("photo.jpg")), "whoever has it keeps it");
}

#[tokio::test]
async fn what_no_message_was_written_for_is_found_after_a_restart() {
    let world = Arc::default();
    let (mut alice, bob) = (Person::start(&world, 1, "alice").await, Person::start(&world, 2, "bob").await);
    let (_, written) = alice.attaches(&alice.write("a.jpg", 77_777), Some(&bob)).await;
    let path = alice.write("b.jpg", 77_778);
    let (_, unwritten) = alice.attaches(&path, Some(&bob)).await;
    alice.leave().await;
    alice.come_back().await;
    let unsaid: Vec<_> = alice.sharing.attachments().into_iter().map(|it| (it.swarm, it.message)).collect();
    assert_eq!(unsaid.len(), 2);
    assert!(unsaid.contains(&(written.share.id().0, None)) && unsaid.contains(&(unwritten.share.id().0, None)));
    assert_eq!(alice.sharing.swarm_of(&written.notice), Some(written.share.id().0));
    alice.sharing.written(written.share.id().0, message(1)).await;
    alice.sharing.gone(unwritten.share.id().0).await;
    assert!(alice.session.status(unwritten.share.id()).await.is_err() && path.exists());
    bob.takes(&alice, None, &written.notice).await.unwrap();
    bob.has(written.share.id()).await;
    alice.leave().await;
    alice.come_back().await;
    let kept: Vec<_> = alice.sharing.attachments().into_iter().map(|it| it.message).collect();
    assert_eq!(kept, [Some(message(1))]);
}

#[tokio::test]
async fn what_is_stopped_while_it_is_hashed_leaves_nothing() {
    let world = Arc::default();
    let (alice, bob) = (Person::start(&world, 1, "alice").await, Person::start(&world, 2, "bob").await);
    let path = alice.write("photo.jpg", 777_777);
    let of = Conversation::between(alice.id, bob.id);
    let progress = Progress::default();
    progress.cancel();
    let audience = alice.sharing.audience_of(alice.id, &of).unwrap();
    let stopped = alice.sharing.attach(&path, audience, &of, progress).await;
    assert!(stopped.is_err());
    assert!(alice.sharing.shares(true).is_empty() && alice.session.list().await.is_empty() && path.exists());
}

#[tokio::test]
async fn only_those_in_the_conversation_are_let_in_whatever_the_notice_says() {
    let world: Arc<World> = Arc::default();
    let (alice, bob) = (Person::start(&world, 1, "alice").await, Person::start(&world, 2, "bob").await);
    let eve = Person::start(&world, 5, "eve").await;
    world.club.lock().unwrap().extend([alice.id, bob.id]);
    let (_, offer) = alice.attaches(&alice.write("photo.jpg", 777_777), Some(&bob)).await;
    alice.says(&offer, 1).await;
    let honest = Notice::decode(&offer.notice).unwrap();
    assert!(honest.attached && honest.group.is_none() && honest.nodes.contains(&bob.node()));
    // Whoever passes it on as their own is no author of it, once it is taken up.
    bob.takes(&alice, None, &offer.notice).await.unwrap();
    let passed_on = bob.takes(&eve, None, &offer.notice).await;
    assert!(matches!(passed_on, Err(SharingError::Input(_))), "{passed_on:?}");
    let wide = Notice { nodes: vec![alice.node(), eve.node(), NodeId([77; 32])], group: Some(CLUB), ..honest };
    assert_eq!(
        bob.sharing.nodes_of_attached(&Notice { group: None, ..wide.clone() }, alice.id),
        [alice.node(), bob.node()]
    );
    assert_eq!(bob.sharing.nodes_of_attached(&wide, alice.id), [alice.node(), bob.node()], "Eve is no member");
    // What is said of it later is held to the same.
    let later = Notice { version: 9, attached: false, ..wide };
    assert_eq!(bob.sharing.receive(alice.node(), Some(alice.id), &later.encode()).await, Receipt::Kept);
    let item = bob.hears_of(offer.share.id()).await;
    assert!(item.notice.attached && item.notice.group.is_none() && item.notice.version == 9);
}

#[tokio::test]
async fn a_rule_takes_up_what_comes_with_messages() {
    let world: Arc<World> = Arc::default();
    let (alice, bob) = (Person::start(&world, 1, "alice").await, Person::start(&world, 2, "bob").await);
    world.club.lock().unwrap().extend([alice.id, bob.id]);
    let folder = bob.home.path().join("club");
    let rule = Rule { whose: Whose::Group(CLUB), folder: folder.display().to_string(), max_bytes: Some(100_000) };
    bob.sharing.set_rule(rule).await.unwrap();
    let path = alice.write("small.jpg", 77_777);
    let (of, small) = alice.attaches(&path, None).await;
    let (_, large) = alice.attaches(&alice.write("large.jpg", 777_777), None).await;
    let (direct, other) = alice.attaches(&alice.write("direct.jpg", 7777), Some(&bob)).await;
    bob.sharing.arrived(alice.id, &of, &small.notice).await;
    bob.sharing.arrived(alice.id, &of, &large.notice).await;
    bob.sharing.arrived(alice.id, &direct, &other.notice).await;
    bob.has(small.share.id()).await;
    assert!(same(&path, &folder.join("small.jpg")));
    for unasked in [large, other] {
        assert!(bob.session.status(unasked.share.id()).await.is_err(), "{} came unasked", unasked.share.name);
    }
}

#[tokio::test]
async fn many_shares_that_nobody_decided_on_do_not_keep_a_file_out() {
    let world = Arc::default();
    let (alice, bob) = (Person::start(&world, 1, "alice").await, Person::start(&world, 2, "bob").await);
    let (_, offer) = alice.attaches(&alice.write("photo.jpg", 7777), Some(&bob)).await;
    alice.says(&offer, 1).await;
    let notice = Notice::decode(&offer.notice).unwrap();
    for n in 0..=sharing::MAX_INBOX_PER_PERSON {
        let mut hash = [1; 32];
        hash[..8].copy_from_slice(&(n as u64).to_be_bytes());
        let other = Notice { hash: metainfo::InfoHashV2(hash), attached: false, ..notice.clone() };
        bob.sharing.receive(alice.node(), Some(alice.id), &other.encode()).await;
    }
    assert_eq!(bob.sharing.inbox().len(), sharing::MAX_INBOX_PER_PERSON);
    bob.takes(&alice, None, &offer.notice).await.unwrap();
    bob.has(offer.share.id()).await;
}

#[tokio::test]
async fn files_go_to_people_who_are_known() {
    let world = Arc::default();
    let alice = Person::start(&world, 1, "alice").await;
    let stranger = Conversation::between(alice.id, PersonId([9; 32]));
    assert!(matches!(alice.sharing.audience_of(alice.id, &stranger), Err(SharingError::Input(_))));
    let notes = alice.sharing.audience_of(alice.id, &Conversation::between(alice.id, alice.id)).unwrap();
    assert_eq!(notes, Audience { persons: [alice.id].into(), ..Audience::default() });
}
