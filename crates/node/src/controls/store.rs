//! What was used, by day: the report for shared computers and networks.
//!
//! Owns the table `controls_usage`. What is not written yet when the computer fails is lost: a minute at most.

use std::collections::BTreeMap;

use db::{Db, DbError};
use net::{Bytes, UsageKey};
use rpc::UsageTotal;

use crate::convert;

const MIGRATIONS: &[&str] = &["CREATE TABLE controls_usage (
    day TEXT NOT NULL, service TEXT NOT NULL, person TEXT NOT NULL, carrier TEXT NOT NULL,
    down INTEGER NOT NULL, up INTEGER NOT NULL,
    PRIMARY KEY (day, service, person, carrier)
) WITHOUT ROWID"];

/// How many days are kept. Arbitrary: a year, and the months before its end to compare with.
const DAYS_KEPT: u32 = 500;

/// The handle to the table.
#[derive(Clone, Debug)]
pub(crate) struct Ledger(Db);

impl Ledger {
    pub(crate) async fn open(db: Db) -> Result<Ledger, DbError> {
        db.migrate("controls", MIGRATIONS).await?;
        Ok(Ledger(db))
    }

    /// Adds what was used on a day, as `2026-11-22`.
    pub(crate) async fn add(&self, day: String, used: BTreeMap<UsageKey, Bytes>) -> Result<(), DbError> {
        if used.is_empty() {
            return Ok(());
        }
        self.0
            .call(move |db| {
                let transaction = db.transaction()?;
                for (key, bytes) in used {
                    let person = key.person.map(|person| person.to_string()).unwrap_or_default();
                    transaction.execute(
                        "INSERT INTO controls_usage VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE
                         SET down = down + excluded.down, up = up + excluded.up",
                        (
                            &day,
                            key.service,
                            person,
                            convert::carrier(key.carrier),
                            signed(bytes.down),
                            signed(bytes.up),
                        ),
                    )?;
                }
                transaction.execute(
                    "DELETE FROM controls_usage WHERE day NOT IN
                     (SELECT DISTINCT day FROM controls_usage ORDER BY day DESC LIMIT ?1)",
                    [DAYS_KEPT],
                )?;
                transaction.commit()
            })
            .await
    }

    /// Returns what was used on the last days on which anything was, the newest first.
    pub(crate) async fn days(&self, days: u32) -> Result<Vec<UsageTotal>, DbError> {
        self.0
            .call(move |db| {
                let mut statement = db.prepare(
                    "SELECT day, service, person, carrier, down, up FROM controls_usage WHERE day IN
                     (SELECT DISTINCT day FROM controls_usage ORDER BY day DESC LIMIT ?1)
                     ORDER BY day DESC, service, person, carrier",
                )?;
                let rows = statement.query_map([days], |row| {
                    Ok(UsageTotal {
                        day: Some(row.get(0)?),
                        service: row.get(1)?,
                        name: None,
                        person: Some(row.get(2)?).filter(|person: &String| !person.is_empty()),
                        carrier: row.get(3)?,
                        downloaded_bytes: row.get::<_, i64>(4)?.max(0) as u64,
                        uploaded_bytes: row.get::<_, i64>(5)?.max(0) as u64,
                    })
                })?;
                rows.collect()
            })
            .await
    }
}

/// SQLite's integers have a sign; nine exabytes a minute do not come.
fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::PersonId;
    use net::Carrier;

    #[tokio::test(flavor = "current_thread")]
    async fn a_day_adds_up_and_the_newest_comes_first() {
        let ledger = Ledger::open(Db::in_memory().unwrap()).await.unwrap();
        let alice = UsageKey { service: "wire", person: Some(PersonId([1; 32])), carrier: Carrier::Quic };
        let strangers = UsageKey { service: "files", person: None, carrier: Carrier::Tcp };
        let used = |down, up| Bytes { down, up };
        ledger.add("2026-11-21".into(), [(strangers, used(1, 2))].into()).await.unwrap();
        for _ in 0..2 {
            ledger.add("2026-11-22".into(), [(alice, used(10, 0)), (strangers, used(0, 5))].into()).await.unwrap();
        }
        let all = ledger.days(9).await.unwrap();
        let sums: Vec<_> = all.iter().map(|it| (it.day.as_deref(), it.downloaded_bytes, it.uploaded_bytes)).collect();
        assert_eq!(sums, [(Some("2026-11-22"), 0, 10), (Some("2026-11-22"), 20, 0), (Some("2026-11-21"), 1, 2)]);
        assert_eq!((all[0].person.clone(), &all[1].carrier[..]), (None, "quic"));
        assert_eq!(ledger.days(1).await.unwrap().len(), 2);
    }
}
