//! By what torrents are sorted, and when their seeding ends.

use rpc::{CategoryInfo, Event, LabelInfo, SeedGoal, TorrentDetail, TorrentSummary};

use super::listen::Listener;
use super::*;

/// A magnet that nobody has.
fn magnet(digit: char) -> String {
    format!("magnet:?xt=urn:btih:{}", digit.to_string().repeat(40))
}

impl Alice {
    async fn add(&self, order: Value) -> rpc::Added {
        let answer = self.call(Method::POST, "/api/v1/torrents").json(&order).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
        answer.json().await.unwrap()
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> T {
        self.call(Method::GET, path).send().await.unwrap().json().await.unwrap()
    }

    /// Waits until a torrent does this.
    async fn until(&self, path: &str, state: rpc::TorrentState) -> TorrentDetail {
        let wait = async {
            loop {
                let torrent: TorrentDetail = self.get(path).await;
                if torrent.summary.state == state {
                    return torrent;
                }
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(60), wait).await.expect("it comes to that")
    }

    async fn ids(&self, query: &str) -> Vec<String> {
        let torrents: Vec<TorrentSummary> = self.get(&format!("/api/v1/torrents?{query}")).await;
        torrents.into_iter().map(|torrent| torrent.id).collect()
    }

    async fn change(&self, id: &str, change: Value) -> TorrentSummary {
        let answer = self.call(Method::PATCH, &format!("/api/v1/torrents/{id}")).json(&change).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.json().await.unwrap()
    }
}

#[test]
fn torrents_are_sorted_by_labels_and_categories_and_the_events_tell() {
    run(async {
        let alice = Alice::start().await;
        let folder = alice.home.path().join("cinema").display().to_string();
        let put = alice.call(Method::PUT, "/api/v1/categories").json(&json!({ "name": "films/old", "folder": folder }));
        assert_eq!(put.send().await.unwrap().status(), 200);
        let order =
            json!({ "link": magnet('a'), "paused": true, "labels": ["to see", "new"], "category": "films/old" });
        let a = alice.add(order).await.torrent;
        assert_eq!((a.folder.as_str(), a.category.as_deref()), (folder.as_str(), Some("films/old")));
        assert_eq!(a.labels, ["to see", "new"]);
        let b = alice.add(json!({ "link": magnet('b'), "paused": true })).await.torrent;
        assert_eq!((b.labels.len(), b.category), (0, None));
        for (query, found) in [
            ("label=new", vec![&a.id]),
            ("label=", vec![&b.id]),
            ("label=ne", vec![]),
            ("category=films%2Fold", vec![&a.id]),
            ("category=", vec![&b.id]),
            ("category=films%2Fold&label=", vec![]),
        ] {
            assert_eq!(alice.ids(query).await.iter().collect::<Vec<_>>(), found, "{query}");
        }

        let mut events = Listener::of(&alice, "/api/v1/events").await;
        let Some(Event::Snapshot { torrents, .. }) = events.next().await else { panic!("no snapshot") };
        assert_eq!(torrents[0].labels, a.labels);
        let change = json!({ "labels": { "add": ["seen"], "remove": ["to see"] }, "category": "" });
        let changed = alice.change(&a.id, change).await;
        assert_eq!((changed.labels, changed.category), (vec!["new".to_owned(), "seen".to_owned()], None));
        // Both are told, in one event or in two.
        let mut told = serde_json::Map::new();
        while !(told.contains_key("labels") && told.contains_key("category")) {
            let Event::Changed(delta) = events.until(|event| matches!(event, Event::Changed(_))).await else {
                unreachable!()
            };
            assert_eq!(delta.id, a.id);
            told.extend(delta.changed);
        }
        assert_eq!((&told["labels"], &told["category"]), (&json!(["new", "seen"]), &Value::Null));
        let detail: TorrentDetail = alice.get(&format!("/api/v1/torrents/{}", a.id)).await;
        assert_eq!(detail.summary.labels, ["new", "seen"]);

        let again = alice.add(json!({ "link": magnet('a'), "labels": ["seen", "mine"], "category": "music" })).await;
        assert!(again.existed);
        assert_eq!(again.torrent.labels, ["new", "seen", "mine"]);
        assert_eq!(again.torrent.category.as_deref(), Some("music"), "it had none");
        let again = alice.add(json!({ "link": magnet('a'), "category": "films/old" })).await;
        assert_eq!(again.torrent.category.as_deref(), Some("music"), "it stays in the one that it has");
        alice.stop().await;
    });
}

#[test]
fn what_is_removed_is_sorted_by_nothing_when_it_comes_again() {
    run(async {
        let alice = Alice::start().await;
        let order = json!({ "link": magnet('a'), "paused": true, "labels": ["new"], "category": "films" });
        let id = alice.add(order).await.torrent.id;
        let delete = async |path: &str| alice.call(Method::DELETE, path).send().await.unwrap().status().as_u16();
        assert_eq!(delete(&format!("/api/v1/torrents/{id}")).await, 204);
        assert_eq!(alice.get::<Vec<LabelInfo>>("/api/v1/labels").await, []);
        let again = alice.add(json!({ "link": magnet('a'), "paused": true })).await.torrent;
        assert_eq!((again.labels.len(), again.category), (0, None));

        alice.change(&id, json!({ "labels": { "add": ["x"] }, "category": "films" })).await;
        let info = |torrents| CategoryInfo { name: "films".to_owned(), folder: None, torrents };
        assert_eq!(alice.get::<Vec<CategoryInfo>>("/api/v1/categories").await, [info(1)]);
        assert_eq!(
            alice.get::<Vec<LabelInfo>>("/api/v1/labels").await,
            [LabelInfo { name: "x".to_owned(), torrents: 1 }]
        );
        for path in ["/api/v1/labels/x", "/api/v1/categories/films"] {
            assert_eq!((delete(path).await, delete(path).await), (204, 404), "{path}");
        }
        assert_eq!(alice.ids("label=&category=").await, [id]);
        alice.stop().await;
    });
}

#[test]
fn what_nothing_can_be_sorted_by_is_refused() {
    run(async {
        let alice = Alice::start().await;
        let id = alice.add(json!({ "link": magnet('a'), "paused": true })).await.torrent.id;
        let torrent = format!("/api/v1/torrents/{id}");
        let change = |json: Value| alice.call(Method::PATCH, &torrent).json(&json);
        let many: Vec<String> = (0..65).map(|number| number.to_string()).collect();
        for (request, status, words) in [
            (change(json!({ "labels": { "add": ["a,b"] } })), 400, "comma"),
            (change(json!({ "labels": { "add": [" "] } })), 400, "empty"),
            (change(json!({ "labels": { "add": many } })), 400, "64"),
            (change(json!({ "labels": "a" })), 400, "LabelChange"),
            (change(json!({ "category": "a//b" })), 400, "category"),
            (
                alice.call(Method::PATCH, &format!("/api/v1/torrents/{}", "c".repeat(40))).json(&json!({})),
                404,
                "torrent",
            ),
            (alice.call(Method::PUT, "/api/v1/categories").json(&json!({ "name": "" })), 400, "empty"),
            (
                alice.call(Method::POST, "/api/v1/torrents").json(&json!({ "link": magnet('b'), "labels": [""] })),
                400,
                "empty",
            ),
        ] {
            let (found, detail) = problem(request.send().await.unwrap()).await;
            assert_eq!((found, detail.contains(words)), (status, true), "{detail}");
        }
        assert_eq!(alice.ids("").await, [id], "nothing was added");
        alice.stop().await;
    });
}

#[test]
fn a_goal_is_changed_and_a_torrent_that_has_reached_it_stops() {
    run(async {
        let alice = Alice::start_with("[seed]\nratio = 3.0\n").await;
        let order = json!({ "link": magnet('a'), "paused": true, "seed_idle_s": 600 });
        let path = format!("/api/v1/torrents/{}/goal", alice.add(order).await.torrent.id);
        let goal: SeedGoal = alice.get(&path).await;
        assert_eq!(goal, SeedGoal { ratio: Some(3.0), time_s: None, idle_s: Some(600) });
        let wrong = alice.call(Method::PUT, &path).json(&json!({ "ratio": -1 })).send().await.unwrap();
        assert_eq!(problem(wrong).await.0, 400);

        let file = alice.home.path().join("photo");
        std::fs::write(&file, "a lake").unwrap();
        let id = alice.share(json!({ "path": file, "labels": ["photos"] })).await.torrent.unwrap();
        let path = format!("/api/v1/torrents/{id}");
        let shared = alice.until(&path, rpc::TorrentState::Seeding).await;
        assert_eq!((shared.more.goal, shared.summary.labels), (SeedGoal::default(), vec!["photos".to_owned()]));
        let elsewhere = json!({ "folder": file.join("inside of a file") });
        let moved = alice.call(Method::POST, &format!("{path}/move")).json(&elsewhere).send().await.unwrap();
        assert_eq!(problem(moved).await.0, 400);
        assert!(!shared.more.sequential && !shared.more.super_seed);
        alice.change(&id, json!({ "sequential": true, "super_seed": true })).await;
        let changed: TorrentDetail = alice.get(&path).await;
        assert!(changed.more.sequential && changed.more.super_seed && changed.summary.labels == ["photos"]);
        let first = json!([{ "index": 0, "priority": "high" }]);
        let chosen = alice.call(Method::PATCH, &format!("{path}/files")).json(&first).send().await.unwrap();
        assert_eq!(chosen.status(), 204);
        let announced = alice.call(Method::POST, &format!("{path}/announce")).send().await.unwrap();
        assert_eq!(announced.status(), 204);
        let set = alice.call(Method::PUT, &format!("{path}/goal")).json(&json!({ "time_s": 0 })).send().await.unwrap();
        assert_eq!(set.status(), 200);
        assert_eq!(alice.until(&path, rpc::TorrentState::Paused).await.more.goal.time_s, Some(0));
        // Also once its files are closed.
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        let closed: TorrentDetail = alice.get(&path).await;
        assert!(closed.summary.complete, "all of it is here, whichever file comes first");
        alice.stop().await;
    });
}
