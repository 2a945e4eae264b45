//! HTTP for trackers, web seeds, torrent files and feeds: time limits, bounded bodies, bounded redirects, the proxies of the
//! environment (`http_proxy`, `https_proxy`, `all_proxy`, `no_proxy`).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::{Egress, Gate};

/// How long connecting may take. As for peers.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a body may stand still before the request fails. Arbitrary.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// How many redirects are followed. Browsers follow 20; trackers and mirrors need one or two.
const MAX_REDIRECTS: usize = 5;

/// Why an HTTP request failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// The client could not be set up.
    #[error("cannot set up HTTP: {0}")]
    Setup(String),
    /// There is no answer.
    #[error("{0}")]
    NoAnswer(String),
    /// The server refused.
    #[error("the server answered {status}{}", reason_of(*status))]
    Status {
        /// The status code.
        status: u16,
        /// How long the server asks to wait.
        retry_after: Option<Duration>,
    },
    /// The body is longer than it may be.
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
}

fn reason_of(status: u16) -> String {
    let reason = reqwest::StatusCode::from_u16(status).ok().and_then(|s| s.canonical_reason());
    reason.map_or(String::new(), |reason| format!(" ({reason})"))
}

/// Which version of something a server gave (RFC 9110, section 8.8), so that it is sent again only when there is another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Version {
    tag: Option<reqwest::header::HeaderValue>,
    modified: Option<reqwest::header::HeaderValue>,
}

/// What a server gave.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The body.
    pub body: Bytes,
    /// Where it was in the end, behind redirects: what is in it may be relative to that.
    pub url: String,
    /// Its version.
    pub version: Version,
}

/// Makes an absolute URL of a reference in a document (RFC 3986, section 5). `None`: one of the two is no URL.
pub fn absolute_url(base: &str, reference: &str) -> Option<String> {
    Some(reqwest::Url::parse(base).ok()?.join(reference).ok()?.into())
}

/// The HTTP client. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Http {
    client: reqwest::Client,
    gate: Option<Gate>,
}

/// Resolves names by the way that everything leaves, and leaves out the addresses that the gate refuses.
#[derive(Debug)]
struct Names {
    egress: Egress,
    gate: Option<Gate>,
}

impl reqwest::dns::Resolve for Names {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let (egress, gate) = (self.egress.clone(), self.gate.clone());
        Box::pin(async move {
            let found = egress.lookup(name.as_str(), 0).await?;
            let (admitted, refused): (Vec<SocketAddr>, Vec<SocketAddr>) =
                found.into_iter().partition(|it| !gate.as_ref().is_some_and(|gate| gate.refuses_address(it.ip())));
            if admitted.is_empty() && !refused.is_empty() {
                return Err(BLOCKED.into());
            }
            Ok(Box::new(admitted.into_iter()) as reqwest::dns::Addrs)
        })
    }
}

/// What is said where the gate lets nobody go.
const BLOCKED: &str = "its address is blocked";

/// Tells whether a URL names an address that the gate refuses; names are the resolver's.
fn refused(gate: Option<&Gate>, url: &reqwest::Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let ip: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    ip.is_some_and(|ip| gate.is_some_and(|gate| gate.refuses_address(ip)))
}

fn redirects(gate: Option<Gate>) -> reqwest::redirect::Policy {
    reqwest::redirect::Policy::custom(move |attempt| {
        if attempt.previous().len() > MAX_REDIRECTS {
            attempt.error("too many redirects")
        } else if refused(gate.as_ref(), attempt.url()) {
            attempt.error(BLOCKED)
        } else {
            attempt.follow()
        }
    })
}

impl Http {
    /// Sets up the client, which calls itself `agent`, leaves by `egress`, and goes nowhere that `gate` does not let it.
    pub fn new(agent: &str, egress: &Egress, gate: Option<Gate>) -> Result<Http, HttpError> {
        // Fails only when a provider is installed already, which is then as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let setup = |error: reqwest::Error| HttpError::Setup(chain(&error));
        let mut builder = reqwest::Client::builder();
        if let Some(proxy) = &egress.proxy {
            // Whatever the environment says; names are resolved by the proxy.
            builder = builder.no_proxy().proxy(reqwest::Proxy::all(proxy.url()).map_err(setup)?);
        } else {
            builder = builder.dns_resolver(Arc::new(Names { egress: egress.clone(), gate: gate.clone() }));
        }
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if let Some(device) = &egress.device {
            builder = builder.interface(device);
        }
        let client = builder
            .user_agent(agent)
            .local_address(egress.address)
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .redirect(redirects(gate.clone()))
            // Idle connections of many trackers would count against the open-file limit.
            .pool_max_idle_per_host(2)
            .build()
            .map_err(setup)?;
        Ok(Http { client, gate })
    }

    /// Fetches a body of at most `max_bytes` within `timeout`. Any status but success is an error.
    pub async fn get(&self, url: &str, max_bytes: usize, timeout: Duration) -> Result<Bytes, HttpError> {
        let (failure, body) = self.get_any(url, max_bytes, timeout).await?;
        failure.map_or(Ok(body), Err)
    }

