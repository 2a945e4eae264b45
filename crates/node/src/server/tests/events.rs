//! Following what changes, and going on after an interruption.

use super::listen::Listener;
use super::*;

/// A stream of events whose ids are looked at.
struct Stream(Listener);

impl Stream {
    async fn open(alice: &Alice, last_id: Option<&str>) -> Stream {
        let mut request = alice.call(Method::GET, "/api/v1/events");
        if let Some(id) = last_id {
            request = request.header("last-event-id", id);
        }
        Stream::of(request).await
    }

    async fn of(request: RequestBuilder) -> Stream {
        Stream(Listener::to(request).await)
    }

    /// Returns the id and the event that comes next; `None`: the stream ended.
    async fn next(&mut self) -> Option<(String, rpc::Event)> {
        let (id, event) = self.value().await?;
        Some((id.unwrap(), serde_json::from_value(event).unwrap()))
    }

    /// Reads on to the end of what a stream begins with; returns what can be gone on behind, and the kinds of events.
    async fn whole(&mut self) -> (String, Vec<String>) {
        let mut kinds = Vec::new();
        loop {
            let (id, event) = self.value().await.unwrap();
            kinds.push(event["event"].as_str().unwrap().to_owned());
            if let Some(id) = id {
                return (id, kinds);
            }
        }
    }

    /// Returns what comes next, whatever it is, with the id if it has one.
    async fn value(&mut self) -> Option<(Option<String>, Value)> {
        self.0.next_with_id().await
    }

    /// Reads on to an event of the kind; returns its id, and that of every event read.
    async fn until(&mut self, kind: &str) -> Vec<String> {
        let mut ids = Vec::new();
        loop {
            let (id, event) = self.next().await.unwrap();
            ids.push(id);
            if serde_json::to_value(&event).unwrap()["event"] == kind {
                return ids;
            }
        }
    }
}

async fn share(alice: &Alice, name: &str) -> String {
    let path = alice.home.path().join(name);
    std::fs::write(&path, name).unwrap();
    alice.share(json!({ "path": path.to_str().unwrap() })).await.torrent.unwrap()
}

#[test]
fn a_stream_begins_with_everything_and_ends_with_the_node() {
    run(async {
        let mut alice = Alice::start().await;
        let torrent = share(&alice, "photo").await;
        let mut events = Stream::open(&alice, None).await;
        let (_, first) = events.next().await.unwrap();
        let rpc::Event::Snapshot { torrents, jobs, .. } = first else { panic!("{first:?}") };
        assert_eq!((torrents[0].id.as_str(), torrents.len(), jobs.len()), (torrent.as_str(), 1, 1));
        alice.node.take().unwrap().shutdown().await;
        while events.next().await.is_some() {}
    });
}

#[test]
fn who_comes_back_goes_on_where_it_was() {
    run(async {
        let alice = Alice::start().await;
        let mut first = Stream::open(&alice, None).await;
        let begin = first.until("snapshot").await.pop().unwrap();
        let photo = share(&alice, "photo").await;
        let mut other = Stream::open(&alice, Some(&begin)).await;
        let ids = other.until("added").await;
        assert_eq!(first.until("added").await, ids, "all are told the same");
        assert!(!ids.contains(&begin));

        drop(first);
        drop(other);
        // Nobody follows while this happens.
        let url = format!("/api/v1/torrents/{photo}");
        assert_eq!(alice.call(Method::DELETE, &url).send().await.unwrap().status(), 204);
        let mut again = Stream::open(&alice, ids.last().map(String::as_str)).await;
        let mut removed = false;
        let mut told = Vec::new();
        while !removed {
            let (_, event) = again.next().await.unwrap();
            assert!(!matches!(event, rpc::Event::Snapshot { .. }), "{told:?}");
            removed = event == rpc::Event::Removed { id: photo.clone() };
            told.push(event);
        }
        alice.stop().await;
    });
}

