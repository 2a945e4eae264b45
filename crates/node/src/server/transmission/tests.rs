//! Requests as the two specifications show them, and what a node answers.

use std::path::PathBuf;
use std::time::Duration;

use base::WallTime;
use metainfo::{FileIndex, InfoHashes};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use torrent::{FileStatus, Priority, SeedGoal, State, TorrentId, TorrentLimits, TorrentStatus, TrackerStatus};

use super::fields::{self, Around, Facts, Origin};
use super::view::{Idle, Known};
use super::{SESSION_ID, envelope::Dialect};
use crate::server::tests::{Alice, run};

/// A torrent that is fetched.
pub(in crate::server) fn status(id: TorrentId) -> TorrentStatus {
    TorrentStatus {
        id,
        hashes: InfoHashes::v1_only(id),
        name: "film".to_owned(),
        state: State::Downloading,
        error: None,
        folder: PathBuf::from("/films"),
        path: Some(PathBuf::from("/films/film")),
        private: false,
        confined: false,
        total_bytes: Some(1000),
        wanted_bytes: Some(800),
        done_bytes: 200,
        progress: 0.25,
        piece_length: Some(100),
        piece_count: Some(10),
        pieces_done: 2,
        down_rate_bytes_per_s: 60,
        up_rate_bytes_per_s: 0,
        downloaded: 210,
        uploaded: 21,
        downloaded_in_run: 210,
        uploaded_in_run: 21,
        wasted: 10,
        ratio: 0.1,
        eta: Some(Duration::from_secs(10)),
        peers: 2,
        seeds: 1,
        known_peers: 3,
        by_source: vec![(torrent::Source::Dht, 2)],
        added: WallTime(1_700_000_000),
        completed: None,
        seeding_time: Duration::ZERO,
        active: Some(WallTime(1_700_000_100)),
        sequential: false,
        super_seed: false,
        goal: SeedGoal::default(),
        limits: TorrentLimits::default(),
    }
}

pub(in crate::server) fn file(index: u32, priority: Priority) -> FileStatus {
    FileStatus {
        index: FileIndex(index),
        path: PathBuf::from(format!("film/{index}.mkv")),
        length: 400,
        done_bytes: 100,
        priority,
        pieces: index * 4..index * 4 + 4,
    }
}

pub(in crate::server) fn trackers(urls: &[&str]) -> Vec<TrackerStatus> {
    let one = |(tier, url): (u32, &&str)| TrackerStatus {
        url: (*url).to_owned(),
        tier,
        message: None,
        failing: false,
        last_announce: None,
        next_announce: None,
        seeds: None,
        leechers: None,
        peers: 0,
    };
    (0..).zip(urls).map(one).collect()
}

pub(super) fn facts() -> Facts {
    Facts {
        status: status(metainfo::InfoHashV1([0xab; 20])),
        known: Known { number: 7, idle: Idle::default() },
        labels: vec!["to see".to_owned()],
        position: 0,
        files: vec![file(0, Priority::High), file(1, Priority::Skip)],
        magnet: "magnet:?xt=urn:btih:ab".to_owned(),
        origin: Origin { comment: "a film".to_owned(), creator: "me".to_owned(), date_s: 5 },
        peers: Vec::new(),
        pieces: None,
        trackers: trackers(&["http://tracker.example/announce"]),
        web_seeds: Vec::new(),
    }
}

fn around(dialect: Dialect) -> Around {
    let content_type = crate::server::stream::content_type;
    Around { dialect, now_s: 1_700_000_200, goal: SeedGoal::default(), peer_limit: 80, content_type }
}

#[test]
fn every_field_is_told() {
    let facts = facts();
    for name in fields::ALL {
        assert!(facts.field(name, &around(Dialect::New)).is_some(), "{name}");
    }
    assert_eq!(facts.field("wishes", &around(Dialect::New)), None);
    assert!(fields::ALL.is_sorted());
}

