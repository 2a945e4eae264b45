//! What is looked at before it is fetched, folders, files that are sent, codes.

use rpc::{FileInfo, FolderInfo, LogEntry, LogKind, TorrentState, TorrentSummary, UploadInfo, UploadedFile};

use super::*;

fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

#[test]
fn a_torrent_file_is_looked_at_before_anything_is_fetched() {
    run(async {
        let alice = Alice::start().await;
        let bob = Alice::start().await;
        let film = alice.home.path().join("film");
        std::fs::create_dir(&film).unwrap();
        std::fs::write(film.join("film.mp4"), vec![1; 300_000]).unwrap();
        std::fs::write(film.join("extras.mp4"), vec![2; 200_000]).unwrap();
        let id = alice.share(json!({ "path": film.to_str().unwrap() })).await.torrent.unwrap();
        let detail = alice.call(Method::GET, &format!("/api/v1/torrents/{id}?local=true")).send().await.unwrap();
        let magnet = detail.json::<rpc::TorrentDetail>().await.unwrap().magnet;

        let folder = bob.home.path().join("downloads");
        let session = alice.call(Method::GET, "/api/v1/session").send().await.unwrap();
        let peer = session.json::<rpc::SessionInfo>().await.unwrap().listen.remove(0);
        let order = json!({ "link": magnet, "metadata_only": true, "folder": folder, "peers": [peer] });
        let added = bob.call(Method::POST, "/api/v1/torrents").json(&order).send().await.unwrap();
        assert_eq!(added.status(), 201);
        let path = format!("/api/v1/torrents/{id}");
        let summary = async || {
            let one = bob.call(Method::GET, &path).send().await.unwrap();
            one.json::<TorrentSummary>().await.unwrap()
        };
        let until = async |meant: &dyn Fn(&TorrentSummary) -> bool| {
            let wait = async {
                while !meant(&summary().await) {
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                }
            };
            tokio::time::timeout(std::time::Duration::from_secs(60), wait).await.expect("it comes to that");
        };
        until(&|torrent| torrent.state == TorrentState::Paused).await;
        let seen = summary().await;
        assert_eq!((seen.name.as_str(), seen.total_bytes, seen.downloaded_bytes), ("film", 500_000, 0));
        let files = bob.call(Method::GET, &format!("{path}/files")).send().await.unwrap();
        let files: Vec<FileInfo> = files.json().await.unwrap();
        let extras = files.iter().find(|file| file.path.ends_with("extras.mp4")).unwrap();
        assert!(!folder.exists(), "nothing is written");

        let skip = json!([{ "index": extras.index, "priority": "skip" }]);
        assert_eq!(bob.call(Method::PATCH, &format!("{path}/files")).json(&skip).send().await.unwrap().status(), 204);
        let resume = bob.call(Method::POST, &format!("{path}/resume")).send().await.unwrap();
        assert_eq!(resume.status(), 204);
        until(&|torrent| torrent.complete).await;
        assert!(folder.join("film/film.mp4").exists() && !folder.join("film/extras.mp4").exists());
        let log = bob.call(Method::GET, &format!("{path}/log")).send().await.unwrap();
        let kinds: Vec<LogKind> = log.json::<Vec<LogEntry>>().await.unwrap().iter().map(|entry| entry.kind).collect();
        for kind in [LogKind::Added, LogKind::Metadata, LogKind::Finished] {
            assert!(kinds.contains(&kind), "{kinds:?}");
        }
        let later = format!("/api/v1/torrents/{}/log", "0".repeat(40));
        assert_eq!(problem(bob.call(Method::GET, &later).send().await.unwrap()).await.0, 404);
        bob.stop().await;
        alice.stop().await;
    });
}

#[test]
fn a_torrent_that_was_only_looked_at_leaves_what_lies_under_its_names() {
    run(async {
        let alice = Alice::start().await;
        let book = alice.home.path().join("book.txt");
        std::fs::write(&book, "Chapter one.").unwrap();
        let id = alice.share(json!({ "path": book.to_str().unwrap() })).await.torrent.unwrap();
        let file = alice.call(Method::GET, &format!("/api/v1/torrents/{id}/metainfo")).send().await.unwrap();
        let file = data_encoding::BASE64.encode(&file.bytes().await.unwrap());
        let bob = Alice::start().await;
        let folder = bob.home.path().join("books");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("book.txt"), "My own notes.").unwrap();
        let order = json!({ "torrent_base64": file, "metadata_only": true, "folder": folder });
        let added = bob.call(Method::POST, "/api/v1/torrents").json(&order).send().await.unwrap();
        let added: rpc::Added = added.json().await.unwrap();
        assert_eq!((added.torrent.state, added.torrent.total_bytes), (TorrentState::Paused, 12));
        let path = format!("/api/v1/torrents/{id}?with_data=true");
        assert_eq!(bob.call(Method::DELETE, &path).send().await.unwrap().status(), 204);
        assert_eq!(std::fs::read_to_string(folder.join("book.txt")).unwrap(), "My own notes.");
        bob.stop().await;
        alice.stop().await;
    });
}