    /// Fetches a body as [`Http::get`] does, also that of a refusal, beside which its status is returned: trackers
    /// explain themselves there.
    pub async fn get_any(
        &self,
        url: &str,
        max_bytes: usize,
        timeout: Duration,
    ) -> Result<(Option<HttpError>, Bytes), HttpError> {
        // The next question is half an hour away, and there are trackers that reset a connection which they let seem open.
        self.check(url)?;
        let request = self.client.get(url).header(reqwest::header::CONNECTION, "close").timeout(timeout);
        let response = request.send().await.map_err(|error| HttpError::NoAnswer(chain(&error)))?;
        let failure = (!response.status().is_success()).then(|| status_error(&response));
        let body = Body { response }.collect(max_bytes).await?;
        Ok((failure, body))
    }

    /// Fetches a body as [`Http::get`] does, if there is another version than this one; `None`: there is not.
    pub async fn get_newer(
        &self,
        url: &str,
        than: &Version,
        max_bytes: usize,
        timeout: Duration,
    ) -> Result<Option<Fetched>, HttpError> {
        use reqwest::header::{CONNECTION, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};

        self.check(url)?;
        let mut request = self.client.get(url).header(CONNECTION, "close").timeout(timeout);
        for (name, value) in [(IF_NONE_MATCH, &than.tag), (IF_MODIFIED_SINCE, &than.modified)] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        let response = request.send().await.map_err(|error| HttpError::NoAnswer(chain(&error)))?;
        if response.status() == reqwest::StatusCode::NOT_MODIFIED && *than != Version::default() {
            return Ok(None);
        }
        if !response.status().is_success() {
            return Err(status_error(&response));
        }
        let header = |name| response.headers().get(name).cloned();
        let version = Version { tag: header(ETAG), modified: header(LAST_MODIFIED) };
        let url = response.url().to_string();
        let body = Body { response }.collect(max_bytes).await?;
        Ok(Some(Fetched { body, url, version }))
    }

    fn check(&self, url: &str) -> Result<(), HttpError> {
        let is_refused = reqwest::Url::parse(url).is_ok_and(|url| refused(self.gate.as_ref(), &url));
        if is_refused { Err(HttpError::NoAnswer(BLOCKED.to_owned())) } else { Ok(()) }
    }

    /// Asks for `length` bytes from `offset` on (RFC 9110, 14.2). A server that answers with the whole file is an
    /// error of status 200, unless the whole file was asked for.
    pub async fn get_range(&self, url: &str, offset: u64, length: u64, whole: bool) -> Result<Body, HttpError> {
        self.check(url)?;
        let mut request = self.client.get(url);
        if !whole {
            let last = offset.saturating_add(length).saturating_sub(1);
            request = request.header(reqwest::header::RANGE, format!("bytes={offset}-{last}"));
        }
        let response = request.send().await.map_err(|error| HttpError::NoAnswer(chain(&error)))?;
        let wanted = if whole { reqwest::StatusCode::OK } else { reqwest::StatusCode::PARTIAL_CONTENT };
        if response.status() != wanted {
            return Err(status_error(&response));
        }
        Ok(Body { response })
    }
}

/// A body that is still arriving.
#[derive(Debug)]
pub struct Body {
    response: reqwest::Response,
}

impl Body {
    /// Returns the address of the server, or of the proxy before it.
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        self.response.remote_addr()
    }

    /// Waits for the next part; `None` at the end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, HttpError> {
        self.response.chunk().await.map_err(|error| HttpError::NoAnswer(chain(&error)))
    }

    async fn collect(mut self, max_bytes: usize) -> Result<Bytes, HttpError> {
        let mut body = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            if body.len() + chunk.len() > max_bytes {
                return Err(HttpError::TooLong(max_bytes));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }
}

fn status_error(response: &reqwest::Response) -> HttpError {
    let retry_after = response.headers().get(reqwest::header::RETRY_AFTER);
    let retry_after = retry_after.and_then(|value| value.to_str().ok()?.parse().ok()).map(Duration::from_secs);
    HttpError::Status { status: response.status().as_u16(), retry_after }
}

