//! Two ends of an encrypted connection, one of which reads slowly or not at all.

use super::*;
use metainfo::InfoHashV1;
use tokio::net::{TcpListener, TcpStream};
use torrent_proto::wire::mse::{Initiator, Methods, Output, PrivateKey, Responder};

async fn streams() -> (Stream, Stream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dial = TcpStream::connect(listener.local_addr().unwrap());
    let (dialled, accepted) = tokio::join!(dial, listener.accept());
    (Stream::tcp(dialled.unwrap()), Stream::tcp(accepted.unwrap().0))
}

/// The ciphers of both ends, as a handshake leaves them.
fn ciphers() -> (Box<Ciphers>, Box<Ciphers>) {
    let (name, rng) = (InfoHashV1([1; 20]), || fastrand::Rng::with_seed(1));
    let mut alice = Initiator::new(PrivateKey::new([1; 20]), name, Methods::RC4, b"", rng());
    let mut bob = Responder::new(PrivateKey::new([2; 20]), Methods::RC4, rng());
    let (mut alices, mut bobs) = (None, None);
    while alices.is_none() || bobs.is_none() {
        while let Some(output) = alice.poll_output() {
            match output {
                Output::Send(bytes) => bob.handle(&bytes),
                Output::Done(agreed) => alices = agreed.ciphers,
                other => panic!("{other:?}"),
            }
        }
        while let Some(output) = bob.poll_output() {
            match output {
                Output::Send(bytes) => alice.handle(&bytes),
                Output::Find(_) => bob.found(Some(name)),
                Output::Done(agreed) => bobs = agreed.ciphers,
                other => panic!("{other:?}"),
            }
        }
    }
    (alices.unwrap(), bobs.unwrap())
}

#[tokio::test]
async fn what_was_taken_arrives_whole_through_a_full_socket() {
    let (alice, bob) = streams().await;
    let (alices, bobs) = ciphers();
    let mut alice = Channel::encrypted(alice, Some(alices), Vec::new());
    let mut bob = Channel::encrypted(bob, Some(bobs), Vec::new());
    let text: Vec<u8> = (0..20_000_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let (mut taken, mut full) = (0, 0);
    let mut heard = Vec::new();
    let mut buffer = vec![0; 300_000];
    while heard.len() < text.len() {
        // Alice says what she can until there is no room, in uneven parts.
        while taken < text.len() {
            let end = text.len().min(taken + 1 + taken % 200_000);
            let middle = taken + (end - taken) / 3;
            let slices = [IoSlice::new(&text[taken..middle]), IoSlice::new(&text[middle..end])];
            match alice.try_write(&slices) {
                Ok(written) => taken += written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    full += 1;
                    assert!(alice.has_staged());
                    break;
                }
                Err(error) => panic!("{error}"),
            }
            assert!(alice.rc4.as_ref().unwrap().staged.len() <= STAGE_LEN);
        }
        tokio::select! {
            ready = bob.readable() => ready.unwrap(),
            ready = alice.writable(), if taken < text.len() || alice.has_staged() => ready.unwrap(),
        }
        match bob.try_read(&mut buffer) {
            Ok(read) => heard.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => panic!("{error}"),
        }
        if taken == text.len() && alice.has_staged() {
            match alice.flush() {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => panic!("{error}"),
            }
        }
    }
    assert!(heard == text);
    assert!(full > 0, "the socket was never full: nothing was tested");
    assert!(!alice.has_staged() && alice.rc4.unwrap().staged.capacity() == 0, "no memory is held for nothing");
}

#[tokio::test]
async fn in_the_clear_nothing_is_staged() {
    let (alice, bob) = streams().await;
    let (mut alice, mut bob) = (Channel::from(alice), Channel::from(bob));
    let text = vec![7; 100_000];
    while alice.try_write(&[IoSlice::new(&text)]).is_ok() {
        assert!(!alice.has_staged());
    }
    assert_eq!(alice.flush().unwrap(), 0);
    bob.readable().await.unwrap();
    let mut buffer = [0; 10];
    assert_eq!(bob.try_read(&mut buffer).unwrap(), 10);
    assert_eq!(buffer, [7; 10]);
    assert_eq!((alice.encryption(), bob.encryption()), (PeerEncryption::None, PeerEncryption::None));
}
