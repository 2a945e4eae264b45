//! Arbitrary bytes as what is sealed, and as what goes over a stream.

use crate::proto::{Conversation, Frame, Item, MAX_FRAME, MAX_ITEM, MAX_MESSAGE_LEN, MAX_PARCEL, Message, Parcel};

/// What can be read as a frame is written in one way, within the limits.
pub fn frame(data: &[u8]) {
    if let Some(frame) = Frame::decode(data) {
        assert!(data.len() <= MAX_FRAME);
        assert_eq!(frame.encode(), data);
    }
}

/// What can be read as a parcel is written in one way, within the limits; so are its items.
pub fn parcel(data: &[u8]) {
    if let Ok(parcel) = Parcel::decode(data) {
        assert!(data.len() <= MAX_PARCEL);
        assert_eq!(parcel.encode(), data);
        parcel.items.iter().for_each(|bytes| item(bytes));
    }
    item(data);
}

/// What can be read as a message or a conversation is written in one way, within the limits.
pub fn message(data: &[u8]) {
    if let Ok(message) = Message::decode(data) {
        assert!(data.len() <= MAX_MESSAGE_LEN);
        assert_eq!(message.encode(), data);
        assert!(message.id.pen.is_of(message.author));
    }
    if let Ok(conversation) = Conversation::decode(data) {
        assert_eq!(conversation.encode(), data);
    }
}

fn item(data: &[u8]) {
    if let Ok(Some(item)) = Item::decode(data) {
        assert!(data.len() <= MAX_ITEM);
        assert_eq!(item.encode(), data);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{Ack, Body, Ids, MessageId, Pen, Tell};
    use base::{GroupId, NodeId, PersonId};
    use proptest::prelude::*;

    const ALICE: PersonId = PersonId([1; 32]);

    fn spoken(text: &str) -> Message {
        let id = |number| MessageId { pen: Pen::new(ALICE, [1; 3]), number };
        Message {
            conversation: Conversation::between(ALICE, PersonId([2; 32])),
            id: id(3),
            author: ALICE,
            time: 9,
            written: 10,
            after: vec![id(1), id(2)],
            expires_s: Some(60),
            body: Body::Text { text: text.to_owned(), answers: Some(id(1)) },
        }
    }

    /// One of each, from which a few bytes are changed.
    fn honest() -> Vec<Vec<u8>> {
        let room = Conversation::Room(GroupId([3; 32]), crate::proto::RoomName::main());
        let ids: Ids = [(Pen([1; 8]), 1, 2), (Pen([1; 8]), 4, 9)].into_iter().collect();
        let items = [
            Item::Message(Box::new(spoken("hello")), [[1; 5], [2; 5]].into()),
            Item::Ask(room.clone(), ids),
            Item::Card(vec![1; 9]),
        ];
        let items: Vec<_> = items.iter().map(Item::encode).collect();
        let tells = vec![Tell::Typing(room.clone(), true), Tell::WantCards(vec![NodeId([1; 32])])];
        let ack = Some(Ack { incarnation: 1, taken: 2, lost: false });
        let parcel = Parcel { incarnation: 5, oldest: 1, first: 2, items: items.clone(), ack, tells };
        let mut all = vec![spoken("hello").encode(), room.encode(), parcel.encode(), Frame::Card(b"card").encode()];
        all.extend(items);
        all
    }

    #[test]
    fn what_is_honest_is_read() {
        for bytes in honest() {
            let reads = Message::decode(&bytes).is_ok()
                || Conversation::decode(&bytes).is_ok()
                || Parcel::decode(&bytes).is_ok()
                || Item::decode(&bytes).is_ok()
                || Frame::decode(&bytes).is_some();
            assert!(reads);
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_break_no_promise(data in any::<Vec<u8>>()) {
            frame(&data);
            parcel(&data);
            message(&data);
        }

        #[test]
        fn honest_bytes_with_changes_break_no_promise(
            which in any::<prop::sample::Index>(),
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
            cut in any::<prop::sample::Index>(),
            cuts in any::<bool>(),
        ) {
            let mut data = which.get(&honest()).clone();
            for (at, byte) in changes {
                let at = at.index(data.len());
                data[at] = byte;
            }
            if cuts {
                data.truncate(cut.index(data.len()));
            }
            frame(&data);
            parcel(&data);
            message(&data);
        }
    }
}
