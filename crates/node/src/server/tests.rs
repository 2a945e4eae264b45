//! The API as its callers meet it: what is answered, and who is refused.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use reqwest::{Client, Method, RequestBuilder, Response};
use rpc::{NodeMode, Problem};
use serde_json::{Value, json};

use super::AppState;
use crate::{Home, NetworkOptions, Node, Options, Part};

mod around;
mod dav;
mod detail;
mod events;
mod feeds;
mod files;
mod identity;
mod listen;
mod login;
mod offers;
mod page;
mod paging;
mod remote;
mod sorting;
mod stream;

/// A node in a home of its own, and a client that knows its token.
pub(in crate::server) struct Alice {
    node: Option<Node>,
    http: Client,
    api: SocketAddr,
    pub(in crate::server) token: String,
    pub(in crate::server) home: tempfile::TempDir,
}

impl Alice {
    pub(in crate::server) async fn start() -> Alice {
        Alice::start_with("").await
    }

    /// Starts with a text as config.toml.
    pub(in crate::server) async fn start_with(config: &str) -> Alice {
        // An error means that another test was first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.toml"), config).unwrap();
        Alice::start_in(folder).await
    }

    async fn start_in(folder: tempfile::TempDir) -> Alice {
        let home = Home::open(Some(folder.path())).unwrap();
        let lock = home.lock().unwrap().unwrap();
        let node = Node::start(home.clone(), lock, options()).await.unwrap();
        let http = Client::builder().no_proxy().build().unwrap();
        Alice { api: node.api(), node: Some(node), http, token: home.token().unwrap(), home: folder }
    }

    pub(in crate::server) fn state(&self) -> AppState {
        self.node.as_ref().unwrap().state.clone()
    }

    pub(in crate::server) fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("http://{}{path}", self.api))
    }

    pub(in crate::server) fn call(&self, method: Method, path: &str) -> RequestBuilder {
        self.bare(method, path).bearer_auth(&self.token)
    }

    pub(in crate::server) async fn stop(mut self) -> tempfile::TempDir {
        self.node.take().unwrap().shutdown().await;
        self.home
    }

    /// Shares a path; -> what became of the job.
    pub(in crate::server) async fn share(&self, order: Value) -> rpc::Job {
        let begun = self.call(Method::POST, "/api/v1/shares").json(&order).send().await.unwrap();
        assert_eq!(begun.status(), 202);
        let mut job: rpc::Job = begun.json().await.unwrap();
        while job.state == rpc::JobState::Running {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            let url = format!("/api/v1/jobs/{}", job.id);
            job = self.call(Method::GET, &url).send().await.unwrap().json().await.unwrap();
        }
        job
    }
}

fn options() -> Options {
    Options {
        mode: NodeMode::Daemon,
        listen: Some("127.0.0.1:0".parse().unwrap()),
        api: None,
        down_limit: None,
        up_limit: None,
        network: quiet(),
        offer: Vec::new(),
    }
}

/// Nothing that would speak to anybody unasked.
fn quiet() -> NetworkOptions {
    NetworkOptions { without: vec![Part::Dht, Part::Lsd, Part::Mapping], ..Default::default() }
}

pub(in crate::server) fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

async fn problem(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let problem: Problem = response.json().await.unwrap();
    assert_eq!(problem.status, status);
    (status, problem.detail)
}

#[test]
fn only_who_shows_the_token_is_let_in() {
    run(async {
        let alice = Alice::start().await;
        let path = "/api/v1/torrents";
        let (status, detail) = problem(alice.bare(Method::GET, path).send().await.unwrap()).await;
        assert_eq!(status, 401);
        assert!(detail.contains("token"), "{detail}");
        let wrong = alice.bare(Method::GET, path).bearer_auth("0".repeat(64)).send().await.unwrap();
        assert_eq!(problem(wrong).await.0, 401);
        assert_eq!(alice.call(Method::GET, path).send().await.unwrap().status(), 200);
        for open in ["/health", "/api/v1/openapi.json"] {
            assert_eq!(alice.bare(Method::GET, open).send().await.unwrap().status(), 200, "{open}");
        }
        alice.stop().await;
    });
}

