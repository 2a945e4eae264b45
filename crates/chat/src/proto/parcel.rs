//! What is sealed for one node: items in order, up to where theirs were taken, and what is only worth telling now.

use base::NodeId;
use people::proto::codec::{DecodeError, Reader, Writer};

use super::card::MAX_CARD;
use super::cipher::MAX_PARCEL;
use super::id::Conversation;
use super::item::{MAX_ITEM, NOTHING};

/// How many bytes of items go together; a single one may be longer. Arbitrary: what is around them fits below
/// [`MAX_PARCEL`].
pub const MAX_PARCEL_ITEMS: usize = 48 << 10;

/// How many bytes an item takes beside its own.
pub const ITEM_OVERHEAD: usize = 4;

/// How many things are told along with the items at most. Arbitrary.
pub const MAX_TELLS: usize = 8;

/// How many nodes are asked about at once. Arbitrary.
pub const MAX_WANTED_CARDS: usize = 32;

/// How many cards go together. Arbitrary.
pub const MAX_CARDS: usize = 4;

/// The version that stands first. There is one.
const VERSION: u8 = 1;

/// What is sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// Which count the numbers are of: drawn when the sender made the channel.
    pub incarnation: u64,
    /// The least number that the sender still has: what is before does not come any more.
    pub oldest: u64,
    /// The number of the first item, or of the next one to come where there is none.
    pub first: u64,
    /// The items, each as `Item` writes it.
    pub items: Vec<Vec<u8>>,
    /// Up to where the recipient's items were taken.
    pub ack: Option<Ack>,
    /// What is told, and lost when this is.
    pub tells: Vec<Tell>,
}

/// Up to where somebody's items were taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack {
    /// Which count of theirs.
    pub incarnation: u64,
    /// All numbers to this one.
    pub taken: u64,
    /// Whether something of theirs could not be opened: what follows has to be sent again.
    pub lost: bool,
}

/// What is only worth telling now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tell {
    /// The user writes something there, or stopped.
    Typing(Conversation, bool),
    /// The cards of these nodes are missing here.
    WantCards(Vec<NodeId>),
    /// Cards that were missing there.
    Cards(Vec<Vec<u8>>),
}

impl Parcel {
    /// Writes it.
    pub fn encode(&self) -> Vec<u8> {
        let mut to = Writer::new();
        to.u8(VERSION).u64(self.incarnation).u64(self.oldest).u64(self.first);
        to.u8(match self.ack {
            None => 0,
            Some(Ack { lost: false, .. }) => 1,
            Some(Ack { lost: true, .. }) => 2,
        });
        if let Some(ack) = self.ack {
            to.u64(ack.incarnation).u64(ack.taken);
        }
        to.u16(u16::try_from(self.items.len()).expect("MAX_PARCEL_ITEMS bounds it"));
        self.items.iter().for_each(|item| _ = to.bytes(item));
        to.u8(u8::try_from(self.tells.len()).expect("MAX_TELLS bounds it"));
        self.tells.iter().for_each(|tell| tell.write(&mut to));
        to.finish()
    }

    /// Reads what [`Parcel::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Parcel, DecodeError> {
        if bytes.len() > MAX_PARCEL {
            return Err(DecodeError::Limit);
        }
        let mut from = Reader::new(bytes);
        if from.u8()? != VERSION {
            return Err(DecodeError::Value);
        }
        let (incarnation, oldest, first) = (from.u64()?, from.u64()?, from.u64()?);
        let ack = match from.u8()? {
            0 => None,
            kind @ (1 | 2) => Some(Ack { incarnation: from.u64()?, taken: from.u64()?, lost: kind == 2 }),
            _ => return Err(DecodeError::Value),
        };
        let items = (0..from.u16()?).map(|_| Ok(from.bytes(MAX_ITEM)?.to_vec())).collect::<Result<Vec<_>, _>>()?;
        // Numbers begin at 1 and never come to the end of what 64 bits count.
        if oldest == 0 || first < oldest || first.checked_add(items.len() as u64).is_none() {
            return Err(DecodeError::Value);
        }
        let tells = usize::from(from.u8()?);
        if tells > MAX_TELLS {
            return Err(DecodeError::Limit);
        }
        let tells = (0..tells).map(|_| Tell::read(&mut from)).collect::<Result<Vec<_>, _>>()?;
        from.finish()?;
        Ok(Parcel { incarnation, oldest, first, items, ack, tells })
    }
}

