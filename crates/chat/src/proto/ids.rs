//! Sets of messages of one conversation, as ranges: whoever has all of ten thousand says so in sixteen bytes a pen.

use std::collections::BTreeMap;

use people::proto::codec::{DecodeError, Reader, Writer};

use super::id::{MessageId, Pen};

/// How many ranges are written into one item at most. Arbitrary: 8 KiB of them; what is more goes into the next item.
pub const MAX_SPANS: usize = 512;

/// A set of numbers: ranges that neither overlap nor touch, by their first number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges(BTreeMap<u32, u32>);

impl Ranges {
    /// Whether the number is in it.
    pub fn contains(&self, number: u32) -> bool {
        self.0.range(..=number).next_back().is_some_and(|(_, last)| *last >= number)
    }

    /// Adds a number. True when it was not in it.
    pub fn insert(&mut self, number: u32) -> bool {
        let new = !self.contains(number);
        if new {
            self.insert_range(number, number);
        }
        new
    }

    /// Adds all from `first` to `last`.
    pub fn insert_range(&mut self, first: u32, last: u32) {
        let (mut first, mut last) = (first, last);
        // Whatever it overlaps or touches becomes part of it.
        while let Some((&start, &end)) = self.0.range(..=last.saturating_add(1)).next_back() {
            if end.saturating_add(1) < first {
                break;
            }
            self.0.remove(&start);
            (first, last) = (first.min(start), last.max(end));
        }
        self.0.insert(first, last);
    }

    /// Takes a number out.
    pub fn remove(&mut self, number: u32) {
        let Some((&start, &end)) = self.0.range(..=number).next_back().filter(|(_, last)| **last >= number) else {
            return;
        };
        self.0.remove(&start);
        if start < number {
            self.0.insert(start, number - 1);
        }
        if number < end {
            self.0.insert(number + 1, end);
        }
    }

    /// Returns the ranges, ascending.
    pub fn spans(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.0.iter().map(|(first, last)| (*first, *last))
    }

    /// Returns what of `first ..= last` is not in it, as ranges.
    pub fn missing(&self, first: u32, last: u32) -> Vec<(u32, u32)> {
        let mut missing = Vec::new();
        let mut next = Some(first);
        let before = self.0.range(..=first).next_back().map_or(first, |(start, _)| *start);
        for (&start, &end) in self.0.range(before..=last) {
            let Some(from) = next.filter(|next| end >= *next) else { continue };
            if from < start {
                missing.push((from, start - 1));
            }
            next = end.checked_add(1);
        }
        missing.extend(next.filter(|next| *next <= last).map(|next| (next, last)));
        missing
    }

    /// Returns what of `first ..= last` is in it, as ranges.
    pub fn within(&self, first: u32, last: u32) -> Vec<(u32, u32)> {
        let before = self.0.range(..=first).next_back().map_or(first, |(start, _)| *start);
        let touched = self.0.range(before..=last).filter(|(_, end)| **end >= first);
        touched.map(|(start, end)| (first.max(*start), last.min(*end))).collect()
    }

    /// Returns the greatest number; 0 where there is none.
    pub fn last(&self) -> u32 {
        self.0.last_key_value().map_or(0, |(_, last)| *last)
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn write(&self, to: &mut Writer) {
        to.u32(u32::try_from(self.0.len()).expect("as many ranges do not fit into memory"));
        self.spans().for_each(|(first, last)| _ = to.u32(first).u32(last));
    }

    /// Reads what this node itself stored.
    pub(super) fn read(from: &mut Reader<'_>) -> Result<Ranges, DecodeError> {
        let mut ranges = Ranges::default();
        for _ in 0..from.u32()? {
            let (first, last) = (from.u32()?, from.u32()?);
            if first > last {
                return Err(DecodeError::Value);
            }
            ranges.insert_range(first, last);
        }
        Ok(ranges)
    }
}

/// A set of messages of one conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ids(BTreeMap<Pen, Ranges>);

impl Ids {
    /// Adds one. True when it was not in it.
    pub fn insert(&mut self, id: MessageId) -> bool {
        self.0.entry(id.pen).or_default().insert(id.number)
    }

