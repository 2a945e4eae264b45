//! What a restart begins from: the torrents' table in the node's database.
//!
//! Owns the table `torrent_torrents`. Changes are collected, the latest of each torrent wins, and one transaction writes
//! them; so a thousand torrents that flush at once cost one commit. Invariant: what is stored about pieces was flushed
//! before it was handed in.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base::{Bitfield, WallTime};
use bytes::Bytes;
use db::{Db, DbError};
use metainfo::{InfoHashV1, InfoHashV2, InfoHashes};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use tokio::sync::Notify;
use torrent_proto::torrent::{Priority, Resume};

use crate::types::{SeedGoal, TorrentId, TorrentLimits};

const MIGRATIONS: &[&str] = &[
    "CREATE TABLE torrent_torrents (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL UNIQUE,
    v1 BLOB, v2 BLOB, name TEXT, file BLOB,
    trackers TEXT NOT NULL, web_seeds TEXT NOT NULL, only_files TEXT, peers TEXT NOT NULL,
    folder TEXT NOT NULL, paused INTEGER NOT NULL, no_tracker INTEGER NOT NULL, sequential INTEGER NOT NULL,
    super_seed INTEGER NOT NULL, priorities BLOB NOT NULL,
    goal_ratio REAL, goal_seconds INTEGER,
    down_limit INTEGER, up_limit INTEGER, connection_limit INTEGER, slot_limit INTEGER,
    added INTEGER NOT NULL, completed INTEGER, seeding_seconds INTEGER NOT NULL,
    have BLOB, pieces INTEGER, clean INTEGER NOT NULL, downloaded INTEGER NOT NULL, uploaded INTEGER NOT NULL
)",
    "ALTER TABLE torrent_torrents ADD COLUMN confined INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE torrent_torrents ADD COLUMN goal_idle_seconds INTEGER",
];

/// How many records are read at a time. Arbitrary: some hundred KiB of .torrent files.
const RECORDS_AT_ONCE: i64 = 64;

/// When what could not be written is tried again. Arbitrary.
const AGAIN: Duration = Duration::from_secs(5);

/// How long changes are collected before they are written. Short against the flushes behind them (seconds), long enough
/// to gather those of many torrents.
const COLLECT: Duration = Duration::from_millis(50);

/// Everything stored about a torrent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record {
    pub id: TorrentId,
    pub hashes: InfoHashes,
    /// A magnet's name for it.
    pub name: Option<String>,
    /// The .torrent file, while it is not stored.
    pub file: Option<Bytes>,
    pub trackers: Vec<Vec<String>>,
    pub web_seeds: Vec<String>,
    /// A magnet's choice of files (BEP 53), as written there.
    pub only_files: Option<String>,
    /// Addresses worth trying after a restart.
    pub peers: Vec<String>,
    pub folder: PathBuf,
    pub paused: bool,
    pub no_tracker: bool,
    /// Only certain people's nodes may have it; who, the driver says anew in each run.
    pub confined: bool,
    pub sequential: bool,
    pub super_seed: bool,
    pub priorities: Vec<Priority>,
    pub goal: SeedGoal,
    pub limits: TorrentLimits,
    pub added: WallTime,
    pub completed: Option<WallTime>,
    pub seeding_time: Duration,
    pub resume: Option<Resume>,
}

#[derive(Clone, Debug)]
enum Change {
    Save(Box<Record>),
    Remove,
}

#[derive(Debug)]
struct Inner {
    db: Db,
    changes: Mutex<BTreeMap<TorrentId, Change>>,
    wake: Notify,
    /// Held while a transaction runs, so that a flush waits for one that has begun.
    writing: tokio::sync::Mutex<()>,
}

/// The handle to the table. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Store(Arc<Inner>);

impl Store {
    /// Brings the table up to date and spawns the task that writes changes.
    pub(crate) async fn open(db: Db) -> Result<Store, DbError> {
        db.migrate("torrent", MIGRATIONS).await?;
        let (changes, wake, writing) = Default::default();
        let store = Store(Arc::new(Inner { db, changes, wake, writing }));
        tokio::spawn(write_changes(Arc::downgrade(&store.0)));
        Ok(store)
    }

