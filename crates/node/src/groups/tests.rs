//! Alice, Bob and Carol have a node each, and meet over the overlay on loopback.

use std::time::Duration;

use people::Store;
use people::proto::group::Message;
use people::proto::group::message::tag;
use people::proto::group::{Kind, Role};
use people::proto::{Book, Name, NodeList, PersonKey};
use tokio::io::AsyncReadExt as _;

use super::*;
use crate::people::Keys;
use crate::{Home, Node, Options};

/// How long something that has to happen may take on a busy computer.
const PATIENCE: Duration = Duration::from_secs(60);

struct Person {
    home: tempfile::TempDir,
    node: Option<Node>,
}

impl Person {
    /// Somebody with an identity and a node; `sealed` by a passphrase.
    async fn new(name: &str, passphrase: Option<&str>) -> Person {
        // An error means that another test was first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let text = "[overlay]\nlisten = [\"127.0.0.1:0\"]\npublish = false\n";
        std::fs::write(folder.path().join("config.toml"), text).unwrap();
        begin(&folder, name, passphrase).await;
        let mut person = Person { home: folder, node: None };
        person.start().await;
        person
    }

    async fn start(&mut self) {
        let home = Home::open(Some(self.home.path())).unwrap();
        let lock = home.lock().unwrap().unwrap();
        self.node = Some(Node::start(home, lock, Options::on_loopback()).await.unwrap());
    }

    async fn stop(&mut self) {
        self.node.take().unwrap().shutdown().await;
    }

    fn groups(&self) -> &Groups {
        self.node.as_ref().unwrap().groups().unwrap()
    }

    fn id(&self) -> PersonId {
        self.groups().person()
    }

    /// Opens a stream to another's groups, says something, and returns the answer to it until the other end ends it, and
    /// whether it ended it in good order.
    async fn says(&self, to: &Person, messages: &[Message]) -> (Vec<u8>, bool) {
        let theirs = to.groups().people().overlay().unwrap();
        let ours = self.groups().people().overlay().unwrap();
        let mut stream = ours.open(theirs.node(), "group", &theirs.own_hints()).await.unwrap();
        for message in messages {
            // The other end may have ended it.
            let _ = crate::frames::write(&mut stream, &message.encode()).await;
        }
        let mut answer = Vec::new();
        let in_order = stream.read_to_end(&mut answer).await.is_ok();
        (answer, in_order)
    }

    async fn until(&self, what: &str, holds: impl Fn(&Groups) -> bool) {
        let wait = async {
            while !holds(self.groups()) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, wait).await.is_ok(), "{what}: {:?}", self.groups().list());
    }
}

/// Makes somebody's identity in a home, and returns its database.
async fn begin(folder: &tempfile::TempDir, name: &str, passphrase: Option<&str>) -> Db {
    let home = Home::open(Some(folder.path())).unwrap();
    let keys = Keys::of(&home);
    let (node, phrase) = (keys.node_or_draw().unwrap(), keys.draw_phrase().unwrap());
    keys.keep_phrase(&phrase, passphrase).unwrap();
    let person: PersonKey = phrase.person_key();
    let mut list = NodeList::new(person.id(), Name::new(name).unwrap()).next();
    list.add(node.id(), &Name::new("laptop").unwrap(), 0, node.consent(person.id())).unwrap();
    let database = Db::open(&home.database()).unwrap();
    let store = Store::open(database.clone()).await.unwrap();
    let mut book = Book::new(node.id(), store.load().await.unwrap());
    book.adopt(person.sign(list).unwrap());
    store.save(&mut book).await.unwrap();
    database
}

fn has(group: GroupId, count: usize) -> impl Fn(&Groups) -> bool {
    move |groups| groups.members(group).len() == count
}

fn called(group: GroupId, name: &str) -> impl Fn(&Groups) -> bool {
    move |groups| groups.view(group).unwrap().name.is_some_and(|called| called.as_str() == name)
}

