//! Feeds of the settings, served by a server of the test: what is added, and what is not added again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Method;
use rpc::{FeedInfo, TorrentSummary};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Alice, problem, run};

/// A web server with these documents, by path; it counts what was asked.
#[derive(Clone, Default)]
struct Web {
    documents: Arc<Mutex<BTreeMap<String, String>>>,
    asked: Arc<Mutex<Vec<String>>>,
    at: String,
}

impl Web {
    async fn start() -> Web {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let web = Web { at: format!("http://{}", listener.local_addr().unwrap()), ..Web::default() };
        let serving = web.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = vec![0; 4096];
                let length = stream.read(&mut request).await.unwrap();
                let request = String::from_utf8_lossy(&request[..length]).into_owned();
                let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
                let document = serving.documents.lock().unwrap().get(&path).cloned();
                let (status, body) = document.map_or(("404 Not Found", String::new()), |body| ("200 OK", body));
                let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
                let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
                serving.asked.lock().unwrap().push(path);
            }
        });
        web
    }

    fn put(&self, path: &str, document: String) {
        self.documents.lock().unwrap().insert(path.to_owned(), document);
    }

    fn asked(&self, path: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|asked| *asked == path).count()
    }
}

fn magnet(n: u32) -> String {
    format!("magnet:?xt=urn:btih:{n:040x}")
}

fn feed(entries: &[(&str, String)]) -> String {
    let item = |(title, link): &(&str, String)| {
        format!("<item><title>{title}</title><guid>{title}</guid><link>{}</link></item>", link.replace('&', "&amp;"))
    };
    format!("<rss><channel>{}</channel></rss>", entries.iter().map(item).collect::<String>())
}

async fn feeds(alice: &Alice) -> Vec<FeedInfo> {
    alice.call(Method::GET, "/api/v1/feeds").send().await.unwrap().json().await.unwrap()
}

