//! What the tools are told, and stories of a tool at a node.

use std::time::Duration;

use reqwest::{Method, Response};
use serde_json::{Value, json};
use torrent::{SeedGoal, State, TorrentStatus};

use super::told::{self, Around, Torrent};
use super::{lists, told::object};
use crate::server::tests::{Alice, run};
use crate::server::transmission::Origin;
use crate::server::transmission::tests::{file, status, trackers};

fn film() -> Torrent {
    let status = TorrentStatus { private: true, ..status(metainfo::InfoHashV1([0xab; 20])) };
    let mut trackers = trackers(&["http://a.example/announce", "udp://b.example:1"]);
    (trackers[1].last_announce, trackers[1].seeds) = (Some(base::WallTime(5)), Some(7));
    Torrent { status, trackers, category: "films".to_owned(), tags: vec!["new".to_owned(), "to see".to_owned()] }
}

fn around() -> Around {
    let goal = SeedGoal { ratio: Some(2.0), ..SeedGoal::default() };
    Around { now_s: 1_700_000_500, goal, peer_limit: 80 }
}

#[test]
fn a_torrent_is_told_in_the_words_of_the_protocol() {
    let mut it = film();
    it.status.goal = SeedGoal { ratio: None, time: Some(Duration::from_secs(600)), idle: None };
    let told = it.told(&around());
    for (name, value) in [
        ("hash", json!("ab".repeat(20))),
        ("infohash_v1", json!("ab".repeat(20))),
        ("infohash_v2", json!("")),
        ("state", json!("downloading")),
        ("size", json!(800)),
        ("total_size", json!(1000)),
        ("completed", json!(200)),
        ("amount_left", json!(600)),
        ("progress", json!(0.25)),
        ("eta", json!(10)),
        ("completion_on", json!(-1)),
        ("save_path", json!("/films")),
        ("content_path", json!("/films/film")),
        ("category", json!("films")),
        ("tags", json!("new, to see")),
        ("tracker", json!("udp://b.example:1")),
        ("trackers_count", json!(2)),
        ("num_seeds", json!(1)),
        ("num_leechs", json!(1)),
        ("num_complete", json!(7)),
        ("private", json!(true)),
        // That of all is 2; its own is none.
        ("ratio_limit", json!(-1)),
        ("max_ratio", json!(-1)),
        ("seeding_time_limit", json!(10)),
        ("inactive_seeding_time_limit", json!(-2)),
        ("last_activity", json!(1_700_000_100)),
        ("time_active", json!(500)),
    ] {
        assert_eq!(told[name], value, "{name}");
    }
    let magnet = told["magnet_uri"].as_str().unwrap();
    assert!(magnet.starts_with("magnet:?") && magnet.contains("dn=film") && magnet.contains("a.example"), "{magnet}");
    let all = it.properties(&around(), Origin { comment: "a word".to_owned(), ..Origin::default() });
    for (name, value) in [
        ("comment", json!("a word")),
        ("nb_connections_limit", json!(80)),
        ("pieces_have", json!(2)),
        ("pieces_num", json!(10)),
        ("dl_limit", json!(-1)),
        ("dl_speed_avg", json!(0)),
        ("creation_date", json!(-1)),
        ("progress", json!(0.25)),
    ] {
        assert_eq!(all[name], value, "{name}");
    }

    // Paused when the node started: nothing is counted yet, and it is complete all the same.
    (it.status.state, it.status.completed, it.status.done_bytes) = (State::Paused, Some(it.status.added), 0);
    (it.status.eta, it.status.ratio) = (None, f64::INFINITY);
    it.status.confined = true;
    let told = it.told(&around());
    assert_eq!(
        (&told["state"], &told["progress"], &told["amount_left"]),
        (&json!("stoppedUP"), &json!(1.0), &json!(0))
    );
    assert_eq!((&told["eta"], &told["ratio"], &told["magnet_uri"]), (&json!(8_640_000), &json!(-1.0), &json!("")));
}

