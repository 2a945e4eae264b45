//! Other computers that come in by TLS.

use reqwest::tls::TlsInfo;
use sha2::{Digest as _, Sha256};

use super::*;

const PASSWORD: &str = "correct horse battery staple";

/// A browser on another computer.
struct Far {
    http: Client,
    url: String,
}

impl Far {
    fn of(alice: &Alice) -> Far {
        let http = Client::builder().no_proxy().tls_danger_accept_invalid_certs(true).tls_info(true).build().unwrap();
        let url = alice.node.as_ref().unwrap().remote().unwrap().url;
        Far { http, url: url.trim_end_matches('/').replace("nas.example", "127.0.0.1") }
    }

    fn call(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    async fn log_in(&self, body: Value) -> Response {
        self.call(Method::POST, "/api/v1/login").json(&body).send().await.unwrap()
    }
}

const CONFIG: &str = "[api]\nremote = { listen = \"127.0.0.1:0\", names = [\"nas.example\"] }";

async fn start(password: &str) -> Alice {
    let folder = tempfile::tempdir().unwrap();
    Home::open(Some(folder.path())).unwrap().set_password(password).unwrap();
    std::fs::write(folder.path().join("config.toml"), CONFIG).unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    Alice::start_in(folder).await
}

#[test]
fn without_a_password_nobody_is_awaited() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.toml"), CONFIG).unwrap();
        let home = Home::open(Some(folder.path())).unwrap();
        let lock = home.lock().unwrap().unwrap();
        let error = Node::start(home, lock, options()).await.unwrap_err().to_string();
        assert!(error.contains("compeer password"), "{error}");
    });
}

#[test]
fn from_elsewhere_only_the_password_logs_in() {
    run(async {
        let alice = start(PASSWORD).await;
        let far = Far::of(&alice);
        let page = far.call(Method::GET, "/").send().await.unwrap();
        assert_eq!(page.status(), 200);
        let certificate = page.extensions().get::<TlsInfo>().unwrap().peer_certificate().unwrap();
        let shown: Vec<String> = Sha256::digest(certificate).iter().map(|byte| format!("{byte:02X}")).collect();
        assert_eq!(alice.node.as_ref().unwrap().remote().unwrap().fingerprint, shown.join(":"));

        let path = "/api/v1/session";
        let by_token = far.call(Method::GET, path).bearer_auth(&alice.token).send().await.unwrap();
        let (status, detail) = problem(by_token).await;
        assert!(status == 401 && !detail.contains(alice.home.path().to_str().unwrap()), "{detail}");
        for path in ["/metrics", "/transmission/rpc", "/api/v2/app/version", "/api/v2/nothing"] {
            let by_token = far.call(Method::GET, path).bearer_auth(&alice.token).send().await.unwrap();
            assert_eq!(by_token.status(), 403, "{path}");
        }
        let tool_login =
            far.call(Method::POST, "/api/v2/auth/login").header("content-type", "application/x-www-form-urlencoded");
        let tool_login = tool_login.body(format!("password={}", alice.token)).send().await.unwrap();
        assert_eq!(tool_login.status(), 403);
        let code: rpc::LoginCode =
            alice.call(Method::POST, "/api/v1/login/codes").send().await.unwrap().json().await.unwrap();
        for body in [json!({ "secret": alice.token }), json!({ "code": code.code }), json!({ "secret": "" })] {
            assert_eq!(problem(far.log_in(body).await).await.0, 401);
        }
        let answer = far.log_in(json!({ "secret": PASSWORD })).await;
        assert_eq!(answer.status(), 200);
        let set = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
        assert!(set.contains("; Secure") && set.contains("; HttpOnly") && set.contains("; SameSite=Strict"), "{set}");
        let cookie = set.split(';').next().unwrap();
        let info: rpc::SessionInfo =
            far.call(Method::GET, path).header("cookie", cookie).send().await.unwrap().json().await.unwrap();
        assert_eq!(info.remote, alice.node.as_ref().unwrap().remote());
        // On this computer it is good, too, but what began elsewhere is not.
        let near = alice.bare(Method::POST, "/api/v1/login").json(&json!({ "secret": PASSWORD })).send().await.unwrap();
        assert_eq!(near.status(), 200);
        let local = format!("compeer-{}={}", alice.api.port(), cookie.split_once('=').unwrap().1);
        assert_eq!(alice.bare(Method::GET, path).header("cookie", local).send().await.unwrap().status(), 401);

        // Another password ends what began with this one.
        Home::open(Some(alice.home.path())).unwrap().set_password("another horse, another staple").unwrap();
        assert_eq!(far.call(Method::GET, path).header("cookie", cookie).send().await.unwrap().status(), 401);
        assert_eq!(problem(far.log_in(json!({ "secret": PASSWORD })).await).await.0, 401);
        alice.stop().await;
    });
}

