//! A node's addresses as a signed record: BEP 44's mutable item under the node's own key, without a salt, whose value is
//! a DNS packet with TXT records at `_iroh.KEY`, as pkarr and iroh write it. Any iroh program reads ours, and we theirs.

use base::NodeId;
use iroh::address_lookup::{EndpointData, EndpointInfo};
use iroh::{SecretKey, TransportAddr};
use iroh_dns::pkarr::SignedPacket;
use net::dht::{Item, ItemName, Mutable, PublicKey};

use crate::hint::MAX_HINTS;

/// How long others may keep the record, in seconds: until the DHT is asked again. As short as iroh's own.
const TTL_S: u32 = 30;

/// Returns what to look for in the DHT.
pub(super) fn name(node: NodeId) -> ItemName {
    ItemName::Mutable { key: PublicKey(node.0), salt: Default::default() }
}

/// Signs as many of the addresses, from the first on, as fit. `None` if there is none, or the clock is before 1970.
pub(super) fn encode(secret: &SecretKey, addresses: &[TransportAddr]) -> Option<Item> {
    let mut count = addresses.len().min(MAX_HINTS);
    while count > 0 {
        let data = EndpointData::new(addresses[..count].to_vec());
        let info = EndpointInfo::from_parts(secret.public(), data);
        if let Some(item) = info.to_pkarr_signed_packet(secret, TTL_S).ok().and_then(|packet| item(&packet)) {
            return Some(item);
        }
        // Too long for the packet, or for the DHT.
        count -= 1;
    }
    None
}

/// Reads a record: its addresses, at most [`MAX_HINTS`], and when it was signed, in microseconds since 1970. `None` if it
/// is not of `node`, or in another format.
pub(super) fn decode(node: NodeId, item: &Item) -> Option<(Vec<TransportAddr>, u64)> {
    let Item::Mutable(item) = item else { return None };
    let seq = u64::try_from(item.seq()).ok()?;
    let (len, value) = split_string(item.value())?;
    debug_assert_eq!(len, value.len());
    let mut bytes = Vec::with_capacity(SignedPacket::MAX_BYTES);
    bytes.extend_from_slice(&node.0);
    bytes.extend_from_slice(item.signature());
    bytes.extend_from_slice(&seq.to_be_bytes());
    bytes.extend_from_slice(value);
    let packet = SignedPacket::from_bytes(&bytes).ok()?;
    let info = EndpointInfo::from_pkarr_signed_packet(&packet).ok()?;
    // The name inside is not bound to the key by the format.
    let own = info.endpoint_id.as_bytes() == &node.0;
    own.then(|| (info.addrs().take(MAX_HINTS).cloned().collect(), seq))
}

fn item(packet: &SignedPacket) -> Option<Item> {
    let value = packet.encoded_packet();
    let mut bencoded = format!("{}:", value.len()).into_bytes();
    bencoded.extend_from_slice(value);
    let key = PublicKey(*packet.public_key().as_bytes());
    let seq = i64::try_from(packet.timestamp().as_micros()).ok()?;
    Mutable::verify(key, Vec::new(), seq, bencoded, packet.signature().to_bytes()).ok().map(Item::Mutable)
}

/// Splits a bencoded string into its length and its bytes.
fn split_string(bencoded: &[u8]) -> Option<(usize, &[u8])> {
    let colon = bencoded.iter().position(|&byte| byte == b':')?;
    let len: usize = std::str::from_utf8(&bencoded[..colon]).ok()?.parse().ok()?;
    let value = &bencoded[colon + 1..];
    (value.len() == len).then_some((len, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use net::dht::{MAX_VALUE_LEN, SecretKey as DhtKey};

    fn addresses(count: u8) -> Vec<TransportAddr> {
        (0..count)
            .map(|i| TransportAddr::Ip(format!("[2001:db8:1111:2222:3333:4444:5555:{i}]:40001").parse().unwrap()))
            .collect()
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let secret = SecretKey::from_bytes(&[7; 32]);
        let node = NodeId(*secret.public().as_bytes());
        let mut written = addresses(3);
        written.push(TransportAddr::Relay("https://192.0.2.1:3340/#yyy".parse().unwrap()));
        let item = encode(&secret, &written).unwrap();
        let (mut read, at) = decode(node, &item).unwrap();
        read.sort();
        written.sort();
        assert_eq!(read, written);
        assert!(at > 1_600_000_000_000_000, "microseconds");
        assert_eq!(item.name(), name(node));
        assert!(decode(NodeId([9; 32]), &item).is_none(), "another's");
    }

    #[test]
    fn what_does_not_fit_is_left_out_from_the_end() {
        let secret = SecretKey::from_bytes(&[7; 32]);
        let node = NodeId(*secret.public().as_bytes());
        let long: Vec<_> = (0..9)
            .map(|i| TransportAddr::Relay(format!("https://{i}{}.example/", "a".repeat(150)).parse().unwrap()))
            .collect();
        let item = encode(&secret, &long).unwrap();
        assert!(item.value().len() <= MAX_VALUE_LEN);
        let (read, _) = decode(node, &item).unwrap();
        assert!((2..9).contains(&read.len()) && read.contains(&long[0]), "{}", read.len());
        assert!(encode(&secret, &[]).is_none());
    }

    #[test]
    fn what_is_no_record_is_refused() {
        let key = DhtKey::from_bytes(&[7; 32]);
        let node = NodeId(key.public().0);
        for value in [&b"4:spam"[..], b"i7e", b"0:", b"de"] {
            let item = Item::Mutable(Mutable::sign(&key, Vec::new(), 1, value.to_vec()).unwrap());
            assert!(decode(node, &item).is_none());
        }
    }
}