/// Waits until all were asked.
async fn asked(alice: &Alice) -> Vec<FeedInfo> {
    loop {
        let feeds = feeds(alice).await;
        if feeds.iter().all(|feed| feed.polled_at_s.is_some()) {
            return feeds;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn poll(alice: &Alice) -> Vec<FeedInfo> {
    let answer = alice.call(Method::POST, "/api/v1/feeds/poll").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.json().await.unwrap()
}

async fn torrents(alice: &Alice) -> Vec<TorrentSummary> {
    alice.call(Method::GET, "/api/v1/torrents").send().await.unwrap().json().await.unwrap()
}

async fn ids(alice: &Alice) -> Vec<String> {
    torrents(alice).await.into_iter().map(|torrent| torrent.id).collect()
}

#[test]
fn an_entry_that_is_wanted_is_added_once_whatever_happens_to_it() {
    run(async {
        let web = Web::start().await;
        let first =
            [("Show S01E01 x", magnet(1)), ("Film cam", magnet(2)), ("Song", magnet(3)), ("Show S01E01", magnet(1))];
        web.put("/feed", feed(&first));
        let folder = tempfile::tempdir().unwrap();
        let into = folder.path().display();
        let settings = format!(
            "[[feeds]]\nurl = \"{0}/feed\"\nmatch = \"show*s01\"\nlabels = [\"new\"]\ncategory = \"shows\"\nfolder = \"{into}\"\n\
             paused = true\n[[feeds]]\nurl = \"{0}/feed\"\nnot = [\"CAM\", \"nothing\"]\n",
            web.at
        );
        let alice = Alice::start_with(&settings).await;
        let told = asked(&alice).await;
        assert_eq!(told.iter().map(|feed| (feed.added, &feed.error)).collect::<Vec<_>>(), [(2, &None), (1, &None)]);
        assert_eq!((&told[0].matches[0], told[1].not.len(), told[1].every_minutes), (&"show*s01".to_owned(), 2, 30));
        assert_eq!(web.asked("/feed"), 1, "for both sections");
        let there = torrents(&alice).await;
        let [show, song] = &there[..] else { panic!("{there:?}") };
        assert_eq!(
            (&show.id[38..], &show.labels[..], show.category.as_deref()),
            ("01", &["new".to_owned()][..], Some("shows"))
        );
        assert_eq!((show.folder.as_str(), show.state), (into.to_string().as_str(), rpc::TorrentState::Paused));
        assert_eq!((&song.id[38..], song.labels.len(), &song.category), ("03", 0, &None));

        // What is removed stays away, also after a restart, and only what is new comes.
        let url = format!("/api/v1/torrents/{}", show.id);
        assert_eq!(alice.call(Method::DELETE, &url).send().await.unwrap().status(), 204);
        web.put("/feed", feed(&[&first[..], &[("Another", magnet(4))]].concat()));
        assert_eq!(poll(&alice).await[1].added, 2);
        let expected = [3, 4].map(|n| format!("{n:040x}"));
        assert_eq!(ids(&alice).await, expected);
        let alice = Alice::start_in(alice.stop().await).await;
        let told = asked(&alice).await;
        assert_eq!((told[0].added, told[1].added), (2, 2));
        assert_eq!(ids(&alice).await, expected);

        // While everything rests no feed is asked.
        let before = web.asked("/feed");
        let rest = alice.call(Method::PATCH, "/api/v1/gate").json(&serde_json::json!({ "paused": true }));
        assert_eq!(rest.send().await.unwrap().status(), 200);
        let answer = alice.call(Method::POST, "/api/v1/feeds/poll").send().await.unwrap();
        let (status, detail) = problem(answer).await;
        assert!(status == 409 && detail.contains("resume --everything"), "{detail}");
        assert_eq!(web.asked("/feed"), before);
        alice.stop().await;
    });
}

#[test]
fn an_entry_that_cannot_be_added_is_tried_some_times() {
    run(async {
        let web = Web::start().await;
        let page = format!("{}/page", web.at);
        let entries = [("a", page), ("b", magnet(1))];
        web.put("/page", "<html></html>".to_owned());
        let alice = Alice::start_with(&format!("[[feeds]]\nurl = \"{}/feed?key=secret\"\n", web.at)).await;
        // It is not there yet.
        let told = asked(&alice).await;
        let error = told[0].error.clone().unwrap();
        assert!(error.contains("404 (Not Found)") && told[0].added == 0, "{error}");
        web.put("/feed?key=secret", feed(&entries));
        let error = poll(&alice).await[0].error.clone().unwrap();
        assert!(
            error.starts_with("1 of its entries could not be added; a: its link leads to no torrent file (")
                && !error.contains("secret"),
            "{error}"
        );
        assert_eq!(ids(&alice).await.len(), 1);
        for _ in 0..6 {
            poll(&alice).await;
        }
        assert_eq!(web.asked("/page"), 5);
        assert_eq!(feeds(&alice).await[0].error, None, "it is given up");
        web.put("/feed?key=secret", "<html>".to_owned());
        let error = poll(&alice).await[0].error.clone().unwrap();
        assert!(error.contains("begins with <html>"), "{error}");
        alice.stop().await;
    });
}

#[test]
fn feeds_come_and_go_with_the_settings() {
    run(async {
        let web = Web::start().await;
        web.put("/a", feed(&[("a", magnet(1)), ("b", magnet(2))]));
        let alice = Alice::start().await;
        assert_eq!((feeds(&alice).await, poll(&alice).await), (Vec::new(), Vec::new()));
        let settings = |wanted: &str| {
            let text = format!("[[feeds]]\nurl = \"{}/a\"\nmatch = {wanted}\n", web.at);
            std::fs::write(alice.home.path().join("config.toml"), text).unwrap();
        };
        for (wanted, count) in [("\"a\"", 1), ("[\"a\", \"b\"]", 2)] {
            settings(wanted);
            while ids(&alice).await.len() < count {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            assert_eq!(asked(&alice).await.len(), 1);
        }
        std::fs::write(alice.home.path().join("config.toml"), "\n").unwrap();
        while !feeds(&alice).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let before = web.asked("/a");
        assert_eq!(poll(&alice).await, Vec::new());
        assert_eq!((web.asked("/a"), ids(&alice).await.len()), (before, 2));
        alice.stop().await;
    });
}