#[test]
fn from_elsewhere_the_password_opens_the_finished_files() {
    run(async {
        let alice = start(PASSWORD).await;
        let far = Far::of(&alice);
        let by = |password: &str| far.call(Method::GET, "/dav/").basic_auth("anybody", Some(password)).send();
        for _ in 0..2 {
            assert_eq!(by(PASSWORD).await.unwrap().status(), 200);
        }
        let refused = by(&alice.token).await.unwrap();
        assert!(refused.headers()["www-authenticate"].to_str().unwrap().starts_with("Basic "));
        let (status, detail) = problem(refused).await;
        assert!(status == 401 && !detail.contains("token"), "{detail}");
        let bearer = far.call(Method::GET, "/dav/").bearer_auth(&alice.token).send().await.unwrap();
        assert_eq!(bearer.status(), 401);
        Home::open(Some(alice.home.path())).unwrap().set_password("another horse, another staple").unwrap();
        assert_eq!(by(PASSWORD).await.unwrap().status(), 401);
        alice.stop().await;
    });
}

#[test]
fn from_elsewhere_names_and_pages_are_checked_too() {
    run(async {
        let alice = start(PASSWORD).await;
        let far = Far::of(&alice);
        for (host, status) in [
            ("evil.example", 403),
            ("nas.example", 200),
            ("nas.example:443", 200),
            ("nas.example.evil.example", 403),
            ("localhost", 403),
            ("nas.example:1.evil.example", 403),
            ("nas.example@evil.example", 403),
            ("evil.example:1@nas.example", 403),
        ] {
            let answer = far.call(Method::GET, "/health").header("host", host).send().await.unwrap();
            assert_eq!(answer.status(), status, "{host}");
        }
        let answer = far.log_in(json!({ "secret": PASSWORD })).await;
        let cookie = answer.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        for (name, value, status) in [
            ("accept", "*/*", 403),
            ("origin", "https://evil.example", 403),
            ("origin", far.url.replace("https", "http").as_str(), 403),
            ("origin", "https://nas.example", 403),
            ("origin", far.url.as_str(), 200),
        ] {
            let put = far.call(Method::PUT, "/api/v1/limits").header("cookie", &cookie).header(name, value);
            let answer = put.json(&json!({ "upload_bytes_per_s": 1000 })).send().await.unwrap();
            assert_eq!(answer.status(), status, "{name}: {value}");
        }
        let plain = reqwest::Client::builder().no_proxy().build().unwrap();
        assert!(plain.get(far.url.replace("https", "http")).send().await.is_err(), "without TLS nothing is said");
        alice.stop().await;
    });
}

#[test]
fn a_password_can_be_guessed_a_few_times_only() {
    run(async {
        let alice = start(PASSWORD).await;
        let far = Far::of(&alice);
        let mut statuses = Vec::new();
        for number in 0..14 {
            statuses.push(far.log_in(json!({ "secret": format!("guess number {number:03}") })).await.status().as_u16());
        }
        assert!(statuses[..10].iter().all(|status| *status == 401), "{statuses:?}");
        let answer = far.log_in(json!({ "secret": PASSWORD })).await;
        // As long as nobody looks, the right one is not told from the others; the token is none of them.
        assert!(statuses.contains(&429) || answer.status() == 429, "{statuses:?}");
        let near = alice.bare(Method::POST, "/api/v1/login").json(&json!({ "secret": alice.token })).send().await;
        assert_eq!(near.unwrap().status(), 200);
        alice.stop().await;
    });
}

