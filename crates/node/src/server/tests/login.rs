//! Browsers that log in, and those who guess.

use super::*;

impl Alice {
    async fn log_in(&self, body: Value) -> Response {
        self.bare(Method::POST, "/api/v1/login").json(&body).send().await.unwrap()
    }

    /// Logs a browser in; -> the cookie that it sends from then on.
    async fn cookie(&self) -> String {
        let answer = self.log_in(json!({ "secret": self.token })).await;
        assert_eq!(answer.status(), 200);
        let set = answer.headers()["set-cookie"].to_str().unwrap();
        set.split(';').next().unwrap().to_owned()
    }

    fn browser(&self, cookie: &str, method: Method, path: &str) -> RequestBuilder {
        self.bare(method, path).header("cookie", format!("theme=dark; {cookie}"))
    }

    fn origin(&self) -> String {
        format!("http://{}", self.api)
    }
}

#[test]
fn a_browser_logs_in_by_the_token_and_out_again() {
    run(async {
        let alice = Alice::start().await;
        let path = "/api/v1/login";
        assert_eq!(problem(alice.bare(Method::GET, path).send().await.unwrap()).await.0, 401);
        let by_token: Value = alice.call(Method::GET, path).send().await.unwrap().json().await.unwrap();
        assert_eq!(by_token, json!({ "by": "token" }));

        let answer = alice.log_in(json!({ "secret": format!("{}\n", alice.token) })).await;
        let set = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
        assert!(set.starts_with(&format!("compeer-{}=", alice.api.port())), "{set}");
        for word in ["; HttpOnly", "; SameSite=Strict", "; Path=/", "; Max-Age="] {
            assert!(set.contains(word), "{set}");
        }
        assert!(!set.contains(&alice.token));
        let cookie = set.split(';').next().unwrap();
        let by_cookie: Value = alice.browser(cookie, Method::GET, path).send().await.unwrap().json().await.unwrap();
        assert_eq!(by_cookie, json!({ "by": "cookie" }));

        let out = alice.browser(cookie, Method::POST, "/api/v1/logout").header("origin", alice.origin());
        let out = out.send().await.unwrap();
        assert_eq!(out.status(), 204);
        assert!(out.headers()["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
        assert_eq!(alice.browser(cookie, Method::GET, path).send().await.unwrap().status(), 401);
        alice.stop().await;
    });
}

#[test]
fn a_code_logs_in_once() {
    run(async {
        let alice = Alice::start().await;
        let code = alice.call(Method::POST, "/api/v1/login/codes").send().await.unwrap();
        assert_eq!(code.headers()["cache-control"], "no-store");
        let code: rpc::LoginCode = code.json().await.unwrap();
        assert_eq!(code.url, format!("{}/#code={}", alice.origin(), code.code));
        assert_eq!(alice.bare(Method::POST, "/api/v1/login/codes").send().await.unwrap().status(), 401);
        assert_eq!(alice.log_in(json!({ "code": code.code })).await.status(), 200);
        assert_eq!(problem(alice.log_in(json!({ "code": code.code })).await).await.0, 401);
        for body in [json!({}), json!({ "code": "x", "secret": "y" }), json!({ "sekret": "y" })] {
            assert_eq!(problem(alice.log_in(body).await).await.0, 400);
        }
        let long = json!({ "secret": "x".repeat(5000) });
        assert_eq!(problem(alice.log_in(long).await).await.0, 413, "nobody unknown fills the memory");
        alice.stop().await;
    });
}

#[test]
fn only_pages_of_the_node_change_anything_by_the_cookie() {
    run(async {
        let alice = Alice::start().await;
        let cookie = alice.cookie().await;
        let own = alice.origin();
        for (method, name, value, status) in [
            (Method::GET, "accept", "*/*", 200),
            (Method::GET, "sec-fetch-site", "none", 200),
            (Method::GET, "sec-fetch-site", "same-origin", 200),
            // Another port of this host, or another host.
            (Method::GET, "sec-fetch-site", "same-site", 403),
            (Method::GET, "sec-fetch-site", "cross-site", 403),
            (Method::PUT, "accept", "*/*", 403),
            (Method::PUT, "sec-fetch-site", "none", 403),
            (Method::PUT, "sec-fetch-site", "same-site", 403),
            (Method::PUT, "origin", "http://127.0.0.1:1", 403),
            (Method::PUT, "origin", "null", 403),
            (Method::PUT, "origin", own.as_str(), 200),
            (Method::PUT, "sec-fetch-site", "same-origin", 200),
        ] {
            let mut request = alice.browser(&cookie, method.clone(), "/api/v1/limits").header(name, value);
            if method == Method::PUT {
                request = request.json(&json!({ "upload_bytes_per_s": 1000 }));
            }
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), status, "{method} {name}: {value}");
        }
        let planted = format!("{}=0; {cookie}", cookie.split('=').next().unwrap());
        assert_eq!(alice.browser(&planted, Method::GET, "/api/v1/limits").send().await.unwrap().status(), 200);
        alice.stop().await;
    });
}

#[test]
fn who_guesses_is_slowed_down_and_who_knows_is_not() {
    run(async {
        let alice = Alice::start().await;
        let cookie = alice.cookie().await;
        let mut answers = std::collections::BTreeMap::new();
        for number in 0..1000 {
            let answer = if number % 2 == 0 {
                alice.bare(Method::GET, "/api/v1/session").bearer_auth(format!("{number:064x}")).send().await.unwrap()
            } else {
                alice.log_in(json!({ "secret": format!("{number:064x}") })).await
            };
            if answer.status() == 429 {
                assert!(answer.headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap() > 0);
            }
            *answers.entry(problem(answer).await.0).or_insert(0) += 1;
        }
        assert_eq!(answers.keys().copied().collect::<Vec<_>>(), [401, 429]);
        // Ten at once, and a few for the time that the test took.
        assert!((10..100).contains(&answers[&401]), "{answers:?}");
        assert_eq!(alice.call(Method::GET, "/api/v1/session").send().await.unwrap().status(), 200);
        assert_eq!(alice.browser(&cookie, Method::GET, "/api/v1/session").send().await.unwrap().status(), 200);
        assert_eq!(alice.log_in(json!({ "secret": alice.token })).await.status(), 200);
        // Who shows nothing does not guess.
        assert_eq!(alice.bare(Method::GET, "/api/v1/session").send().await.unwrap().status(), 401);
        alice.stop().await;
    });
}

#[test]
fn a_node_that_stays_is_found_at_the_same_port_again_unless_it_is_taken() {
    run(async {
        let taken = tokio::net::TcpListener::bind(crate::DEFAULT_API).await;
        let alice = Alice::start().await;
        assert_ne!(alice.api, crate::DEFAULT_API, "this test has the port, or another node");
        assert!(alice.api.ip().is_loopback());
        alice.stop().await;
        drop(taken);
    });
}