#[test]
fn a_folder_is_chosen_step_by_step() {
    run(async {
        let alice = Alice::start().await;
        let top = alice.home.path().join("disk");
        for name in ["films", "Books", ".secret"] {
            std::fs::create_dir_all(top.join(name)).unwrap();
        }
        std::fs::write(top.join("a file"), "x").unwrap();
        let list = |query: String| alice.call(Method::GET, &format!("/api/v1/folders?{query}")).send();
        let at = |path: &str| format!("path={}", encoded(path));
        let path = top.to_str().unwrap();
        let folder: FolderInfo = list(at(path)).await.unwrap().json().await.unwrap();
        let names: Vec<_> = folder.folders.iter().map(|folder| folder.name.as_str()).collect();
        assert_eq!((names, folder.parent.as_deref()), (vec!["Books", "films"], alice.home.path().to_str()));
        let all: FolderInfo = list(at(path) + "&hidden=true").await.unwrap().json().await.unwrap();
        assert_eq!(all.folders.len(), 3);
        assert_eq!(list(String::new()).await.unwrap().status(), 200);
        for (wrong, status) in [("disk", 400), ("/no/such/folder", 404), (top.join("a file").to_str().unwrap(), 400)] {
            assert_eq!(problem(list(at(wrong)).await.unwrap()).await.0, status, "{wrong}");
        }
        let make = |path: &str| alice.call(Method::POST, "/api/v1/folders").json(&json!({ "path": path })).send();
        let fresh = top.join("new");
        assert_eq!(make(fresh.to_str().unwrap()).await.unwrap().status(), 201);
        assert!(fresh.is_dir());
        assert_eq!(problem(make(fresh.to_str().unwrap()).await.unwrap()).await.0, 409);
        assert_eq!(problem(make(top.join("x/y").to_str().unwrap()).await.unwrap()).await.0, 404);
        alice.stop().await;
    });
}

#[test]
fn files_that_are_sent_lie_in_a_folder_of_their_own_and_are_shared_from_there() {
    run(async {
        let alice = Alice::start().await;
        let downloads = alice.home.path().join("downloads");
        let change = json!({ "download_folder": downloads });
        assert_eq!(alice.call(Method::PATCH, "/api/v1/settings").json(&change).send().await.unwrap().status(), 200);
        let begun = alice.call(Method::POST, "/api/v1/uploads").json(&json!({ "name": "holiday" })).send();
        let begun: UploadInfo = begun.await.unwrap().json().await.unwrap();
        assert_eq!(begun.folder, downloads.join("holiday").display().to_string());
        let put = |path: &str, content: Vec<u8>| {
            alice.call(Method::PUT, &format!("/api/v1/uploads/{}/{path}", begun.id)).body(content).send()
        };
        let content: Vec<u8> = (0..60_000_000_u32).map(|i| i as u8).collect();
        let sent = put("day%201/a%20film.mp4", content.clone()).await.unwrap();
        assert_eq!(sent.status(), 201);
        let sent: UploadedFile = sent.json().await.unwrap();
        assert_eq!(sent.size_bytes, 60_000_000, "more than a request of JSON may have");
        assert!(std::fs::read(&sent.path).unwrap() == content);
        assert_eq!(problem(put("day%201/a%20film.mp4", vec![1]).await.unwrap()).await.0, 409);
        assert_eq!(problem(put("a%2f..%2f..%2ftoken", vec![1]).await.unwrap()).await.0, 400);
        assert!(std::fs::read(&sent.path).unwrap() == content, "nothing is overwritten");

        let id = alice.share(json!({ "path": begun.folder })).await.torrent.unwrap();
        let remove = || alice.call(Method::DELETE, &format!("/api/v1/uploads/{}", begun.id)).send();
        assert_eq!(problem(remove().await.unwrap()).await.0, 409, "it is shared");
        let gone = alice.call(Method::DELETE, &format!("/api/v1/torrents/{id}")).send().await.unwrap();
        assert_eq!(gone.status(), 204);
        assert_eq!(remove().await.unwrap().status(), 204);
        assert!(!downloads.join("holiday").exists());
        assert_eq!(problem(remove().await.unwrap()).await.0, 404);
        alice.stop().await;
    });
}

#[test]
fn a_link_is_drawn_as_a_code() {
    run(async {
        let alice = Alice::start().await;
        let draw = |text: &str| alice.call(Method::GET, &format!("/api/v1/qr?text={}", encoded(text))).send();
        let drawn = draw("compeer:contact?x=1").await.unwrap();
        assert_eq!(drawn.headers()["content-type"], "image/svg+xml");
        assert!(drawn.text().await.unwrap().starts_with("<svg"));
        assert_eq!(draw(&"x".repeat(2953)).await.unwrap().status(), 200);
        for wrong in [String::new(), "x".repeat(2954)] {
            assert_eq!(problem(draw(&wrong).await.unwrap()).await.0, 400);
        }
        alice.stop().await;
    });
}
