//! What both ends of a handshake have in common.

use std::collections::VecDeque;

use metainfo::InfoHashV1;

use super::cipher::Ciphers;
use super::keys::{PUBLIC_KEY_LEN, PrivateKey, Secret};
use super::{Agreed, Inbox, MAX_PAD, Method, MseError, Output};

/// The course of a handshake at one end: its stage, what has arrived, and what is to be done. Without a stage it is over,
/// and takes and says nothing more: whoever takes the stage names the next one, or ends it.
#[derive(Debug)]
pub(super) struct Course<Stage> {
    private: PrivateKey,
    rng: fastrand::Rng,
    stage: Option<Stage>,
    pub(super) inbox: Inbox,
    outputs: VecDeque<Output>,
}

impl<Stage> Course<Stage> {
    pub(super) fn new(private: PrivateKey, rng: fastrand::Rng, first: Stage) -> Course<Stage> {
        Course { private, rng, stage: Some(first), inbox: Inbox::default(), outputs: VecDeque::new() }
    }

    /// Takes what arrived.
    pub(super) fn received(&mut self, bytes: &[u8]) {
        if self.stage.is_some() {
            self.inbox.push(bytes);
        }
    }

    pub(super) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub(super) fn take_stage(&mut self) -> Option<Stage> {
        self.stage.take()
    }

    pub(super) fn output(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    /// Sends our public key, and random padding of a random length.
    pub(super) fn send_key(&mut self) {
        let mut out = self.private.public().to_vec();
        out.resize(PUBLIC_KEY_LEN + self.rng.usize(..=MAX_PAD), 0);
        self.rng.fill(&mut out[PUBLIC_KEY_LEN..]);
        self.output(Output::Send(out));
    }

    /// Returns what both ends know; see [`PrivateKey::shared`].
    pub(super) fn shared(&self, theirs: &[u8; PUBLIC_KEY_LEN]) -> Option<Secret> {
        self.private.shared(theirs)
    }

    /// Enters a stage that may find what it needs in what has arrived.
    pub(super) fn go_on(&mut self, stage: Stage) -> bool {
        self.stage = Some(stage);
        true
    }

    /// Enters, or stays in, a stage that needs more than has arrived.
    pub(super) fn wait(&mut self, stage: Stage) -> bool {
        self.stage = Some(stage);
        false
    }

    pub(super) fn fail(&mut self, error: MseError) -> bool {
        self.output(Output::Failed(error));
        false
    }

    /// Ends well. `early` is what came of the other end's stream as a part of the handshake; what lies behind it is
    /// enciphered only by the method.
    pub(super) fn done(
        &mut self,
        name: InfoHashV1,
        mut ciphers: Box<Ciphers>,
        method: Method,
        mut early: Vec<u8>,
    ) -> bool {
        let mut rest = self.inbox.take_rest();
        let ciphers = match method {
            Method::Plaintext => None,
            Method::Rc4 => {
                ciphers.incoming.apply(&mut rest);
                Some(ciphers)
            }
        };
        early.append(&mut rest);
        self.output(Output::Done(Box::new(Agreed { name, method, ciphers, early })));
        false
    }
}
