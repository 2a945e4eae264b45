//! The examples of BEP 5, to the byte where we would say the same; and what strangers may send.

use super::*;

const ASKER: Id = Id(*b"abcdefghij0123456789");
const ASKED: Id = Id(*b"mnopqrstuvwxyz123456");

fn query(method: Method<'_>) -> Query<'_> {
    Query { id: ASKER, read_only: false, want: Want::default(), method }
}

#[test]
fn the_queries_of_bep_5_are_understood() {
    let rows: [(&[u8], Method<'_>); 5] = [
        (b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe", Method::Ping),
        (
            b"d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456e1:q9:find_node1:t2:aa1:y1:qe",
            Method::FindNode { target: ASKED },
        ),
        (
            b"d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz123456e1:q9:get_peers1:t2:aa1:y1:qe",
            Method::GetPeers { info_hash: ASKED, no_seed: false, scrape: false },
        ),
        (
            b"d1:ad2:id20:abcdefghij012345678912:implied_porti1e9:info_hash20:mnopqrstuvwxyz1234564:porti6881e\
              5:token8:aoeusnthe1:q13:announce_peer1:t2:aa1:y1:qe",
            Method::AnnouncePeer { info_hash: ASKED, port: 6881, implied_port: true, seed: false, token: b"aoeusnth" },
        ),
        (
            b"d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456e1:q17:sample_infohashes1:t2:aa1:y1:qe",
            Method::Sample { target: ASKED },
        ),
    ];
    for (packet, method) in rows {
        let message = decode(packet).unwrap();
        assert_eq!(message.transaction, b"aa");
        assert_eq!(message.body, Body::Query(query(method.clone())));
        // Ours differ by the version alone.
        let ours = encode_query(b"aa", &query(method));
        let ours = String::from_utf8_lossy(&ours).replace("1:v4:CP\0\u{1}", "");
        assert_eq!(ours.as_bytes(), packet);
    }
}

#[test]
fn the_answers_of_bep_5_are_understood() {
    let pong = decode(b"d1:rd2:id20:mnopqrstuvwxyz123456e1:t2:aa1:y1:re").unwrap();
    assert_eq!(pong.body, Body::Response(Box::new(Response { id: Some(ASKED), ..Response::default() })));

    let peers =
        decode(b"d1:rd2:id20:abcdefghij01234567895:token8:aoeusnth6:valuesl6:axje.u6:idhtnmee1:t2:aa1:y1:re").unwrap();
    let Body::Response(response) = peers.body else { panic!("{peers:?}") };
    assert_eq!(response.token, Some(&b"aoeusnth"[..]));
    assert_eq!(response.values, ["97.120.106.101:11893".parse().unwrap(), "105.100.104.116:28269".parse().unwrap()]);

    // What the examples of BEP 5 abbreviate as "def456..." are no nodes.
    for packet in [
        &b"d1:rd2:id20:0123456789abcdefghij5:nodes9:def456...e1:t2:aa1:y1:re"[..],
        b"d1:rd2:id20:abcdefghij01234567895:nodes9:def456...5:token8:aoeusnthe1:t2:aa1:y1:re",
    ] {
        let nodes = decode(packet).unwrap();
        assert!(matches!(nodes.body, Body::Response(response) if response.id.is_some() && response.nodes.is_empty()));
    }

    let error = decode(b"d1:eli201e23:A Generic Error Ocurrede1:t2:aa1:y1:ee").unwrap();
    assert_eq!(error.body, Body::Error { code: 201, message: b"A Generic Error Ocurred" });
    let ours = encode_error(b"aa", 201, "A Generic Error Ocurred");
    assert_eq!(decode(&ours).unwrap().body, error.body);
}

#[test]
fn an_answer_says_what_was_put_into_it() {
    let node = |id, address: &str| NodeAddress { id: Id([id; 20]), address: address.parse().unwrap() };
    let mut seeds = Bloom::default();
    seeds.insert("192.0.2.1".parse().unwrap());
    let response = Response {
        id: Some(ASKED),
        nodes: vec![node(1, "192.0.2.1:1"), node(2, "192.0.2.2:2")],
        nodes6: vec![node(3, "[2001:db8::1]:3")],
        values: vec!["192.0.2.9:9".parse().unwrap(), "[2001:db8::9]:9".parse().unwrap()],
        token: Some(b"token"),
        blooms: Some(Box::new((seeds, Bloom::default()))),
        value: Some(b"d1:ai1ee"),
        key: Some([7; 32]),
        signature: Some([8; 64]),
        seq: Some(5),
        samples: Some(vec![Id([9; 20])]),
        num: Some(1),
        interval: Some(600),
    };
    let to = "198.51.100.1:5".parse().unwrap();
    let packet = encode_response(b"xy", Some(to), &response);
    assert!(metainfo::bencode::decode(&packet).unwrap().as_dict().unwrap().is_sorted());
    let message = decode(&packet).unwrap();
    assert_eq!((message.ip, message.transaction, message.version), (Some(to), &b"xy"[..], &VERSION[..]));
    assert_eq!(message.body, Body::Response(Box::new(response)));
}

#[test]
fn puts_are_written_with_their_keys_in_order() {
    let signed = Signed { key: [1; 32], signature: [2; 64], seq: 3, salt: b"salt", cas: Some(2) };
    let method = Method::Put { token: b"t", value: b"2:hi", signed: Some(signed) };
    let mut put = query(method);
    put.read_only = true;
    put.want = Want { v4: true, v6: true };
    let packet = encode_query(b"aa", &put);
    let value = metainfo::bencode::decode(&packet).unwrap();
    let dict = value.as_dict().unwrap();
    assert!(dict.is_sorted() && dict.get(b"a").unwrap().as_dict().unwrap().is_sorted());
    assert_eq!(decode(&packet).unwrap().body, Body::Query(put));
}

#[test]
fn what_makes_no_sense_is_refused_and_what_is_new_is_passed_over() {
    for packet in
        [&b""[..], b"le", b"d1:y1:qe", b"d1:t2:aae", b"d1:t21:aaaaaaaaaaaaaaaaaaaaa1:y1:qe", b"d1:t1:a1:y1:xe"]
    {
        assert_eq!(decode(packet), None);
    }
    for packet in [
        &b"d1:q4:ping1:t2:aa1:y1:qe"[..],
        b"d1:ad2:id3:abce1:q4:ping1:t2:aa1:y1:qe",
        b"d1:ad2:id20:abcdefghij0123456789e1:q9:find_node1:t2:aa1:y1:qe",
        b"d1:ad2:id20:abcdefghij0123456789e1:q4:vote1:t2:aa1:y1:qe",
    ] {
        assert!(matches!(decode(packet).unwrap().body, Body::Malformed(_)), "{}", String::from_utf8_lossy(packet));
    }
    let future = b"d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456e1:q4:vote1:t2:aa1:y1:qe";
    assert_eq!(decode(future).unwrap().body, Body::Query(query(Method::FindNode { target: ASKED })));
}
