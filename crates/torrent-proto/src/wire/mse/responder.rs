//! The end that was dialled: steps 2 and 4.
//!
//! *key* (the other end's public key) → *sync* (the mark, somewhere behind its padding) → *name* (of the torrent) →
//! *finding* it → *offer* (of methods) → *pad* → *payload* → over.

use std::collections::VecDeque;

use metainfo::InfoHashV1;

use super::cipher::Ciphers;
use super::keys::{ObfuscatedName, PUBLIC_KEY_LEN, PrivateKey, Secret};
use super::{Agreed, Inbox, MAX_PAD, Method, Methods, MseError, Output, RESPONDER_SYNC_LEN, Seek, VC, pad};

/// The state machine of the end that was dialled. See the module `mse`.
#[derive(Debug)]
pub struct Responder {
    private: PrivateKey,
    accept: Methods,
    rng: fastrand::Rng,
    inbox: Inbox,
    stage: Stage,
    outputs: VecDeque<Output>,
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
    Over,
}

impl Responder {
    /// Waits for a handshake. Nothing costly happens before the other end's whole key is here. `rng` draws paddings.
    pub fn new(private: PrivateKey, accept: Methods, rng: fastrand::Rng) -> Responder {
        let (inbox, outputs) = (Inbox::default(), VecDeque::new());
        Responder { private, accept, rng, inbox, stage: Stage::Key, outputs }
    }

    /// Takes what arrived.
    pub fn handle(&mut self, bytes: &[u8]) {
        if matches!(self.stage, Stage::Over) {
            return;
        }
        self.inbox.push(bytes);
        while self.step() {}
    }

    /// Answers [`Output::Find`]; ignored when nothing was asked.
    pub fn found(&mut self, name: Option<InfoHashV1>) {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Finding(secret) => match name {
                Some(name) => {
                    self.stage = Stage::Offer(name, secret.responders_ciphers(name));
                    while self.step() {}
                }
                None => drop(self.fail(MseError::UnknownTorrent)),
            },
            other => self.stage = other,
        }
    }

    /// Returns what is to be done next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Goes one stage on; false when more bytes, or an answer, are needed.
    fn step(&mut self) -> bool {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Key => match self.inbox.take(PUBLIC_KEY_LEN).and_then(|key| key.first_chunk().copied()) {
                Some(theirs) => self.exchanged(&theirs),
                None => self.wait(Stage::Key),
            },
            Stage::Sync { secret, mark, mut left } => match self.inbox.seek(&mark, &mut left) {
                Seek::Found => self.go_on(Stage::Name(secret)),
                Seek::NotYet => self.wait(Stage::Sync { secret, mark, left }),
                Seek::Never => self.fail(MseError::NoSync),
            },
            Stage::Name(secret) => match self.inbox.take(20).and_then(|name| name.first_chunk().copied()) {
                Some(covered) => {
                    self.outputs.push_back(Output::Find(ObfuscatedName(secret.cover(covered))));
                    self.wait(Stage::Finding(secret))
                }
                None => self.wait(Stage::Name(secret)),
            },
            finding @ Stage::Finding(_) => self.wait(finding),
            Stage::Offer(name, ciphers) => self.offer(name, ciphers),
            Stage::Pad { name, mut ciphers, method, len } => match self.inbox.take(len + 2) {
                Some(taken) => {
                    ciphers.incoming.apply(taken);
                    let len = usize::from(u16::from_be_bytes([taken[len], taken[len + 1]]));
                    self.agree(&mut ciphers, method);
                    self.go_on(Stage::Payload { name, ciphers, method, len })
                }
                None => self.wait(Stage::Pad { name, ciphers, method, len }),
            },
            Stage::Payload { name, mut ciphers, method, len } => match self.inbox.take(len) {
                Some(taken) => {
                    ciphers.incoming.apply(taken);
                    let early = taken.to_vec();
                    self.done(name, ciphers, method, early)
                }
                None => self.wait(Stage::Payload { name, ciphers, method, len }),
            },
            Stage::Over => false,
        }
    }

    /// The other end's key is here: step 2.
    fn exchanged(&mut self, theirs: &[u8; PUBLIC_KEY_LEN]) -> bool {
        let Some(secret) = self.private.shared(theirs) else { return self.fail(MseError::BadKey) };
        let mut out = self.private.public().to_vec();
        pad(&mut self.rng, &mut out);
        self.outputs.push_back(Output::Send(out));
        let mark = secret.mark();
        self.go_on(Stage::Sync { secret, mark, left: RESPONDER_SYNC_LEN - PUBLIC_KEY_LEN })
    }

    /// VC, crypto_provide, len(PadC).
    fn offer(&mut self, name: InfoHashV1, mut ciphers: Box<Ciphers>) -> bool {
        let Some(head) = self.inbox.decipher::<14>(&mut ciphers.incoming) else {
            return self.wait(Stage::Offer(name, ciphers));
        };
        let [constant @ .., a, b, c, d, e, f] = head;
        let len = usize::from(u16::from_be_bytes([e, f]));
        if constant != VC {
            return self.fail(MseError::WrongConstant);
        }
        if len > MAX_PAD {
            return self.fail(MseError::PadTooLong);
        }
        match self.accept.choose(Methods::from_bits(u32::from_be_bytes([a, b, c, d]))) {
            Some(method) => self.go_on(Stage::Pad { name, ciphers, method, len }),
            None => self.fail(MseError::NoMethod),
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
        self.outputs.push_back(Output::Send(out));
    }

    /// The initial payload is encrypted whatever the method; what lies behind it is not.
    fn done(&mut self, name: InfoHashV1, mut ciphers: Box<Ciphers>, method: Method, mut early: Vec<u8>) -> bool {
        let mut rest = self.inbox.take_rest();
        let ciphers = match method {
            Method::Plaintext => None,
            Method::Rc4 => {
                ciphers.incoming.apply(&mut rest);
                Some(ciphers)
            }
        };
        early.append(&mut rest);
        self.outputs.push_back(Output::Done(Box::new(Agreed { name, method, ciphers, early })));
        false
    }

    fn fail(&mut self, error: MseError) -> bool {
        self.outputs.push_back(Output::Failed(error));
        false
    }

    fn go_on(&mut self, stage: Stage) -> bool {
        self.stage = stage;
        true
    }

    fn wait(&mut self, stage: Stage) -> bool {
        self.stage = stage;
        false
    }
}
