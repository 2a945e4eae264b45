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
        let short = format!("/stream/{id}/0");
        for (path, with_token) in [(&path, true), (&short, true), (&by_link, false)] {
            let request = || match with_token {
                true => alice.call(Method::GET, path),
                false => alice.bare(Method::GET, path),
            };
            let all = request().send().await.unwrap();
            assert_eq!((all.status().as_u16(), &all.headers()["content-type"]), (200, &"video/mp4".parse().unwrap()));
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
            let same = request().header("if-none-match", &tag).send().await.unwrap();
            assert_eq!(same.status(), 304);
        }
        for path in [&path, &short] {
            let head = alice.call(Method::HEAD, path).send().await.unwrap();
            assert_eq!((head.status().as_u16(), &head.headers()["content-length"]), (200, &"1000000".parse().unwrap()));
            assert!(head.bytes().await.unwrap().is_empty());
        }
        assert_eq!(problem(alice.bare(Method::GET, &path).send().await.unwrap()).await.0, 401);
        for wrong in [path.replace("/0/", "/1/"), path.replace("/0/", "/x/"), path.replace(&id, &"0".repeat(40))] {
            assert_eq!(problem(alice.call(Method::GET, &wrong).send().await.unwrap()).await.0, 404, "{wrong}");
        }
        let unknown = by_link.replace("/stream/", "/stream/0");
        assert_eq!(problem(alice.bare(Method::GET, &unknown).send().await.unwrap()).await.0, 404);
        alice.stop().await;
    });
}

#[test]
fn a_short_address_is_for_whoever_may_call_and_leads_nowhere_else() {
    run(async {
        let alice = Alice::start().await;
        let file = alice.home.path().join("song.ogg");
        std::fs::write(&file, b"la la la").unwrap();
        let id = alice.share(json!({ "path": file.to_str().unwrap() })).await.torrent.unwrap();
        let short = format!("/stream/{id}/0");
        let wrong = alice.bare(Method::GET, &short).bearer_auth("0".repeat(64));
        for refused in [alice.bare(Method::GET, &short), alice.bare(Method::HEAD, &short), wrong] {
            assert_eq!(refused.send().await.unwrap().status(), 401);
        }
        // Who may not call is not told what there is.
        let nothing = alice.bare(Method::GET, &format!("/stream/{}/9", "0".repeat(40))).send().await.unwrap();
        assert_eq!(problem(nothing).await.0, 401);
        for (name, value) in [("host", "evil.example"), ("origin", "http://evil.example")] {
            let forged = alice.call(Method::GET, &short).header(name, value).send().await.unwrap();
            assert_eq!(problem(forged).await.0, 403, "{name}");
        }
        let log_in = alice.bare(Method::POST, "/api/v1/login").json(&json!({ "secret": alice.token }));
        let cookie = log_in.send().await.unwrap().headers()["set-cookie"].to_str().unwrap().to_owned();
        let cookie = cookie.split(';').next().unwrap();
        for (site, status) in [("same-origin", 200), ("none", 200), ("same-site", 403), ("cross-site", 403)] {
            let of_page = alice.bare(Method::GET, &short).header("cookie", cookie).header("sec-fetch-site", site);
            assert_eq!(of_page.send().await.unwrap().status(), status, "{site}");
        }
        for wrong in ["1", "x", "-1", "0%00", "%2e%2e", "..%2f..%2fetc%2fpasswd", "%2fetc%2fpasswd", "song.ogg"] {
            let answer = alice.call(Method::GET, &format!("/stream/{id}/{wrong}")).send().await.unwrap();
            assert_eq!(problem(answer).await.0, 404, "{wrong}");
        }
        let other = alice.call(Method::GET, &format!("/stream/{}/0", "0".repeat(40))).send().await.unwrap();
        assert_eq!(problem(other).await.0, 404);
        let posted = alice.call(Method::POST, &short).send().await.unwrap();
        assert_eq!(problem(posted).await.0, 405);
        alice.stop().await;
    });
}