    /// Reads what is stored, in the order in which it was added.
    pub(crate) fn records(&self) -> Records {
        Records { db: self.0.db.clone(), after: Some(0) }
    }

    /// Returns the stored .torrent file.
    pub(crate) async fn file(&self, id: TorrentId) -> Result<Option<Bytes>, DbError> {
        self.flush().await?;
        let query = "SELECT file FROM torrent_torrents WHERE id = ?1";
        let read =
            move |c: &mut Connection| c.query_row(query, [id.0], |row| row.get::<_, Option<Vec<u8>>>(0)).optional();
        Ok(self.0.db.call(read).await?.flatten().map(Bytes::from))
    }

    /// Stores a torrent soon. Without a file the stored one stays.
    pub(crate) fn save(&self, record: Record) {
        self.change(record.id, Change::Save(Box::new(record)));
    }

    /// Forgets a torrent soon.
    pub(crate) fn remove(&self, id: TorrentId) {
        self.change(id, Change::Remove);
    }

    /// Stores everything that was handed in until now.
    pub(crate) async fn flush(&self) -> Result<(), DbError> {
        self.0.flush().await
    }

    fn change(&self, id: TorrentId, change: Change) {
        let mut changes = self.0.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let before = changes.remove(&id);
        changes.insert(id, change.after(before));
        drop(changes);
        self.0.wake.notify_one();
    }
}

impl Change {
    /// Takes up what of an earlier change is not said again: the file.
    fn after(mut self, earlier: Option<Change>) -> Change {
        if let (Change::Save(record), Some(Change::Save(earlier))) = (&mut self, earlier) {
            record.file = record.file.take().or(earlier.file);
        }
        self
    }
}

/// What is stored, read a part at a time, so that a node with many torrents does not hold all their files at once.
#[derive(Debug)]
pub(crate) struct Records {
    db: Db,
    /// The position that was read last; `None`: that was all.
    after: Option<i64>,
}

impl Records {
    /// Returns the next ones; `None` after the last.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Record>>, DbError> {
        let Some(after) = self.after else { return Ok(None) };
        let query = "SELECT * FROM torrent_torrents WHERE position > ?1 ORDER BY position LIMIT ?2";
        let read = move |c: &mut Connection| {
            let mut statement = c.prepare_cached(query)?;
            let rows = statement.query_map([after, RECORDS_AT_ONCE], |row| Ok((row.get("position")?, read(row)?)))?;
            rows.collect::<Result<Vec<(i64, Record)>, _>>()
        };
        let found = self.db.call(read).await?;
        self.after = found.last().map(|(position, _)| *position);
        Ok((!found.is_empty()).then(|| found.into_iter().map(|(_, record)| record).collect()))
    }
}

impl Inner {
    async fn flush(&self) -> Result<(), DbError> {
        let _writing = self.writing.lock().await;
        let changes = std::mem::take(&mut *self.changes.lock().unwrap_or_else(PoisonError::into_inner));
        if changes.is_empty() {
            return Ok(());
        }
        let mut taken = Taken { inner: self, changes: Arc::new(changes) };
        let ours = taken.changes.clone();
        let work = move |c: &mut Connection| {
            let transaction = c.transaction()?;
            for (id, change) in &*ours {
                match change {
                    Change::Save(record) => write(&transaction, record)?,
                    Change::Remove => {
                        transaction.execute("DELETE FROM torrent_torrents WHERE id = ?1", [id.0])?;
                    }
                }
            }
            transaction.commit()
        };
        self.db.call(work).await?;
        taken.changes = Arc::default();
        Ok(())
    }
}

/// Changes on their way to the database. Dropped before they are there, because that failed or because nobody awaits it any
/// more, they wait for the next time: a file that is lost here would be lost for good.
struct Taken<'a> {
    inner: &'a Inner,
    changes: Arc<BTreeMap<TorrentId, Change>>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let mut waiting = self.inner.changes.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, change) in self.changes.iter() {
            let change = match waiting.remove(id) {
                Some(later) => later.after(Some(change.clone())),
                None => change.clone(),
            };
            waiting.insert(*id, change);
        }
    }
}

