//! What is stored of log-ins, so that browsers stay logged in when the node begins anew.
//!
//! Owns the table `doors_logins`. Of a secret it has the SHA-256 alone: who reads the table cannot log in. When one was used is
//! written when somebody logs in or out, and when the node ends.

use std::time::Duration;

use db::{Db, DbError};

use super::Of;
use super::secrets::Stored;
use crate::people::now_s;

/// The times are seconds since 1970: whoever sets the clock forward ends log-ins, whoever sets it back makes them longer.
/// `password` is NULL for browsers of this computer.
const MIGRATIONS: &[&str] = &["CREATE TABLE doors_logins (
    digest BLOB PRIMARY KEY, password BLOB, made INTEGER NOT NULL, used INTEGER NOT NULL
) WITHOUT ROWID"];

/// A log-in.
type Login = (Of, Stored);

/// The table.
#[derive(Debug)]
pub(super) struct Kept {
    db: Db,
    /// One at a time: what was seen last is written last.
    writing: tokio::sync::Mutex<()>,
}

impl Kept {
    /// Opens the table, and returns what is in it.
    pub(super) async fn open(db: Db) -> Result<(Kept, Vec<Login>), DbError> {
        db.migrate("doors", MIGRATIONS).await?;
        let now = now_s();
        let rows = db.call(move |db| {
            let mut statement = db.prepare("SELECT digest, password, made, used FROM doors_logins")?;
            let ago = |second: i64| Duration::from_secs(now.saturating_sub(second).try_into().unwrap_or_default());
            let rows = statement.query_map([], |row| {
                let (digest, made, used) = (row.get(0)?, ago(row.get(2)?), ago(row.get(3)?));
                let of = match row.get::<_, Option<Vec<u8>>>(1)? {
                    None => Of::Here,
                    password => Of::Elsewhere { password },
                };
                Ok((of, Stored { digest, made, used }))
            })?;
            rows.collect::<Result<_, _>>()
        });
        let logins = rows.await?;
        Ok((Kept { db, writing: tokio::sync::Mutex::default() }, logins))
    }

    /// Writes those that there are when its turn comes, in the place of all before.
    pub(super) async fn write(&self, logins: impl FnOnce() -> Vec<Login>) -> Result<(), DbError> {
        let _one_at_a_time = self.writing.lock().await;
        let (logins, now) = (logins(), now_s());
        let at = move |ago: Duration| now.saturating_sub_unsigned(ago.as_secs());
        let written = self.db.call(move |db| {
            let transaction = db.transaction()?;
            transaction.execute("DELETE FROM doors_logins", [])?;
            for (of, Stored { digest, made, used }) in logins {
                let password = match of {
                    Of::Here => None,
                    Of::Elsewhere { password } => Some(password.unwrap_or_default()),
                };
                let row = (digest, password, at(made), at(used));
                transaction.execute("INSERT INTO doors_logins VALUES (?1, ?2, ?3, ?4)", row)?;
            }
            transaction.commit()
        });
        written.await
    }
}

#[cfg(test)]
mod tests {
    use super::super::Doors;
    use super::*;

    fn elsewhere(password: &[u8]) -> Of {
        Of::Elsewhere { password: Some(password.to_vec()) }
    }

    #[tokio::test]
    async fn log_ins_hold_when_the_node_begins_anew_and_end_with_their_password() {
        let db = Db::in_memory().unwrap();
        let (mark, other) = (b"one".to_vec(), b"other".to_vec());
        let doors = Doors::open(db.clone(), Some(mark.clone())).await.unwrap();
        let here = doors.begin_login(&Of::Here).await.unwrap();
        let left = doors.begin_login(&Of::Here).await.unwrap();
        let far = doors.begin_login(&elsewhere(&mark)).await.unwrap();
        doors.end_login(&Of::Here, &left).await.unwrap();

        let doors = Doors::open(db.clone(), Some(mark.clone())).await.unwrap();
        assert!(doors.is_login(&Of::Here, &here) && doors.is_login(&elsewhere(&mark), &far));
        assert!(!doors.is_login(&Of::Here, &left), "this one ended");
        assert!(!doors.is_login(&Of::Here, &far) && !doors.is_login(&elsewhere(&mark), &here), "each on its own line");

        let doors = Doors::open(db.clone(), Some(other.clone())).await.unwrap();
        assert!(doors.is_login(&Of::Here, &here) && !doors.is_login(&elsewhere(&other), &far));
        let doors = Doors::open(db.clone(), None).await.unwrap();
        assert!(!doors.is_login(&Of::Elsewhere { password: None }, &far));
        doors.keep().await.unwrap();
        let doors = Doors::open(db, Some(mark.clone())).await.unwrap();
        assert!(!doors.is_login(&elsewhere(&mark), &far), "what does not hold is not stored again");
        assert!(doors.is_login(&Of::Here, &here));
    }
}