#[test]
fn a_page_from_elsewhere_is_refused_even_with_the_token() {
    run(async {
        let alice = Alice::start().await;
        for (name, value) in [
            ("host", "evil.example".to_owned()),
            ("host", format!("evil.example:{}", alice.api.port())),
            ("origin", "http://evil.example".to_owned()),
            ("origin", format!("https://{}", alice.api)),
            ("origin", "null".to_owned()),
        ] {
            let request = alice.call(Method::GET, "/api/v1/session").header(name, &value);
            assert_eq!(problem(request.send().await.unwrap()).await.0, 403, "{name}: {value}");
        }
        let own = alice.call(Method::GET, "/api/v1/session").header("origin", format!("http://{}", alice.api));
        assert_eq!(own.send().await.unwrap().status(), 200);
        alice.stop().await;
    });
}

#[test]
fn what_is_wrong_with_a_request_is_said() {
    run(async {
        let alice = Alice::start().await;
        let post = |path: &str| alice.call(Method::POST, path);
        let cases = [
            (post("/api/v1/torrents").body("{}"), 415, "application/json"),
            (post("/api/v1/torrents").json(&json!({})), 400, "link or torrent_base64"),
            (post("/api/v1/torrents").json(&json!({ "lnk": "x" })), 400, "lnk"),
            (post("/api/v1/torrents").json(&json!({ "torrent_base64": "?" })), 400, "torrent_base64"),
            (post("/api/v1/torrents").json(&json!({ "link": "x", "folder": "relative" })), 400, "absolute"),
            (post("/api/v1/shares").json(&json!({ "path": "relative" })), 400, "absolute"),
            (post("/api/v1/shares").json(&json!({ "path": "/x", "seed_ratio": -1.0 })), 400, "the ratio has to be"),
            (post("/api/v1/shares").json(&json!({ "path": "/x", "trackers": [["foo"]] })), 400, "udp://"),
            (post("/api/v1/shares").json(&json!({ "path": "/x", "web_seeds": ["foo"] })), 400, "https://"),
            // Port 1: no service of this computer.
            (post("/api/v1/torrents").json(&json!({ "link": "http://127.0.0.1:1/x.torrent" })), 424, "127.0.0.1:1"),
            (alice.call(Method::GET, "/api/v1/torrents/xyz"), 404, "40 hexadecimal digits"),
            (alice.call(Method::GET, "/api/v1/jobs/7"), 404, "no job"),
            (alice.call(Method::GET, "/api/v1/nothing"), 404, "openapi.json"),
            (alice.call(Method::PUT, "/api/v1/torrents"), 405, "PUT"),
        ];
        for (request, status, words) in cases {
            let (found, detail) = problem(request.send().await.unwrap()).await;
            assert_eq!(found, status, "{detail}");
            assert!(detail.contains(words), "{words:?} is not in {detail:?}");
        }
        let huge = post("/api/v1/torrents").header("content-type", "application/json");
        let (status, detail) = problem(huge.body(vec![b' '; crate::MAX_BODY_BYTES + 1]).send().await.unwrap()).await;
        assert_eq!(status, 413, "{detail}");
        alice.stop().await;
    });
}

#[test]
fn what_other_computers_do_is_no_failure_of_this_one() {
    let problem = super::problem::ApiError::from(crate::groups::GroupError::Unreachable).into_problem();
    assert_eq!((problem.status, problem.kind.as_str()), (424, "unreachable"));
    let document = serde_json::to_value(crate::openapi()).unwrap();
    for (path, calls) in document["paths"].as_object().unwrap() {
        for (method, call) in calls.as_object().unwrap() {
            let Some(answers) = call["responses"].as_object() else { continue };
            for status in ["502", "504"] {
                assert!(!answers.contains_key(status), "{method} {path} says {status}");
            }
        }
    }
}

