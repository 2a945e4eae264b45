//! The book in the node's database: tables `people_*`, a row a person, contact, invitation, hinted node and
//! parcel that is kept.

use std::collections::BTreeSet;

use base::{NodeId, PersonId};
use db::{Db, DbError};
use rusqlite::{Connection, OptionalExtension as _, Row, types::Type};

use crate::proto::book::{Book, Change, Stored};
use crate::proto::contact::Record;
use crate::proto::{KnownPerson, Parcel, SignedNodeList};

const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE people_own (one INTEGER PRIMARY KEY CHECK (one = 1), person BLOB NOT NULL);
    CREATE TABLE people_persons (person BLOB PRIMARY KEY, list BLOB NOT NULL, revoked BLOB NOT NULL);
    CREATE TABLE people_records (id BLOB PRIMARY KEY, record BLOB NOT NULL);
    CREATE TABLE people_hints (node BLOB PRIMARY KEY, hints TEXT NOT NULL);
",
    "
    CREATE TABLE people_kept (person BLOB PRIMARY KEY, stamp INTEGER NOT NULL, sealed BLOB NOT NULL);
",
];

/// Where the book is kept. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    db: Db,
}

/// A row to write, or to delete.
enum Write {
    Own(PersonId),
    Person(PersonId, Vec<u8>, Vec<u8>),
    Record(Vec<u8>, Option<Vec<u8>>),
    Hints(NodeId, String),
    Kept(PersonId, Option<Parcel>),
}

impl Store {
    /// Brings the tables up to date.
    pub async fn open(db: Db) -> Result<Store, DbError> {
        db.migrate("people", MIGRATIONS).await?;
        Ok(Store { db })
    }

    /// Reads everything. A row that cannot be read fails all: it was written by us.
    pub async fn load(&self) -> Result<Stored, DbError> {
        self.db.call(load).await
    }

    /// Writes what changed in the book since the last call, in one transaction. Returns when it is committed. The
    /// changes are taken out of the book before the first wait.
    pub async fn save(&self, book: &mut Book) -> Result<(), DbError> {
        let (named, changes) = Store::changes(book);
        let written = self.write(changes).await;
        if written.is_err() {
            book.put_back(named);
        }
        written
    }

    /// Takes what changed out of the book: its names, for [`Book::put_back`] if [`Store::write`] fails, and what is to be
    /// written.
    pub fn changes(book: &mut Book) -> (BTreeSet<Change>, Changes) {
        let named = book.take_changes();
        let writes = named.iter().filter_map(|change| write_of(book, change.clone())).collect();
        (named, Changes(writes))
    }

    /// Writes changes, in one transaction.
    pub async fn write(&self, changes: Changes) -> Result<(), DbError> {
        if changes.0.is_empty() {
            return Ok(());
        }
        self.db
            .call(move |connection| {
                let transaction = connection.transaction()?;
                for change in &changes.0 {
                    write(&transaction, change)?;
                }
                transaction.commit()
            })
            .await
    }
}

/// What changed in the book.
pub struct Changes(Vec<Write>);

impl Changes {
    /// Whether nothing did.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn write_of(book: &Book, change: Change) -> Option<Write> {
    Some(match change {
        Change::Own => Write::Own(book.own()?.id()),
        Change::Person(person) => {
            let known = book.person(&person)?;
            let revoked = known.revoked().iter().flat_map(|node| node.0).collect();
            Write::Person(person, known.newest().encode(), revoked)
        }
        Change::Contact(person) => {
            let record = book.contact(&person).cloned().map(|contact| Record::Contact(contact).encode());
            Write::Record(person.0.to_vec(), record)
        }
        Change::Invite(id) => {
            let record = book.invite_of(&id).cloned().map(|invite| Record::Invite(invite).encode());
            Write::Record(id.0.to_vec(), record)
        }
        Change::Kept(person) => Write::Kept(person, book.kept(&person).cloned()),
        Change::Hints(node) => Write::Hints(node, book.hints(&node).join("\n")),
    })
}

fn write(connection: &Connection, change: &Write) -> Result<(), rusqlite::Error> {
    match change {
        Write::Own(person) => {
            connection.execute("INSERT OR REPLACE INTO people_own VALUES (1, ?1)", [person.0])?;
        }
        Write::Person(person, list, revoked) => {
            let row = (person.0, list, revoked);
            connection.execute("INSERT OR REPLACE INTO people_persons VALUES (?1, ?2, ?3)", row)?;
        }
        Write::Record(id, Some(record)) => {
            connection.execute("INSERT OR REPLACE INTO people_records VALUES (?1, ?2)", (id, record))?;
        }
        Write::Record(id, None) => {
            connection.execute("DELETE FROM people_records WHERE id = ?1", [id])?;
        }
        Write::Kept(person, None) => {
            connection.execute("DELETE FROM people_kept WHERE person = ?1", [person.0])?;
        }
        Write::Kept(person, Some(parcel)) => {
            // SQLite has no unsigned numbers; a stamp comes back as it was.
            let row = (person.0, parcel.stamp as i64, &parcel.sealed);
            connection.execute("INSERT OR REPLACE INTO people_kept VALUES (?1, ?2, ?3)", row)?;
        }
        Write::Hints(node, hints) => {
            connection.execute("INSERT OR REPLACE INTO people_hints VALUES (?1, ?2)", (node.0, hints))?;
        }
    }
    Ok(())
}

