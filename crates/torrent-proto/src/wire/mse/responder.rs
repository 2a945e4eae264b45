//! The end that was dialled: steps 2 and 4.
//!
//! *key* (the other end's public key) → *sync* (the mark, somewhere behind its padding) → *name* (of the torrent) →
//! *finding* it → *offer* (of methods) → *pad* → *payload* → over.

use metainfo::InfoHashV1;

use super::cipher::Ciphers;
use super::course::Course;
use super::keys::{ObfuscatedName, PUBLIC_KEY_LEN, PrivateKey, Secret};
use super::{MAX_PAD, Method, Methods, MseError, Output, RESPONDER_SYNC_LEN, Seek, VC};

/// The state machine of the end that was dialled. See the module `mse`.
#[derive(Debug)]
pub struct Responder {
    accept: Methods,
    course: Course<Stage>,
}

#[derive(Debug)]
enum Stage {
    Key,
    Sync { secret: Secret, mark: [u8; 20], left: usize },
    Name(Secret),
    Finding(Secret),
    Offer(InfoHashV1, Box<Ciphers>),
    Pad { name: InfoHashV1, ciphers: Box<Ciphers>, method: Method, len: usize },
    Payload { name: InfoHashV1, ciphers: Box<Ciphers>, method: Method, len: usize },
}

impl Responder {
    /// Waits for a handshake. Nothing costly happens before the other end's whole key is here. `rng` draws paddings.
    pub fn new(private: PrivateKey, accept: Methods, rng: fastrand::Rng) -> Responder {
        Responder { accept, course: Course::new(private, rng, Stage::Key) }
    }

    /// Takes what arrived.
    pub fn handle(&mut self, bytes: &[u8]) {
        self.course.received(bytes);
        while self.step() {}
    }

    /// Answers [`Output::Find`]; ignored when nothing was asked.
    pub fn found(&mut self, name: Option<InfoHashV1>) {
        let mut on = match (self.course.take_stage(), name) {
            (Some(Stage::Finding(secret)), Some(name)) => {
                self.course.go_on(Stage::Offer(name, secret.responders_ciphers(name)))
            }
            (Some(Stage::Finding(_)), None) => self.course.fail(MseError::UnknownTorrent),
            (Some(other), _) => self.course.wait(other),
            (None, _) => false,
        };
        while on {
            on = self.step();
        }
    }

    /// Returns what is to be done next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.course.poll_output()
    }

    /// Goes one stage on; false when more bytes, or an answer, are needed.
    fn step(&mut self) -> bool {
        let Some(stage) = self.course.take_stage() else { return false };
        match stage {
            Stage::Key => match self.course.inbox.array() {
                Some(theirs) => self.exchanged(&theirs),
                None => self.course.wait(Stage::Key),
            },
            Stage::Sync { secret, mark, mut left } => match self.course.inbox.seek(&mark, &mut left) {
                Seek::Found => self.course.go_on(Stage::Name(secret)),
                Seek::NotYet => self.course.wait(Stage::Sync { secret, mark, left }),
                Seek::Never => self.course.fail(MseError::NoSync),
            },
            Stage::Name(secret) => match self.course.inbox.array() {
                Some(covered) => {
                    self.course.output(Output::Find(ObfuscatedName(secret.cover(covered))));
                    self.course.wait(Stage::Finding(secret))
                }
                None => self.course.wait(Stage::Name(secret)),
            },
            finding @ Stage::Finding(_) => self.course.wait(finding),
            Stage::Offer(name, ciphers) => self.offer(name, ciphers),
            Stage::Pad { name, mut ciphers, method, len } => match self.course.inbox.take(len + 2) {
                Some(taken) => {
                    ciphers.incoming.apply(taken);
                    let len = usize::from(u16::from_be_bytes([taken[len], taken[len + 1]]));
                    self.agree(&mut ciphers, method);
                    self.course.go_on(Stage::Payload { name, ciphers, method, len })
                }
                None => self.course.wait(Stage::Pad { name, ciphers, method, len }),
            },
            Stage::Payload { name, mut ciphers, method, len } => match self.course.inbox.take(len) {
                Some(taken) => {
                    ciphers.incoming.apply(taken);
                    let early = taken.to_vec();
                    self.course.done(name, ciphers, method, early)
                }
                None => self.course.wait(Stage::Payload { name, ciphers, method, len }),
            },
        }
    }

    /// The other end's key is here: step 2.
    fn exchanged(&mut self, theirs: &[u8; PUBLIC_KEY_LEN]) -> bool {
        let Some(secret) = self.course.shared(theirs) else { return self.course.fail(MseError::BadKey) };
        self.course.send_key();
        let mark = secret.mark();
        self.course.go_on(Stage::Sync { secret, mark, left: RESPONDER_SYNC_LEN - PUBLIC_KEY_LEN })
    }

    /// VC, crypto_provide, len(PadC).
    fn offer(&mut self, name: InfoHashV1, mut ciphers: Box<Ciphers>) -> bool {
        let Some(head) = self.course.inbox.decipher::<14>(&mut ciphers.incoming) else {
            return self.course.wait(Stage::Offer(name, ciphers));
        };
        let [constant @ .., a, b, c, d, e, f] = head;
        let len = usize::from(u16::from_be_bytes([e, f]));
        if constant != VC {
            return self.course.fail(MseError::WrongConstant);
        }
        if len > MAX_PAD {
            return self.course.fail(MseError::PadTooLong);
        }
        match self.accept.choose(Methods::from_bits(u32::from_be_bytes([a, b, c, d]))) {
            Some(method) => self.course.go_on(Stage::Pad { name, ciphers, method, len }),
            None => self.course.fail(MseError::NoMethod),
        }
    }

    /// Step 4.
    fn agree(&mut self, ciphers: &mut Ciphers, method: Method) {
        let selected = match method {
            Method::Plaintext => Methods { plaintext: true, rc4: false },
            Method::Rc4 => Methods::RC4,
        };
        let mut out = VC.to_vec();
        out.extend(selected.bits().to_be_bytes());
        // PadD is for extensions to come: len(PadD) is 0.
        out.extend([0, 0]);
        ciphers.outgoing.apply(&mut out);
        self.course.output(Output::Send(out));
    }
}