#[test]
fn who_begins_to_follow_hears_of_what_was_done_just_before() {
    run(async {
        let alice = Alice::start_with("[network]\nrelays = false\n").await;
        // Somebody follows already, so that a look was a moment ago.
        let mut other = Stream::open(&alice, None).await;
        other.next().await.unwrap();
        let order = json!({ "name": "Alice", "node_name": "attic" });
        let made = alice.call(Method::POST, "/api/v1/identity").json(&order).send().await.unwrap();
        assert_eq!(made.status(), 201);
        let (_, first) = Stream::open(&alice, None).await.next().await.unwrap();
        let rpc::Event::Snapshot { node, .. } = first else { panic!("not everything: {first:?}") };
        assert_eq!(node.identity.map(|identity| identity.name).as_deref(), Some("Alice"));
        alice.stop().await;
    });
}

#[test]
fn an_unknown_id_brings_everything() {
    run(async {
        let alice = Alice::start().await;
        for id in ["0", "ffffffffffffffff-1", "nonsense"] {
            let (_, event) = Stream::open(&alice, Some(id)).await.next().await.unwrap();
            assert!(matches!(event, rpc::Event::Snapshot { .. }), "{id}");
        }
        alice.stop().await;
    });
}

#[test]
fn each_stream_goes_on_behind_what_arrived_however_that_is_said() {
    run(async {
        let alice = Alice::start().await;
        let photo = share(&alice, "photo").await;
        let torrent = format!("/api/v1/torrents/{photo}/events");
        let network = ["usage", "connections", "network", "dht", "dht_nodes", "services", "found"];
        let begins: [(&str, &[&str]); 4] = [
            ("/api/v1/events", &["snapshot"]),
            (&torrent, &["snapshot"]),
            ("/api/v1/usage/events", &["usage", "connections"]),
            ("/api/v1/network/events", &network),
        ];
        let mut lasts = Vec::new();
        for (path, begin) in begins {
            let (last, kinds) = Stream::of(alice.call(Method::GET, path)).await.whole().await;
            assert_eq!(kinds, begin, "{path}");
            // Somebody else gets the same, without a look from the start.
            assert_eq!(Stream::of(alice.call(Method::GET, path)).await.whole().await.1, begin, "{path}");
            lasts.push((path, last));
        }
        let pause = alice.call(Method::POST, &format!("/api/v1/torrents/{photo}/pause")).send().await.unwrap();
        assert_eq!(pause.status(), 204);
        for (path, last) in &lasts[..2] {
            let by_header = alice.call(Method::GET, path).header("last-event-id", last);
            let by_query = alice.call(Method::GET, &format!("{path}?last_event_id={last}"));
            for request in [by_header, by_query] {
                let mut stream = Stream::of(request).await;
                let mut paused = false;
                while !paused {
                    let (id, event) = stream.value().await.unwrap();
                    assert!(id.is_some() && event["event"] != "snapshot", "{path}: {event}");
                    paused = event["event"] == "changed" && event["data"]["changed"]["state"] == "paused";
                }
            }
        }
        // Of what does not change, nothing comes again.
        for (path, last) in &lasts[2..] {
            let mut stream = Stream::of(alice.call(Method::GET, &format!("{path}?last_event_id={last}"))).await;
            let first = tokio::time::timeout(std::time::Duration::from_millis(300), stream.value()).await;
            assert!(!matches!(&first, Ok(Some((None, _)))), "{path}: {first:?}");
        }
        alice.stop().await;
    });
}

#[test]
fn all_who_follow_a_torrent_hear_of_its_end() {
    run(async {
        let alice = Alice::start().await;
        let photo = share(&alice, "photo").await;
        let path = format!("/api/v1/torrents/{photo}/events");
        let mut streams =
            [Stream::of(alice.call(Method::GET, &path)).await, Stream::of(alice.call(Method::GET, &path)).await];
        for stream in &mut streams {
            stream.whole().await;
        }
        let gone = alice.call(Method::DELETE, &format!("/api/v1/torrents/{photo}")).send().await.unwrap();
        assert_eq!(gone.status(), 204);
        for mut stream in streams {
            let mut last = Value::Null;
            while let Some((_, event)) = stream.value().await {
                last = event;
            }
            assert_eq!(last, json!({ "event": "removed", "data": { "id": photo } }));
        }
        alice.stop().await;
    });
}
