//! Write tokens: who asked from an address a short while ago may store there now (BEP 5). They keep a stranger from
//! announcing other people's addresses.

use core::net::IpAddr;
use std::time::Duration;

use base::Instant;
use sha1::{Digest as _, Sha1};

/// How long a secret makes new tokens; they are taken for as long again (BEP 5: five, ten minutes).
const ROTATION: Duration = Duration::from_secs(5 * 60);

/// A token: enough bits that guessing takes longer than it lives.
pub(crate) type Token = [u8; 6];

/// Makes and checks tokens.
#[derive(Debug)]
pub(crate) struct Tokens {
    secret: [u8; 16],
    previous: [u8; 16],
    rotated: Instant,
    rng: fastrand::Rng,
}

impl Tokens {
    /// Begins with fresh secrets.
    pub(crate) fn new(mut rng: fastrand::Rng) -> Tokens {
        let mut tokens = Tokens { secret: [0; 16], previous: [0; 16], rotated: Instant::START, rng: rng.fork() };
        rng.fill(&mut tokens.secret);
        rng.fill(&mut tokens.previous);
        tokens
    }

    /// Returns the token of an address.
    pub(crate) fn make(&mut self, now: Instant, ip: IpAddr) -> Token {
        self.rotate(now);
        token(&self.secret, ip)
    }

    /// Tells whether a token was made for this address within the last minutes.
    pub(crate) fn check(&mut self, now: Instant, ip: IpAddr, given: &[u8]) -> bool {
        self.rotate(now);
        given == token(&self.secret, ip) || given == token(&self.previous, ip)
    }

    fn rotate(&mut self, now: Instant) {
        let periods = now.since(self.rotated).as_secs() / ROTATION.as_secs();
        // After a long silence both are old.
        for _ in 0..periods.min(2) {
            self.previous = self.secret;
            self.rng.fill(&mut self.secret);
            self.rotated = now;
        }
    }
}

fn token(secret: &[u8; 16], ip: IpAddr) -> Token {
    let mut hash = Sha1::new().chain_update(secret);
    match ip {
        IpAddr::V4(ip) => hash.update(ip.octets()),
        IpAddr::V6(ip) => hash.update(ip.octets()),
    }
    let hash = hash.finalize();
    std::array::from_fn(|i| hash[i])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_for_one_address_and_ten_minutes() {
        let mut tokens = Tokens::new(fastrand::Rng::with_seed(1));
        let (alice, bob) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let at = |minutes: u64| Instant::START + Duration::from_secs(minutes * 60);
        let token = tokens.make(at(61), alice);
        assert!(tokens.check(at(61), alice, &token));
        assert!(!tokens.check(at(61), bob, &token));
        assert!(tokens.check(at(67), alice, &token));
        assert!(!tokens.check(at(80), alice, &token));
        assert!(!tokens.check(at(80), alice, b""));
    }
}