#[test]
fn why_a_node_is_not_met_is_told_with_what_can_be_done() {
    use crate::people::MeetError;
    use overlay::OpenError;

    let mut advice = BTreeSet::new();
    for error in
        [OpenError::NotAdmitted, OpenError::NoPeer, OpenError::NoAnswer, OpenError::Refused, OpenError::ShutDown]
    {
        let problem = super::problem::ApiError::from(MeetError::Open(error)).into_problem();
        let (what, then) = problem.detail.split_once("; ").unwrap();
        assert_eq!((problem.status, what), (409, error.to_string().as_str()));
        advice.insert(then.to_owned());
    }
    assert_eq!(advice.len(), 5, "{advice:?}");
}

#[test]
fn limits_are_changed_and_read_back() {
    run(async {
        let alice = Alice::start().await;
        let limits = json!({ "download_bytes_per_s": 1000, "upload_bytes_per_s": null, "connections": null });
        let put = alice.call(Method::PUT, "/api/v1/limits").json(&limits).send().await.unwrap();
        assert_eq!(put.status(), 200);
        let read: Value = alice.call(Method::GET, "/api/v1/limits").send().await.unwrap().json().await.unwrap();
        assert_eq!(read, limits);
        alice.stop().await;
    });
}

#[test]
fn a_share_is_a_job_that_ends_with_a_torrent() {
    run(async {
        let alice = Alice::start().await;
        let folder = alice.home.path().join("photos");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("a"), b"bytes").unwrap();
        let path = folder.to_str().unwrap();
        let job = alice.share(json!({ "path": path })).await;
        assert_eq!(job.problem, None);
        let id = job.torrent.unwrap();
        let url = format!("/api/v1/torrents/{id}");
        let detail: rpc::TorrentDetail = alice.call(Method::GET, &url).send().await.unwrap().json().await.unwrap();
        assert_eq!((detail.summary.name.as_str(), detail.summary.total_bytes), ("photos", 5));
        assert!(detail.summary.complete);
        assert!(detail.magnet.contains("x.pe=127.0.0.1"), "{}", detail.magnet);
        alice.stop().await;
    });
}

#[test]
fn what_is_switched_off_is_said_to_be() {
    run(async {
        let alice = Alice::start().await;
        let network: rpc::NetworkInfo =
            alice.call(Method::GET, "/api/v1/network").send().await.unwrap().json().await.unwrap();
        assert!(!network.dht.enabled && !network.lsd.enabled && network.pex.enabled);
        assert_eq!((network.carriers.len(), network.encryption.as_str()), (2, "prefer"));
        let answer = alice.call(Method::GET, "/api/v1/dht").send().await.unwrap();
        let (status, detail) = problem(answer).await;
        assert!(status == 409 && detail.contains("[network]"), "{detail}");
        alice.stop().await;
    });
}

#[test]
fn items_are_checked_before_any_node_is_asked() {
    run(async {
        let alice = Alice::start().await;
        let put = |body: Value| alice.call(Method::POST, "/api/v1/dht/items").json(&body);
        let value = data_encoding::BASE64.encode(b"5:hello");
        let owner = json!({ "public_key": "00", "seq": 1, "signature": "00" });
        for (body, words) in [
            (json!({ "value_base64": "?" }), "value_base64"),
            (json!({ "value_base64": data_encoding::BASE64.encode(b"hello") }), "strict bencode"),
            (json!({ "value_base64": value, "cas": 1 }), "never changes"),
            (json!({ "value_base64": value, "owner": owner }), "64 hexadecimal digits"),
        ] {
            let (status, detail) = problem(put(body).send().await.unwrap()).await;
            assert!(status == 400 && detail.contains(words), "{status} {detail}");
        }
        alice.stop().await;
    });
}