#[test]
fn each_state_has_its_word_and_its_place_in_the_lists() {
    let mut it = film().status;
    for (doing, complete, rates, word, lists, others) in [
        (State::Metadata, false, (0, 0), "metaDL", ["downloading", "running"], "stalled"),
        (State::Downloading, false, (0, 9), "stalledDL", ["downloading", "stalled_downloading"], "completed"),
        (State::Downloading, false, (9, 0), "downloading", ["downloading", "active"], "stalled"),
        (State::Seeding, true, (0, 9), "uploading", ["seeding", "active"], "downloading"),
        (State::Seeding, true, (0, 0), "stalledUP", ["stalled_uploading", "inactive"], "active"),
        (State::Paused, true, (0, 0), "stoppedUP", ["stopped", "paused"], "running"),
        (State::Paused, false, (0, 0), "stoppedDL", ["stopped", "downloading"], "seeding"),
        (State::Checking, true, (0, 0), "checkingUP", ["checking", "all"], "errored"),
        (State::Failed, false, (0, 0), "error", ["errored", "all"], "checking"),
    ] {
        (it.state, it.completed) = (doing, complete.then_some(it.added));
        (it.down_rate_bytes_per_s, it.up_rate_bytes_per_s) = rates;
        assert_eq!(told::state(&it), word);
        for list in lists {
            assert_eq!(told::is_among(&it, list), Some(true), "{word} {list}");
        }
        assert_eq!(told::is_among(&it, others), Some(false), "{word} {others}");
    }
    assert_eq!(told::is_among(&it, "nonsense"), None);
}

#[test]
fn files_trackers_and_pieces_are_told() {
    use torrent::Priority::{High, Low, Skip};
    let files = lists::files(&[file(0, High), file(1, Skip), file(2, Low)], false, false);
    assert_eq!((&files[0]["name"], &files[0]["is_seed"]), (&json!("film/0.mkv"), &json!(false)));
    assert_eq!((&files[1]["piece_range"], &files[1]["progress"]), (&json!([4, 7]), &json!(0.25)));
    let numbers: Vec<&Value> = files.iter().map(|file| &file["priority"]).collect();
    assert_eq!(numbers, [6, 0, 1]);
    let ways = lists::ways(&[], true);
    assert_eq!((&ways[0]["url"], &ways[0]["status"]), (&json!("** [DHT] **"), &json!(0)));
    let told = lists::trackers(&film().trackers);
    assert_eq!((&told[0]["status"], &told[1]["status"], &told[1]["num_seeds"]), (&json!(1), &json!(2), &json!(7)));
    let mut have = base::Bitfield::new(3);
    have.set(1);
    assert_eq!(lists::pieces(Some(&have), 3, false), json!([0, 2, 0]));
    assert_eq!(lists::pieces(None, 2, true), json!([2, 2]));
    assert_eq!(
        [0, 1, 2, 6, 7].map(lists::read_priority),
        [Some(Skip), Some(torrent::Priority::Normal), None, Some(High), Some(High)]
    );
}

/// A tool that has logged in.
struct Tool<'a> {
    alice: &'a Alice,
    cookie: String,
}

const FORM: &str = "application/x-www-form-urlencoded";

