//! Wiring: sharing hears of changes of people and groups, and its services are on the overlay.

use std::sync::Arc;

use overlay::Overlay;
use torrent::Session;

use super::post::{Overland, serve};
use super::{Parts, Sharing};
use crate::groups::Groups;
use crate::known::KnownPeople;
use crate::people::People;
use crate::sorting::Sorting;

/// Starts sharing with people, and its services on the overlay.
pub(crate) async fn begin(
    (people, groups): (&People, &Groups),
    circle: Arc<KnownPeople>,
    overlay: &Overlay,
    (session, sorting): (&Session, &Sorting),
    database: db::Db,
) -> Result<Sharing, db::DbError> {
    session.set_overland(Arc::new(Overland { overlay: overlay.clone(), circle: circle.clone() }));
    let post = Arc::new(overlay.clone());
    let (engine, sorting) = (session.clone(), sorting.clone());
    let sharing = Sharing::start(Parts { session: engine, sorting, database, circle, post }).await?;
    serve(overlay, session, &sharing);
    tokio::spawn(follow(people.changes(), Arc::downgrade(&sharing.0)));
    tokio::spawn(follow(groups.changes(), Arc::downgrade(&sharing.0)));
    Ok(sharing)
}

/// Tells sharing of each change of the people or the groups, until the last handle is gone.
async fn follow<T>(mut changes: tokio::sync::watch::Receiver<T>, sharing: std::sync::Weak<super::Inner>) {
    while changes.changed().await.is_ok() {
        let Some(sharing) = sharing.upgrade().map(Sharing) else { return };
        sharing.people_changed();
    }
}
