//! The parcel that contacts keep for this person (`people::proto::kept`): sealed anew when the contacts change, and opened
//! when one is given back.

use people::proto::Parcel;
use people::proto::kept::{PARCEL_NONCE_BYTES, pack, unpack};

use super::{People, now_ms};

impl People {
    /// Seals the book for contacts to keep, if it has changed since that was done last and this node has the key. A node that
    /// was restored and has heard of nobody yet seals nothing: what others keep is better.
    pub(super) async fn seal_book(&self) -> Result<(), db::DbError> {
        let Some(key) = self.keys().book() else { return Ok(()) };
        let mut nonce = [0; PARCEL_NONCE_BYTES];
        if getrandom::fill(&mut nonce).is_err() {
            return Ok(());
        }
        let parcel = {
            let book = self.book();
            let Some(own) = book.own().filter(|own| own.newest().list().seq > 0) else { return Ok(()) };
            let packed = pack(&book);
            let before = book.kept(&own.id());
            let same = before.and_then(|parcel| key.open(own.id(), parcel)).is_some_and(|before| *before == packed);
            if same || packed.is_empty() && before.is_none() {
                return Ok(());
            }
            let stamp = now_ms().max(before.map_or(0, |parcel| parcel.stamp.saturating_add(1)));
            (own.id(), key.seal(own.id(), stamp, &packed, nonce))
        };
        let (own, parcel) = parcel;
        self.update(|book, _| book.keep(own, parcel)).await?;
        Ok(())
    }

    /// Takes in what a contact kept for us, if it is genuine.
    pub(super) async fn take_back(&self, parcel: Parcel) -> Result<(), db::DbError> {
        let own = self.book().own().map(people::proto::KnownPerson::id);
        let opened = own.zip(self.keys().book()).and_then(|(own, key)| Some((own, key.open(own, &parcel)?)));
        let Some((own, packed)) = opened else {
            tracing::debug!("what a contact kept for us was not sealed by us, or the key is not here");
            return Ok(());
        };
        let news = self.update(|book, _| {
            let news = unpack(book, &packed);
            book.keep(own, parcel);
            news
        });
        if news.await? == Ok(true) {
            self.has_news();
        }
        Ok(())
    }
}
