//! Encrypted handshakes over a connected stream: carries bytes between it and the state machines of `wire::mse`.

use std::io;

use metainfo::InfoHashV1;
use net::Stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use torrent_proto::wire::mse::{Agreed, Initiator, Methods, ObfuscatedName, Output, PrivateKey, Responder};

use super::HandshakeError;
use crate::peer::channel::Channel;

/// How many bytes are read at once. A handshake's flights have some 1,700 at most.
const READ_LEN: usize = 2048;

/// Opens an encrypted stream about the torrent `name`; `payload` is the beginning of what we say on it.
pub(super) async fn open(
    mut stream: Stream,
    name: InfoHashV1,
    offer: Methods,
    payload: &[u8],
) -> Result<Channel, HandshakeError> {
    let (key, rng) = draw()?;
    let mut machine = Initiator::new(key, name, offer, payload, rng);
    let mut bytes = [0; READ_LEN];
    let agreed = loop {
        match machine.poll_output() {
            Some(Output::Send(bytes)) => stream.write_all(&bytes).await?,
            Some(Output::Done(agreed)) => break agreed,
            Some(Output::Failed(error)) => return Err(error.into()),
            // An initiator does not ask.
            Some(Output::Find(_)) => {}
            None => machine.handle(read(&mut stream, &mut bytes).await?),
        }
    };
    let Agreed { ciphers, early, .. } = *agreed;
    Ok(Channel::encrypted(stream, ciphers, early))
}

/// Answers a peer that began with `first`; returns the torrent's name and the stream.
pub(super) async fn answer(
    mut stream: Stream,
    accept: Methods,
    first: &[u8],
    find: impl Fn(ObfuscatedName) -> Option<InfoHashV1>,
) -> Result<(InfoHashV1, Channel), HandshakeError> {
    let (key, rng) = draw()?;
    let mut machine = Responder::new(key, accept, rng);
    machine.handle(first);
    let mut bytes = [0; READ_LEN];
    let agreed = loop {
        match machine.poll_output() {
            Some(Output::Send(bytes)) => stream.write_all(&bytes).await?,
            Some(Output::Find(name)) => machine.found(find(name)),
            Some(Output::Done(agreed)) => break agreed,
            Some(Output::Failed(error)) => return Err(error.into()),
            None => machine.handle(read(&mut stream, &mut bytes).await?),
        }
    };
    let Agreed { name, ciphers, early, .. } = *agreed;
    Ok((name, Channel::encrypted(stream, ciphers, early)))
}

async fn read<'a>(stream: &mut Stream, bytes: &'a mut [u8]) -> io::Result<&'a [u8]> {
    match stream.read(bytes).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        read => Ok(&bytes[..read]),
    }
}

/// Draws what has to be secret from the system; the padding need not be.
fn draw() -> io::Result<(PrivateKey, fastrand::Rng)> {
    let mut key = [0; 20];
    getrandom::fill(&mut key).map_err(|error| io::Error::other(error.to_string()))?;
    Ok((PrivateKey::new(key), fastrand::Rng::new()))
}
