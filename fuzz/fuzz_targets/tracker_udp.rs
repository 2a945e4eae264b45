//! UDP tracker packets, as a client and as a tracker reads them, and a client that is sent anything.
#![no_main]

use base::Now;
use libfuzzer_sys::fuzz_target;
use metainfo::InfoHashV1;
use torrent_proto::tracker::udp::{Answer, Client, Family, Input, Output, Request, RequestId, Task};

fuzz_target!(|bytes: &[u8]| {
    for family in [Family::V4, Family::V6] {
        if let Ok(answer) = Answer::decode(bytes, family) {
            assert!(Answer::decode(&answer.encode(family), family).is_ok());
        }
    }
    if let Ok(request) = Request::decode(bytes) {
        assert_eq!(Request::decode(&request.encode()), Ok(request));
    }

    let now = Now::default();
    let to = "192.0.2.1:1".parse().expect("an address");
    let mut client = Client::new(fastrand::Rng::with_seed(0));
    let task = Task::Scrape { info_hashes: vec![InfoHashV1([0; 20])] };
    client.handle(now, Input::Ask { id: RequestId(0), to, task });
    for packet in bytes.chunks(64) {
        client.handle(now, Input::Received { from: to, packet });
    }
    let ends = std::iter::from_fn(|| client.poll_output()).filter(|output| !matches!(output, Output::Send { .. }));
    assert!(ends.count() <= 1);
});
