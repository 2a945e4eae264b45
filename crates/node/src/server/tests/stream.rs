//! Files over HTTP: ranges, links, and who gets nothing.

use super::*;

#[test]
fn a_file_is_read_by_ranges_with_the_token_or_by_its_own_link() {
    run(async {
        let alice = Alice::start().await;
        let file = alice.home.path().join("a film.mp4");
        let content: Vec<u8> = (0..1_000_000_u32).map(|i| (i / 7) as u8).collect();
        std::fs::write(&file, &content).unwrap();
        let id = alice.share(json!({ "path": file.to_str().unwrap() })).await.torrent.unwrap();
        let path = format!("/api/v1/torrents/{id}/files/0/content");
        let link = alice.call(Method::POST, &format!("/api/v1/torrents/{id}/files/0/link")).send().await.unwrap();
        let link: rpc::StreamLink = link.json().await.unwrap();
        assert_eq!((link.size_bytes, link.content_type.as_str()), (1_000_000, "video/mp4"));
        let by_link = link.url.strip_prefix(&format!("http://{}", alice.api)).unwrap().to_owned();
        for with_token in [true, false] {
            let request = || match with_token {
                true => alice.call(Method::GET, &path),
                false => alice.bare(Method::GET, &by_link),
            };
            let all = request().send().await.unwrap();
            assert_eq!(all.status(), 200);
            let tag = all.headers()["etag"].to_str().unwrap().to_owned();
            assert_eq!(all.bytes().await.unwrap(), content);
            let part = request().header("range", "bytes=500000-599999").header("if-range", &tag).send().await.unwrap();
            assert_eq!(part.status(), 206);
            assert_eq!(part.headers()["content-range"], "bytes 500000-599999/1000000");
            assert_eq!(part.headers()["x-content-type-options"], "nosniff");
            assert_eq!(part.bytes().await.unwrap(), content[500_000..600_000]);
            let other = request().header("range", "bytes=0-0").header("if-range", "\"another\"").send().await.unwrap();
            assert_eq!(other.status(), 200);
            let beyond = request().header("range", "bytes=1000000-").send().await.unwrap();
            assert_eq!(beyond.headers()["content-range"], "bytes */1000000");
            assert_eq!(problem(beyond).await.0, 416);
        }
        let head = alice.call(Method::HEAD, &path).send().await.unwrap();
        assert_eq!((head.status().as_u16(), &head.headers()["content-length"]), (200, &"1000000".parse().unwrap()));
        assert!(head.bytes().await.unwrap().is_empty());
        assert_eq!(problem(alice.bare(Method::GET, &path).send().await.unwrap()).await.0, 401);
        for wrong in [path.replace("/0/", "/1/"), path.replace("/0/", "/x/"), path.replace(&id, &"0".repeat(40))] {
            assert_eq!(problem(alice.call(Method::GET, &wrong).send().await.unwrap()).await.0, 404, "{wrong}");
        }
        let unknown = by_link.replace("/stream/", "/stream/0");
        assert_eq!(problem(alice.bare(Method::GET, &unknown).send().await.unwrap()).await.0, 404);
        alice.stop().await;
    });
}