    /// Adds all of a pen from `first` to `last`.
    pub fn insert_range(&mut self, pen: Pen, first: u32, last: u32) {
        self.0.entry(pen).or_default().insert_range(first, last);
    }

    /// Takes one out.
    pub fn remove(&mut self, id: MessageId) {
        if let Some(ranges) = self.0.get_mut(&id.pen) {
            ranges.remove(id.number);
            if ranges.is_empty() {
                self.0.remove(&id.pen);
            }
        }
    }

    /// Whether one is in it.
    pub fn contains(&self, id: MessageId) -> bool {
        self.0.get(&id.pen).is_some_and(|ranges| ranges.contains(id.number))
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the ranges of all pens, ascending.
    pub fn spans(&self) -> impl Iterator<Item = (Pen, u32, u32)> + '_ {
        self.0.iter().flat_map(|(pen, ranges)| ranges.spans().map(|(first, last)| (*pen, first, last)))
    }

    /// Returns the ranges of one pen, ascending.
    pub fn spans_of(&self, pen: Pen) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.0.get(&pen).into_iter().flat_map(Ranges::spans)
    }

    /// Returns all of them, ascending. A remote end can name four billion in a few bytes: take no more than are wanted.
    pub fn iter(&self) -> impl Iterator<Item = MessageId> + '_ {
        self.spans().flat_map(|(pen, first, last)| (first..=last).map(move |number| MessageId { pen, number }))
    }

    /// Writes all of it, to be stored.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut to = Writer::new();
        self.spans().for_each(|(pen, first, last)| _ = to.fixed(&pen.0).u32(first).u32(last));
        to.finish()
    }

    /// Reads what [`Ids::encode`] wrote.
    pub(super) fn decode(bytes: &[u8]) -> Result<Ids, DecodeError> {
        let (mut from, mut ids) = (Reader::new(bytes), Ids::default());
        while from.left() > 0 {
            let (pen, first, last) = (Pen(from.fixed()?), from.u32()?, from.u32()?);
            if first == 0 || first > last {
                return Err(DecodeError::Value);
            }
            ids.insert_range(pen, first, last);
        }
        Ok(ids)
    }

    /// Cuts the set into ones that fit into an item each.
    pub fn pages(&self) -> Vec<Ids> {
        let spans: Vec<_> = self.spans().collect();
        spans.chunks(MAX_SPANS).map(|spans| spans.iter().copied().collect()).collect()
    }

    /// Adds it to what is written: at most [`MAX_SPANS`] ranges, which [`Ids::pages`] sees to.
    pub fn write(&self, to: &mut Writer) {
        let spans: Vec<_> = self.spans().take(MAX_SPANS).collect();
        to.u16(spans.len() as u16);
        for (pen, first, last) in spans {
            to.fixed(&pen.0).u32(first).u32(last);
        }
    }

    /// Reads what [`Ids::write`] wrote: ascending ranges that do not touch, none empty.
    pub fn read(from: &mut Reader<'_>) -> Result<Ids, DecodeError> {
        let count = usize::from(from.u16()?);
        if count > MAX_SPANS {
            return Err(DecodeError::Limit);
        }
        let mut ids = Ids::default();
        let mut before: Option<(Pen, u32)> = None;
        for _ in 0..count {
            let (pen, first, last) = (Pen(from.fixed()?), from.u32()?, from.u32()?);
            let follows = before.is_none_or(|(other, end)| match other.cmp(&pen) {
                std::cmp::Ordering::Less => true,
                std::cmp::Ordering::Equal => end < first.saturating_sub(1),
                std::cmp::Ordering::Greater => false,
            });
            if first == 0 || first > last || !follows {
                return Err(DecodeError::Value);
            }
            ids.insert_range(pen, first, last);
            before = Some((pen, last));
        }
        Ok(ids)
    }
}

impl FromIterator<MessageId> for Ids {
    fn from_iter<I: IntoIterator<Item = MessageId>>(all: I) -> Ids {
        let mut ids = Ids::default();
        all.into_iter().for_each(|id| _ = ids.insert(id));
        ids
    }
}