/// Writes changes as they come, until the last handle is gone.
async fn write_changes(inner: std::sync::Weak<Inner>) {
    loop {
        let Some(strong) = inner.upgrade() else { return };
        // Looks at the handle now and then, since waiting with it would keep it.
        let waited = tokio::time::timeout(Duration::from_secs(60), strong.wake.notified()).await;
        if waited.is_ok() {
            tokio::time::sleep(COLLECT).await;
            if let Err(error) = strong.flush().await {
                tracing::warn!(%error, "cannot store the state of the torrents; tried again soon");
                tokio::time::sleep(AGAIN).await;
                strong.wake.notify_one();
            }
        }
    }
}

fn write(c: &Connection, r: &Record) -> Result<(), rusqlite::Error> {
    let resume = r.resume.as_ref();
    let seconds = |d: Duration| d.as_secs() as i64;
    let small = |n: Option<u64>| n.map(|n| i64::try_from(n).unwrap_or(i64::MAX));
    let mut insert = c.prepare_cached(
        "INSERT INTO torrent_torrents (id, v1, v2, name, file, trackers, web_seeds, only_files, peers, folder, paused,
            no_tracker, sequential, super_seed, priorities, goal_ratio, goal_seconds, down_limit, up_limit,
            connection_limit, slot_limit, added, completed, seeding_seconds, have, pieces, clean, downloaded, uploaded,
            confined, goal_idle_seconds)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22,
            ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31)
         ON CONFLICT (id) DO UPDATE SET v1 = ?2, v2 = ?3, name = ?4, file = COALESCE(?5, file), trackers = ?6,
            web_seeds = ?7, only_files = ?8, peers = ?9, folder = ?10, paused = ?11, no_tracker = ?12, sequential = ?13,
            super_seed = ?14, priorities = ?15, goal_ratio = ?16, goal_seconds = ?17, down_limit = ?18, up_limit = ?19,
            connection_limit = ?20, slot_limit = ?21, added = ?22, completed = ?23, seeding_seconds = ?24, have = ?25,
            pieces = ?26, clean = ?27, downloaded = ?28, uploaded = ?29, confined = ?30, goal_idle_seconds = ?31",
    )?;
    insert.execute(params![
        r.id.0,
        r.hashes.v1().map(|h| h.0),
        r.hashes.v2().map(|h| h.0),
        r.name,
        r.file.as_deref(),
        tiers_to_text(&r.trackers),
        r.web_seeds.join("\n"),
        r.only_files,
        r.peers.join("\n"),
        r.folder.to_string_lossy(),
        r.paused,
        r.no_tracker,
        r.sequential,
        r.super_seed,
        r.priorities.iter().map(|&p| p as u8).collect::<Vec<u8>>(),
        r.goal.ratio,
        r.goal.time.map(seconds),
        small(r.limits.down_bytes_per_s),
        small(r.limits.up_bytes_per_s),
        r.limits.connections,
        r.limits.upload_slots,
        r.added.0 as i64,
        r.completed.map(|w| w.0 as i64),
        seconds(r.seeding_time),
        resume.map(|r| r.have.as_bytes()),
        resume.map(|r| r.have.len()),
        resume.is_some_and(|r| r.clean),
        resume.map_or(0, |r| r.downloaded as i64),
        resume.map_or(0, |r| r.uploaded as i64),
        r.confined,
        r.goal.idle.map(seconds),
    ])?;
    Ok(())
}

