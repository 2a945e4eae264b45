//! Services that are offered to strangers: switched on and off, in the settings and while the node runs.

use super::*;

#[test]
fn a_tracker_is_offered_only_when_it_is_switched_on() {
    run(async {
        let url = "/api/v1/services/tracker";
        let alice = Alice::start().await;
        let (status, detail) = problem(alice.call(Method::GET, url).send().await.unwrap()).await;
        assert_eq!(status, 404);
        assert!(detail.contains("offer tracker --on"), "{detail}");
        alice.stop().await;

        let config = "[offer.tracker]\non = true\nlisten = [\"127.0.0.1:0\"]\ninterval_s = 60";
        let alice = Alice::start_with(config).await;
        let stats =
            || async { alice.call(Method::GET, url).send().await.unwrap().json::<rpc::TrackerStats>().await.unwrap() };
        let empty = stats().await;
        assert_eq!((empty.swarms, empty.interval_s, empty.urls.len()), (0, 60, 2));
        let announce = format!("{}?info_hash={}&peer_id={}&port=7", empty.urls[0], "a".repeat(20), "b".repeat(20));
        assert_eq!(alice.http.get(announce).send().await.unwrap().status(), 200);
        let now = stats().await;
        assert_eq!((now.swarms, now.seeds, now.requests[0].announces), (1, 1, 1));
        let session: rpc::SessionInfo =
            alice.call(Method::GET, "/api/v1/session").send().await.unwrap().json().await.unwrap();
        assert_eq!((session.services[0].name.as_str(), &session.services[0].urls), ("tracker", &now.urls));
        alice.stop().await;
    });
}

#[cfg(feature = "relay")]
#[test]
fn a_relay_is_offered_only_when_it_is_switched_on() {
    run(async {
        let url = "/api/v1/services/relay";
        let alice = Alice::start().await;
        let (status, detail) = problem(alice.call(Method::GET, url).send().await.unwrap()).await;
        assert_eq!(status, 404);
        assert!(detail.contains("offer relay --on"), "{detail}");
        alice.stop().await;

        let config = "[offer.relay]\non = true\nlisten = [\"127.0.0.1:0\"]\nclients = 7";
        let alice = Alice::start_with(config).await;
        let stats: rpc::RelayStats = alice.call(Method::GET, url).send().await.unwrap().json().await.unwrap();
        assert_eq!((stats.clients, stats.clients_limit, stats.urls.len()), (0, 7, 1));
        let relay: overlay::Relay = stats.urls[0].parse().unwrap();
        assert!(relay.node().is_some() && relay.quic_port().is_some(), "{relay}");
        // It answers as a relay does, to iroh's question whether one is there.
        let ping = format!("{}ping", relay.url().replace("https", "http"));
        assert_eq!(alice.http.get(ping).send().await.unwrap().status(), 200);
        alice.stop().await;
    });
}

/// A port that nobody listens on now, by TCP or UDP.
fn free_port() -> u16 {
    let pair = net::pairs(&["127.0.0.1:0".parse().unwrap()], &net::Egress::default()).unwrap();
    pair[0].address.port()
}

#[test]
fn services_follow_the_settings_while_the_node_runs() {
    run(async {
        let (tracker, relay) = (free_port(), free_port());
        let config = format!(
            "[offer.tracker]\nlisten = [\"127.0.0.1:{tracker}\"]\n[offer.relay]\nlisten = [\"127.0.0.1:{relay}\"]\n"
        );
        let alice = Alice::start_with(&config).await;
        let patch = async |name: &str, change: Value| {
            let answer =
                alice.call(Method::PATCH, &format!("/api/v1/offers/{name}")).json(&change).send().await.unwrap();
            answer.json::<rpc::OfferInfo>().await.unwrap()
        };
        for (name, port) in [("tracker", tracker), ("relay", relay)] {
            if !crate::Service::NAMES.contains(&name) {
                continue;
            }
            let only_told = patch(name, json!({ "to": ["contacts"] })).await;
            assert_eq!((only_told.runs, only_told.urls.len()), (Some(false), 0), "{name} is not on yet");
            let on = patch(name, json!({ "off": false })).await;
            assert_eq!((on.runs, on.message, on.to), (Some(true), None, vec!["contacts".to_owned()]));
            assert!(on.urls[0].contains(&format!("127.0.0.1:{port}")), "{:?}", on.urls);
            // Twice, so that its port is taken again at once.
            for _ in 0..2 {
                let off = patch(name, json!({ "off": true })).await;
                assert_eq!((off.off, off.runs, off.urls.len()), (true, Some(false), 0));
                assert_eq!(patch(name, json!({ "off": false })).await.runs, Some(true), "{name}");
            }
            patch(name, json!({ "off": true })).await;
            let squatter = std::net::TcpListener::bind(("127.0.0.1", port));
            let squatter = squatter.unwrap_or_else(|error| panic!("{name} is off: {error}"));
            let failed = patch(name, json!({ "off": false })).await;
            assert!(failed.runs == Some(false) && failed.message.unwrap().contains("cannot listen"), "{name}");
            drop(squatter);
            assert_eq!(patch(name, json!({ "off": false })).await.message, None);
        }
        let files = patch("files", json!({ "to": ["contacts"] })).await;
        assert_eq!((files.runs, files.message), (None, None), "it is there with the node");
        alice.stop().await;
    });
}

#[cfg(feature = "relay")]
#[test]
fn the_budget_holds_for_the_relay_without_a_restart() {
    run(async {
        let alice = Alice::start_with("[offer.relay]\non = true\nlisten = [\"127.0.0.1:0\"]\n").await;
        let stats = async || {
            let answer = alice.call(Method::GET, "/api/v1/services/relay").send().await.unwrap();
            answer.json::<rpc::RelayStats>().await.unwrap()
        };
        let before = stats().await;
        assert_eq!(before.clients_limit, 100);
        let budget = json!({ "services": { "relay": { "connections": 3 } } });
        alice.call(Method::PATCH, "/api/v1/budget").json(&budget).send().await.unwrap();
        let mut now = before.clone();
        while now.clients_limit != 3 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            now = stats().await;
        }
        assert_eq!(now.urls, before.urls, "the same relay");
        alice.stop().await;
    });
}