#[tokio::test]
async fn people_come_in_by_links_and_who_is_expelled_learns_nothing_more() {
    let (mut alice, bob, carol) =
        tokio::join!(Person::new("Alice", None), Person::new("Bob", None), Person::new("Carol", None));
    let group = alice.groups().create(&Name::new("Tea").unwrap(), Kind::Private).await.unwrap();
    let link = alice.groups().invite(group, None, 1, Role::Member).await.unwrap();
    assert!(link.name.is_none(), "the link of a private group does not say what it is called");
    assert_eq!(bob.groups().join(&link).await.unwrap(), group);
    bob.until("the name", called(group, "Tea")).await;
    assert!(matches!(carol.groups().join(&link).await, Err(GroupError::Refused)), "once is once");
    let link = alice.groups().invite(group, Some(carol.id()), 1, Role::Member).await.unwrap();
    carol.groups().join(&link).await.unwrap();
    bob.until("Carol is known to Bob", has(group, 3)).await;
    // Bob and Carol learnt of one another's nodes from Alice: without her they go on.
    bob.until("Bob meets Carol", |groups| groups.view(group).unwrap().sessions > 1).await;
    alice.stop().await;
    let refused = bob.groups().command(group, Command::Rename(Name::new("Coffee").unwrap())).await;
    assert!(matches!(refused, Err(GroupError::Refusal(Refusal::NotAdmin))));
    alice.start().await;
    alice.until("Alice's group is there again", has(group, 3)).await;
    alice.groups().command(group, Command::Role(bob.id(), Role::Admin)).await.unwrap();
    let is_admin = |groups: &Groups| groups.view(group).unwrap().roster.unwrap().is_admin(&groups.person());
    bob.until("Bob is an admin", is_admin).await;

    bob.groups().command(group, Command::Expel(carol.id())).await.unwrap();
    bob.groups().command(group, Command::Rename(Name::new("Coffee").unwrap())).await.unwrap();
    alice.until("Alice hears of it", called(group, "Coffee")).await;
    assert!(!alice.groups().is_member(group, carol.id()));
    assert!(bob.groups().groups_of(carol.id()).is_empty());
    carol.until("nobody speaks to Carol", |groups| groups.view(group).unwrap().sessions == 0).await;
    assert!(called(group, "Tea")(carol.groups()));

    bob.groups().leave(group).await.unwrap();
    assert!(bob.groups().list().is_empty());
    alice.until("Alice is alone", has(group, 1)).await;
}

#[tokio::test]
async fn a_key_that_a_passphrase_seals_is_unlocked_for_groups() {
    let alice = Person::new("Alice", Some("tea")).await;
    let name = Name::new("Tea").unwrap();
    let locked = alice.groups().create(&name, Kind::Open).await;
    assert!(matches!(locked, Err(GroupError::Refusal(Refusal::Locked))));
    let key = Keys::of(&Home::open(Some(alice.home.path())).unwrap()).person(Some("tea")).unwrap();
    alice.groups().unlock(key).await.unwrap();
    let group = alice.groups().create(&name, Kind::Open).await.unwrap();
    assert!(alice.groups().is_member(group, alice.id()));
}

/// What somebody hears who names a group in each way that there is, and says all that there is to say.
async fn hears_of(who: &Person, alice: &Person, group: GroupId) -> [(Vec<u8>, bool); 2] {
    let list = who.groups().0.own_list().unwrap().encode();
    let node = |person: &Person| person.groups().people().overlay().unwrap().node();
    let hello = Message::Hello { tag: tag(group, node(who), node(alice)), list: list.clone() };
    let belongs = Message::Belongs { group, list: list.clone() };
    let first = ChangeId(group.0);
    let fellow = people::proto::group::message::Fellow { list, hints: Vec::new() };
    let asks = [Message::People(vec![fellow]), Message::Have(vec![first]), Message::Want(vec![first])];
    let garbage = [Message::Changes(vec![Arc::from([7].as_slice()); 4])];
    let shown = [&[belongs], asks.as_slice(), &garbage].concat();
    [who.says(alice, &[hello]).await, who.says(alice, &shown).await]
}

#[tokio::test]
async fn who_only_knows_what_a_group_is_called_hears_what_they_would_of_none() {
    let (alice, mallory) = tokio::join!(Person::new("Alice", None), Person::new("Mallory", None));
    let (group, none) =
        (alice.groups().create(&Name::new("Tea").unwrap(), Kind::Private).await.unwrap(), GroupId([9; 32]));
    let (of_group, of_none) = tokio::join!(hears_of(&mallory, &alice, group), hears_of(&mallory, &alice, none));
    assert!(of_group[0].0.is_empty(), "silence");
    assert_eq!(of_group, of_none);
    assert!(!alice.groups().is_member(group, mallory.id()));
    assert!(alice.groups().people().book().person(&mallory.id()).is_none());
}

#[tokio::test]
async fn a_contact_does_not_learn_either_which_groups_are_here() {
    let (alice, bob) = tokio::join!(Person::new("Alice", None), Person::new("Bob", None));
    let list = bob.groups().0.own_list().unwrap();
    let known = alice.groups().people().update(|book, now| {
        book.accept(bob.id(), now).unwrap();
        book.learn(&list)
    });
    assert!(known.await.unwrap());
    let (group, none) =
        (alice.groups().create(&Name::new("Tea").unwrap(), Kind::Private).await.unwrap(), GroupId([9; 32]));
    let (of_group, of_none) = tokio::join!(hears_of(&bob, &alice, group), hears_of(&bob, &alice, none));
    assert!(of_group[0].0.is_empty(), "silence");
    assert_eq!(of_group, of_none);
    // Nothing is taken on a contact's word, who would else be called back about it.
    assert!(alice.groups().0.circle(none).is_none());
}

/// A stream that stays, on which somebody names a group.
struct Naming(overlay::Stream);

impl Naming {
    async fn open(from: &Person, to: &Person, group: GroupId) -> Naming {
        let theirs = to.groups().people().overlay().unwrap();
        let ours = from.groups().people().overlay().unwrap();
        let mut stream = ours.open(theirs.node(), "group", &theirs.own_hints()).await.unwrap();
        let list = from.groups().0.own_list().unwrap().encode();
        // Who finds no place is not even listened to.
        let _ = crate::frames::write(&mut stream, &Message::Belongs { group, list }.encode()).await;
        Naming(stream)
    }

