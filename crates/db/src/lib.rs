//! Opening and migrating the node's SQLite file.
//!
//! Owns the one connection and the one thread that uses it. Each service registers its own migrations under its own
//! name and names its tables after itself.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

/// How many calls may wait for the thread; a caller beyond that waits itself. Arbitrary.
const CALL_QUEUE: usize = 256;

/// How long a statement waits for another process's lock (a backup tool, `sqlite3`) before it fails. Arbitrary.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Why the database failed.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// The file could not be opened.
    #[error("cannot open the database {path}: {source}")]
    Open {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The file was written by a newer version of this program.
    #[error(
        "the tables of {service} in the database are of version {found}, this program knows {known}: use the newer program that wrote them"
    )]
    TooNew {
        /// Whose tables.
        service: &'static str,
        /// The version found.
        found: u32,
        /// The newest version known.
        known: u32,
    },
    /// A statement failed.
    #[error("the database failed: {0}; see that its disk has room, then try again")]
    Sql(#[from] rusqlite::Error),
    /// The thread is gone.
    #[error("the database is closed: start the node again")]
    Closed,
}

type Call = Box<dyn FnOnce(&mut Connection) + Send>;

/// A handle to the database. Cheap to clone; the file closes when the last one drops.
#[derive(Clone, Debug)]
pub struct Db {
    calls: mpsc::Sender<Call>,
}

impl Db {
    /// Opens the file, creating it if it is not there. Blocks for a moment.
    pub fn open(path: &Path) -> Result<Db, DbError> {
        let error = |source| DbError::Open { path: path.to_owned(), source };
        Db::start(Connection::open(path).map_err(error)?).map_err(error)
    }

    /// Opens a database that lives in memory only; for tests and throw-away nodes.
    pub fn in_memory() -> Result<Db, DbError> {
        let error = |source| DbError::Open { path: ":memory:".into(), source };
        Db::start(Connection::open_in_memory().map_err(error)?).map_err(error)
    }

    fn start(mut connection: Connection) -> Result<Db, rusqlite::Error> {
        connection.busy_timeout(BUSY_TIMEOUT)?;
        // WAL with NORMAL: a crash of the machine may lose the last commits, never the file (SQLite, "PRAGMA
        // synchronous"). What is stored here never claims more than what was flushed before.
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "normal")?;
        connection.pragma_update(None, "foreign_keys", "on")?;
        connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS migrations (service TEXT PRIMARY KEY, version INTEGER NOT NULL)",
        )?;
        let (calls, mut queue) = mpsc::channel::<Call>(CALL_QUEUE);
        std::thread::Builder::new()
            .name("db".to_owned())
            .spawn(move || {
                while let Some(call) = queue.blocking_recv() {
                    call(&mut connection);
                }
            })
            .map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))?;
        Ok(Db { calls })
    }

    /// Brings the tables of `service` up to date: `steps[n]` leads from version n to n + 1. Steps are never edited once
    /// released, only added.
    pub async fn migrate(&self, service: &'static str, steps: &'static [&'static str]) -> Result<(), DbError> {
        self.call(move |db| {
            let transaction = db.transaction()?;
            let found = transaction
                .query_row("SELECT version FROM migrations WHERE service = ?1", [service], |row| row.get::<_, u32>(0));
            let found = match found {
                Err(rusqlite::Error::QueryReturnedNoRows) => 0,
                other => other?,
            };
            let Some(missing) = steps.get(found as usize..) else {
                return Ok(Err(DbError::TooNew { service, found, known: steps.len() as u32 }));
            };
            for step in missing {
                transaction.execute_batch(step)?;
            }
            transaction.execute("INSERT OR REPLACE INTO migrations VALUES (?1, ?2)", (service, steps.len() as u32))?;
            transaction.commit()?;
            Ok(Ok(()))
        })
        .await?
    }

    /// Runs `call` on the database's thread and returns what it returns. Dropping the future does not stop the call.
    pub async fn call<T, F>(&self, call: F) -> Result<T, DbError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let call: Call = Box::new(move |connection| {
            // The caller may have gone away: the call was still made.
            let _ = reply.send(call(connection));
        });
        self.calls.send(call).await.map_err(|_| DbError::Closed)?;
        Ok(answer.await.map_err(|_| DbError::Closed)??)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &[&str] = &["CREATE TABLE shop_goods (name TEXT)"];
    const SECOND: &[&str] = &["CREATE TABLE shop_goods (name TEXT)", "ALTER TABLE shop_goods ADD price INTEGER"];

    fn run(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(test);
    }

    #[test]
    fn a_newer_program_adds_its_step_and_an_older_one_refuses() {
        run(async {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("node.db");
            let db = Db::open(&path).unwrap();
            db.migrate("shop", FIRST).await.unwrap();
            db.call(|c| c.execute("INSERT INTO shop_goods VALUES ('tea')", ())).await.unwrap();
            drop(db);

            let db = Db::open(&path).unwrap();
            db.migrate("shop", SECOND).await.unwrap();
            let name: String = db
                .call(|c| c.query_row("SELECT name FROM shop_goods WHERE price IS NULL", (), |r| r.get(0)))
                .await
                .unwrap();
            assert_eq!(name, "tea");
            let refused = db.migrate("shop", FIRST).await.unwrap_err();
            assert!(refused.to_string().contains("version 2, this program knows 1"), "{refused}");
        });
    }

    #[test]
    fn a_statement_that_fails_names_what_failed() {
        run(async {
            let db = Db::in_memory().unwrap();
            let error = db.call(|c| c.execute("INSERT INTO nowhere VALUES (1)", ())).await.unwrap_err();
            assert!(error.to_string().contains("nowhere"), "{error}");
        });
    }
}