#[test]
fn a_torrent_is_told_in_the_numbers_of_the_specification() {
    let mut it = facts();
    let get = |it: &Facts, name: &str| it.field(name, &around(Dialect::Old)).unwrap();
    for (name, value) in [
        ("status", json!(4)),
        ("size_when_done", json!(800)),
        ("left_until_done", json!(600)),
        ("percent_done", json!(0.25)),
        ("percent_complete", json!(0.2)),
        ("eta", json!(10)),
        ("wanted", json!([1, 0])),
        ("priorities", json!([1, 0])),
        ("hash_string", json!("ab".repeat(20))),
        ("primary_mime_type", json!("video/x-matroska")),
        ("download_limit", json!(100)),
        ("download_limited", json!(false)),
        ("peer_limit", json!(80)),
        ("seed_ratio_mode", json!(0)),
        ("error", json!(0)),
        ("tracker_list", json!("http://tracker.example/announce\n")),
        ("desired_available", json!(600)),
    ] {
        assert_eq!(get(&it, name), value, "{name}");
    }
    assert_eq!(it.field("wanted", &around(Dialect::New)).unwrap(), json!([true, false]));

    // Paused when the node started: nothing is counted yet, and it is complete all the same.
    (it.status.state, it.status.completed, it.status.done_bytes) = (State::Paused, Some(WallTime(9)), 0);
    (it.status.eta, it.status.goal.ratio) = (None, Some(0.1));
    it.status.error = Some("the disk is full".to_owned());
    for (name, value) in [
        ("status", json!(0)),
        ("left_until_done", json!(0)),
        ("percent_done", json!(1.0)),
        ("is_finished", json!(true)),
        ("done_date", json!(9)),
        ("eta", json!(-1)),
        ("bytes_completed", json!([400, 100])),
        ("seed_ratio_mode", json!(1)),
        ("error", json!(3)),
        ("error_string", json!("the disk is full")),
    ] {
        assert_eq!(get(&it, name), value, "{name}");
    }
}

/// A tool that has logged in as transmission-remote does: any user, the token as the password.
struct Tool<'a> {
    alice: &'a Alice,
    id: String,
}

impl Tool<'_> {
    async fn log_in(alice: &Alice) -> Tool<'_> {
        let refused = Tool { alice, id: "0".to_owned() }.post(&json!({ "method": "session-get" })).await;
        assert_eq!(refused.status(), 409);
        assert_eq!(refused.headers()["x-transmission-rpc-version"], "6.0.1");
        let id = refused.headers()[SESSION_ID].to_str().unwrap().to_owned();
        Tool { alice, id }
    }

    fn request(&self, method: Method) -> RequestBuilder {
        let request = self.alice.bare(method, "/transmission/rpc").header(SESSION_ID, &self.id);
        request.basic_auth("anybody", Some(&self.alice.token))
    }

    async fn post(&self, body: &Value) -> Response {
        self.request(Method::POST).body(body.to_string()).send().await.unwrap()
    }

    async fn ask(&self, body: Value) -> Value {
        let response = self.post(&body).await;
        assert_eq!(response.status(), 200, "{body}");
        response.json().await.unwrap()
    }

    /// Asks in the old way, for success.
    async fn old(&self, method: &str, arguments: Value) -> Value {
        let answer = self.ask(json!({ "method": method, "arguments": arguments, "tag": 5 })).await;
        assert_eq!((&answer["result"], &answer["tag"]), (&json!("success"), &json!(5)), "{method}: {answer}");
        answer["arguments"].clone()
    }

    /// Asks in the old way, for a refusal.
    async fn refused(&self, method: &str, arguments: Value) -> String {
        let answer = self.ask(json!({ "method": method, "arguments": arguments })).await;
        answer["result"].as_str().unwrap().to_owned()
    }

    /// Asks in the new way.
    async fn new_way(&self, method: &str, params: Value) -> Value {
        self.ask(json!({ "jsonrpc": "2.0", "method": method, "params": params, "id": "x" })).await
    }
}

