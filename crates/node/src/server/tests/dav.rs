//! The finished files as a folder for programs that speak WebDAV.

use super::*;

const ALL: &str = "<propfind xmlns='DAV:'><allprop/></propfind>";

/// Asks about something and, with `depth` "1", about what is in it.
fn find(request: RequestBuilder, depth: &str) -> RequestBuilder {
    request.header("depth", depth).body(ALL)
}

fn propfind() -> Method {
    Method::from_bytes(b"PROPFIND").unwrap()
}

/// Returns the addresses that an answer tells of.
async fn hrefs(response: Response) -> Vec<String> {
    assert_eq!(response.status(), 207);
    let text = response.text().await.unwrap();
    text.split("<D:href>").skip(1).filter_map(|rest| Some(rest.split_once("</D:href>")?.0.to_owned())).collect()
}

/// A node that shares a film, and a folder of two songs.
async fn alice() -> Alice {
    let alice = Alice::start().await;
    let folder = alice.home.path().join("an album");
    std::fs::create_dir_all(folder.join("b side")).unwrap();
    std::fs::write(folder.join("1.ogg"), [1; 100_000]).unwrap();
    std::fs::write(folder.join("b side/2.ogg"), [2; 50]).unwrap();
    let film = alice.home.path().join("A film & more.mkv");
    std::fs::write(&film, [3; 70_000]).unwrap();
    for path in [folder, film] {
        let job = alice.share(json!({ "path": path.to_str().unwrap() })).await;
        assert_eq!(job.problem, None);
    }
    alice
}

#[test]
fn whole_files_are_listed_and_read() {
    run(async {
        let alice = alice().await;
        let list = async |path: &str, depth: &str| {
            hrefs(find(alice.call(propfind(), path), depth).send().await.unwrap()).await
        };
        let film = "/dav/A%20film%20%26%20more.mkv/A%20film%20%26%20more.mkv";
        for top in ["/dav", "/dav/"] {
            let found = list(top, "1").await;
            assert_eq!(found, ["/dav/", "/dav/an%20album/", "/dav/A%20film%20%26%20more.mkv/"], "{top}");
        }
        assert_eq!(list("/dav/", "0").await, ["/dav/"]);
        assert_eq!(
            list("/dav/an%20album", "1").await,
            ["/dav/an%20album/", "/dav/an%20album/1.ogg", "/dav/an%20album/b%20side/"]
        );
        assert_eq!(list(film, "1").await, [film]);
        let told = find(alice.call(propfind(), film), "0").send().await.unwrap().text().await.unwrap();
        let read = alice.call(Method::GET, film).send().await.unwrap();
        let tag = read.headers()["etag"].to_str().unwrap().to_owned();
        let since = read.headers()["last-modified"].to_str().unwrap().to_owned();
        assert_eq!(
            (read.status().as_u16(), &read.headers()["content-type"]),
            (200, &"video/x-matroska".parse().unwrap())
        );
        assert_eq!(read.headers()["cross-origin-resource-policy"], "same-origin");
        assert_eq!(read.bytes().await.unwrap(), vec![3; 70_000]);
        for part in [tag.replace('"', "&quot;"), since, "<D:getcontentlength>70000<".to_owned()] {
            assert!(told.contains(&part), "{part} is not in {told}");
        }
        let part = alice.call(Method::GET, film).header("range", "bytes=10-19").send().await.unwrap();
        assert_eq!((part.status().as_u16(), part.bytes().await.unwrap().len()), (206, 10));
        let known = alice.call(Method::GET, film).header("if-none-match", tag).send().await.unwrap();
        assert_eq!(known.status(), 304);
        let folder = alice.call(Method::GET, "/dav/an%20album/").send().await.unwrap();
        assert_eq!(folder.text().await.unwrap(), "1.ogg\nb side/\n");
        for nothing in
            ["/dav/x", "/dav/an%20album/x", "/dav/an%20album/..%2f..%2ftoken", "/dav/token", "/dav//an%20album"]
        {
            for method in [Method::GET, Method::HEAD, propfind()] {
                let answer = find(alice.call(method.clone(), nothing), "0").send().await.unwrap();
                assert_eq!(answer.status(), 404, "{method} {nothing}");
            }
        }
        alice.stop().await;
    });
}

