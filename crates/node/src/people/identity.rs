//! Making an identity: anew, from its recovery phrase, or as one more node of a person.

use people::Store;
use people::proto::{Book, Name, NodeKey, NodeList, NodeListError, Phrase, SignedNodeList};

use super::{Keys, People, SecretError, now_ms};
use crate::{Home, HomeLock, NodeError};

/// Why an identity is not made.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// There is one.
    #[error("this node belongs to somebody already: for somebody else take another data directory (COMPEER_HOME)")]
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
    settle_in(&Keys::of(home), db::Db::open(&home.database())?, phrase, origin, names, passphrase).await
}

/// Does the same for whoever has the home, and its database open. No book of the home is in use.
pub(crate) async fn settle_in(
    keys: &Keys,
    database: db::Db,
    phrase: &Phrase,
    origin: Origin,
    names: (&Name, &Name),
    passphrase: Option<&str>,
) -> Result<base::PersonId, IdentityError> {
    let store = Store::open(database).await?;
    let stored = store.load().await?;
    if stored.own.is_some() || keys.has_person() {
        return Err(IdentityError::Exists);
    }
    let key = keys.node_or_draw()?;
    let list = first_list(&key, phrase, origin, names)?;
    // The secret first: an identity without its secret could not be told from one of a node that was added.
    keep(keys, phrase, passphrase).await?;
    let person = list.person();
    let mut book = Book::new(key.id(), stored);
    book.adopt(list);
    store.save(&mut book).await?;
    Ok(person)
}

impl People {
    /// Makes the person of a phrase at home in this home, whose node belongs to nobody yet.
    pub(crate) async fn settle(
        &self,
        phrase: &Phrase,
        origin: Origin,
        names: (&Name, &Name),
        passphrase: Option<&str>,
    ) -> Result<base::PersonId, IdentityError> {
        if self.book().own().is_some() || self.keys().has_person() {
            return Err(IdentityError::Exists);
        }
        let list = first_list(self.key(), phrase, origin, names)?;
        keep(self.keys(), phrase, passphrase).await?;
        let person = list.person();
        self.update(|book, _| book.adopt(list)).await?;
        self.has_news();
        Ok(person)
    }
}

/// Signs the list that begins with this node.
fn first_list(
    key: &NodeKey,
    phrase: &Phrase,
    origin: Origin,
    (name, node_name): (&Name, &Name),
) -> Result<SignedNodeList, NodeListError> {
    let person = phrase.person_key();
    let mut list = NodeList::new(person.id(), name.clone());
    if origin == Origin::Drawn {
        list = list.next();
    }
    list.add(key.id(), node_name, now_ms() / 1000, key.consent(person.id()))?;
    person.sign(list)
}

/// Keeps the secret of a phrase. Sealing it takes a moment.
pub(crate) async fn keep(keys: &Keys, phrase: &Phrase, passphrase: Option<&str>) -> Result<(), SecretError> {
    let (keys, phrase) = (keys.clone(), phrase.clone());
    let passphrase = passphrase.map(str::to_owned);
    let kept = tokio::task::spawn_blocking(move || keys.keep_phrase(&phrase, passphrase.as_deref()));
    // It ends otherwise only when the program does.
    kept.await.unwrap_or(Err(SecretError::Absent))
}
