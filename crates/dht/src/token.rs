//! Write tokens: who asked from an address a short while ago may store there now (BEP 5). They keep a stranger from
//! announcing other people's addresses.

use core::net::IpAddr;
use std::time::Duration;

use base::Instant;

use crate::secret::Secret;

/// How long new tokens are alike; they are taken for as long again (BEP 5: five, ten minutes).
const PERIOD: Duration = Duration::from_secs(5 * 60);

/// A token: enough bits that guessing takes longer than it lives.
pub(crate) type Token = [u8; 6];

/// Makes and checks tokens.
#[derive(Debug)]
pub(crate) struct Tokens(Secret);

impl Tokens {
    /// Makes them by this secret.
    pub(crate) fn new(secret: Secret) -> Tokens {
        Tokens(secret)
    }

    /// Returns the token of an address.
    pub(crate) fn make(&self, now: Instant, ip: IpAddr) -> Token {
        self.0.token(period(now), ip)
    }

    /// Tells whether a token was made for this address within the last minutes.
    pub(crate) fn check(&self, now: Instant, ip: IpAddr, given: &[u8]) -> bool {
        let period = period(now);
        [Some(period), period.checked_sub(1)].into_iter().flatten().any(|period| given == self.0.token(period, ip))
    }
}

fn period(now: Instant) -> u64 {
    now.since_start().as_secs() / PERIOD.as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: u64) -> Instant {
        Instant::START + Duration::from_secs(minutes * 60)
    }

    #[test]
    fn a_token_is_for_one_address_and_ten_minutes() {
        let tokens = Tokens::new(Secret::new([1; 16], false));
        let (alice, bob) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let token = tokens.make(at(61), alice);
        assert!(tokens.check(at(61), alice, &token));
        assert!(!tokens.check(at(61), bob, &token));
        assert!(tokens.check(at(67), alice, &token));
        assert!(!tokens.check(at(80), alice, &token));
        assert!(!tokens.check(at(80), alice, b""));
        assert!(tokens.check(at(0), alice, &tokens.make(at(0), alice)), "the first minute of a clock");
    }

    #[test]
    fn only_who_has_the_key_makes_tokens() {
        let alice = "192.0.2.1".parse().unwrap();
        let token = Tokens::new(Secret::new([1; 16], false)).make(at(61), alice);
        assert!(!Tokens::new(Secret::new([2; 16], false)).check(at(61), alice, &token));
        assert!(!Tokens::new(Secret::new([1; 16], true)).check(at(61), alice, &token), "of the other network");
    }
}
