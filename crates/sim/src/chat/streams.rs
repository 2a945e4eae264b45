//! Streams between two nodes. Each keeps order and loses nothing while it stands; when a frame is lost, so is all behind it,
//! and the two ends see it at different times. What an old stream carried may arrive after what a newer one did.

use std::time::Duration;

use base::Instant;
use chat::proto::Input;

use super::ChatMutation;
use super::network::{Happens, Network};
use super::sealer::Sealer;

/// How long a stream stands at most. Arbitrary.
const LIFE: Duration = Duration::from_secs(3 * 3600);

/// How long an end may take to see that the other is gone: QUIC's idle timeout in the real program.
const UNSEEN: Duration = Duration::from_secs(30);

/// How many of a hundred frames come a second time, and up to how much later. Arbitrary.
const TWICE_PER_CENT: u8 = 3;
const TWICE_WITHIN: Duration = Duration::from_secs(120);

/// A stream.
pub(super) struct Stream {
    /// Who opened it, and to whom.
    pub ends: [usize; 2],
    /// Which ends believe that it stands.
    pub up: [bool; 2],
    /// When the last frame to each end arrives: none overtakes another.
    last: [Instant; 2],
    /// Nothing that is sent from now on arrives.
    dead: bool,
    /// Nor does what was sent.
    cut: bool,
}

impl<C: Sealer> Network<C> {
    /// A node wants a stream to another.
    pub(super) fn dial(&mut self, from: usize, to: usize) {
        if self.nodes[from].dialled.insert(to) {
            let (epoch, travel) = (self.nodes[from].epoch, Duration::from_millis(self.rng.u64(10..300)));
            self.later(travel, Happens::Dials { from, to, epoch });
        }
    }

    /// A dial reaches the other node, or does not.
    pub(super) fn dials(&mut self, from: usize, to: usize, epoch: u32) {
        if self.nodes[from].epoch != epoch || !self.nodes[from].dialled.contains(&to) {
            return;
        }
        let (here, there) = (&self.nodes[from], &self.nodes[to]);
        let admits = there.runs() && there.view.admits(there.person, here.person, from);
        if !admits || self.is_lost() {
            let wait = self.within(Duration::from_secs(8));
            return self.later(wait, Happens::Fails { from, to, epoch });
        }
        self.stream_count += 1;
        let stream = self.stream_count;
        let back = self.clock + Duration::from_millis(self.rng.u64(10..200));
        self.streams.insert(
            stream,
            Stream { ends: [from, to], up: [true; 2], last: [back, self.clock], dead: false, cut: false },
        );
        self.queue.add(back, Happens::Opens { stream, from, to, epoch });
        let life = self.within(LIFE);
        self.later(life, Happens::Breaks { stream });
        self.stands(stream, 1);
    }

    /// Whoever dialled sees that the stream stands, unless it is gone already or they are.
    pub(super) fn opens(&mut self, stream: u64, from: usize, to: usize, epoch: u32) {
        if self.nodes[from].epoch != epoch {
            return self.end(stream, 0);
        }
        if self.streams.get(&stream).is_none_or(|state| !state.up[0]) {
            return self.fails(from, to, epoch);
        }
        if self.nodes[from].dialled.remove(&to) {
            self.stands(stream, 0);
        } else {
            self.end(stream, 0);
        }
    }

    fn stands(&mut self, stream: u64, end: usize) {
        let ends = self.streams[&stream].ends;
        let (here, other) = (ends[end], ends[1 - end]);
        self.note(here, format_args!("stream {stream} to n{other}"));
        self.nodes[here].open.insert(stream, other);
        self.nodes[here].links.insert(other, stream);
        let id = self.nodes[other].id;
        self.give(here, Input::Connected(id));
    }

    pub(super) fn fails(&mut self, from: usize, to: usize, epoch: u32) {
        if self.nodes[from].epoch == epoch && self.nodes[from].dialled.remove(&to) {
            self.note(from, format_args!("does not reach n{to}"));
            let id = self.nodes[to].id;
            self.give(from, Input::Unreachable(id));
        }
    }