    /// The same, once there is a place: those of streams that just ended are free soon.
    async fn welcomed(from: &Person, to: &Person, group: GroupId) -> Naming {
        let opened = async {
            loop {
                let mut naming = Naming::open(from, to, group).await;
                match naming.hears().await {
                    Some(welcome) => {
                        assert_eq!(welcome, Message::Welcome { list: Vec::new() });
                        return naming;
                    }
                    None => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        };
        tokio::time::timeout(PATIENCE, opened).await.expect("a place")
    }

    /// The next message, `None` at the end.
    async fn hears(&mut self) -> Option<Message> {
        let frame = tokio::time::timeout(PATIENCE, crate::frames::read(&mut self.0, 1 << 20)).await.unwrap();
        frame.ok().map(|bytes| Message::decode(&bytes).unwrap())
    }

    /// Whether the other end talks.
    async fn is_talked_to(&mut self) -> bool {
        let asked = crate::frames::write(&mut self.0, &Message::Have(Vec::new()).encode()).await;
        asked.is_ok() && self.hears().await == Some(Message::Have(Vec::new()))
    }
}

#[tokio::test]
async fn many_who_name_a_group_do_not_learn_whether_it_is_here() {
    let (alice, mallory, oscar, trudy) = tokio::join!(
        Person::new("Alice", None),
        Person::new("Mallory", None),
        Person::new("Oscar", None),
        Person::new("Trudy", None)
    );
    let known = alice.groups().create(&Name::new("Tea").unwrap(), Kind::Private).await.unwrap();
    for group in [known, GroupId([9; 32])] {
        loop {
            let mut held = Vec::new();
            for who in [&mallory, &mallory, &oscar, &oscar] {
                let mut naming = Naming::welcomed(who, &alice, group).await;
                held.push((naming.is_talked_to().await, naming));
            }
            let third = Naming::open(&mallory, &alice, group).await.hears().await;
            let fifth = Naming::welcomed(&trudy, &alice, group).await.is_talked_to().await;
            let mut all_stand = true;
            for (stood, naming) in &mut held {
                all_stand &= *stood && naming.is_talked_to().await;
            }
            // Nobody is listened to for long: on a slow computer the first may be gone by now, then once more.
            if all_stand {
                assert_eq!(third, None, "Mallory has all places that a stranger has");
                assert!(!fifth, "{group:?} has places for four");
                break;
            }
        }
    }
}

#[tokio::test]
async fn who_came_in_meanwhile_shows_it_to_whoever_was_away() {
    let (mut alice, mut bob, carol) =
        tokio::join!(Person::new("Alice", None), Person::new("Bob", None), Person::new("Carol", None));
    let group = alice.groups().create(&Name::new("Tea").unwrap(), Kind::Private).await.unwrap();
    let link = alice.groups().invite(group, None, 1, Role::Admin).await.unwrap();
    bob.groups().join(&link).await.unwrap();
    bob.until("Bob has the key", called(group, "Tea")).await;
    alice.stop().await;
    let link = bob.groups().invite(group, None, 1, Role::Member).await.unwrap();
    carol.groups().join(&link).await.unwrap();
    carol.until("Carol has the key", called(group, "Tea")).await;
    bob.stop().await;
    alice.start().await;
    // Alice is somewhere else now, and Carol is told where.
    let place = alice.groups().people().overlay().unwrap();
    let hints: Vec<String> = place.own_hints().iter().map(ToString::to_string).collect();
    carol.groups().people().update(|book, _| book.learn_hints(place.node(), &hints)).await.unwrap();
    carol.groups().0.circle(group).unwrap().nodes().tried.clear();
    carol.groups().0.wake.notify_one();
    alice.until("Carol has shown that she belongs to it", has(group, 3)).await;
    alice.until("and is met", |groups| groups.view(group).unwrap().sessions > 0).await;
    assert_eq!(alice.groups().people().book().person_of(&carol.groups().people().key().id()), Some(carol.id()));
}

#[tokio::test]
async fn what_could_not_be_stored_is_stored_later_without_the_overlay_too() {
    let folder = tempfile::tempdir().unwrap();
    let database = begin(&folder, "Alice", None).await;
    let home = Home::open(Some(folder.path())).unwrap();
    let people = People::open(&home, database.clone()).await.unwrap().unwrap();
    assert!(people.overlay().is_none());
    let alice = Groups::start(people, database.clone()).await.unwrap();
    let group = alice.create(&Name::new("Tea").unwrap(), Kind::Private).await.unwrap();
    let write_nothing = async |really: bool| {
        let sql = format!("PRAGMA query_only = {really}");
        database.call(move |connection| connection.execute_batch(&sql)).await.unwrap();
    };
    write_nothing(true).await;
    assert!(alice.command(group, Command::Rename(Name::new("Coffee").unwrap())).await.is_err());
    write_nothing(false).await;
    let stored = async {
        while !called(group, "Coffee")(&alice) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, stored).await.is_ok(), "nobody tries again");
}
