//! What a restart needs: shares and who was told, the inbox, rules, libraries. Owns the tables `sharing_…` of the node's
//! database.

use base::{GroupId, NodeId, PersonId};
use db::{Db, DbError};
use metainfo::{InfoHashV1, InfoHashV2, InfoHashes};
use rusqlite::{Row, params};

use crate::proto::{Audience, Notice, Rule, ShareId, Whose};

/// Shares in the inbox at most, over all people. Arbitrary.
pub const MAX_INBOX: usize = 2000;

/// Shares of one person in the inbox that nobody has decided on yet, at most: more would be a flood. Arbitrary.
pub const MAX_INBOX_PER_PERSON: usize = 100;

/// How many bytes of memory the notices in the inbox take at most, over all people. Arbitrary: the nodes and hints of
/// several hundred of the longest.
pub const MAX_INBOX_BYTES: usize = 32 << 20;

/// How many bytes those of one person take that nobody has decided on yet, at most. Arbitrary: some twenty of the longest,
/// and more than [`MAX_INBOX_PER_PERSON`] for a few dozen nodes each.
pub const MAX_INBOX_BYTES_PER_PERSON: usize = 2 << 20;

const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE sharing_shares (
        id BLOB PRIMARY KEY, hash BLOB NOT NULL, name TEXT NOT NULL, bytes INTEGER NOT NULL, files INTEGER NOT NULL,
        path TEXT NOT NULL, audience TEXT NOT NULL, note TEXT, version INTEGER NOT NULL, created INTEGER NOT NULL,
        library TEXT, stamp TEXT NOT NULL, nodes BLOB NOT NULL, withdrawn INTEGER
    );
    CREATE TABLE sharing_told (
        id BLOB NOT NULL, node BLOB NOT NULL, version INTEGER NOT NULL, PRIMARY KEY (id, node)
    );
    CREATE TABLE sharing_inbox (
        sharer BLOB NOT NULL, id BLOB NOT NULL, notice BLOB NOT NULL, received INTEGER NOT NULL,
        state INTEGER NOT NULL, folder TEXT, PRIMARY KEY (sharer, id)
    );
    CREATE TABLE sharing_rules (whose TEXT PRIMARY KEY, folder TEXT NOT NULL, max_bytes INTEGER);
    CREATE TABLE sharing_libraries (name TEXT PRIMARY KEY, folder TEXT NOT NULL, audience TEXT NOT NULL);
",
    "
    ALTER TABLE sharing_shares ADD COLUMN attached TEXT;
",
];

/// Something that this node shares with people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// The torrent.
    pub hash: InfoHashV2,
    /// What it is called.
    pub name: String,
    /// How much it is, in bytes.
    pub bytes: u64,
    /// How many files it has.
    pub files: u32,
    /// Where it is, absolute.
    pub path: String,
    /// Whom it is for.
    pub audience: Audience,
    /// A remark.
    pub note: Option<String>,
    /// The version of its notice.
    pub version: u64,
    /// When it was shared, in seconds since 1970.
    pub created: u64,
    /// The library that it was made for; `None`: it is shared by itself, and people are told.
    pub library: Option<String>,
    /// What the content was like when it was hashed (size and time), so that a change is seen.
    pub stamp: String,
    /// The nodes that this version of the notice lists.
    pub nodes: Vec<NodeId>,
    /// When it ended, in seconds since 1970: it is kept until those who were told of it know.
    pub withdrawn: Option<u64>,
    /// The message that it goes with; `None`: it is shared by itself, or for a library.
    pub attached: Option<Attached>,
}

/// The message that a share goes with, which brings the first notice of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attached {
    /// The conversation, as whoever keeps those writes it: a word.
    pub conversation: String,
    /// The message, likewise; `None`: it is not written yet.
    pub message: Option<String>,
}

impl Attached {
    fn to_text(&self) -> String {
        self.message.iter().fold(self.conversation.clone(), |text, message| text + " " + message)
    }

    fn from_text(text: &str) -> Attached {
        let (conversation, message) = text.split_once(' ').map_or((text, None), |(to, message)| (to, Some(message)));
        Attached { conversation: conversation.to_owned(), message: message.map(str::to_owned) }
    }
}