impl FromIterator<(Pen, u32, u32)> for Ids {
    fn from_iter<I: IntoIterator<Item = (Pen, u32, u32)>>(all: I) -> Ids {
        let mut ids = Ids::default();
        all.into_iter().for_each(|(pen, first, last)| ids.insert_range(pen, first, last));
        ids
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_greatest_numbers_are_numbers_too() {
        let mut ranges = Ranges::default();
        ranges.insert_range(u32::MAX - 1, u32::MAX);
        assert_eq!(ranges.missing(1, u32::MAX), [(1, u32::MAX - 2)]);
        ranges.insert_range(1, u32::MAX);
        assert_eq!(ranges.spans().collect::<Vec<_>>(), [(1, u32::MAX)]);
        assert_eq!(ranges.missing(1, u32::MAX), []);
        ranges.remove(u32::MAX);
        assert_eq!(ranges.last(), u32::MAX - 1);
    }

    #[test]
    fn ranges_are_read_in_the_one_way_only() {
        let pen = |byte| Pen([byte; 8]);
        let read = |spans: &[(Pen, u32, u32)]| {
            let mut writer = Writer::new();
            writer.u16(spans.len() as u16);
            spans.iter().for_each(|(pen, first, last)| _ = writer.fixed(&pen.0).u32(*first).u32(*last));
            Ids::read(&mut Reader::new(&writer.finish()))
        };
        assert!(read(&[(pen(1), 1, 2), (pen(1), 4, 4), (pen(2), 1, 1)]).is_ok());
        for bad in [
            &[(pen(1), 0, 2)][..],
            &[(pen(1), 2, 1)],
            &[(pen(1), 1, 2), (pen(1), 3, 4)],
            &[(pen(1), 1, 2), (pen(1), 2, 4)],
            &[(pen(2), 1, 1), (pen(1), 1, 1)],
        ] {
            assert_eq!(read(bad), Err(DecodeError::Value), "{bad:?}");
        }
        let many: Vec<_> = (0..=MAX_SPANS as u32).map(|i| (pen(1), 2 * i + 1, 2 * i + 1)).collect();
        assert_eq!(read(&many), Err(DecodeError::Limit));
        let ids: Ids = many.into_iter().collect();
        assert_eq!(Ids::decode(&ids.encode()).as_ref(), Ok(&ids), "what is stored has no limit");
        assert_eq!(ids.pages().iter().map(|page| page.spans().count()).collect::<Vec<_>>(), [MAX_SPANS, 1]);
    }

    proptest! {
        #[test]
        fn ranges_are_as_good_as_a_set(steps in proptest::collection::vec((any::<bool>(), 1u32..40, 0u32..6), 0..60)) {
            let (mut ranges, mut set) = (Ranges::default(), BTreeSet::new());
            for (put, first, more) in steps {
                if put {
                    ranges.insert_range(first, first + more);
                    set.extend(first..=first + more);
                } else {
                    ranges.remove(first);
                    set.remove(&first);
                }
            }
            for number in 1..50 {
                prop_assert_eq!(ranges.contains(number), set.contains(&number));
            }
            let spans: Vec<_> = ranges.spans().collect();
            prop_assert!(spans.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0), "they do not touch: {:?}", spans);
            let missing: Vec<u32> = ranges.missing(5, 30).into_iter().flat_map(|(first, last)| first..=last).collect();
            prop_assert_eq!(missing, (5..=30).filter(|number| !set.contains(number)).collect::<Vec<_>>());
            let within: Vec<u32> = ranges.within(5, 30).into_iter().flat_map(|(first, last)| first..=last).collect();
            prop_assert_eq!(within, (5..=30).filter(|number| set.contains(number)).collect::<Vec<_>>());
            prop_assert_eq!(ranges.last(), set.last().copied().unwrap_or(0));
            let mut writer = Writer::new();
            ranges.write(&mut writer);
            prop_assert_eq!(Ranges::read(&mut Reader::new(&writer.finish())), Ok(ranges));
        }
    }
}
