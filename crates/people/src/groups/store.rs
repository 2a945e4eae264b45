//! Groups in the node's database: tables `groups_*`, a row a group and a row a change.

use std::collections::BTreeSet;
use std::sync::Arc;

use base::{GroupId, NodeId};
use db::{Db, DbError};
use rusqlite::Connection;

use crate::proto::group::{ChangeId, EpochSecret};

const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE groups_groups (id BLOB PRIMARY KEY, nodes BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE groups_changes (
        n INTEGER PRIMARY KEY, grp BLOB NOT NULL REFERENCES groups_groups ON DELETE CASCADE, id BLOB NOT NULL,
        bytes BLOB NOT NULL, UNIQUE (grp, id)
    );
",
    "CREATE TABLE groups_left (n INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE);",
    "
    CREATE TABLE groups_secrets (
        grp BLOB NOT NULL REFERENCES groups_groups ON DELETE CASCADE, epoch BLOB NOT NULL, secret BLOB NOT NULL,
        PRIMARY KEY (grp, epoch)
    ) WITHOUT ROWID;
",
];

/// How many groups that were left are remembered. Arbitrary: members who have not heard of it call back for some days.
const MAX_LEFT: u32 = 1024;

/// A group as it is stored.
#[derive(Clone, Debug)]
pub struct StoredGroup {
    /// Which.
    pub id: GroupId,
    /// Nodes of members that a link or another node named, for as long as no roster names any.
    pub nodes: Vec<NodeId>,
    /// Its changes, in the order in which they were persisted.
    pub changes: Vec<Vec<u8>>,
    /// Secrets of epochs that another node of the person gave.
    pub secrets: Vec<(ChangeId, EpochSecret)>,
}

/// Where groups are kept. Cheap to clone.
#[derive(Clone, Debug)]
pub struct GroupStore {
    db: Db,
}

impl GroupStore {
    /// Brings the tables up to date.
    pub async fn open(db: Db) -> Result<GroupStore, DbError> {
        db.migrate("groups", MIGRATIONS).await?;
        Ok(GroupStore { db })
    }

    /// Reads everything.
    pub async fn load(&self) -> Result<Vec<StoredGroup>, DbError> {
        self.db.call(load).await
    }

    /// Returns the groups that were left of late.
    pub async fn left(&self) -> Result<BTreeSet<GroupId>, DbError> {
        let read = |connection: &mut Connection| {
            let mut left = connection.prepare("SELECT id FROM groups_left")?;
            left.query_map((), |row| Ok(GroupId(row.get(0)?)))?.collect()
        };
        self.db.call(read).await
    }

    /// Adds a group, without any change.
    pub async fn add(&self, group: GroupId, nodes: Vec<NodeId>) -> Result<(), DbError> {
        let nodes: Vec<u8> = nodes.iter().flat_map(|node| node.0).collect();
        self.db
            .call(move |connection| {
                let transaction = connection.transaction()?;
                transaction.execute("DELETE FROM groups_left WHERE id = ?1", [group.0])?;
                transaction.execute("INSERT OR REPLACE INTO groups_groups VALUES (?1, ?2)", (group.0, nodes))?;
                transaction.commit()
            })
            .await
    }

    /// Adds changes to a group, in one transaction. Returns when it is committed.
    pub async fn append(&self, group: GroupId, changes: Vec<(ChangeId, Arc<[u8]>)>) -> Result<(), DbError> {
        self.db
            .call(move |connection| {
                let transaction = connection.transaction()?;
                {
                    let sql = "INSERT OR IGNORE INTO groups_changes (grp, id, bytes) VALUES (?1, ?2, ?3)";
                    let mut insert = transaction.prepare_cached(sql)?;
                    for (id, bytes) in &changes {
                        insert.execute((group.0, id.0, bytes.as_ref()))?;
                    }
                }
                transaction.commit()
            })
            .await
    }