    /// A node sends on its newest stream to another.
    pub(super) fn send(&mut self, from: usize, to: usize, frame: Vec<u8>) {
        let Some(&stream) = self.nodes[from].links.get(&to) else { return };
        self.outcome.frames += 1;
        let lost = self.is_lost();
        let travel = Duration::from_millis(self.rng.u64(5..250));
        let Some(state) = self.streams.get_mut(&stream) else { return };
        let end = usize::from(state.ends[0] == from);
        if state.dead {
            return;
        }
        if lost {
            return self.breaks(stream);
        }
        let at = (self.clock + travel).max(state.last[end]);
        state.last[end] = at;
        if !self.healed && self.rng.u8(..100) < TWICE_PER_CENT {
            let again = at + self.within(TWICE_WITHIN);
            self.queue.add(again, Happens::Arrives { stream, end, frame: frame.clone(), again: true });
        }
        self.queue.add(at, Happens::Arrives { stream, end, frame, again: false });
    }

    pub(super) fn arrives(&mut self, stream: u64, end: usize, frame: Vec<u8>, again: bool) {
        let Some(state) = self.streams.get(&stream) else { return };
        let (here, other) = (state.ends[end], state.ends[1 - end]);
        // What comes again comes as if by any other stream of the two.
        let stands = if again { self.nodes[here].links.contains_key(&other) } else { state.up[end] && !state.cut };
        if stands && self.nodes[here].runs() {
            self.note(here, format_args!("{} bytes of n{other} on {stream}", frame.len()));
            let id = self.nodes[other].id;
            if self.scenario.mutation == Some(ChatMutation::OpenTwice) {
                self.give(here, Input::Received(id, frame.clone()));
            }
            self.give(here, Input::Received(id, frame));
        }
    }

    /// A stream carries nothing any more; the ends see it later.
    pub(super) fn breaks(&mut self, stream: u64) {
        let cut = self.rng.bool();
        let Some(state) = self.streams.get_mut(&stream) else { return };
        // In a network that has healed streams stand, but for those that broke before.
        if self.healed || state.dead {
            return;
        }
        (state.dead, state.cut) = (true, cut);
        for end in 0..2 {
            let unseen = self.within(UNSEEN);
            self.later(unseen, Happens::Ends { stream, end });
        }
    }

    /// An end sees that a stream is gone.
    pub(super) fn ends(&mut self, stream: u64, end: usize) {
        let Some(state) = self.streams.get(&stream) else { return };
        let (here, other) = (state.ends[end], state.ends[1 - end]);
        self.end(stream, end);
        let node = &mut self.nodes[here];
        node.open.remove(&stream);
        if node.links.get(&other) == Some(&stream) {
            node.links.remove(&other);
            self.note(here, format_args!("loses n{other}"));
            let id = self.nodes[other].id;
            self.give(here, Input::Disconnected(id));
        }
    }

    /// Takes an end away, and the stream with the second.
    fn end(&mut self, stream: u64, end: usize) {
        let Some(state) = self.streams.get_mut(&stream) else { return };
        state.up[end] = false;
        if state.up == [false; 2] {
            self.streams.remove(&stream);
        } else if !state.dead {
            (state.dead, state.cut) = (true, false);
            let unseen = self.within(UNSEEN);
            self.later(unseen, Happens::Ends { stream, end: 1 - end });
        }
    }

    /// All streams of a node end on its side: it sleeps, or its process is gone. Returns with whom they were.
    pub(super) fn hang_up(&mut self, node: usize) -> Vec<usize> {
        let open: Vec<u64> = std::mem::take(&mut self.nodes[node].open).into_keys().collect();
        for stream in open {
            let Some(state) = self.streams.get(&stream) else { continue };
            let end = usize::from(state.ends[1] == node);
            self.end(stream, end);
        }
        std::mem::take(&mut self.nodes[node].links).into_keys().collect()
    }
}
