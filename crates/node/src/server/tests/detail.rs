//! One torrent, followed closely.

use rpc::{FilePriority, PieceMap, TorrentEvent, TorrentView};

use super::listen::Listener;
use super::*;

#[test]
fn a_torrent_is_told_whole_and_then_by_what_changes() {
    run(async {
        let alice = Alice::start().await;
        let file = alice.home.path().join("a song.ogg");
        std::fs::write(&file, vec![7; 100_000]).unwrap();
        let id = alice.share(json!({ "path": file.to_str().unwrap() })).await.torrent.unwrap();
        let mut listener = Listener::of(&alice, &format!("/api/v1/torrents/{id}/events")).await;
        let Some(TorrentEvent::Snapshot(view)) = listener.next().await else { panic!("no snapshot") };
        let TorrentView { torrent, files, pieces, sources, .. } = *view;
        assert_eq!((torrent.id.as_str(), files.len(), files[0].size_bytes), (id.as_str(), 1, 100_000));
        assert!(sources.iter().any(|source| source.source == "incoming" && source.enabled), "{sources:?}");
        let map = alice.call(Method::GET, &format!("/api/v1/torrents/{id}/pieces")).send().await.unwrap();
        let map: PieceMap = map.json().await.unwrap();
        assert_eq!(Some(&map), pieces.as_ref());
        let bits = data_encoding::BASE64.decode(map.have.as_bytes()).unwrap();
        assert_eq!(bits.iter().map(|byte| byte.count_ones()).sum::<u32>(), map.count);
        let others = alice.call(Method::GET, &format!("/api/v1/torrents/{id}/sources")).send().await.unwrap();
        assert_eq!(others.json::<Vec<rpc::SourceInfo>>().await.unwrap().len(), sources.len());

        let skip = json!([{ "index": 0, "priority": "skip" }]);
        let path = format!("/api/v1/torrents/{id}/files");
        assert_eq!(alice.call(Method::PATCH, &path).json(&skip).send().await.unwrap().status(), 204);
        let changed = listener.until(|event| matches!(event, TorrentEvent::Progress(_))).await;
        let TorrentEvent::Progress(files) = changed else { unreachable!() };
        assert_eq!(files[0].priority, FilePriority::Skip);
        let gone = alice.call(Method::DELETE, &format!("/api/v1/torrents/{id}")).send().await.unwrap();
        assert_eq!(gone.status(), 204);
        let mut last = None;
        while let Some(event) = listener.next().await {
            last = Some(event);
        }
        assert_eq!(last, Some(TorrentEvent::Removed { id: id.clone() }));
        let again = alice.call(Method::GET, &format!("/api/v1/torrents/{id}/events")).send().await.unwrap();
        assert_eq!(problem(again).await.0, 404);
        alice.stop().await;
    });
}

#[test]
fn a_link_has_no_pieces_until_its_metadata_is_there() {
    run(async {
        let alice = Alice::start().await;
        let id = "1234567890abcdef1234567890abcdef12345678";
        let order = json!({ "link": format!("magnet:?xt=urn:btih:{id}&dn=film") });
        let added = alice.call(Method::POST, "/api/v1/torrents").json(&order).send().await.unwrap();
        assert_eq!(added.status(), 201);
        let pieces = alice.call(Method::GET, &format!("/api/v1/torrents/{id}/pieces")).send().await.unwrap();
        assert_eq!(problem(pieces).await.0, 409);
        let mut listener = Listener::of(&alice, &format!("/api/v1/torrents/{id}/events")).await;
        let Some(TorrentEvent::Snapshot(view)) = listener.next().await else { panic!("no snapshot") };
        assert_eq!((view.torrent.name.as_str(), view.files.len(), view.pieces), ("film", 0, None));
        let pause = alice.call(Method::POST, &format!("/api/v1/torrents/{id}/pause")).send().await.unwrap();
        assert_eq!(pause.status(), 204);
        let paused = |event: &TorrentEvent| match event {
            TorrentEvent::Changed(delta) => delta.changed.get("state") == Some(&json!("paused")),
            _ => false,
        };
        listener.until(paused).await;
        let later = listener.until(|event| matches!(event, TorrentEvent::Log(_)));
        let TorrentEvent::Log(log) = later.await else { unreachable!() };
        assert!(log.iter().all(|entry| entry.kind == rpc::LogKind::State), "{log:?}");
        alice.stop().await;
    });
}