/// Something that somebody shares with us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxItem {
    /// Who.
    pub sharer: PersonId,
    /// What.
    pub notice: Notice,
    /// When we heard of it, in seconds since 1970.
    pub received: u64,
    /// What the user said.
    pub state: InboxState,
    /// Where it goes, once it is accepted.
    pub folder: Option<String>,
}

/// What the user said to a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InboxState {
    /// Nothing yet.
    Waiting,
    /// Yes.
    Accepted,
    /// No.
    Declined,
}

/// A folder that others may look into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Library {
    /// What it is called there.
    pub name: String,
    /// Where it is, absolute.
    pub folder: String,
    /// Who may.
    pub audience: Audience,
}

/// The tables. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store(Db);

impl Share {
    /// Returns its names.
    pub fn hashes(&self) -> InfoHashes {
        InfoHashes::v2_only(self.hash)
    }

    /// Returns its name in the engine.
    pub fn id(&self) -> ShareId {
        InfoHashes::v2_only(self.hash).key()
    }
}

impl InboxItem {
    /// Returns its name in the engine.
    pub fn id(&self) -> ShareId {
        InfoHashes::v2_only(self.notice.hash).key()
    }
}

impl Store {
    /// Brings the tables up to date.
    pub async fn open(db: Db) -> Result<Store, DbError> {
        db.migrate("sharing", MIGRATIONS).await?;
        Ok(Store(db))
    }

    /// Reads the shares.
    pub async fn shares(&self) -> Result<Vec<Share>, DbError> {
        self.0.call(|c| all(c, "SELECT * FROM sharing_shares ORDER BY created, id", read_share)).await
    }

    /// Stores a share, in place of what was stored of it.
    pub async fn save_share(&self, share: &Share) -> Result<(), DbError> {
        let s = share.clone();
        let work = move |c: &mut rusqlite::Connection| {
            c.execute(
                "INSERT OR REPLACE INTO sharing_shares VALUES \
                 (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
                params![
                    s.id().0,
                    s.hash.0,
                    s.name,
                    s.bytes as i64,
                    s.files,
                    s.path,
                    s.audience.to_text(),
                    s.note,
                    s.version as i64,
                    s.created as i64,
                    s.library,
                    s.stamp,
                    s.nodes.iter().flat_map(|node| node.0).collect::<Vec<u8>>(),
                    s.withdrawn.map(|time| time as i64),
                    s.attached.as_ref().map(Attached::to_text)
                ],
            )
        };
        self.0.call(work).await.map(drop)
    }

    /// Forgets a share, and who was told.
    pub async fn remove_share(&self, id: ShareId) -> Result<(), DbError> {
        self.0
            .call(move |c| {
                c.execute("DELETE FROM sharing_told WHERE id = ?1", [id.0])?;
                c.execute("DELETE FROM sharing_shares WHERE id = ?1", [id.0])
            })
            .await
            .map(drop)
    }

