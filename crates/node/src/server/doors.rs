//! Who was let in: log-ins of browsers, codes that let one in, and how often somebody showed a wrong secret.
//!
//! Log-ins hold when the node begins anew (`doors/kept.rs`); the rest is in memory and ends with it. Invariant: what lets in
//! is compared in constant time, and a code lets in once.

mod kept;
mod known;
mod secrets;
mod throttle;

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use db::{Db, DbError};
use kept::Kept;
use known::Known;
pub(super) use secrets::Secrets;
use throttle::Throttle;
pub(super) use throttle::network;

/// How many browsers are logged in at once; who was away longest goes first. Arbitrary.
const MAX_LOGINS: usize = 64;

/// How long a log-in holds. Arbitrary.
pub(super) const LOGIN_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);

/// How long one holds that is not used. Arbitrary.
const LOGIN_IDLE: Duration = Duration::from_secs(7 * 24 * 3600);

/// How many codes are good at once. Arbitrary: a code is used within seconds.
const MAX_CODES: usize = 16;

/// How long a code is good. Arbitrary: a browser may have to start first.
pub(super) const CODE_LIFE: Duration = Duration::from_secs(60);

/// Whose log-ins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// Browsers of this computer.
    Here,
    /// Browsers of other computers.
    Elsewhere {
        /// By what the password of now is told from another; `None`: there is none.
        password: Option<Vec<u8>>,
    },
}

/// The doors of the API.
#[derive(Debug)]
pub(crate) struct Doors {
    here: Secrets,
    /// Those of other computers, which know the password.
    remote: Secrets,
    /// With which password those began.
    password: Mutex<Option<Vec<u8>>>,
    /// Held by whose password is looked at.
    turn: tokio::sync::Mutex<()>,
    /// The password that was right last.
    known: Known,
    codes: Secrets,
    throttle: Throttle,
    kept: Kept,
}

impl Doors {
    /// Opens them, also to whoever was logged in before the node began; `password`: by what that of now is told from another.
    pub(crate) async fn open(db: Db, password: Option<Vec<u8>>) -> Result<Doors, DbError> {
        let (kept, logins) = Kept::open(db).await?;
        let doors = Doors {
            here: Secrets::new(MAX_LOGINS, LOGIN_LIFE, LOGIN_IDLE),
            remote: Secrets::new(MAX_LOGINS, LOGIN_LIFE, LOGIN_IDLE),
            password: Mutex::new(password.clone()),
            turn: tokio::sync::Mutex::default(),
            known: Known::default(),
            codes: Secrets::new(MAX_CODES, CODE_LIFE, CODE_LIFE),
            throttle: Throttle::default(),
            kept,
        };
        let of = |of: Of| logins.iter().filter(move |(it, _)| *it == of).map(|(_, stored)| stored.clone());
        let now = Instant::now();
        doors.here.restore(of(Of::Here), now);
        if password.is_some() {
            doors.remote.restore(of(Of::Elsewhere { password }), now);
        }
        Ok(doors)
    }

    /// Stores who is logged in, and when they were here last.
    pub(crate) async fn keep(&self) -> Result<(), DbError> {
        let logins = || {
            let (now, password) = (Instant::now(), self.password());
            let remote = Of::Elsewhere { password: password.clone() };
            let remote = self.remote.stored(now).into_iter().map(move |it| (remote.clone(), it));
            self.here.stored(now).into_iter().map(|it| (Of::Here, it)).chain(remote).collect()
        };
        self.kept.write(logins).await
    }

    /// Begins a log-in; returns its secret.
    pub(super) async fn begin_login(&self, of: &Of) -> Result<String, getrandom::Error> {
        let secret = self.of(of).draw(Instant::now())?;
        if let Err(error) = self.keep().await {
            tracing::warn!(%error, "a log-in is not stored: it ends with this run of the node");
        }
        Ok(secret)
    }

    /// Tells whether this is the secret of a log-in, which goes on with that.
    pub(super) fn is_login(&self, of: &Of, shown: &str) -> bool {
        self.of(of).renew(shown, Instant::now())
    }

    /// Ends a log-in.
    pub(super) async fn end_login(&self, of: &Of, shown: &str) -> Result<(), DbError> {
        self.of(of).take(shown, Instant::now());
        self.keep().await
    }

    /// Returns the log-ins that are good there. Another password, or none, ends those of other computers.
    fn of(&self, of: &Of) -> &Secrets {
        let Of::Elsewhere { password: now } = of else { return &self.here };
        let mut password = self.password();
        if *password != *now {
            self.remote.clear();
            password.clone_from(now);
        }
        &self.remote
    }

    fn password(&self) -> MutexGuard<'_, Option<Vec<u8>>> {
        // Nothing panics between two changes.
        self.password.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a code that lets one browser in.
    pub(super) fn make_code(&self) -> Result<String, getrandom::Error> {
        self.codes.draw(Instant::now())
    }

    /// Tells whether this is a code, which is good no more with that.
    pub(super) fn take_code(&self, shown: &str) -> bool {
        self.codes.take(shown, Instant::now())
    }

    /// Waits until nobody else's password is looked at: each costs memory and time.
    pub(super) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// Tells whether this is the password that was right last, and there was no other one since.
    pub(super) fn is_known_password(&self, mark: Option<&[u8]>, shown: &str) -> bool {
        self.known.is(mark, shown)
    }

    /// Keeps by what a password that was right is known again; `mark` is that of before it was looked at.
    pub(super) fn keep_password(&self, mark: Vec<u8>, shown: &str) {
        self.known.keep(mark, shown);
    }

    /// Tells how long to wait before what somebody shows is looked at.
    pub(super) fn wait(&self, address: IpAddr) -> Option<Duration> {
        self.throttle.wait(address, Instant::now())
    }

    /// Notes that somebody showed a wrong secret; says how long to wait where that happened too often.
    pub(super) fn wrong(&self, address: IpAddr) -> Option<Duration> {
        self.throttle.wrong(address, Instant::now())
    }
}
