//! What a run is about: everything that is drawn from its seed before it begins.

use std::ops::Range;
use std::time::Duration;

use metainfo::create::Mode;

use crate::content::Shape;

/// A swarm to be simulated. All durations are virtual time.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Where all randomness comes from.
    pub seed: u64,
    /// What is shared.
    pub shape: Shape,
    /// Nodes that have everything from the start.
    pub seeds: usize,
    /// Nodes that want it.
    pub leechers: usize,
    /// Nodes that have everything and send part of it wrong.
    pub liars: usize,
    /// How often a liar lies, 0 to 1.
    pub lies: f64,
    /// How many leechers begin with a magnet, 0 to 1.
    pub magnets: f64,
    /// How many leechers skip some files, 0 to 1.
    pub choosy: f64,
    /// Messages are encoded and decoded on their way.
    pub codec: bool,
    /// Who learns of whom.
    pub topology: Topology,
    /// Blocks that a node may hold in memory.
    pub permits: u32,
    /// How long a message is under way.
    pub latency: Range<Duration>,
    /// What a node can send, in bytes per second.
    pub rate_bytes_per_s: Range<u64>,
    /// How many dials fail, 0 to 1.
    pub dials_fail: f64,
    /// Peers tell one another of others (BEP 11), and bring them together (BEP 55).
    pub pex: bool,
    /// How many leechers nobody reaches whom they do not dial at the same time, 0 to 1. Seeds can be reached.
    pub behind_nat: f64,
    /// The first seed offers pieces one by one (BEP 16).
    pub super_seed: bool,
    /// The seeds leave for good once the others have a whole copy together.
    pub seeds_leave: bool,
    /// What goes wrong on the way.
    pub churn: Churn,
    /// A deliberate fault in the nodes, to see that it is found.
    pub mutation: Option<Mutation>,
    /// A run that takes longer has stalled.
    pub limit: Duration,
}

/// How often what goes wrong.
#[derive(Clone, Copy, Debug, Default)]
pub struct Churn {
    /// After this time nothing goes wrong any more.
    pub until: Duration,
    /// Nodes that stop in order and come back.
    pub leaves: u32,
    /// Nodes that stop in order and stay away.
    pub departures: u32,
    /// Nodes that crash and come back.
    pub crashes: u32,
    /// Crashes may take the page cache with them.
    pub power_failures: bool,
    /// Nodes that pause and go on.
    pub pauses: u32,
    /// Connections that break.
    pub resets: u32,
    /// Disks that are full for a while.
    pub full_disks: u32,
    /// Orders to a disk that fail.
    pub disk_faults: u32,
    /// Times when one half of the nodes cannot reach the other.
    pub partitions: u32,
    /// Users who ask for a recheck.
    pub rechecks: u32,
    /// Users who change their mind about files and order.
    pub whims: u32,
}

/// Who learns of whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topology {
    /// The tracker names everybody.
    All,
    /// The tracker names only the node before: what the first has must pass through all.
    Chain,
}

/// A deliberate fault: the simulator has to find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// The blocks of a piece that failed its hash are never freed: nobody hears that it failed.
    KeepBadBlocks,
    /// A connection that breaks while it reads a block keeps the permit.
    LeakPermits,
    /// Nobody is told of new pieces.
    NeverHave,
}

impl Scenario {
    /// A quiet swarm of one seed and a few leechers, to be changed by the caller.
    pub fn quiet(seed: u64) -> Scenario {
        let shape = Shape { mode: Mode::V1, private: false, piece_length: 32 << 10, files: vec![300_000] };
        Scenario {
            seed,
            shape,
            seeds: 1,
            leechers: 4,
            liars: 0,
            lies: 0.0,
            magnets: 0.0,
            choosy: 0.0,
            codec: true,
            topology: Topology::All,
            permits: 32,
            latency: Duration::from_millis(5)..Duration::from_millis(100),
            rate_bytes_per_s: 100_000..1_000_000,
            dials_fail: 0.0,
            pex: false,
            behind_nat: 0.0,
            super_seed: false,
            seeds_leave: false,
            churn: Churn::default(),
            mutation: None,
            limit: Duration::from_secs(1800),
        }
    }

