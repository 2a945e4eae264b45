//! The envelopes that this node keeps for others, and who they are.

use base::{NodeId, WallTime};
use db::DbError;
use rusqlite::{Connection, OptionalExtension as _, Result, Row, params};

use super::Store;

pub use crate::proto::mailbox::{Change as MailboxChange, Indexed};

impl Store {
    /// Lets changes of the mailbox take effect, all or none.
    pub async fn apply_mailbox(&self, changes: Vec<MailboxChange>) -> Result<(), DbError> {
        self.db
            .call(move |c| {
                let transaction = c.transaction()?;
                changes.iter().try_for_each(|change| apply(&transaction, change))?;
                transaction.commit()
            })
            .await
    }

    /// Reads who has a box here, and what is in them.
    pub async fn mailbox(&self) -> Result<(Vec<(NodeId, Vec<u8>)>, Vec<Indexed>), DbError> {
        self.db
            .call(|c| {
                let mut query = c.prepare_cached("SELECT node, fact FROM chat_recipients ORDER BY node")?;
                let read = |row: &Row<'_>| Ok((NodeId(row.get(0)?), row.get(1)?));
                let recipients = query.query_map((), read)?.collect::<Result<_>>()?;
                let mut query = c.prepare_cached("SELECT node, id, len, came FROM chat_envelopes ORDER BY node, id")?;
                Ok((recipients, query.query_map((), read_indexed)?.collect::<Result<_>>()?))
            })
            .await
    }

    /// Reads envelopes of a box; what is not there is left out.
    pub async fn envelopes(&self, node: NodeId, ids: Vec<u64>) -> Result<Vec<(u64, Vec<u8>)>, DbError> {
        self.db
            .call(move |c| {
                let mut query = c.prepare_cached("SELECT bytes FROM chat_envelopes WHERE node = ?1 AND id = ?2")?;
                let mut envelopes = Vec::new();
                for id in ids {
                    let bytes = query.query_row((node.0, id as i64), |row| row.get(0)).optional()?;
                    envelopes.extend(bytes.map(|bytes| (id, bytes)));
                }
                Ok(envelopes)
            })
            .await
    }
}

fn apply(c: &Connection, change: &MailboxChange) -> Result<()> {
    match change {
        MailboxChange::Recipient(node, Some(fact)) => {
            c.prepare_cached("INSERT OR REPLACE INTO chat_recipients VALUES (?1, ?2)")?.execute((node.0, fact))
        }
        MailboxChange::Recipient(node, None) => {
            c.prepare_cached("DELETE FROM chat_recipients WHERE node = ?1")?.execute([node.0])
        }
        MailboxChange::Envelope(node, id, kept) => {
            let key = (node.0, *id as i64);
            c.prepare_cached("DELETE FROM chat_envelopes WHERE node = ?1 AND id = ?2")?.execute(key)?;
            let Some((when, bytes)) = kept else { return Ok(()) };
            let put = "INSERT INTO chat_envelopes (node, id, came, len, bytes) VALUES (?1, ?2, ?3, ?4, ?5)";
            let values = params![node.0, *id as i64, when.0 as i64, bytes.len() as i64, bytes];
            c.prepare_cached(put)?.execute(values)
        }
    }
    .map(drop)
}

fn read_indexed(row: &Row<'_>) -> Result<Indexed> {
    let number = |column: &str| row.get::<_, i64>(column).map(|number| number as u64);
    let (node, when) = (NodeId(row.get("node")?), WallTime(number("came")?));
    Ok(Indexed { node, id: number("id")?, len: row.get("len")?, when })
}

#[cfg(test)]
mod tests {
    use base::PersonId;
    use db::Db;

    use super::*;

    #[tokio::test]
    async fn a_mailbox_comes_back_as_it_was() {
        let db = Db::in_memory().unwrap();
        let store = Store::open(db.clone(), PersonId([1; 32])).await.unwrap();
        let (bob, carol) = (NodeId([2; 32]), NodeId([3; 32]));
        let keep = |node, id, bytes: &[u8]| MailboxChange::Envelope(node, id, Some((WallTime(id + 1), bytes.to_vec())));
        let changes = vec![
            MailboxChange::Recipient(carol, Some(vec![3])),
            MailboxChange::Recipient(bob, Some(vec![2])),
            keep(carol, u64::from(u32::MAX) + 1, &[1; 70_000]),
            keep(bob, 9, b"nine"),
            keep(bob, 8, b"eight"),
            keep(bob, 8, b"8"),
            keep(carol, 7, b""),
        ];
        store.apply_mailbox(changes).await.unwrap();

        let store = Store::open(db, PersonId([1; 32])).await.unwrap();
        let (recipients, index) = store.mailbox().await.unwrap();
        assert_eq!(recipients, [(bob, vec![2]), (carol, vec![3])]);
        let indexed = |node, id, len| Indexed { node, id, len, when: WallTime(id + 1) };
        let far = 1 << 32;
        assert_eq!(index, [indexed(bob, 8, 1), indexed(bob, 9, 4), indexed(carol, 7, 0), indexed(carol, far, 70_000)]);
        let read = store.envelopes(bob, vec![9, 7, 8]).await.unwrap();
        assert_eq!(read, [(9, b"nine".to_vec()), (8, b"8".to_vec())]);

        let changes = vec![
            MailboxChange::Envelope(bob, 9, None),
            MailboxChange::Envelope(bob, 99, None),
            MailboxChange::Recipient(carol, None),
            MailboxChange::Recipient(bob, Some(vec![4])),
        ];
        store.apply_mailbox(changes).await.unwrap();
        let (recipients, index) = store.mailbox().await.unwrap();
        assert_eq!((recipients, index.len()), (vec![(bob, vec![4])], 3));
        assert!(store.envelopes(bob, vec![9]).await.unwrap().is_empty());
    }
}