impl Tell {
    fn write(&self, to: &mut Writer) {
        match self {
            Tell::Typing(conversation, on) => conversation.write(to.u8(if *on { 2 } else { 1 })),
            Tell::WantCards(nodes) => {
                to.u8(3).u8(u8::try_from(nodes.len()).expect("MAX_WANTED_CARDS bounds it"));
                nodes.iter().for_each(|node| _ = to.fixed(&node.0));
            }
            Tell::Cards(cards) => {
                to.u8(4).u8(u8::try_from(cards.len()).expect("MAX_CARDS bounds it"));
                cards.iter().for_each(|card| _ = to.bytes(card));
            }
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Tell, DecodeError> {
        Ok(match from.u8()? {
            kind @ (1 | 2) => Tell::Typing(Conversation::read(from)?, kind == 2),
            3 => {
                let count = limited(from.u8()?, MAX_WANTED_CARDS)?;
                Tell::WantCards((0..count).map(|_| from.fixed().map(NodeId)).collect::<Result<_, _>>()?)
            }
            4 => {
                let count = limited(from.u8()?, MAX_CARDS)?;
                let cards = (0..count).map(|_| Ok(from.bytes(MAX_CARD)?.to_vec()));
                Tell::Cards(cards.collect::<Result<_, DecodeError>>()?)
            }
            _ => return Err(DecodeError::Value),
        })
    }
}

fn limited(count: u8, limit: usize) -> Result<usize, DecodeError> {
    let count = usize::from(count);
    if count > limit { Err(DecodeError::Limit) } else { Ok(count) }
}

const _: () = {
    let around = 1 + 3 * 8 + 1 + 2 * 8 + 2 + 1;
    assert!(around + ITEM_OVERHEAD + MAX_ITEM <= MAX_PARCEL, "the longest item fits");
    assert!(around + MAX_PARCEL_ITEMS + 1 + 1 + MAX_WANTED_CARDS * 32 <= MAX_PARCEL);
    assert!(NOTHING.len() == 1);
};

#[cfg(test)]
mod tests {
    use super::*;
    use base::PersonId;

    fn parcel() -> Parcel {
        let typing = Tell::Typing(Conversation::between(PersonId([1; 32]), PersonId([2; 32])), true);
        Parcel {
            incarnation: 7,
            oldest: 2,
            first: 3,
            items: vec![NOTHING.to_vec(), vec![1; 9]],
            ack: Some(Ack { incarnation: 8, taken: 9, lost: true }),
            tells: vec![typing, Tell::WantCards(vec![NodeId([3; 32])]), Tell::Cards(vec![vec![4; 5]])],
        }
    }

    #[test]
    fn parcels_come_back_as_they_went() {
        let plain = Parcel { ack: None, items: Vec::new(), tells: Vec::new(), ..parcel() };
        for parcel in [parcel(), plain] {
            let bytes = parcel.encode();
            assert!((0..bytes.len()).all(|cut| Parcel::decode(&bytes[..cut]).is_err()), "cut");
            assert!(Parcel::decode(&[&bytes[..], &[0]].concat()).is_err(), "lengthened");
            assert_eq!(Parcel::decode(&bytes), Ok(parcel));
        }
    }

    #[test]
    fn numbers_that_nobody_counts_to_are_refused() {
        for (oldest, first) in [(0, 1), (3, 2), (1, u64::MAX - 1)] {
            let bytes = Parcel { oldest, first, ..parcel() }.encode();
            assert_eq!(Parcel::decode(&bytes), Err(DecodeError::Value), "{oldest} {first}");
        }
        let last = Parcel { first: u64::MAX - 2, ..parcel() };
        assert_eq!(Parcel::decode(&last.encode()), Ok(last));
    }

    #[test]
    fn no_more_is_told_than_may_be() {
        let many = Parcel { tells: vec![Tell::Cards(Vec::new()); MAX_TELLS + 1], ..parcel() };
        assert_eq!(Parcel::decode(&many.encode()), Err(DecodeError::Limit));
        let many = Parcel { tells: vec![Tell::WantCards(vec![NodeId([1; 32]); MAX_WANTED_CARDS + 1])], ..parcel() };
        assert_eq!(Parcel::decode(&many.encode()), Err(DecodeError::Limit));
        let long = Parcel { items: vec![vec![0; MAX_ITEM + 1]], ..parcel() };
        assert_eq!(Parcel::decode(&long.encode()), Err(DecodeError::Limit));
    }
}