#[test]
fn a_tool_logs_in_with_the_token_as_its_password_and_names_the_session() {
    run(async {
        let alice = Alice::start().await;
        let path = "/transmission/rpc";
        for request in [
            alice.bare(Method::POST, path),
            alice.bare(Method::POST, path).basic_auth(&alice.token, Some("wrong")),
            alice.bare(Method::POST, path).header("authorization", "Basic ?"),
        ] {
            let refused = request.body("{}").send().await.unwrap();
            assert_eq!(refused.status(), 401);
            assert!(refused.headers()["www-authenticate"].to_str().unwrap().starts_with("Basic "));
        }
        for path in [path, "/transmission/rpc/"] {
            let bearer = alice.call(Method::GET, path).send().await.unwrap();
            assert_eq!(bearer.status(), 409, "{path}");
        }
        let tool = Tool::log_in(&alice).await;
        assert_eq!(tool.request(Method::PUT).send().await.unwrap().status(), 405);
        let elsewhere = tool.request(Method::POST).header("origin", "http://evil.example").body("{}");
        assert_eq!(elsewhere.send().await.unwrap().status(), 403);
        let notification = json!({ "jsonrpc": "2.0", "method": "torrent_stop" });
        assert_eq!(tool.post(&notification).await.status(), 204);
        let batch = json!([notification, { "jsonrpc": "2.0", "method": "no_such", "id": 1 }]);
        let error = json!([{ "jsonrpc": "2.0", "error": { "code": -32601, "message": "Method not found" }, "id": 1 }]);
        assert_eq!(tool.ask(batch).await, error);
        assert_eq!(tool.refused("no-such", json!({})).await, "method name not recognized");
        alice.stop().await;
    });
}

#[test]
fn the_session_is_told_and_set_in_both_spellings() {
    run(async {
        let alice = Alice::start().await;
        let tool = Tool::log_in(&alice).await;
        let session = tool.old("session-get", json!({})).await;
        assert!(session["version"].as_str().unwrap().starts_with("4."), "{session}");
        assert_eq!((&session["rpc-version"], &session["encryption"]), (&json!(19), &json!("preferred")));
        assert_eq!(session["units"]["speed-bytes"], 1000);
        let folder = alice.home.path().join("elsewhere");
        let change = json!({ "speed-limit-down": 50, "speed-limit-down-enabled": true, "peer-limit-global": 40,
            "seedRatioLimit": 1.5, "seedRatioLimited": true, "download-dir": folder,
            "dht-enabled": session["dht-enabled"] });
        tool.old("session-set", change).await;
        let fields = json!({ "fields": ["speed_limit_down", "speed_limit_down_enabled", "speed_limit_up_enabled",
            "peer_limit_global", "seed_ratio_limit", "seed_ratio_limited", "download_dir", "nonsense"] });
        let answer = tool.new_way("session_get", fields).await;
        let expected = json!({ "speed_limit_down": 50, "speed_limit_down_enabled": true,
            "speed_limit_up_enabled": false, "peer_limit_global": 40, "seed_ratio_limit": 1.5,
            "seed_ratio_limited": true, "download_dir": folder });
        assert_eq!(answer, json!({ "jsonrpc": "2.0", "result": expected, "id": "x" }));
        // It is what the node itself says, and what the file says.
        let info: rpc::SessionInfo =
            alice.call(Method::GET, "/api/v1/session").send().await.unwrap().json().await.unwrap();
        assert_eq!(info.download_folder, folder.to_str().unwrap());
        let settings = std::fs::read_to_string(alice.home.path().join("config.toml")).unwrap();
        assert!(settings.contains("download = 50000") && settings.contains("ratio = 1.5"), "{settings}");

        tool.old("session-set", json!({ "speed-limit-down-enabled": false })).await;
        tool.old("session-set", json!({ "speed-limit-down-enabled": true })).await;
        let limits = tool.old("session-get", json!({ "fields": ["speed-limit-down"] })).await;
        assert_eq!(limits, json!({ "speed-limit-down": 50 }));
        for (arguments, words) in [
            (json!({ "dht-enabled": true, "speed-limit-up": 7, "speed-limit-up-enabled": true }), "[network]"),
            (json!({ "script-torrent-done-enabled": true }), "no scripts"),
            (json!({ "download-dir": "here" }), "absolute"),
            (json!({ "peer-limit-global": 0 }), "0"),
            (json!({ "speed-limit-up": "fast" }), "whole number"),
        ] {
            let refused = tool.refused("session-set", arguments).await;
            assert!(refused.contains(words), "{refused}");
        }
        let up = tool.old("session-get", json!({ "fields": ["speed-limit-up-enabled"] })).await;
        assert_eq!(up["speed-limit-up-enabled"], false, "what was refused changed nothing");
        alice.stop().await;
    });
}

