//! The end that dialled: steps 1, 3 and 5.
//!
//! *key* (the other end's public key) → *sync* (its encrypted VC, somewhere behind its padding) → *select* (its choice
//! of a method) → *pad* → over.

use metainfo::InfoHashV1;

use super::cipher::Ciphers;
use super::course::Course;
use super::keys::{PUBLIC_KEY_LEN, PrivateKey, obfuscated_name};
use super::{INITIATOR_SYNC_LEN, MAX_INITIAL_PAYLOAD, MAX_PAD, Method, Methods, MseError, Output, Seek, VC};

/// The state machine of the end that dialled. See the module `mse`.
#[derive(Debug)]
pub struct Initiator {
    name: InfoHashV1,
    offer: Methods,
    payload: Vec<u8>,
    course: Course<Stage>,
}

#[derive(Debug)]
enum Stage {
    Key,
    Sync { ciphers: Box<Ciphers>, mark: [u8; VC.len()], left: usize },
    Select(Box<Ciphers>),
    Pad { ciphers: Box<Ciphers>, method: Method, len: usize },
}

impl Initiator {
    /// Begins a handshake about the torrent `name`. `payload` is the beginning of our stream, usually the handshake of
    /// BEP 3; of more than [`MAX_INITIAL_PAYLOAD`] bytes the rest is left out. `rng` draws paddings.
    pub fn new(private: PrivateKey, name: InfoHashV1, offer: Methods, payload: &[u8], rng: fastrand::Rng) -> Initiator {
        let payload = payload[..payload.len().min(MAX_INITIAL_PAYLOAD)].to_vec();
        let mut course = Course::new(private, rng, Stage::Key);
        course.send_key();
        Initiator { name, offer, payload, course }
    }

    /// Takes what arrived.
    pub fn handle(&mut self, bytes: &[u8]) {
        self.course.received(bytes);
        while self.step() {}
    }

    /// Returns what is to be done next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.course.poll_output()
    }

    /// Goes one stage on; false when more bytes are needed.
    fn step(&mut self) -> bool {
        let Some(stage) = self.course.take_stage() else { return false };
        match stage {
            Stage::Key => match self.course.inbox.array() {
                Some(theirs) => self.exchanged(&theirs),
                None => self.course.wait(Stage::Key),
            },
            Stage::Sync { ciphers, mark, mut left } => match self.course.inbox.seek(&mark, &mut left) {
                Seek::Found => self.course.go_on(Stage::Select(ciphers)),
                Seek::NotYet => self.course.wait(Stage::Sync { ciphers, mark, left }),
                Seek::Never => self.course.fail(MseError::NoSync),
            },
            Stage::Select(mut ciphers) => match self.course.inbox.decipher::<6>(&mut ciphers.incoming) {
                Some([a, b, c, d, e, f]) => {
                    let len = usize::from(u16::from_be_bytes([e, f]));
                    match self.offer.selected(u32::from_be_bytes([a, b, c, d])) {
                        None => self.course.fail(MseError::NoMethod),
                        Some(_) if len > MAX_PAD => self.course.fail(MseError::PadTooLong),
                        Some(method) => self.course.go_on(Stage::Pad { ciphers, method, len }),
                    }
                }
                None => self.course.wait(Stage::Select(ciphers)),
            },
            Stage::Pad { mut ciphers, method, len } => match self.course.inbox.take(len) {
                Some(pad) => {
                    ciphers.incoming.apply(pad);
                    self.course.done(self.name, ciphers, method, Vec::new())
                }
                None => self.course.wait(Stage::Pad { ciphers, method, len }),
            },
        }
    }

    /// The other end's key is here: step 3.
    fn exchanged(&mut self, theirs: &[u8; PUBLIC_KEY_LEN]) -> bool {
        let Some(secret) = self.course.shared(theirs) else { return self.course.fail(MseError::BadKey) };
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
        self.course.output(Output::Send(out));
        // What the other end's first eight bytes look like when they are enciphered. The cipher is behind them then.
        let mut mark = VC;
        ciphers.incoming.apply(&mut mark);
        self.course.go_on(Stage::Sync { ciphers, mark, left: INITIATOR_SYNC_LEN - PUBLIC_KEY_LEN })
    }
}