    /// Keeps secrets of epochs of a group.
    pub async fn keep(&self, group: GroupId, secrets: Vec<(ChangeId, EpochSecret)>) -> Result<(), DbError> {
        self.db
            .call(move |connection| {
                let transaction = connection.transaction()?;
                for (epoch, secret) in &secrets {
                    let sql = "INSERT OR REPLACE INTO groups_secrets VALUES (?1, ?2, ?3)";
                    transaction.execute(sql, (group.0, epoch.0, secret.bytes()))?;
                }
                transaction.commit()
            })
            .await
    }

    /// Forgets a group and its changes, and remembers that it was left.
    pub async fn remove(&self, group: GroupId) -> Result<(), DbError> {
        self.db
            .call(move |connection| {
                let transaction = connection.transaction()?;
                transaction.execute("DELETE FROM groups_groups WHERE id = ?1", [group.0])?;
                transaction.execute("INSERT OR REPLACE INTO groups_left (id) VALUES (?1)", [group.0])?;
                let old = "DELETE FROM groups_left WHERE n <= (SELECT max(n) FROM groups_left) - ?1";
                transaction.execute(old, [MAX_LEFT])?;
                transaction.commit()
            })
            .await
    }
}

fn load(connection: &mut Connection) -> Result<Vec<StoredGroup>, rusqlite::Error> {
    let mut groups = connection.prepare("SELECT id, nodes FROM groups_groups ORDER BY id")?;
    let mut changes = connection.prepare("SELECT bytes FROM groups_changes WHERE grp = ?1 ORDER BY n")?;
    let mut secrets = connection.prepare("SELECT epoch, secret FROM groups_secrets WHERE grp = ?1 ORDER BY epoch")?;
    let secret = |row: &rusqlite::Row<'_>| Ok((ChangeId(row.get(0)?), EpochSecret::from_bytes(row.get(1)?)));
    let rows = groups.query_map((), |row| Ok((row.get::<_, [u8; 32]>(0)?, row.get::<_, Vec<u8>>(1)?)))?;
    let mut found = Vec::new();
    for row in rows {
        let (id, nodes) = row?;
        found.push(StoredGroup {
            id: GroupId(id),
            nodes: nodes.as_chunks::<32>().0.iter().map(|node| NodeId(*node)).collect(),
            changes: changes.query_map([id], |row| row.get(0))?.collect::<Result<_, _>>()?,
            secrets: secrets.query_map([id], secret)?.collect::<Result<_, _>>()?,
        });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_come_back_in_the_order_in_which_they_were_written() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let store = GroupStore::open(Db::in_memory().unwrap()).await.unwrap();
            let (one, two) = (GroupId([1; 32]), GroupId([2; 32]));
            store.add(two, vec![NodeId([7; 32]), NodeId([8; 32])]).await.unwrap();
            store.add(one, Vec::new()).await.unwrap();
            let change = |n: u8| (ChangeId([n; 32]), Arc::from([n].as_slice()));
            store.append(two, vec![change(9), change(3)]).await.unwrap();
            store.append(two, vec![change(3), change(1)]).await.unwrap();
            let loaded = store.load().await.unwrap();
            assert_eq!((loaded[0].id, loaded[0].changes.len()), (one, 0));
            assert_eq!(loaded[1].nodes, [NodeId([7; 32]), NodeId([8; 32])]);
            assert_eq!(loaded[1].changes, [[9], [3], [1]]);
            let secret = (ChangeId([9; 32]), EpochSecret::from_bytes([5; 32]));
            store.keep(two, vec![secret.clone()]).await.unwrap();
            assert_eq!(store.load().await.unwrap()[1].secrets, [secret]);
            store.remove(two).await.unwrap();
            assert_eq!(store.load().await.unwrap().len(), 1);
            assert_eq!(store.left().await.unwrap(), [two].into());
            store.add(two, Vec::new()).await.unwrap();
            assert!(store.left().await.unwrap().is_empty(), "it is joined again");
        });
    }
}
