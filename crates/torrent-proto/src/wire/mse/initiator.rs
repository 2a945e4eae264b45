//! The end that dialled: steps 1, 3 and 5.
//!
//! *key* (the other end's public key) → *sync* (its encrypted VC, somewhere behind its padding) → *select* (its choice
//! of a method) → *pad* → over.

use std::collections::VecDeque;

use metainfo::InfoHashV1;

use super::cipher::Ciphers;
use super::keys::{PUBLIC_KEY_LEN, PrivateKey, obfuscated_name};
use super::{
    Agreed, INITIATOR_SYNC_LEN, Inbox, MAX_INITIAL_PAYLOAD, MAX_PAD, Method, Methods, MseError, Output, Seek, VC, pad,
};

/// The state machine of the end that dialled. See the module `mse`.
#[derive(Debug)]
pub struct Initiator {
    private: PrivateKey,
    name: InfoHashV1,
    offer: Methods,
    payload: Vec<u8>,
    rng: fastrand::Rng,
    inbox: Inbox,
    stage: Stage,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
enum Stage {
    Key,
    Sync { ciphers: Box<Ciphers>, mark: [u8; VC.len()], left: usize },
    Select(Box<Ciphers>),
    Pad { ciphers: Box<Ciphers>, method: Method, len: usize },
    Over,
}

impl Initiator {
    /// Begins a handshake about the torrent `name`. `payload` is the beginning of our stream, usually the handshake of
    /// BEP 3; of more than [`MAX_INITIAL_PAYLOAD`] bytes the rest is left out. `rng` draws paddings.
    pub fn new(private: PrivateKey, name: InfoHashV1, offer: Methods, payload: &[u8], rng: fastrand::Rng) -> Initiator {
        let payload = payload[..payload.len().min(MAX_INITIAL_PAYLOAD)].to_vec();
        let (inbox, outputs) = (Inbox::default(), VecDeque::new());
        let mut initiator = Initiator { private, name, offer, payload, rng, inbox, stage: Stage::Key, outputs };
        let mut first = initiator.private.public().to_vec();
        pad(&mut initiator.rng, &mut first);
        initiator.outputs.push_back(Output::Send(first));
        initiator
    }

    /// Takes what arrived.
    pub fn handle(&mut self, bytes: &[u8]) {
        if matches!(self.stage, Stage::Over) {
            return;
        }
        self.inbox.push(bytes);
        while self.step() {}
    }

    /// Returns what is to be done next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Goes one stage on; false when more bytes are needed.
    fn step(&mut self) -> bool {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Key => match self.inbox.take(PUBLIC_KEY_LEN).and_then(|key| key.first_chunk().copied()) {
                Some(theirs) => self.exchanged(&theirs),
                None => self.wait(Stage::Key),
            },
            Stage::Sync { ciphers, mark, mut left } => match self.inbox.seek(&mark, &mut left) {
                Seek::Found => self.go_on(Stage::Select(ciphers)),
                Seek::NotYet => self.wait(Stage::Sync { ciphers, mark, left }),
                Seek::Never => self.fail(MseError::NoSync),
            },
            Stage::Select(mut ciphers) => match self.inbox.decipher::<6>(&mut ciphers.incoming) {
                Some([a, b, c, d, e, f]) => {
                    let len = usize::from(u16::from_be_bytes([e, f]));
                    match self.offer.selected(u32::from_be_bytes([a, b, c, d])) {
                        None => self.fail(MseError::NoMethod),
                        Some(_) if len > MAX_PAD => self.fail(MseError::PadTooLong),
                        Some(method) => self.go_on(Stage::Pad { ciphers, method, len }),
                    }
                }
                None => self.wait(Stage::Select(ciphers)),
            },
            Stage::Pad { mut ciphers, method, len } => match self.inbox.take(len) {
                Some(pad) => {
                    ciphers.incoming.apply(pad);
                    self.done(ciphers, method)
                }
                None => self.wait(Stage::Pad { ciphers, method, len }),
            },
            Stage::Over => false,
        }
    }

    /// The other end's key is here: step 3.
    fn exchanged(&mut self, theirs: &[u8; PUBLIC_KEY_LEN]) -> bool {
        let Some(secret) = self.private.shared(theirs) else { return self.fail(MseError::BadKey) };
        let mut ciphers = secret.initiators_ciphers(self.name);
        let mut out = secret.mark().to_vec();
        out.extend(secret.cover(obfuscated_name(self.name).0));
        let mut hidden = Vec::with_capacity(VC.len() + 8 + self.payload.len());
        hidden.extend(VC);
        hidden.extend(self.offer.bits().to_be_bytes());
        // PadC is for extensions to come, and some responders stumble over it; len(PadC) is 0.
        hidden.extend([0, 0]);
        // At most MAX_INITIAL_PAYLOAD.
        hidden.extend((self.payload.len() as u16).to_be_bytes());
        hidden.append(&mut self.payload);
        ciphers.outgoing.apply(&mut hidden);
        out.append(&mut hidden);
        self.outputs.push_back(Output::Send(out));
        // What the other end's first eight bytes look like when they are enciphered. The cipher is behind them then.
        let mut mark = VC;
        ciphers.incoming.apply(&mut mark);
        self.go_on(Stage::Sync { ciphers, mark, left: INITIATOR_SYNC_LEN - PUBLIC_KEY_LEN })
    }

    fn done(&mut self, mut ciphers: Box<Ciphers>, method: Method) -> bool {
        let mut early = self.inbox.take_rest();
        let ciphers = match method {
            Method::Plaintext => None,
            Method::Rc4 => {
                ciphers.incoming.apply(&mut early);
                Some(ciphers)
            }
        };
        self.outputs.push_back(Output::Done(Box::new(Agreed { name: self.name, method, ciphers, early })));
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