/// Joins an error and its causes: the outermost one alone only says that something went wrong with the request.
fn chain(error: &reqwest::Error) -> String {
    let mut text = if error.is_timeout() { "it took too long".to_owned() } else { String::new() };
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(error);
    let mut last = None;
    while let Some(inner) = cause {
        last = Some(inner.to_string());
        cause = inner.source();
    }
    if text.is_empty() {
        text = last.unwrap_or_else(|| error.to_string());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// A server that answers every request with `answer`, whose address is returned.
    async fn server(answer: &'static str) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        format!("http://{address}/file")
    }

    const TIMEOUT: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn a_body_is_bounded() {
        let http = Http::new("test", &Egress::default(), None).unwrap();
        let url = server("HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello").await;
        assert_eq!(http.get(&url, 5, TIMEOUT).await.unwrap(), "hello");
        assert_eq!(http.get(&url, 4, TIMEOUT).await.unwrap_err(), HttpError::TooLong(4));
    }

    #[tokio::test]
    async fn a_refusal_names_the_status_and_the_wait() {
        let http = Http::new("test", &Egress::default(), None).unwrap();
        let answer = "HTTP/1.1 503 Busy\r\nretry-after: 7\r\ncontent-length: 4\r\nconnection: close\r\n\r\nbusy";
        let url = server(answer).await;
        let error = http.get(&url, 100, TIMEOUT).await.unwrap_err();
        assert_eq!(error, HttpError::Status { status: 503, retry_after: Some(Duration::from_secs(7)) });
        assert_eq!(error.to_string(), "the server answered 503 (Service Unavailable)");
        assert_eq!(http.get_any(&url, 100, TIMEOUT).await.unwrap(), (Some(error), Bytes::from("busy")));
    }

    #[tokio::test]
    async fn a_blocked_server_is_not_asked_by_name_by_address_or_by_a_redirect() {
        let limits = crate::GateLimits { connections: 9, per_torrent: 9, per_address: 9, per_person: 9 };
        let gate = Gate::new(limits);
        let http = Http::new("test", &Egress::default(), Some(gate.clone())).unwrap();
        let url = server("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi").await;
        let by_name = url.replace("127.0.0.1", "localhost");
        assert_eq!(http.get(&url, 9, TIMEOUT).await.unwrap(), "hi");
        let block = ["127.0.0.1", "::1"].iter().map(|ip| ip.parse::<crate::Target>().unwrap()).collect();
        gate.set_policy(crate::Policy { block, ..crate::Policy::default() });
        for url in [&url, &by_name] {
            let error = http.get(url, 9, TIMEOUT).await.unwrap_err().to_string();
            assert!(error.contains("blocked"), "{url}: {error}");
        }
    }

    #[tokio::test]
    async fn nobody_at_the_other_end_is_said_so() {
        let http = Http::new("test", &Egress::default(), None).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        drop(listener);
        let error = http.get(&url, 100, TIMEOUT).await.unwrap_err().to_string();
        assert!(error.contains("refused"), "{error}");
    }

    #[tokio::test]
    async fn what_is_known_is_not_sent_again() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/feed", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 4096];
                let length = stream.read(&mut request).await.unwrap();
                let request = String::from_utf8_lossy(&request[..length]).to_ascii_lowercase();
                let known =
                    request.contains("if-none-match: \"7\"\r\n") && request.contains("if-modified-since: then\r\n");
                let answer = match known {
                    true => "HTTP/1.1 304 Not Modified\r\n\r\n",
                    false => "HTTP/1.1 200 OK\r\netag: \"7\"\r\nlast-modified: then\r\ncontent-length: 2\r\n\r\nhi",
                };
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        let http = Http::new("test", &Egress::default(), None).unwrap();
        let first = http.get_newer(&url, &Version::default(), 9, TIMEOUT).await.unwrap().unwrap();
        assert_eq!((&first.body[..], &first.url), (&b"hi"[..], &url));
        assert!(http.get_newer(&url, &first.version, 9, TIMEOUT).await.unwrap().is_none());
        let other = Version { tag: None, ..first.version };
        assert!(http.get_newer(&url, &other, 9, TIMEOUT).await.unwrap().is_some());
        assert_eq!(http.get_newer(&url, &other, 1, TIMEOUT).await.unwrap_err(), HttpError::TooLong(1));
    }

    #[tokio::test]
    async fn a_known_version_that_nobody_asked_about_is_an_error() {
        let http = Http::new("test", &Egress::default(), None).unwrap();
        let url = server("HTTP/1.1 304 Not Modified\r\nconnection: close\r\n\r\n").await;
        let error = http.get_newer(&url, &Version::default(), 9, TIMEOUT).await.unwrap_err();
        assert_eq!(error, HttpError::Status { status: 304, retry_after: None });
    }

    #[test]
    fn a_reference_is_read_as_browsers_do() {
        let base = "https://example.org/feeds/new.xml?key=1";
        for (reference, url) in [
            ("x.torrent", "https://example.org/feeds/x.torrent"),
            ("/x.torrent", "https://example.org/x.torrent"),
            ("//b.example/x", "https://b.example/x"),
            ("http://b.example/x y", "http://b.example/x%20y"),
            ("", "https://example.org/feeds/new.xml?key=1"),
        ] {
            assert_eq!(absolute_url(base, reference).as_deref(), Some(url));
        }
        assert_eq!((absolute_url("feed", "x"), absolute_url(base, "http://")), (None, None));
    }

    #[tokio::test]
    async fn a_server_without_ranges_is_an_error() {
        let http = Http::new("test", &Egress::default(), None).unwrap();
        let url = server("HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello").await;
        let error = http.get_range(&url, 1, 2, false).await.unwrap_err();
        assert_eq!(error, HttpError::Status { status: 200, retry_after: None });
        let mut body = http.get_range(&url, 0, 5, true).await.unwrap();
        assert_eq!(body.chunk().await.unwrap().unwrap(), "hello");
    }
}