#[test]
fn nothing_is_written_and_not_everything_told_at_once() {
    run(async {
        let alice = alice().await;
        let path = "/dav/an%20album/1.ogg";
        for method in
            ["PUT", "POST", "PATCH", "DELETE", "MKCOL", "MOVE", "COPY", "LOCK", "UNLOCK", "PROPPATCH", "TRACE"]
        {
            let request = alice.call(Method::from_bytes(method.as_bytes()).unwrap(), path);
            let answer = request.header("destination", "/dav/x").body("<x/>").send().await.unwrap();
            assert_eq!(answer.headers()["allow"], "OPTIONS, GET, HEAD, PROPFIND", "{method}");
            let (status, detail) = problem(answer).await;
            assert!(status == 405 && detail.contains(method), "{detail}");
        }
        let options = alice.call(Method::OPTIONS, "/dav/").send().await.unwrap();
        assert_eq!((options.status().as_u16(), &options.headers()["dav"]), (200, &"1".parse().unwrap()));
        let without = alice.call(propfind(), "/dav/").send().await.unwrap();
        let endless = find(alice.call(propfind(), "/dav/"), "infinity").send().await.unwrap();
        for answer in [without, endless] {
            assert_eq!(answer.status(), 403);
            assert!(answer.text().await.unwrap().contains("<D:propfind-finite-depth/>"));
        }
        for (depth, body) in [("2", ALL), ("1", "<propfind/>"), ("0", "not XML")] {
            let answer = alice.call(propfind(), "/dav/").header("depth", depth).body(body).send().await.unwrap();
            assert_eq!(problem(answer).await.0, 400, "{depth} {body}");
        }
        let long =
            alice.call(propfind(), "/dav/").header("depth", "0").body(" ".repeat(65 << 10)).send().await.unwrap();
        assert_eq!(problem(long).await.0, 413);
        alice.stop().await;
    });
}

#[test]
fn the_token_or_the_password_logs_in_and_nothing_else_does() {
    run(async {
        let alice = alice().await;
        let as_user = |password: &str| alice.bare(propfind(), "/dav/").basic_auth("anybody", Some(password));
        let chosen = "correct horse battery staple";
        let asked = find(alice.bare(propfind(), "/dav/"), "0").send().await.unwrap();
        assert!(asked.headers()["www-authenticate"].to_str().unwrap().starts_with("Basic "));
        assert_eq!(problem(asked).await.0, 401);
        assert_eq!(find(as_user(&alice.token), "0").send().await.unwrap().status(), 207);
        assert_eq!(find(as_user(chosen), "0").send().await.unwrap().status(), 401);
        Home::open(Some(alice.home.path())).unwrap().set_password(chosen).unwrap();
        for _ in 0..3 {
            assert_eq!(find(as_user(chosen), "0").send().await.unwrap().status(), 207);
        }
        let page = find(as_user(chosen), "0").header("origin", "http://evil.example").send().await.unwrap();
        assert_eq!(page.status(), 403);
        let name = find(as_user(chosen), "0").header("host", "evil.example").send().await.unwrap();
        assert_eq!(name.status(), 403);

        // One mistake was made; so many are looked at, and then no password is, not even the right one. The token always is.
        // They are too long to be a password, which costs no time: however slow the computer is, none is forgotten meanwhile.
        let mut statuses = Vec::new();
        for number in 0..14 {
            let guess = format!("{number}{}", "x".repeat(1500));
            statuses.push(find(as_user(&guess), "0").send().await.unwrap().status().as_u16());
        }
        assert!(statuses[..9].iter().all(|status| *status == 401) && statuses.contains(&429), "{statuses:?}");
        assert_eq!(find(as_user(chosen), "0").send().await.unwrap().status(), 429);
        assert_eq!(find(as_user(&alice.token), "0").send().await.unwrap().status(), 207);
        alice.stop().await;
    });
}

#[test]
fn a_finished_torrent_that_was_paused_before_the_node_began_is_read() {
    run(async {
        let alice = alice().await;
        let list: Vec<rpc::TorrentSummary> =
            alice.call(Method::GET, "/api/v1/torrents").send().await.unwrap().json().await.unwrap();
        for torrent in &list {
            let path = format!("/api/v1/torrents/{}/pause", torrent.id);
            assert_eq!(alice.call(Method::POST, &path).send().await.unwrap().status(), 204);
        }
        let alice = Alice::start_in(alice.stop().await).await;
        let top = find(alice.call(propfind(), "/dav/"), "1").send().await.unwrap();
        assert_eq!(hrefs(top).await, ["/dav/", "/dav/an%20album/", "/dav/A%20film%20%26%20more.mkv/"]);
        let song = || alice.call(Method::GET, "/dav/an%20album/b%20side/2.ogg").header("range", "bytes=10-").send();
        let part = song().await.unwrap();
        assert_eq!((part.status().as_u16(), part.bytes().await.unwrap().to_vec()), (206, vec![2; 40]));
        std::fs::write(alice.home.path().join("an album/b side/2.ogg"), [4; 60]).unwrap();
        let (status, detail) = problem(song().await.unwrap()).await;
        assert!(status == 500 && detail.contains("another length"), "{detail}");
        alice.stop().await;
    });
}
