//! The report of what was used, by day: also of a home in which no node runs.

use rpc::UsageTotal;

use crate::controls::Ledger;
use crate::people::People;
use crate::{Home, NodeError};

/// Reads what the node of a home used on the last days on which it used anything, the newest first. For a home in which no
/// node runs, whose lock the caller holds: a running one is asked over its API, since it knows more than is written.
///
/// # Errors
/// When the home or its database cannot be read.
pub async fn usage_report(home: &Home, days: u32) -> Result<Vec<UsageTotal>, NodeError> {
    if !home.database().exists() {
        return Ok(Vec::new());
    }
    let database = db::Db::open(&home.database())?;
    let mut report = Ledger::open(database.clone()).await?.days(days).await?;
    if let Some(people) = People::open(home, database).await? {
        name(&mut report, &people);
    }
    Ok(report)
}

/// Adds what persons are called here.
pub(crate) fn name(report: &mut [UsageTotal], people: &People) {
    let book = people.book();
    for it in report {
        let person = it.person.as_deref().and_then(|id| id.parse().ok());
        it.name = person.map(|person| book.name_of(&person));
    }
}