    /// Reads which node was told of which version of which share.
    pub async fn told(&self) -> Result<Vec<(ShareId, NodeId, u64)>, DbError> {
        let read = |row: &Row<'_>| {
            let version: i64 = row.get("version")?;
            Ok(Some((InfoHashV1(row.get("id")?), NodeId(row.get("node")?), version as u64)))
        };
        self.0.call(move |c| all(c, "SELECT * FROM sharing_told", read)).await
    }

    /// Stores that a node was told.
    pub async fn save_told(&self, id: ShareId, node: NodeId, version: u64) -> Result<(), DbError> {
        self.0
            .call(move |c| {
                let values = params![id.0, node.0, version as i64];
                c.execute("INSERT OR REPLACE INTO sharing_told VALUES (?1, ?2, ?3)", values)
            })
            .await
            .map(drop)
    }

    /// Reads the inbox.
    pub async fn inbox(&self) -> Result<Vec<InboxItem>, DbError> {
        self.0.call(|c| all(c, "SELECT * FROM sharing_inbox ORDER BY received, id", read_item)).await
    }

    /// Stores an item of the inbox, in place of what was stored of it.
    pub async fn save_item(&self, item: &InboxItem) -> Result<(), DbError> {
        let i = item.clone();
        self.0
            .call(move |c| {
                let values = params![
                    i.sharer.0,
                    i.id().0,
                    i.notice.encode(),
                    i.received as i64,
                    i.state as u8,
                    i.folder.clone()
                ];
                c.execute("INSERT OR REPLACE INTO sharing_inbox VALUES (?1, ?2, ?3, ?4, ?5, ?6)", values)
            })
            .await
            .map(drop)
    }

    /// Forgets an item of the inbox.
    pub async fn remove_item(&self, sharer: PersonId, id: ShareId) -> Result<(), DbError> {
        self.0
            .call(move |c| c.execute("DELETE FROM sharing_inbox WHERE sharer = ?1 AND id = ?2", (sharer.0, id.0)))
            .await
            .map(drop)
    }

    /// Reads the rules.
    pub async fn rules(&self) -> Result<Vec<Rule>, DbError> {
        let read = |row: &Row<'_>| {
            let max: Option<i64> = row.get("max_bytes")?;
            let whose = whose_from_text(&row.get::<_, String>("whose")?);
            let folder = row.get("folder")?;
            Ok(whose.map(|whose| Rule { whose, folder, max_bytes: max.map(|max| max as u64) }))
        };
        self.0.call(move |c| all(c, "SELECT * FROM sharing_rules ORDER BY whose", read)).await
    }

    /// Stores a rule, in place of one for the same person or group.
    pub async fn save_rule(&self, rule: &Rule) -> Result<(), DbError> {
        let values = (whose_to_text(rule.whose), rule.folder.clone(), rule.max_bytes.map(|max| max as i64));
        self.0.call(|c| c.execute("INSERT OR REPLACE INTO sharing_rules VALUES (?1, ?2, ?3)", values)).await.map(drop)
    }

    /// Forgets a rule.
    pub async fn remove_rule(&self, whose: Whose) -> Result<(), DbError> {
        let whose = whose_to_text(whose);
        self.0.call(|c| c.execute("DELETE FROM sharing_rules WHERE whose = ?1", [whose])).await.map(drop)
    }

    /// Reads the libraries.
    pub async fn libraries(&self) -> Result<Vec<Library>, DbError> {
        let read = |row: &Row<'_>| {
            let audience = Audience::from_text(&row.get::<_, String>("audience")?);
            let (name, folder) = (row.get("name")?, row.get("folder")?);
            Ok(audience.map(|audience| Library { name, folder, audience }))
        };
        self.0.call(move |c| all(c, "SELECT * FROM sharing_libraries ORDER BY name", read)).await
    }

    /// Stores a library, in place of one of the same name.
    pub async fn save_library(&self, library: &Library) -> Result<(), DbError> {
        let values = (library.name.clone(), library.folder.clone(), library.audience.to_text());
        self.0
            .call(|c| c.execute("INSERT OR REPLACE INTO sharing_libraries VALUES (?1, ?2, ?3)", values))
            .await
            .map(drop)
    }

    /// Forgets a library.
    pub async fn remove_library(&self, name: String) -> Result<(), DbError> {
        self.0.call(|c| c.execute("DELETE FROM sharing_libraries WHERE name = ?1", [name])).await.map(drop)
    }
}