fn read(row: &Row<'_>) -> Result<Record, rusqlite::Error> {
    let id = InfoHashV1(row.get("id")?);
    let v1 = row.get::<_, Option<[u8; 20]>>("v1")?.map(InfoHashV1);
    let v2 = row.get::<_, Option<[u8; 32]>>("v2")?.map(InfoHashV2);
    let lines = |text: String| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let number = |column: &str| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(|n| n as u64));
    let (have, pieces): (Option<Vec<u8>>, Option<u32>) = (row.get("have")?, row.get("pieces")?);
    let have = have.zip(pieces).and_then(|(bytes, pieces)| Bitfield::from_bytes(&bytes, pieces));
    let (downloaded, uploaded) = (number("downloaded")?.unwrap_or(0), number("uploaded")?.unwrap_or(0));
    let clean = row.get("clean")?;
    let priorities: Vec<u8> = row.get("priorities")?;
    Ok(Record {
        id,
        hashes: InfoHashes::from_parts(v1, v2).unwrap_or(InfoHashes::v1_only(id)),
        name: row.get("name")?,
        file: row.get::<_, Option<Vec<u8>>>("file")?.map(Bytes::from),
        trackers: tiers_from_text(&row.get::<_, String>("trackers")?),
        web_seeds: lines(row.get("web_seeds")?),
        only_files: row.get("only_files")?,
        peers: lines(row.get("peers")?),
        folder: PathBuf::from(row.get::<_, String>("folder")?),
        paused: row.get("paused")?,
        no_tracker: row.get("no_tracker")?,
        confined: row.get("confined")?,
        sequential: row.get("sequential")?,
        super_seed: row.get("super_seed")?,
        priorities: priorities.into_iter().map(priority).collect(),
        goal: SeedGoal {
            ratio: row.get("goal_ratio")?,
            time: number("goal_seconds")?.map(Duration::from_secs),
            idle: number("goal_idle_seconds")?.map(Duration::from_secs),
        },
        limits: TorrentLimits {
            down_bytes_per_s: number("down_limit")?,
            up_bytes_per_s: number("up_limit")?,
            connections: row.get("connection_limit")?,
            upload_slots: row.get("slot_limit")?,
        },
        added: WallTime(number("added")?.unwrap_or(0)),
        completed: number("completed")?.map(WallTime),
        seeding_time: Duration::from_secs(number("seeding_seconds")?.unwrap_or(0)),
        resume: have.map(|have| Resume { have, clean, downloaded, uploaded }),
    })
}

fn priority(stored: u8) -> Priority {
    [Priority::Skip, Priority::Low, Priority::Normal, Priority::High]
        .get(usize::from(stored))
        .copied()
        .unwrap_or_default()
}

/// Tiers as lines, an empty line between two of them; URLs contain no line breaks.
fn tiers_to_text(tiers: &[Vec<String>]) -> String {
    tiers.iter().map(|tier| tier.join("\n")).collect::<Vec<_>>().join("\n\n")
}