#[test]
fn the_password_is_set_and_removed_on_the_nodes_own_computer() {
    run(async {
        let alice = start(PASSWORD).await;
        let far = Far::of(&alice);
        let is_set = async || {
            let info = alice.call(Method::GET, "/api/v1/password").send().await.unwrap();
            info.json::<rpc::PasswordInfo>().await.unwrap().set
        };
        let put = |words: &str| alice.call(Method::PUT, "/api/v1/password").json(&json!({ "password": words })).send();
        let (status, detail) = problem(put("too easy").await.unwrap()).await;
        assert_eq!((status, detail.contains("15 characters"), is_set().await), (400, true, true), "{detail}");
        assert_eq!(put("another horse, another staple").await.unwrap().status(), 204);
        let answer = far.log_in(json!({ "secret": "another horse, another staple" })).await;
        assert_eq!(answer.status(), 200);
        let cookie = answer.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        for method in [Method::PUT, Method::DELETE] {
            let call = far.call(method, "/api/v1/password").header("cookie", &cookie).header("origin", &far.url);
            let (status, detail) = problem(call.json(&json!({ "password": PASSWORD })).send().await.unwrap()).await;
            assert!(status == 403 && detail.contains("own computer"), "{status} {detail}");
        }
        let removed = alice.call(Method::DELETE, "/api/v1/password").send().await.unwrap();
        assert_eq!((removed.status().as_u16(), is_set().await), (204, false));
        let gone = far.call(Method::GET, "/api/v1/session").header("cookie", &cookie).send().await.unwrap();
        assert_eq!(gone.status(), 401);
        alice.stop().await;
    });
}

#[test]
fn a_password_that_cannot_be_read_is_a_failure_and_ends_no_log_in() {
    run(async {
        let alice = start(PASSWORD).await;
        let far = Far::of(&alice);
        let answer = far.log_in(json!({ "secret": PASSWORD })).await;
        let cookie = answer.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        let session = || far.call(Method::GET, "/api/v1/session").header("cookie", &cookie).send();
        let file = alice.home.path().join("password");
        let kept = std::fs::read(&file).unwrap();
        std::fs::write(&file, "half of").unwrap();
        for answer in [far.log_in(json!({ "secret": PASSWORD })).await, session().await.unwrap()] {
            let (status, detail) = problem(answer).await;
            let tells_where = detail.contains(alice.home.path().to_str().unwrap());
            assert!(status == 500 && detail.contains("compeer password") && !tells_where, "{status} {detail}");
        }
        std::fs::write(&file, kept).unwrap();
        assert_eq!(session().await.unwrap().status(), 200);
        std::fs::write(&file, "half of").unwrap();
        let home = alice.stop().await;
        let again = Home::open(Some(home.path())).unwrap();
        let lock = again.lock().unwrap().unwrap();
        let error = Node::start(again, lock, options()).await.unwrap_err().to_string();
        assert!(error.contains("holds no password") && error.contains("compeer password"), "{error}");
    });
}

#[test]
fn another_name_needs_another_certificate() {
    run(async {
        let alice = start(PASSWORD).await;
        let first = alice.node.as_ref().unwrap().remote().unwrap().fingerprint;
        let home = alice.stop().await;
        std::fs::write(home.path().join("config.toml"), CONFIG.replace("nas.example", "box.example")).unwrap();
        let alice = Alice::start_in(home).await;
        assert_ne!(alice.node.as_ref().unwrap().remote().unwrap().fingerprint, first);
        alice.stop().await;
    });
}

#[test]
fn the_certificate_stays_the_same_and_can_be_the_users() {
    run(async {
        let alice = start(PASSWORD).await;
        let first = alice.node.as_ref().unwrap().remote().unwrap().fingerprint;
        let home = alice.stop().await;
        let alice = Alice::start_in(home).await;
        assert_eq!(alice.node.as_ref().unwrap().remote().unwrap().fingerprint, first);
        let home = alice.stop().await;
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let key = std::fs::metadata(home.path().join("api-key.der")).unwrap();
            assert_eq!(key.mode() & 0o777, 0o600);
        }
        // The same as PEM (RFC 7468), as if somebody else had made it.
        let pem = |name: &str, label: &str| {
            let der = std::fs::read(home.path().join(name)).unwrap();
            let text = data_encoding::BASE64.encode(&der);
            format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
        };
        let (certificate, key) = (home.path().join("mine.pem"), home.path().join("mine.key"));
        std::fs::write(&certificate, pem("api-certificate.der", "CERTIFICATE")).unwrap();
        std::fs::write(&key, pem("api-key.der", "PRIVATE KEY")).unwrap();
        for name in ["api-certificate.der", "api-key.der"] {
            std::fs::remove_file(home.path().join(name)).unwrap();
        }
        let config = format!(
            "[api.remote]\nlisten = \"127.0.0.1:0\"\ncertificate = {certificate:?}\nkey = {key:?}\nnames = [\"nas.example\"]"
        );
        std::fs::write(home.path().join("config.toml"), config).unwrap();
        let alice = Alice::start_in(home).await;
        assert_eq!(alice.node.as_ref().unwrap().remote().unwrap().fingerprint, first);
        assert_eq!(Far::of(&alice).call(Method::GET, "/health").send().await.unwrap().status(), 200);
        alice.stop().await;
    });
}