impl<'a> Tool<'a> {
    async fn log_in(alice: &'a Alice) -> Tool<'a> {
        let mut tool = Tool { alice, cookie: String::new() };
        let login = tool.post("auth/login", &format!("username=anybody&password={}", alice.token)).await;
        let cookie = login.headers()["set-cookie"].to_str().unwrap().to_owned();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
        assert_eq!(login.text().await.unwrap(), "Ok.");
        tool.cookie = cookie.split(';').next().unwrap().to_owned();
        tool
    }

    async fn post(&self, path: &str, form: &str) -> Response {
        self.post_as(path, FORM, form.as_bytes().to_vec()).await
    }

    async fn post_as(&self, path: &str, kind: &str, body: Vec<u8>) -> Response {
        let request = self.alice.bare(Method::POST, &format!("/api/v2/{path}")).header("content-type", kind);
        request.header("cookie", &self.cookie).body(body).send().await.unwrap()
    }

    /// Orders something, for success; -> the answer's text.
    async fn order(&self, path: &str, form: &str) -> String {
        let response = self.post(path, form).await;
        let (status, text) = (response.status(), response.text().await.unwrap());
        assert_eq!(status, 200, "{path} {form}: {text}");
        text
    }

    /// Orders something, for a refusal; -> status and words.
    async fn refused(&self, path: &str, form: &str) -> (u16, String) {
        let response = self.post(path, form).await;
        (response.status().as_u16(), response.text().await.unwrap())
    }

    async fn get(&self, path: &str) -> Value {
        let request = self.alice.bare(Method::GET, &format!("/api/v2/{path}")).header("cookie", &self.cookie);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        response.json().await.unwrap()
    }
}

#[test]
fn a_tool_logs_in_with_the_token_as_its_password_and_is_known_by_a_cookie() {
    run(async {
        let alice = Alice::start().await;
        let path = "/api/v2/app/version";
        let nobody = Tool { alice: &alice, cookie: "SID=0".to_owned() };
        assert_eq!(nobody.refused("app/version", "").await.0, 403);
        let wrong = nobody.post("auth/login", "username=a&password=b").await;
        assert!(wrong.headers().get("set-cookie").is_none());
        assert_eq!(wrong.text().await.unwrap(), "Fails.");
        for shown in
            [alice.call(Method::GET, path), alice.bare(Method::POST, path).basic_auth("anybody", Some(&alice.token))]
        {
            assert_eq!(shown.send().await.unwrap().text().await.unwrap(), "v5.1.4");
        }
        let tool = Tool::log_in(&alice).await;
        assert_eq!(tool.order("app/webapiVersion", "").await, "2.11.4");
        let get = alice.bare(Method::GET, "/api/v2/torrents/delete").header("cookie", &tool.cookie);
        assert_eq!(get.send().await.unwrap().status(), 405);
        assert_eq!(tool.refused("rss/items", "").await.0, 404);
        let elsewhere =
            alice.bare(Method::POST, path).header("cookie", &tool.cookie).header("origin", "http://e.example");
        assert_eq!(elsewhere.send().await.unwrap().status(), 403);
        tool.order("auth/logout", "").await;
        assert_eq!(tool.refused("app/version", "").await.0, 403);
        let mut guesses = 0;
        while nobody.post("auth/login", "username=a&password=b").await.status() == 200 {
            guesses += 1;
            assert!(guesses < 30, "whoever guesses is slowed down");
        }
        Tool::log_in(&alice).await;
        alice.stop().await;
    });
}

#[test]
fn preferences_are_told_and_set_where_the_settings_have_them() {
    run(async {
        let alice = Alice::start().await;
        let tool = Tool::log_in(&alice).await;
        let before = tool.get("app/preferences").await;
        assert_eq!((&before["queueing_enabled"], &before["max_ratio_act"]), (&json!(false), &json!(0)));
        let folder = alice.home.path().join("elsewhere");
        let change = json!({ "save_path": folder, "dl_limit": 50_000, "max_ratio_enabled": true, "max_ratio": 1.5,
            "max_inactive_seeding_time": 90, "dht": before["dht"], "unknown": 7 });
        tool.order("app/setPreferences", &format!("json={change}")).await;
        let now = tool.get("app/preferences").await;
        assert_eq!(
            (&now["save_path"], &now["dl_limit"], &now["max_ratio"]),
            (&json!(folder), &json!(50_000), &json!(1.5))
        );
        assert_eq!(
            (&now["max_inactive_seeding_time"], &now["max_inactive_seeding_time_enabled"]),
            (&json!(90), &json!(true))
        );
        assert_eq!(tool.order("app/defaultSavePath", "").await, folder.to_str().unwrap());
        assert_eq!(tool.order("transfer/downloadLimit", "").await, "50000");
        let settings = std::fs::read_to_string(alice.home.path().join("config.toml")).unwrap();
        assert!(settings.contains("download = 50000") && settings.contains("idle_minutes = 90"), "{settings}");
        tool.order("transfer/setDownloadLimit", "limit=0").await;
        tool.order("transfer/setUploadLimit", "limit=7000").await;
        let info = tool.get("transfer/info").await;
        assert_eq!((&info["dl_rate_limit"], &info["up_rate_limit"]), (&json!(0), &json!(7000)));
        for (path, form, words) in [
            ("app/setPreferences", "json={\"dht\":true,\"up_limit\":1}", "[network]"),
            ("app/setPreferences", "json={\"autorun_enabled\":true}", "no programs"),
            ("transfer/toggleSpeedLimitsMode", "", "compeer schedule"),
            ("torrents/topPrio", "hashes=all", "Torrent queueing must be enabled"),
            ("app/shutdown", "", "Ctrl-C"),
        ] {
            let refused = tool.refused(path, form).await;
            assert!(refused.0 == 409 && refused.1.contains(words), "{path}: {refused:?}");
        }
        assert_eq!(tool.order("transfer/uploadLimit", "").await, "7000", "what was refused changed nothing");
        alice.stop().await;
    });
}

#[test]
fn the_command_of_the_settings_is_told_and_stays() {
    run(async {
        let alice = Alice::start_with("[done]\ncommand = [\"/bin/true\", \"x\"]\n").await;
        let tool = Tool::log_in(&alice).await;
        let told = tool.get("app/preferences").await;
        assert_eq!((&told["autorun_enabled"], &told["autorun_program"]), (&json!(true), &json!("/bin/true x")));
        assert_eq!(told["scan_dirs"], json!({}));
        tool.order("app/setPreferences", "json={\"autorun_enabled\":true}").await;
        let refused = tool.refused("app/setPreferences", "json={\"autorun_program\":\"/bin/sh\"}").await;
        assert!(refused.0 == 409 && refused.1.contains("[done]"), "{refused:?}");
        alice.stop().await;
    });
}

#[test]
fn a_torrent_is_sorted_changed_moved_and_deleted() {
    run(async {
        let alice = Alice::start().await;
        let folder = alice.home.path().join("photos");
        std::fs::create_dir(&folder).unwrap();
        for name in ["a", "b"] {
            std::fs::write(folder.join(name), name.repeat(70_000)).unwrap();
        }
        let hash = alice.share(json!({ "path": folder })).await.torrent.unwrap();
        let tool = Tool::log_in(&alice).await;
        let full = tool.get("sync/maindata?rid=0").await;
        assert_eq!((&full["rid"], &full["torrents"][&hash]["name"]), (&json!(1), &json!("photos")));

        tool.order("torrents/createCategory", "category=pictures&savePath=p").await;
        assert_eq!(tool.refused("torrents/createCategory", "category=pictures").await.0, 409);
        assert_eq!(tool.refused("torrents/createCategory", "category=").await.0, 400);
        tool.order("torrents/setCategory", &format!("hashes={hash}&category=pictures")).await;
        assert_eq!(tool.refused("torrents/setCategory", "hashes=all&category=x").await.0, 409);
        tool.order("torrents/addTags", "hashes=all&tags=own,%20old").await;
        tool.order("torrents/removeTags", "hashes=all&tags=old").await;
        assert_eq!(tool.get("torrents/tags").await, json!(["old", "own"]));
        tool.order("torrents/deleteTags", "tags=old").await;
        for (query, count) in [
            ("category=pictures", 1),
            ("category=", 0),
            ("tag=own&filter=completed", 1),
            ("tag=", 0),
            ("filter=stopped", 0),
            ("hashes=00", 0),
            ("sort=name&reverse=true&limit=1&offset=-1", 1),
            ("offset=1", 0),
        ] {
            assert_eq!(tool.get(&format!("torrents/info?{query}")).await.as_array().unwrap().len(), count, "{query}");
        }
        assert_eq!(tool.refused("torrents/info", "sort=nonsense").await.0, 400);

        let share = format!("hashes={hash}&ratioLimit=1.5&seedingTimeLimit=-2&inactiveSeedingTimeLimit=60");
        tool.order("torrents/setShareLimits", &share).await;
        tool.order("torrents/setUploadLimit", &format!("hashes={hash}&limit=9000")).await;
        tool.order("torrents/filePrio", &format!("hash={hash}&id=0|1&priority=7")).await;
        tool.order("torrents/stop", &format!("hashes={hash}")).await;
        let delta = tool.get("sync/maindata?rid=1").await;
        let it = &delta["torrents"][&hash];
        assert_eq!(
            (&it["state"], &it["ratio_limit"], &it["up_limit"]),
            (&json!("stoppedUP"), &json!(1.5), &json!(9000))
        );
        assert_eq!((&it["category"], &it["name"], &delta["tags"]), (&json!("pictures"), &Value::Null, &json!(["own"])));
        assert_eq!(delta["categories"]["pictures"], json!({ "name": "pictures", "savePath": "p" }));
        let files = tool.get(&format!("torrents/files?hash={hash}")).await;
        assert_eq!((&files[1]["name"], &files[1]["priority"]), (&json!("photos/b"), &json!(6)));
        let properties = tool.get(&format!("torrents/properties?hash={}", hash.to_uppercase())).await;
        assert_eq!((&properties["total_size"], &properties["up_limit"]), (&json!(140_000), &json!(9000)));
        let pieces = tool.get(&format!("torrents/pieceStates?hash={hash}")).await;
        assert_eq!(pieces.as_array().unwrap().len() as u64, properties["pieces_num"].as_u64().unwrap());
        for path in ["torrents/properties", "torrents/files", "torrents/trackers", "sync/torrentPeers"] {
            assert_eq!(tool.refused(path, &format!("hash={}", "0".repeat(40))).await.0, 404, "{path}");
            assert_eq!(tool.refused(path, "").await.0, 400, "{path}");
        }
        for (path, form) in [("filePrio", "id=2&priority=1"), ("filePrio", "id=0&priority=3"), ("rename", "name=x")] {
            let refused = tool.refused(&format!("torrents/{path}"), &format!("hash={hash}&{form}")).await;
            assert!([400, 409].contains(&refused.0), "{path} {form}: {refused:?}");
        }

        let elsewhere = alice.home.path().join("elsewhere");
        tool.order("torrents/setLocation", &format!("hashes={hash}&location={}", elsewhere.display())).await;
        assert!(elsewhere.join("photos/a").exists() && !folder.join("a").exists());
        assert_eq!(tool.refused("torrents/setLocation", "hashes=all&location=here").await.0, 409);
        tool.order("torrents/start", "hashes=all").await;
        tool.order("torrents/delete", &format!("hashes={hash}&deleteFiles=true")).await;
        assert!(!elsewhere.join("photos").exists());
        assert_eq!(tool.get("sync/maindata?rid=2").await["torrents_removed"], json!([hash]));
        alice.stop().await;
    });
}

#[test]
fn links_and_files_are_added_with_what_is_said_of_them() {
    run(async {
        let alice = Alice::start().await;
        let tool = Tool::log_in(&alice).await;
        let magnet = format!("magnet:?xt=urn:btih:{}&dn=film", "cd".repeat(20));
        let field = |name: &str, value: &str| {
            format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let form = |parts: &[(&str, &str)]| {
            let parts: String = parts.iter().map(|(name, value)| field(name, value)).collect();
            format!("{parts}--x--\r\n").into_bytes()
        };
        let folder = alice.home.path().join("films");
        tool.order("torrents/createCategory", &format!("category=tv&savePath={}", folder.display())).await;
        let all = [
            ("urls", magnet.as_str()),
            ("category", "tv"),
            ("tags", "a,b"),
            ("stopped", "true"),
            ("dlLimit", "500"),
            ("ratioLimit", "-1"),
            ("seedingTimeLimit", "90"),
            ("contentLayout", "Original"),
        ];
        let kind = "multipart/form-data; boundary=x";
        assert_eq!(tool.post_as("torrents/add", kind, form(&all)).await.text().await.unwrap(), "Ok.");
        let list = tool.get("torrents/info?category=tv").await;
        let it = object(list[0].clone());
        assert_eq!((&it["state"], &it["tags"], &it["dl_limit"]), (&json!("stoppedDL"), &json!("a, b"), &json!(500)));
        assert_eq!((&it["save_path"], &it["seeding_time_limit"]), (&json!(folder), &json!(90)));
        assert_eq!(tool.post_as("torrents/add", kind, form(&all)).await.text().await.unwrap(), "Fails.", "it is here");
        assert_eq!(tool.order("torrents/add", "urls=nonsense").await, "Fails.");
        let broken = "--x\r\nContent-Disposition: form-data; name=\"torrents\"; filename=\"a\"\r\n\r\nno\r\n--x--\r\n";
        assert_eq!(tool.post_as("torrents/add", kind, broken.into()).await.status(), 415);
        for (name, value) in [
            ("rename", "x"),
            ("firstLastPiecePrio", "true"),
            ("contentLayout", "NoSubfolder"),
            ("savepath", "here"),
            ("cookie", "a=b"),
            ("category", "a//b"),
        ] {
            let parts = [("urls", magnet.as_str()), (name, value)];
            assert_eq!(tool.post_as("torrents/add", kind, form(&parts)).await.status(), 409, "{name}");
        }
        assert_eq!(
            tool.refused("torrents/filePrio", &format!("hash={}&id=0&priority=1", "cd".repeat(20))).await.0,
            409
        );
        alice.stop().await;
    });
}