/// Reads all rows; one that is not understood is left out.
fn all<T>(
    c: &mut rusqlite::Connection,
    query: &str,
    read: impl Fn(&Row<'_>) -> Result<Option<T>, rusqlite::Error>,
) -> Result<Vec<T>, rusqlite::Error> {
    let mut statement = c.prepare(query)?;
    let rows = statement.query_map((), |row| read(row))?;
    rows.filter_map(Result::transpose).collect()
}

fn read_share(row: &Row<'_>) -> Result<Option<Share>, rusqlite::Error> {
    let number = |column: &str| row.get::<_, i64>(column).map(|n| n as u64);
    let Some(audience) = Audience::from_text(&row.get::<_, String>("audience")?) else { return Ok(None) };
    let nodes: Vec<u8> = row.get("nodes")?;
    Ok(Some(Share {
        hash: InfoHashV2(row.get("hash")?),
        name: row.get("name")?,
        bytes: number("bytes")?,
        files: row.get("files")?,
        path: row.get("path")?,
        audience,
        note: row.get("note")?,
        version: number("version")?,
        created: number("created")?,
        library: row.get("library")?,
        stamp: row.get("stamp")?,
        nodes: nodes.as_chunks::<32>().0.iter().map(|id| NodeId(*id)).collect(),
        withdrawn: row.get::<_, Option<i64>>("withdrawn")?.map(|time| time as u64),
        attached: row.get::<_, Option<String>>("attached")?.as_deref().map(Attached::from_text),
    }))
}

fn read_item(row: &Row<'_>) -> Result<Option<InboxItem>, rusqlite::Error> {
    let Ok(notice) = Notice::decode(&row.get::<_, Vec<u8>>("notice")?) else { return Ok(None) };
    let state = match row.get::<_, u8>("state")? {
        1 => InboxState::Accepted,
        2 => InboxState::Declined,
        _ => InboxState::Waiting,
    };
    let received: i64 = row.get("received")?;
    let (sharer, folder) = (PersonId(row.get("sharer")?), row.get("folder")?);
    Ok(Some(InboxItem { sharer, notice, received: received as u64, state, folder }))
}

fn whose_to_text(whose: Whose) -> String {
    match whose {
        Whose::Person(id) => format!("person:{id}"),
        Whose::Group(id) => format!("group:{id}"),
    }
}

fn whose_from_text(text: &str) -> Option<Whose> {
    match text.split_once(':')? {
        ("person", id) => id.parse::<PersonId>().ok().map(Whose::Person),
        ("group", id) => id.parse::<GroupId>().ok().map(Whose::Group),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: PersonId = PersonId([1; 32]);
    const CLUB: GroupId = GroupId([3; 32]);

    fn audience() -> Audience {
        Audience { persons: [ALICE].into(), groups: [CLUB].into() }
    }

    #[tokio::test]
    async fn what_was_stored_comes_back() {
        let db = Db::in_memory().unwrap();
        let store = Store::open(db.clone()).await.unwrap();
        let share = Share {
            hash: InfoHashV2([7; 32]),
            name: "photos".into(),
            bytes: 5,
            files: 1,
            path: "/photos".into(),
            audience: audience(),
            note: Some("hi".into()),
            version: 1,
            created: 2,
            library: None,
            stamp: "5 9".into(),
            nodes: vec![NodeId([4; 32]), NodeId([5; 32])],
            withdrawn: Some(3),
            attached: Some(Attached { conversation: "c".into(), message: Some("m-1".into()) }),
        };
        let unsaid = Attached { conversation: "c".into(), message: None };
        store.save_share(&Share { version: 0, attached: Some(unsaid.clone()), ..share.clone() }).await.unwrap();
        assert_eq!(store.shares().await.unwrap()[0].attached, Some(unsaid));
        store.save_share(&share).await.unwrap();
        let node = NodeId([5; 32]);
        store.save_told(share.id(), node, 1).await.unwrap();
        let notice = Notice {
            hash: InfoHashV2([8; 32]),
            name: "notes".into(),
            bytes: 1,
            files: 1,
            note: None,
            group: Some(CLUB),
            version: 3,
            nodes: vec![node],
            hints: Vec::new(),
            withdrawn: false,
            attached: false,
        };
        let folder = Some("/in".to_owned());
        let item = InboxItem { sharer: ALICE, notice, received: 4, state: InboxState::Accepted, folder };
        store.save_item(&item).await.unwrap();
        let rule = Rule { whose: Whose::Group(CLUB), folder: "/club".into(), max_bytes: Some(9) };
        store.save_rule(&rule).await.unwrap();
        let library = Library { name: "music".into(), folder: "/m".into(), audience: audience() };
        store.save_library(&library).await.unwrap();

        let store = Store::open(db).await.unwrap();
        assert_eq!(store.shares().await.unwrap(), std::slice::from_ref(&share));
        assert_eq!(store.told().await.unwrap(), [(share.id(), node, 1)]);
        assert_eq!(store.inbox().await.unwrap(), std::slice::from_ref(&item));
        assert_eq!(store.rules().await.unwrap(), std::slice::from_ref(&rule));
        assert_eq!(store.libraries().await.unwrap(), [library]);

        store.remove_share(share.id()).await.unwrap();
        store.remove_item(ALICE, item.id()).await.unwrap();
        store.remove_rule(rule.whose).await.unwrap();
        store.remove_library("music".into()).await.unwrap();
        assert!(store.shares().await.unwrap().is_empty() && store.told().await.unwrap().is_empty());
        assert!(store.inbox().await.unwrap().is_empty() && store.rules().await.unwrap().is_empty());
        assert!(store.libraries().await.unwrap().is_empty());
    }
}
