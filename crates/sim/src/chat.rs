//! People who talk in virtual time: directly and in rooms, with nodes that sleep, crash and lose what they sent, with people
//! who are never awake together, and with members who come and go.
//!
//! Every node owns the state machine that the real program runs, with a driver around it that stores before it sends.
//! Mailboxes are the real ones too. All randomness comes from one seed. `cargo run --release -p sim -- chat` runs many
//! seeds of twenty people.

mod acts;
mod commit;
mod driver;
mod law;
mod network;
mod node;
mod plan;
mod post;
mod sealer;
mod streams;
mod talk;
mod verdict;
mod view;

use std::time::Duration;

use chat::proto::{Vault, testing::Plain};

use self::network::Network;
use self::sealer::Careless;

/// What is simulated.
#[derive(Clone, Debug)]
pub struct ChatScenario {
    /// Where all chance comes from.
    pub seed: u64,
    /// How many people there are; each begins with two nodes.
    pub people: usize,
    /// How many pairs of them are never awake together.
    pub apart: usize,
    /// How many groups they have.
    pub groups: usize,
    /// How many mailboxes there are, on nodes of others.
    pub keepers: usize,
    /// How many messages they write.
    pub messages: u32,
    /// For how long they write.
    pub writing: Duration,
    /// For how long the rest may take to arrive while nodes sleep and frames are lost as before.
    pub quiet: Duration,
    /// For how long all are awake in the end and nothing is lost, unless all is well sooner.
    pub healed: Duration,
    /// How many of a hundred frames are lost, each with the stream that carried it; of questions to mailboxes too.
    pub loss_per_cent: u8,
    /// How many times each node crashes.
    pub crashes: u32,
    /// How many people are expelled from a group, half of them let in again later.
    pub expelled: usize,
    /// How many newcomers a group lets in.
    pub admitted: usize,
    /// How many people get another node while all this goes on; every other one fetches the history.
    pub added: usize,
    /// How many nodes change their mailboxes.
    pub moves: usize,
    /// Whether somebody blocks somebody.
    pub blocks: bool,
    /// Whether envelopes are sealed as the real program does; else by a plain cipher, for speed.
    pub olm: bool,
    /// What the driver does wrong.
    pub mutation: Option<ChatMutation>,
}

/// What a driver, a store or a mailbox can do wrong, to see that the verdict finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChatMutation {
    /// The driver sends what stands behind something to be stored before it stores it.
    EarlyOutputs,
    /// The store leaves out every fiftieth message of others.
    DropMessages,
    /// The store keeps messages and loses the facts that go with them, then the node crashes.
    TornCommits,
    /// The mailboxes forget each envelope right after they took it.
    ForgetfulMailboxes,
    /// The mailboxes delete nothing.
    HoardingMailboxes,
    /// The store does all that it is given twice.
    DoubleCommits,
    /// The cipher opens an envelope again that it opened before, and every frame comes twice. That the state machine
    /// bears.
    OpenTwice,
}

impl ChatScenario {
    /// The size that the project promises something about: 10,000 messages of twenty people in three days.
    pub fn full(seed: u64) -> ChatScenario {
        ChatScenario {
            seed,
            people: 20,
            apart: 3,
            groups: 3,
            keepers: 8,
            messages: 10_000,
            writing: Duration::from_secs(3 * 24 * 3600),
            quiet: Duration::from_secs(36 * 3600),
            healed: Duration::from_secs(30 * 3600),
            loss_per_cent: 20,
            crashes: 8,
            expelled: 4,
            admitted: 4,
            added: 3,
            moves: 6,
            blocks: true,
            olm: false,
            mutation: None,
        }
    }

    /// A small one, for every change of the code.
    pub fn small(seed: u64) -> ChatScenario {
        ChatScenario {
            people: 5,
            apart: 1,
            groups: 2,
            keepers: 3,
            messages: 120,
            writing: Duration::from_secs(18 * 3600),
            quiet: Duration::from_secs(30 * 3600),
            crashes: 4,
            expelled: 1,
            admitted: 1,
            added: 1,
            moves: 2,
            blocks: seed % 2 == 1,
            ..ChatScenario::full(seed)
        }
    }
}

/// What came of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChatOutcome {
    /// What was promised and is not so, at most [`ChatOutcome::FAILURES`]. Empty: all is well.
    pub failures: Vec<String>,
    /// How many things were promised and are not so.
    pub failed: u64,
    /// How many messages were written.
    pub written: u64,
    /// How many times somebody could not write, being no member or having to wait for somebody.
    pub refused: u64,
    /// How many pairs of a message and a node that it is owed to there are.
    pub owed: u64,
    /// How many times a message entered a history.
    pub shown: u64,
    /// How many of the messages that were owed to a person reached none of their nodes before all came together.
    pub late: u64,
    /// Frames that were sent.
    pub frames: u64,
    /// Questions to mailboxes.
    pub questions: u64,
    /// Envelopes that mailboxes took.
    pub deposits: u64,
    /// Crashes, and ends in good order that lost what was not stored.
    pub crashes: u64,
    /// The most facts that a node has in the end.
    pub facts: usize,
    /// The most bytes of facts that a node has in the end.
    pub fact_bytes: usize,
    /// Half of the messages took at most so long to the first node of a person.
    pub median: Duration,
    /// All of them but one of a hundred did.
    pub slow: Duration,
    /// A hash over all that happened: equal runs have equal ones.
    pub trace: u64,
}

impl ChatOutcome {
    /// How many failures are named. Arbitrary: what one reads.
    pub const FAILURES: usize = 20;

    fn fail(&mut self, what: String) {
        self.failed += 1;
        if self.failures.len() < Self::FAILURES {
            self.failures.push(what);
        }
    }
}

/// People who talk in virtual time.
pub struct ChatSim;

impl ChatSim {
    /// Runs a scenario to its end.
    pub fn run(scenario: ChatScenario, log: bool) -> ChatOutcome {
        match (scenario.olm, scenario.mutation) {
            (true, _) => Network::<Vault>::run(scenario, log),
            (false, Some(ChatMutation::OpenTwice)) => Network::<Careless>::run(scenario, log),
            (false, _) => Network::<Plain>::run(scenario, log),
        }
    }
}