#[test]
fn a_share_that_changes_keeps_its_key_and_counts_its_versions() {
    run(async {
        let alice = Alice::start().await;
        let path = alice.home.path().join("diary.txt");
        let share = async |text: &str| {
            std::fs::write(&path, text).unwrap();
            let job = alice.share(json!({ "path": path.to_str().unwrap(), "updates": true })).await;
            assert_eq!(job.problem, None);
            let all = alice.call(Method::GET, "/api/v1/updates").send().await.unwrap();
            let all: Vec<rpc::UpdatesInfo> = all.json().await.unwrap();
            assert_eq!(all.len(), 1);
            assert_eq!(Some(&all[0].torrent), job.torrent.as_ref());
            all.into_iter().next().unwrap()
        };
        let monday = share("Monday").await;
        assert!(monday.link.starts_with("magnet:?xs=urn:btpk:") && monday.link.ends_with("&dn=diary.txt"));
        assert_eq!((monday.seq, monday.published), (1, true));
        assert!(monday.message.contains("DHT is switched off"), "{}", monday.message);
        assert_eq!(share("Monday").await.seq, 1);
        let tuesday = share("Tuesday").await;
        assert_eq!((tuesday.seq, &tuesday.link), (2, &monday.link));
        let gone = alice.call(Method::GET, &format!("/api/v1/torrents/{}", monday.torrent)).send().await.unwrap();
        assert_eq!(gone.status(), 404);

        let order = json!({ "path": path.to_str().unwrap(), "updates": true, "format": "v2" });
        let refused = alice.call(Method::POST, "/api/v1/shares").json(&order).send().await.unwrap();
        assert!(problem(refused).await.1.contains("v1 info-hash"));
        let order = json!({ "path": path.to_str().unwrap(), "updates": true, "private": true });
        let refused = alice.call(Method::POST, "/api/v1/shares").json(&order).send().await.unwrap();
        assert!(problem(refused).await.1.contains("private torrent"));
        let follow = json!({ "link": "magnet:?xs=urn:btpk:12", "torrent": monday.torrent, "seq": 1 });
        let refused = alice.call(Method::POST, "/api/v1/updates").json(&follow).send().await.unwrap();
        assert_eq!(problem(refused).await.0, 400);
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let file = std::fs::metadata(alice.home.path().join("updates.json")).unwrap();
            assert_eq!(file.mode() & 0o777, 0o600);
        }
        alice.stop().await;
    });
}