    /// Draws a swarm of `leechers` leechers (`None`: 3 to 17) in which anything may go wrong.
    pub fn random(seed: u64, leechers: Option<usize>) -> Scenario {
        let rng = &mut fastrand::Rng::with_seed(seed);
        let leechers = leechers.unwrap_or_else(|| rng.usize(3..=17));
        let seeds_leave = rng.u8(..4) == 0;
        let shape = random_shape(rng);
        let slow = rng.u64(30_000..300_000);
        let total: u64 = shape.files.iter().sum();
        // About twice what it takes when nothing goes wrong, so that most of what does happens in between.
        let until = Duration::from_secs(5 + 3 * total / slow);
        Scenario {
            seeds: rng.usize(1..=2),
            leechers,
            // One node in ten, and one more often than not.
            liars: (leechers / 10 + rng.usize(..2)).min(leechers),
            lies: [0.1, 0.1, 0.5, 1.0][rng.usize(..4)],
            magnets: [0.0, 0.3, 1.0][rng.usize(..3)],
            choosy: if shape.files.len() > 1 { [0.0, 0.5][rng.usize(..2)] } else { 0.0 },
            codec: rng.bool(),
            permits: rng.u32(2..64),
            latency: Duration::from_millis(1)..Duration::from_millis(rng.u64(10..400)),
            rate_bytes_per_s: slow..slow * 10,
            dials_fail: [0.0, 0.1, 0.4][rng.usize(..3)],
            super_seed: rng.u8(..6) == 0,
            seeds_leave,
            churn: random_churn(rng, leechers as u32, seeds_leave, until),
            limit: Duration::from_secs(7200),
            pex: rng.u8(..3) > 0,
            // Where the seeds leave, nobody might be left to bring the others together.
            behind_nat: if seeds_leave { 0.0 } else { [0.0, 0.3, 0.9][rng.usize(..3)] },
            shape,
            ..Scenario::quiet(seed)
        }
    }

    pub(crate) fn nodes(&self) -> usize {
        self.seeds + self.leechers + self.liars
    }
}

fn random_shape(rng: &mut fastrand::Rng) -> Shape {
    let mode = [Mode::V1, Mode::V2, Mode::Hybrid][rng.usize(..3)];
    let piece_length = (16 << 10) << rng.u32(..3);
    let files = match rng.u8(..3) {
        0 => vec![rng.u64(1..600_000)],
        1 => (0..rng.u64(2..6)).map(|_| rng.u64(0..150_000)).chain([1]).collect(),
        // Small files: pieces that span several, and many that end within a block.
        _ => (0..rng.u64(5..30)).map(|_| rng.u64(0..20_000)).chain([1]).collect(),
    };
    Shape { mode, private: rng.u8(..8) == 0, piece_length, files }
}

fn random_churn(rng: &mut fastrand::Rng, leechers: u32, seeds_leave: bool, until: Duration) -> Churn {
    if rng.u8(..5) == 0 {
        return Churn::default();
    }
    let some = |rng: &mut fastrand::Rng| rng.u32(..=leechers / 3 + 1);
    Churn {
        until,
        leaves: some(rng),
        // What only they had would be gone for good where there is no seed.
        departures: if seeds_leave { 0 } else { leechers / 5 },
        crashes: some(rng),
        power_failures: !seeds_leave,
        pauses: some(rng),
        resets: some(rng) * 4,
        full_disks: some(rng) / 2,
        disk_faults: some(rng) / 2,
        partitions: rng.u32(..2),
        rechecks: some(rng) / 2,
        whims: some(rng),
    }
}
