//! HTTP for trackers, web seeds and torrent files: time limits, bounded bodies, bounded redirects, the proxies of the
//! environment (`http_proxy`, `https_proxy`, `all_proxy`, `no_proxy`).

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::{Bytes, BytesMut};

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

/// The HTTP client. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Http {
    client: reqwest::Client,
}

impl Http {
    /// Sets up the client, which calls itself `agent` and leaves from `bind`.
    pub fn new(agent: &str, bind: Option<IpAddr>) -> Result<Http, HttpError> {
        // Fails only when a provider is installed already, which is then as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .user_agent(agent)
            .local_address(bind)
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .redirect(reqwest::redirect::Policy::limited(MAX_REDIRECTS))
            // Idle connections of many trackers would count against the open-file limit.
            .pool_max_idle_per_host(2)
            .build()
            .map_err(|error| HttpError::Setup(chain(&error)))?;
        Ok(Http { client })
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
        let request = self.client.get(url).header(reqwest::header::CONNECTION, "close").timeout(timeout);
        let response = request.send().await.map_err(|error| HttpError::NoAnswer(chain(&error)))?;
        let failure = (!response.status().is_success()).then(|| status_error(&response));
        let body = Body { response }.collect(max_bytes).await?;
        Ok((failure, body))
    }

    /// Asks for `length` bytes from `offset` on (RFC 9110, 14.2). A server that answers with the whole file is an
    /// error of status 200, unless the whole file was asked for.
    pub async fn get_range(&self, url: &str, offset: u64, length: u64, whole: bool) -> Result<Body, HttpError> {
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
        let http = Http::new("test", None).unwrap();
        let url = server("HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello").await;
        assert_eq!(http.get(&url, 5, TIMEOUT).await.unwrap(), "hello");
        assert_eq!(http.get(&url, 4, TIMEOUT).await.unwrap_err(), HttpError::TooLong(4));
    }

    #[tokio::test]
    async fn a_refusal_names_the_status_and_the_wait() {
        let http = Http::new("test", None).unwrap();
        let answer = "HTTP/1.1 503 Busy\r\nretry-after: 7\r\ncontent-length: 4\r\nconnection: close\r\n\r\nbusy";
        let url = server(answer).await;
        let error = http.get(&url, 100, TIMEOUT).await.unwrap_err();
        assert_eq!(error, HttpError::Status { status: 503, retry_after: Some(Duration::from_secs(7)) });
        assert_eq!(error.to_string(), "the server answered 503 (Service Unavailable)");
        assert_eq!(http.get_any(&url, 100, TIMEOUT).await.unwrap(), (Some(error), Bytes::from("busy")));
    }

    #[tokio::test]
    async fn nobody_at_the_other_end_is_said_so() {
        let http = Http::new("test", None).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        drop(listener);
        let error = http.get(&url, 100, TIMEOUT).await.unwrap_err().to_string();
        assert!(error.contains("refused"), "{error}");
    }

    #[tokio::test]
    async fn a_server_without_ranges_is_an_error() {
        let http = Http::new("test", None).unwrap();
        let url = server("HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello").await;
        let error = http.get_range(&url, 1, 2, false).await.unwrap_err();
        assert_eq!(error, HttpError::Status { status: 200, retry_after: None });
        let mut body = http.get_range(&url, 0, 5, true).await.unwrap();
        assert_eq!(body.chunk().await.unwrap().unwrap(), "hello");
    }
}
