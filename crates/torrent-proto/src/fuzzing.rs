//! The bodies of the fuzz targets: each takes arbitrary bytes and panics where a promise of a decoder is broken. The
//! property tests below drive them too, so that they cannot rot.

use base::Now;
use bytes::{Bytes, BytesMut};
use metainfo::InfoHashV1;

use crate::lsd;
use crate::tracker::udp::{Answer, Client, Family, Input, Output, Request, RequestId, Task};
use crate::tracker::{MAX_PEERS, TrackerError, TrackerUrl, http};
use crate::wire::{
    Handshake, LOCAL_IDS, MAX_FRAME_LEN, MAX_PEX, Message, decode, encode, frame_len, mse, piece_header, split_frame,
};

/// A stream of frames is split and read; what was understood means the same when it is said again.
pub fn wire_frames(data: &[u8]) {
    let mut stream = BytesMut::from(data);
    while let Ok(Some(length)) = split_frame(&stream) {
        assert!(length <= MAX_FRAME_LEN);
        assert_eq!(frame_len(&stream[..length.min(5)]), Ok(Some(length)));
        let _ = piece_header(&stream);
        let Ok(message) = decode(stream.split_to(length).freeze()) else { return };
        let mut again = Vec::new();
        encode(&message, &LOCAL_IDS, &mut again);
        if let Message::Pex(pex) = &message {
            assert!(pex.added.len() <= MAX_PEX && pex.dropped.len() <= MAX_PEX);
        }
        if !again.is_empty() {
            assert_eq!(decode(Bytes::from(again)), Ok(message));
        }
    }
}

/// The body of a PEX message, as it lies behind the extended id.
pub fn pex(data: &[u8]) {
    extended(LOCAL_IDS.pex, data);
}

/// The body of a hole punching message, as it lies behind the extended id.
pub fn holepunch(data: &[u8]) {
    extended(LOCAL_IDS.holepunch, data);
}

/// An extension handshake, as it lies behind the extended id.
pub fn extension_handshake(data: &[u8]) {
    extended(0, data);
}

/// Reads a body under an extended id, from the frame that brings it.
fn extended(id: u8, body: &[u8]) {
    let length = body.len() as u32 + 2;
    wire_frames(&[&length.to_be_bytes()[..], &[20, id], body].concat());
}

/// The first bytes of a connection.
pub fn handshake(data: &[u8]) {
    let Some(bytes) = data.first_chunk::<{ Handshake::LEN }>() else { return };
    let Ok(handshake) = Handshake::decode(bytes) else { return };
    assert!((0..=bytes.len()).all(|length| Handshake::may_begin(&bytes[..length])));
    assert_eq!(Handshake::decode(&handshake.encode()), Ok(handshake));
}

/// Both ends of an encrypted handshake, fed by a stranger: each ends at most once and says nothing after it. Some of
/// what is fed is made of a true handshake, with bytes changed and cut, so that the later stages are seen too.
pub fn mse(data: &[u8]) {
    const NAME: InfoHashV1 = InfoHashV1([7; 20]);
    let Some((&[methods, seed, step, at, change], rest)) = data.split_first_chunk() else { return };
    let offer = mse::Methods { plaintext: methods & 1 != 0, rc4: methods & 2 != 0 };
    let accept = mse::Methods { plaintext: methods & 4 != 0, rc4: methods & 8 != 0 };
    let rng = || fastrand::Rng::with_seed(seed.into());
    let mut initiator = mse::Initiator::new(mse::PrivateKey::new([seed; 20]), NAME, offer, rest, rng());
    let mut responder = mse::Responder::new(mse::PrivateKey::new([!seed; 20]), accept, rng());
    let (mut to_initiator, mut to_responder) = (Vec::new(), Vec::new());
    let (mut ends, mut position) = ([0, 0], 0);
    for _ in 0..8 {
        while let Some(output) = initiator.poll_output() {
            assert_eq!(ends[0], 0);
            match output {
                mse::Output::Send(bytes) => to_responder.extend(bytes),
                mse::Output::Find(_) => panic!("an initiator knows its torrent"),
                mse::Output::Done(agreed) => {
                    assert_eq!(agreed.ciphers.is_some(), agreed.method == mse::Method::Rc4);
                    ends[0] += 1;
                }
                mse::Output::Failed(_) => ends[0] += 1,
            }
        }
        if methods & 16 != 0 && to_responder.len() <= rest.len() {
            to_responder.extend(rest);
        }
        for chunk in std::mem::take(&mut to_responder).chunks_mut(usize::from(step).max(1) * 8) {
            // Changes one byte of what goes to and fro.
            if (position..position + chunk.len()).contains(&(usize::from(at) * 4)) {
                chunk[usize::from(at) * 4 - position] ^= change;
            }
            position += chunk.len();
            responder.handle(chunk);
            while let Some(output) = responder.poll_output() {
                assert_eq!(ends[1], 0);
                match output {
                    mse::Output::Send(bytes) => to_initiator.extend(bytes),
                    mse::Output::Find(name) => {
                        responder.found((name == mse::obfuscated_name(NAME)).then_some(NAME));
                    }
                    mse::Output::Done(_) | mse::Output::Failed(_) => ends[1] += 1,
                }
            }
        }
        if methods & 32 != 0 && to_initiator.len() <= rest.len() {
            to_initiator.extend(rest);
        }
        std::mem::take(&mut to_initiator).chunks(usize::from(step).max(1) * 8).for_each(|c| initiator.handle(c));
    }
}