fn tiers_from_text(text: &str) -> Vec<Vec<String>> {
    let tiers = text.split("\n\n").map(|tier| tier.lines().map(str::to_owned).collect::<Vec<_>>());
    tiers.filter(|tier| !tier.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(n: u8) -> Record {
        let mut have = Bitfield::new(11);
        have.set(10);
        Record {
            id: InfoHashV1([n; 20]),
            hashes: InfoHashes::hybrid(InfoHashV1([n; 20]), InfoHashV2([9; 32])),
            name: Some("a name".to_owned()),
            file: Some(Bytes::from_static(b"d4:infodee")),
            trackers: vec![vec!["http://a/".into(), "http://b/".into()], vec!["udp://c:1".into()]],
            web_seeds: vec!["http://w/".into()],
            only_files: Some("0,2-4".into()),
            peers: vec!["192.0.2.1:6881".into()],
            folder: "/tmp/x".into(),
            paused: true,
            no_tracker: true,
            confined: true,
            sequential: true,
            super_seed: false,
            priorities: vec![Priority::Skip, Priority::High],
            goal: SeedGoal {
                ratio: Some(1.5),
                time: Some(Duration::from_secs(60)),
                idle: Some(Duration::from_secs(9)),
            },
            limits: TorrentLimits { down_bytes_per_s: Some(5), ..TorrentLimits::default() },
            added: WallTime(1),
            completed: None,
            seeding_time: Duration::from_secs(3),
            resume: Some(Resume { have, clean: true, downloaded: 7, uploaded: 8 }),
        }
    }

    async fn all(store: &Store) -> Vec<Record> {
        let (mut parts, mut all) = (store.records(), Vec::new());
        while let Some(part) = parts.next().await.unwrap() {
            all.extend(part);
        }
        all
    }

    #[tokio::test]
    async fn what_was_saved_comes_back_in_order_and_the_latest_wins() {
        let db = Db::in_memory().unwrap();
        let store = Store::open(db.clone()).await.unwrap();
        assert!(all(&store).await.is_empty());
        let (first, second) = (record(2), record(1));
        store.save(Record { paused: false, ..first.clone() });
        store.flush().await.unwrap();
        store.save(second.clone());
        store.save(first.clone());
        store.flush().await.unwrap();
        assert_eq!(all(&Store::open(db.clone()).await.unwrap()).await, [first, second.clone()]);
        store.remove(record(2).id);
        store.flush().await.unwrap();
        assert_eq!(all(&Store::open(db).await.unwrap()).await, [second]);
    }

    #[tokio::test]
    async fn a_file_that_was_saved_once_stays_whether_it_was_written_or_not() {
        let store = Store::open(Db::in_memory().unwrap()).await.unwrap();
        let file = record(1).file;
        for first in [record(1), record(2)] {
            let later = Record { file: None, paused: false, ..first.clone() };
            store.save(first.clone());
            if first.id == record(1).id {
                store.flush().await.unwrap();
            }
            store.save(later.clone());
            assert_eq!(store.file(first.id).await.unwrap(), file);
            assert!(!all(&store).await.last().unwrap().paused);
        }
        assert_eq!(store.file(record(3).id).await.unwrap(), None, "nobody knows it");
    }

    #[tokio::test]
    async fn what_could_not_be_written_is_written_later_with_its_file() {
        let db = Db::in_memory().unwrap();
        let store = Store::open(db.clone()).await.unwrap();
        let rename = |from: &'static str, to: &'static str| {
            db.call(move |c| c.execute(&format!("ALTER TABLE {from} RENAME TO {to}"), ()))
        };
        rename("torrent_torrents", "elsewhere").await.unwrap();
        store.save(record(1));
        assert!(store.flush().await.is_err());
        store.save(Record { file: None, ..record(1) });
        rename("elsewhere", "torrent_torrents").await.unwrap();
        store.flush().await.unwrap();
        assert_eq!(all(&store).await, [record(1)]);
    }

    #[tokio::test]
    async fn what_nobody_waited_for_to_be_written_is_written_later() {
        use std::task::Poll;
        let db = Db::in_memory().unwrap();
        let store = Store::open(db.clone()).await.unwrap();
        store.save(record(1));
        let (release, released) = std::sync::mpsc::channel::<()>();
        let (begin, begun) = tokio::sync::oneshot::channel();
        let work = move |_: &mut Connection| {
            let _ = (begin.send(()), released.recv());
            Ok(())
        };
        let long_call = tokio::spawn(async move { db.call(work).await });
        begun.await.unwrap();
        {
            let mut flush = std::pin::pin!(store.flush());
            let once = std::future::poll_fn(|context| Poll::Ready(flush.as_mut().poll(context).is_pending()));
            assert!(once.await, "it waits for the database");
        }
        drop(release);
        long_call.await.unwrap().unwrap();
        store.save(Record { file: None, ..record(1) });
        store.flush().await.unwrap();
        assert_eq!(all(&store).await, [record(1)]);
    }

    #[tokio::test]
    async fn many_records_come_in_parts() {
        let store = Store::open(Db::in_memory().unwrap()).await.unwrap();
        let wanted: Vec<Record> = (0..200).rev().map(record).collect();
        for record in &wanted {
            store.save(record.clone());
            store.flush().await.unwrap();
        }
        assert!(store.records().next().await.unwrap().unwrap().len() < wanted.len());
        assert_eq!(all(&store).await, wanted);
    }

    #[tokio::test]
    async fn changes_are_written_without_being_asked() {
        let db = Db::in_memory().unwrap();
        let store = Store::open(db.clone()).await.unwrap();
        store.save(record(1));
        let count = |db: Db| async move {
            db.call(|c| c.query_row("SELECT count(*) FROM torrent_torrents", (), |r| r.get::<_, u32>(0))).await.unwrap()
        };
        for _ in 0..100 {
            if count(db.clone()).await == 1 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the record was not written");
    }
}