#[test]
fn the_command_of_the_settings_is_told_and_stays() {
    run(async {
        let alice = Alice::start_with("[done]\ncommand = [\"/bin/true\", \"x\"]\n").await;
        let tool = Tool::log_in(&alice).await;
        let told = tool.old("session-get", json!({ "fields": ["script-torrent-done-enabled"] })).await;
        assert_eq!(told, json!({ "script-torrent-done-enabled": true }));
        tool.old("session-set", json!({ "script-torrent-done-enabled": true })).await;
        let other = json!({ "script-torrent-done-filename": "/bin/sh" });
        assert!(tool.refused("session-set", other).await.contains("[done]"));
        alice.stop().await;
    });
}

#[test]
fn what_there_is_not_is_said_to_be_missing() {
    run(async {
        let alice = Alice::start().await;
        let tool = Tool::log_in(&alice).await;
        for (method, words) in [
            ("queue-move-bottom", "no queue"),
            ("blocklist-update", "compeer block --list"),
            ("port-test", "no foreign service"),
            ("group-set", "no bandwidth groups"),
            ("session-close", "Ctrl-C"),
        ] {
            let refused = tool.refused(method, json!({})).await;
            assert!(refused.contains(words), "{method}: {refused}");
        }
        let error = tool.new_way("queue_move_down", json!({})).await;
        assert_eq!(error["error"]["code"], -32000, "{error}");
        assert_eq!(tool.new_way("group_get", json!({})).await["result"], json!({ "group": [] }));
        let space = tool.old("free-space", json!({ "path": alice.home.path() })).await;
        assert!(space["size-bytes"].as_i64().unwrap() > 0 && space["total_size"].as_i64().unwrap() > 0, "{space}");
        let nowhere = tool.new_way("free_space", json!({ "path": "/no/such/folder" })).await;
        assert_eq!(nowhere["error"]["data"]["result"]["size_bytes"], -1, "{nowhere}");
        let stats = tool.old("session-stats", json!({})).await;
        assert_eq!((&stats["torrentCount"], &stats["current-stats"]["sessionCount"]), (&json!(0), &json!(1)));
        alice.stop().await;
    });
}