fn load(connection: &mut Connection) -> Result<Stored, rusqlite::Error> {
    let own = connection.query_row("SELECT person FROM people_own", (), |row| row.get(0)).optional()?;
    let mut persons = connection.prepare("SELECT list, revoked FROM people_persons")?;
    let persons = persons.query_map((), read_person)?.collect::<Result<_, _>>()?;
    let mut records = connection.prepare("SELECT record FROM people_records")?;
    let record = |row: &Row<'_>| Record::decode(&row.get::<_, Vec<u8>>(0)?).map_err(damaged);
    let records = records.query_map((), record)?.collect::<Result<_, _>>()?;
    let mut hints = connection.prepare("SELECT node, hints FROM people_hints")?;
    let hint = |row: &Row<'_>| {
        let text: String = row.get(1)?;
        Ok((NodeId(row.get(0)?), text.lines().map(str::to_owned).collect()))
    };
    let hints = hints.query_map((), hint)?.collect::<Result<_, _>>()?;
    let mut kept = connection.prepare("SELECT person, stamp, sealed FROM people_kept")?;
    let parcel = |row: &Row<'_>| {
        Ok((PersonId(row.get(0)?), Parcel { stamp: row.get::<_, i64>(1)? as u64, sealed: row.get(2)? }))
    };
    let kept = kept.query_map((), parcel)?.collect::<Result<_, _>>()?;
    Ok(Stored { own: own.map(PersonId), persons, records, hints, kept })
}

fn read_person(row: &Row<'_>) -> Result<KnownPerson, rusqlite::Error> {
    let (list, revoked) = (row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?);
    let list = SignedNodeList::decode(&list).map_err(damaged)?;
    let revoked: BTreeSet<NodeId> = revoked.as_chunks::<32>().0.iter().map(|id| NodeId(*id)).collect();
    Ok(KnownPerson::stored(list, revoked))
}

fn damaged(error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, Type::Blob, Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{ContactLink, LinkNode, Name, NodeKey, NodeList, PersonKey, Secret};

    #[test]
    fn the_book_that_is_loaded_is_the_book_that_was() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (ada, bob) = (PersonKey::from_secret(&[1; 32]), PersonKey::from_secret(&[2; 32]));
            let laptop = NodeKey::from_secret(&[3; 32]);
            let mut list = NodeList::new(ada.id(), Name::new("Ada").unwrap()).next();
            list.add(laptop.id(), &Name::new("laptop").unwrap(), 7, laptop.consent(ada.id())).unwrap();

            let store = Store::open(Db::in_memory().unwrap()).await.unwrap();
            let mut book = Book::new(laptop.id(), store.load().await.unwrap());
            assert!(book.own().is_none());
            book.adopt(ada.sign(list).unwrap());
            book.invite(Secret([9; 16]), true, None, 5000).unwrap();
            let node = LinkNode { node: NodeId([8; 32]), hints: vec!["127.0.0.1:1".into(), "[::1]:1".into()] };
            let link = ContactLink { person: bob.id(), name: None, nodes: vec![node], secret: Secret([6; 16]) };
            book.ask(&link, Some(Name::new("Bobby").unwrap()), 6000).unwrap();
            book.block(PersonId([7; 32]), true, 7000).unwrap();
            assert!(book.keep(ada.id(), Parcel { stamp: u64::MAX, sealed: vec![1, 2] }));
            store.save(&mut book).await.unwrap();
            assert!(book.take_changes().is_empty());

            let read = Book::new(laptop.id(), store.load().await.unwrap());
            assert_eq!(read.own(), book.own());
            assert!(read.contacts().eq(book.contacts()) && read.contacts().count() == 2);
            assert_eq!(read.invites(), book.invites());
            assert_eq!(read.kept(&ada.id()), book.kept(&ada.id()));
            assert_eq!(read.hints(&NodeId([8; 32])), ["127.0.0.1:1", "[::1]:1"]);
            assert_eq!(read.person_of(&laptop.id()), Some(ada.id()));
        });
    }
}