#[test]
fn a_new_version_takes_the_place_of_the_old_one_after_a_crash_between() {
    run(async {
        let mut alice = Alice::start().await;
        // A crash before the old one was removed, and one after that.
        for (key, old_is_here) in [("11", true), ("22", false)] {
            let folder = alice.home.path().join(key);
            std::fs::create_dir_all(folder.join("drafts")).unwrap();
            let place = folder.join("diary.txt");
            let draft = folder.join("drafts/diary.txt");
            std::fs::write(&place, format!("{key}: Monday")).unwrap();
            std::fs::write(&draft, format!("{key}: Tuesday")).unwrap();
            let old = alice.share(json!({ "path": place.to_str().unwrap() })).await.torrent.unwrap();
            let new = alice.share(json!({ "path": draft.to_str().unwrap() })).await.torrent.unwrap();
            let staging = folder.join(format!(".{new}.update"));
            let order = json!({ "folder": staging.to_str().unwrap() });
            let moved = alice.call(Method::POST, &format!("/api/v1/torrents/{new}/move")).json(&order);
            assert_eq!(moved.send().await.unwrap().status(), 204);
            if !old_is_here {
                let url = format!("/api/v1/torrents/{old}");
                assert_eq!(alice.call(Method::DELETE, &url).send().await.unwrap().status(), 204);
                std::fs::remove_file(&place).unwrap();
            }
            let home = alice.stop().await;
            let link = format!("magnet:?xs=urn:btpk:{}", key.repeat(32));
            let entry = json!({ "link": link, "keep": true, "seq": 2, "torrent": new, "replaces": old });
            let file = json!({ "published": [], "followed": [entry] });
            std::fs::write(home.path().join("updates.json"), file.to_string()).unwrap();

            alice = Alice::start_in(home).await;
            let done = || {
                let file = std::fs::read_to_string(alice.home.path().join("updates.json")).unwrap();
                !file.contains("replaces")
            };
            while !done() {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
            assert_eq!(std::fs::read_to_string(&place).unwrap(), format!("{key}: Tuesday"));
            assert!(!staging.exists());
            let status = async |id: &str| {
                alice.call(Method::GET, &format!("/api/v1/torrents/{id}")).send().await.unwrap().status().as_u16()
            };
            assert_eq!((status(&old).await, status(&new).await), (404, 200));
            let all = alice.call(Method::GET, "/api/v1/updates").send().await.unwrap();
            let all: Vec<rpc::UpdatesInfo> = all.json().await.unwrap();
            assert_eq!((all.len(), &all[0].torrent, all[0].seq), (1, &new, 2));
        }
        alice.stop().await;
    });
}

#[test]
fn the_document_and_the_routes_are_the_same() {
    run(async {
        let alice = Alice::start().await;
        let document = serde_json::to_value(crate::openapi()).unwrap();
        let mut described = BTreeSet::new();
        for (path, operations) in document["paths"].as_object().unwrap() {
            for method in operations.as_object().unwrap().keys() {
                described.insert((method.to_ascii_uppercase(), path.clone()));
            }
        }
        assert!(described.len() > 20, "{described:?}");
        // Every route that the source names is described.
        let routes = include_str!("../server.rs").split(".route(\"").skip(1).filter_map(|rest| rest.split('"').next());
        let whole = |path: &str| {
            let bare = ["/dav", "/health", "/metrics", "/stream/", "/transmission/"];
            let prefix = if bare.iter().any(|bare| path.starts_with(bare)) { "" } else { rpc::PREFIX };
            format!("{prefix}{}", path.replace("{*", "{"))
        };
        let routes: BTreeSet<String> = routes.map(whole).collect();
        let paths: BTreeSet<String> = described.iter().map(|(_, path)| path.clone()).collect();
        let undescribed: Vec<_> = routes.difference(&paths).collect();
        // These are others of another spelling.
        assert_eq!(undescribed, ["/dav", "/dav/", "/transmission/rpc/"]);
        assert_eq!(paths.difference(&routes).count(), 0, "{paths:?}");
        // A route that exists answers anything but "no such method" and "nothing there".
        for path in described.iter().map(|(_, path)| path).collect::<BTreeSet<_>>() {
            for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
                let url = path.replace("{id}", "0000000000000000000000000000000000000000");
                let request = alice.call(method.parse().unwrap(), &url).send().await.unwrap();
                let status = request.status().as_u16();
                let text = if status == 404 { request.text().await.unwrap() } else { String::new() };
                let there = status != 405 && !text.contains("openapi.json");
                let wanted = described.contains(&(method.to_owned(), path.clone()));
                assert_eq!(there, wanted, "{method} {path}: {status} {text}");
            }
        }
        alice.stop().await;
    });
}