#[test]
fn a_torrent_comes_is_changed_and_goes() {
    run(async {
        let alice = Alice::start().await;
        let folder = alice.home.path().join("photos");
        std::fs::create_dir(&folder).unwrap();
        for name in ["a", "b"] {
            std::fs::write(folder.join(name), name.repeat(70_000)).unwrap();
        }
        let job = alice.share(json!({ "path": folder })).await;
        let hash = job.torrent.unwrap();
        let tool = Tool::log_in(&alice).await;
        let url = format!("/api/v1/torrents/{hash}/metainfo");
        let bytes = alice.call(Method::GET, &url).send().await.unwrap().bytes().await.unwrap();
        let metainfo = data_encoding::BASE64.encode(&bytes);
        let twin = tool.old("torrent-add", json!({ "metainfo": metainfo })).await;
        assert_eq!(twin, json!({ "torrent-duplicate": { "id": 1, "hashString": hash, "name": "photos" } }));

        let fields = json!(["id", "percentDone", "status", "downloadDir", "files", "wanted", "labels", "isUTP"]);
        let list = tool.old("torrent-get", json!({ "fields": fields, "ids": "recently-active" })).await;
        let it = &list["torrents"][0];
        assert_eq!((&it["id"], &it["status"], &it["percentDone"]), (&json!(1), &json!(6), &json!(1.0)));
        assert_eq!((&it["files"][1]["name"], &it["files"][1]["bytesCompleted"]), (&json!("photos/b"), &json!(70_000)));
        assert_eq!((&it["wanted"], &it["labels"], it.get("isUTP")), (&json!([1, 1]), &json!([]), None));
        assert_eq!(list["removed"], json!([]));

        tool.old("torrent-set", json!({ "ids": [1], "labels": ["own"], "uploadLimit": 9, "uploadLimited": true }))
            .await;
        tool.old("torrent-stop", json!({ "ids": [hash] })).await;
        let table = json!({ "fields": ["hash_string", "status", "labels", "upload_limit", "wanted", "pieces"],
            "ids": [1], "format": "table" });
        let answer = tool.new_way("torrent_get", table).await;
        let rows = answer["result"]["torrents"].as_array().unwrap();
        assert_eq!(rows[0], json!(["hash_string", "status", "labels", "upload_limit", "wanted", "pieces"]));
        let all = rows[1].as_array().unwrap();
        assert_eq!(all[..5], [json!(hash), json!(0), json!(["own"]), json!(9), json!([true, true])]);
        assert!(data_encoding::BASE64.decode(all[5].as_str().unwrap().as_bytes()).unwrap()[0] & 0x80 != 0);
        let heading = json!({ "fields": ["hashString"], "format": "table" });
        assert_eq!(tool.old("torrent-get", heading).await["torrents"][0], json!(["hashString"]));

        let elsewhere = alice.home.path().join("elsewhere");
        let still = json!({ "ids": 1, "location": elsewhere });
        assert!(tool.refused("torrent-set-location", still).await.contains("moved"));
        tool.old("torrent-set-location", json!({ "ids": 1, "location": elsewhere, "move": true })).await;
        assert!(elsewhere.join("photos/a").exists() && !folder.join("a").exists());
        let rename = json!({ "ids": [1], "path": "photos", "name": "pictures" });
        assert!(tool.refused("torrent-rename-path", rename).await.contains("names"));
        assert!(tool.refused("torrent-get", json!({ "fields": ["nonsense"] })).await.contains("no fields"));

        assert!(tool.refused("torrent-remove", json!({})).await.contains("ids"));
        tool.old("torrent-remove", json!({ "ids": [1], "delete-local-data": true })).await;
        assert!(!elsewhere.join("photos").exists());
        let gone = tool.old("torrent-get", json!({ "fields": ["id"], "ids": "recently-active" })).await;
        assert_eq!(gone, json!({ "torrents": [], "removed": [1] }));
        alice.stop().await;
    });
}

#[test]
fn links_and_files_are_added_with_what_is_said_of_them() {
    run(async {
        let alice = Alice::start().await;
        let tool = Tool::log_in(&alice).await;
        let magnet = format!("magnet:?xt=urn:btih:{}&dn=film", "cd".repeat(20));
        let folder = alice.home.path().join("films");
        let order = json!({ "filename": magnet, "download-dir": folder, "paused": true, "labels": ["a", " b "],
            "peer-limit": 12 });
        let added = tool.old("torrent-add", order).await;
        assert_eq!(added["torrent-added"]["hashString"], "cd".repeat(20));
        let number = added["torrent-added"]["id"].clone();
        let fields = ["labels", "downloadDir", "status", "peer-limit", "metadataPercentComplete", "leftUntilDone"];
        let got = tool.old("torrent-get", json!({ "ids": number, "fields": fields })).await;
        let expected = json!({ "labels": ["a", "b"], "downloadDir": folder, "status": 0, "peer-limit": 12,
            "metadataPercentComplete": 0.0, "leftUntilDone": 0 });
        assert_eq!(got["torrents"][0], expected);
        let unwanted = json!({ "ids": number, "files-unwanted": [0] });
        assert!(tool.refused("torrent-set", unwanted).await.contains("not known yet"));
        for (arguments, code) in [
            (json!({}), -32602),
            (json!({ "filename": "nonsense" }), 4),
            (json!({ "filename": "/no/such/file.torrent" }), 5),
            (json!({ "metainfo": "?" }), 4),
            (json!({ "filename": magnet, "download_dir": "here" }), 3),
            (json!({ "filename": magnet, "cookies": "a=b" }), -32000),
        ] {
            let error = tool.new_way("torrent_add", arguments.clone()).await;
            assert_eq!(error["error"]["code"], code, "{arguments}: {error}");
        }
        alice.stop().await;
    });
}
