//! Making an identity: anew, from its recovery phrase, or as one more node of a person.

use people::Store;
use people::proto::{Book, Name, NodeList, NodeListError, Phrase};

use super::{Keys, SecretError, now_ms};
use crate::{Home, HomeLock, NodeError};

/// Why an identity is not made.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// There is one.
    #[error("this home has an identity already: `compeer id show` shows it; choose another --home for another one")]
    Exists,
    /// There is none.
    #[error("this home has no identity yet: `compeer init` makes one")]
    Missing,
    /// Something in the home failed.
    #[error("{0}")]
    Home(#[from] NodeError),
    /// The secret could not be kept or opened.
    #[error("{0}")]
    Secret(#[from] SecretError),
    /// The list could not be signed.
    #[error("{0}")]
    List(#[from] NodeListError),
    /// The database failed.
    #[error("{0}")]
    Database(#[from] db::DbError),
}

/// What becomes of a phrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It was drawn now: nobody has a list of this person yet.
    Drawn,
    /// It was typed: others may have lists, which are newer than the one that is made here.
    Typed,
}

/// Makes the person of a phrase at home in this home: keeps its secret, draws the node's key, signs the first list.
/// `lock`: nobody else uses the home meanwhile.
pub async fn settle(
    home: &Home,
    _lock: &HomeLock,
    phrase: &Phrase,
    origin: Origin,
    names: (&Name, &Name),
    passphrase: Option<&str>,
) -> Result<base::PersonId, IdentityError> {
    let keys = Keys::of(home);
    let store = Store::open(db::Db::open(&home.database())?).await?;
    let stored = store.load().await?;
    if stored.own.is_some() || keys.has_person() {
        return Err(IdentityError::Exists);
    }
    let key = keys.node_or_draw()?;
    let person = phrase.person_key();
    let (name, node_name) = names;
    let mut list = NodeList::new(person.id(), name.clone());
    if origin == Origin::Drawn {
        list = list.next();
    }
    list.add(key.id(), node_name, now_ms() / 1000, key.consent(person.id()))?;
    let list = person.sign(list)?;
    // The secret first: an identity without its secret could not be told from one of a node that was added.
    keys.keep_phrase(phrase, passphrase)?;
    let mut book = Book::new(key.id(), stored);
    book.adopt(list);
    store.save(&mut book).await?;
    Ok(person.id())
}