#[test]
fn controls_hold_at_once_and_stand_in_the_settings_with_their_remarks() {
    run(async {
        let alice = Alice::start_with("# mine\n[budget] # how much\nupload = \"1M\" # slow\n").await;
        let settings = || std::fs::read_to_string(alice.home.path().join("config.toml")).unwrap();
        let patch = |path: &str, body: Value| alice.call(Method::PATCH, path).json(&body).send();

        let budget: Value =
            patch("/api/v1/budget", json!({"upload_bytes_per_s": 5000, "services": {"files": {"connections": 9}}}))
                .await
                .unwrap()
                .json()
                .await
                .unwrap();
        assert_eq!(
            (&budget["now"]["upload_bytes_per_s"], &budget["set"]["services"]["files"]["connections"]),
            (&json!(5000), &json!(9))
        );
        assert!(settings().starts_with("# mine\n[budget] # how much\nupload = 5000 # slow\n"), "{}", settings());
        let limits: Value = alice.call(Method::GET, "/api/v1/limits").send().await.unwrap().json().await.unwrap();
        assert_eq!(limits["upload_bytes_per_s"], 5000);

        let change = json!({"who": "listed", "block": {"add": ["192.0.2.0/24"]}, "paused": true});
        let gate: Value = patch("/api/v1/gate", change).await.unwrap().json().await.unwrap();
        assert_eq!(
            (&gate["who"], &gate["block"], &gate["resting"]),
            (&json!("listed"), &json!(["192.0.2.0/24"]), &json!(true))
        );
        let gate: Value = patch("/api/v1/gate", json!({"allow": {"add": ["192.0.2.0/24"]}, "paused": false}))
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        assert_eq!(
            (&gate["block"], &gate["allow"], &gate["resting"]),
            (&json!([]), &json!(["192.0.2.0/24"]), &json!(false))
        );

        let window = json!([{"days": "all", "from": "00:00", "to": "24:00", "upload_bytes_per_s": 700}]);
        let put = alice.call(Method::PUT, "/api/v1/schedule").json(&window).send().await.unwrap();
        assert_eq!(put.json::<Value>().await.unwrap()[0]["active"], true);
        let budget: Value = alice.call(Method::GET, "/api/v1/budget").send().await.unwrap().json().await.unwrap();
        assert_eq!((&budget["now"]["upload_bytes_per_s"], &budget["window"]), (&json!(700), &json!(1)));

        let offer: Value =
            patch("/api/v1/offers/relay", json!({"to": ["contacts"]})).await.unwrap().json().await.unwrap();
        assert_eq!(offer["to"], json!(["contacts"]));
        let before = settings();
        for (path, body, words) in [
            ("/api/v1/gate", json!({"allow": {"add": ["alice"]}}), "alice"),
            ("/api/v1/gate", json!({"who": "nobody"}), "unknown variant"),
            ("/api/v1/gate", json!({"lists": {"add": ["/nowhere.p2p"]}}), "cannot read the list"),
            ("/api/v1/budget", json!({"persons": {"bob": {"upload_bytes_per_s": 1}}}), "nor a contact"),
            ("/api/v1/offers/filez", json!({"off": true}), "there is no service \"filez\"; there are files, wire"),
        ] {
            let (status, detail) = problem(patch(path, body).await.unwrap()).await;
            assert!(status == 400 && detail.contains(words), "{path}: {detail}");
        }
        assert_eq!(settings(), before, "what is refused is not written");
        alice.stop().await;
    });
}

#[test]
fn an_edited_file_is_read_while_the_node_runs() {
    run(async {
        let alice = Alice::start().await;
        let path = alice.home.path().join("config.toml");
        let gate =
            || async { alice.call(Method::GET, "/api/v1/gate").send().await.unwrap().json::<Value>().await.unwrap() };
        for (text, shown, expected) in [
            ("[meet]\nwho = \"contacts\"\n", "who", json!("contacts")),
            ("[meet]\nwho = 3 # a mistake\n", "message", json!(format!("{}: line 2: ", path.display()))),
            ("paused = true\n", "paused", json!(true)),
        ] {
            std::fs::write(&path, text).unwrap();
            let wait = async {
                let holds = |value: &Value| match (value.as_str(), expected.as_str()) {
                    (Some(value), Some(expected)) => value.starts_with(expected),
                    _ => *value == expected,
                };
                while !holds(&gate().await[shown]) {
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
            };
            tokio::time::timeout(std::time::Duration::from_secs(60), wait).await.expect("the file is read");
        }
        let usage: Value = alice.call(Method::GET, "/api/v1/usage").send().await.unwrap().json().await.unwrap();
        assert_eq!(usage, json!({"connections": [], "totals": []}));
        let days = alice.call(Method::GET, "/api/v1/usage/days?days=3").send().await.unwrap();
        assert_eq!(days.json::<Value>().await.unwrap(), json!([]));
        alice.stop().await;
    });
}
