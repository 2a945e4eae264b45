//! The web page as a browser meets it.

use reqwest::{Method, header};

use super::Alice;

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_there_for_whoever_asks_and_may_run_nothing_of_others() {
    let alice = Alice::start().await;
    let page = alice.bare(Method::GET, "/").send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert_eq!(page.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
    let policy = page.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'self';") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(page.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    let tag = page.headers()[header::ETAG].clone();
    let text = page.text().await.unwrap();
    assert!(text.contains("<!doctype html>") && !text.contains("<style") && !text.contains(" style="), "{text}");
    // No script stands in the page: each names its file.
    assert!(text.split("<script").skip(1).all(|script| script.contains("src=") && script.contains("></script>")));

    let again = alice.bare(Method::GET, "/").header(header::IF_NONE_MATCH, tag).send().await.unwrap();
    assert_eq!((again.status().as_u16(), again.bytes().await.unwrap().len()), (304, 0));

    for (path, kind) in [
        ("/icon.svg", "image/svg+xml"),
        ("/api/", "text/html; charset=utf-8"),
        ("/api", "text/html; charset=utf-8"),
        ("/api/docs.js", "text/javascript; charset=utf-8"),
        ("/api/docs.css", "text/css; charset=utf-8"),
        ("/app/main.js", "text/javascript; charset=utf-8"),
        ("/style/main.css", "text/css; charset=utf-8"),
        ("/tabs/transfers/index.js", "text/javascript; charset=utf-8"),
        ("/vendor/preact/preact.mjs", "text/javascript; charset=utf-8"),
    ] {
        let answer = alice.bare(Method::GET, path).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(answer.headers()[header::CONTENT_TYPE], kind, "{path}");
    }
    alice.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_page_is_served_and_only_to_be_read() {
    let alice = Alice::start().await;
    let status = async |method: Method, path: &str| alice.bare(method, path).send().await.unwrap().status().as_u16();
    for path in ["/app/nothing.js", "/app/%2e%2e/%2e%2e/Cargo.toml", "/app/..%2f..%2fCargo.toml", "/vendor/vendor.toml"]
    {
        assert_eq!(status(Method::GET, path).await, 404, "{path}");
    }
    assert_eq!(status(Method::POST, "/").await, 405);
    assert_eq!(status(Method::PUT, "/app/main.js").await, 405);
    let rebound = alice.bare(Method::GET, "/").header(header::HOST, "evil.example").send().await.unwrap();
    assert_eq!(rebound.status(), 403);
    alice.stop().await;
}