/// Answers of HTTP trackers: bounded, and without anything that a terminal would obey.
pub fn tracker_http(data: &[u8]) {
    match http::parse_announce(data) {
        Ok(response) => {
            assert!(response.peers.len() <= MAX_PEERS);
            assert!(!response.warning.is_some_and(|text| text.chars().any(char::is_control)));
        }
        Err(TrackerError::Refused { reason, .. }) => assert!(!reason.chars().any(char::is_control)),
        Err(_) => {}
    }
    let asked = [InfoHashV1([0; 20]), InfoHashV1([b'x'; 20])];
    if let Ok(scrape) = http::parse_scrape(data, &asked) {
        assert!(scrape.entries.len() <= asked.len());
    }
}

/// Announces of local service discovery; one that is read means the same when it is said again.
pub fn lsd(data: &[u8]) {
    let Ok(announce) = lsd::Announce::decode(data) else { return };
    assert!(announce.port != 0 && (1..=lsd::MAX_INFO_HASHES).contains(&announce.info_hashes.len()));
    for group in [lsd::Group::V4, lsd::Group::V6] {
        assert_eq!(lsd::Announce::decode(&announce.encode(group)), Ok(announce.clone()));
    }
}

/// UDP tracker packets, as a client and as a tracker read them; a client that is sent anything ends a request once.
pub fn tracker_udp(data: &[u8]) {
    for family in [Family::V4, Family::V6] {
        if let Ok(answer) = Answer::decode(data, family) {
            assert!(Answer::decode(&answer.encode(family), family).is_ok());
        }
    }
    if let Ok(request) = Request::decode(data) {
        assert_eq!(Request::decode(&request.encode()), Ok(request));
    }

    let now = Now::default();
    let to = core::net::SocketAddr::from(([192, 0, 2, 1], 1));
    let mut client = Client::new(fastrand::Rng::with_seed(0));
    let task = Task::Scrape { info_hashes: vec![InfoHashV1([0; 20])] };
    client.handle(now, Input::Ask { id: RequestId(0), to, task });
    for packet in data.chunks(64) {
        client.handle(now, Input::Received { from: to, packet });
    }
    let ends = std::iter::from_fn(|| client.poll_output()).filter(|output| !matches!(output, Output::Send { .. }));
    assert!(ends.count() <= 1);
}

/// Tracker addresses, from torrent files and magnets.
pub fn tracker_url(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(url) = text.parse::<TrackerUrl>() else { return };
    assert!(!url.as_str().chars().any(|c| c.is_control() || c.is_whitespace()));
    assert_eq!(url.as_str().parse::<TrackerUrl>().as_ref(), Ok(&url));
    assert!(url.as_str().starts_with(url.public().split("://").next().unwrap_or_default()));
    let _ = http::scrape_url(&url, &[InfoHashV1([0; 20])]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Puts `data` where a decoder looks deeper: behind a frame's length and id, a packet's action, a dictionary's key.
    fn shaped(id: u8, extended: u8, key: &str, data: &[u8]) -> Vec<Vec<u8>> {
        let frame = |body: &[u8]| [&(body.len() as u32).to_be_bytes()[..], body].concat();
        let text = format!("d{}:{key}{}:", key.len(), data.len());
        let action = [0, 0, 0, extended];
        vec![
            data.to_vec(),
            frame(&[&[id][..], data].concat()),
            frame(&[&[20, extended][..], data].concat()),
            [text.as_bytes(), data, b"e"].concat(),
            [&action[..], data].concat(),
            [&[0, 0, 4, 0x17, 0x27, 0x10, 0x19, 0x80][..], &action, data].concat(),
            [crate::wire::PROTOCOL.as_slice(), data, &[0; 48]].concat(),
            [b"udp://", data].concat(),
        ]
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_break_no_promise(
            id in 0_u8..30, extended in 0_u8..7,
            key in "peers6?|added6?|dropped6?|interval|external ip|retry in|failure reason|files|m|msg_type",
            data in any::<Vec<u8>>(),
        ) {
            // Once: each costs four exponentiations.
            mse(&data);
            for data in shaped(id, extended, &key, &data) {
                wire_frames(&data);
                handshake(&data);
                pex(&data);
                holepunch(&data);
                extension_handshake(&data);
                tracker_http(&data);
                tracker_udp(&data);
                tracker_url(&data);
            }
        }

        #[test]
        fn arbitrary_tracker_urls_break_no_promise(text in "(http|udp|HTTPS|x)?(://)?[a-z@:\\[\\]/?#. 0-9\u{fffd}]{0,40}") {
            tracker_url(text.as_bytes());
        }
    }
}
