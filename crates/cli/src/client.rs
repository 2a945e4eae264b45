//! The client of the node's API.

use std::net::SocketAddr;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Method, Response, StatusCode};
use rpc::{Added, Job, PeerInfo, Problem, SessionInfo, TorrentDetail, TorrentSummary};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// How long the node may take to accept a connection: it is on this computer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a single event may be, in bytes: the snapshot of some hundred thousand torrents.
const MAX_EVENT_BYTES: usize = 128 << 20;

/// Talks to a node. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
}

/// Why a call did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The node said no, and why.
    #[error(transparent)]
    Problem(#[from] Problem),
    /// There is no node any more, or it does not answer.
    #[error("the node does not answer: {0}")]
    Gone(String),
    /// The node answered something that this program does not understand.
    #[error("the node's answer is not understood ({0}): is it of another version? stop it and start it again")]
    Unexpected(String),
}

/// The result of a call.
pub type Result<T> = std::result::Result<T, ClientError>;

/// The events of a node, as they come.
#[derive(Debug)]
pub struct Events {
    response: Response,
    received: Vec<u8>,
}

impl ClientError {
    /// Tells whether this is a problem of the kind.
    pub fn is_kind(&self, kind: &str) -> bool {
        matches!(self, ClientError::Problem(problem) if problem.kind == kind)
    }
}

impl From<reqwest::Error> for ClientError {
    fn from(error: reqwest::Error) -> ClientError {
        if error.is_decode() && !error.is_body() {
            return ClientError::Unexpected(error.to_string());
        }
        ClientError::Gone(first_cause(&error))
    }
}

/// Returns what began it all.
fn first_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// Writes a text so that it can be a part of a path or a value in a query (RFC 3986, section 2.1).
pub fn part(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

impl Client {
    /// Returns the URL of the server, without a path.
    pub fn host(&self) -> &str {
        self.base.strip_suffix(rpc::PREFIX).unwrap_or(&self.base)
    }

    /// Prepares to talk to the node at `api`.
    pub fn new(api: SocketAddr, token: String) -> Result<Client> {
        install_crypto();
        // Straight to this computer, whatever proxy the environment names; no roots, since nothing here is https.
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).connect_timeout(CONNECT_TIMEOUT).build()?;
        Ok(Client { http, base: format!("http://{api}{}", rpc::PREFIX), token })
    }

    /// Asks for something.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        Ok(self.send(Method::GET, path, None::<&()>).await?.json().await?)
    }

    /// Asks for something that is no JSON.
    pub async fn raw(&self, path: &str) -> Result<Response> {
        self.send(Method::GET, path, None::<&()>).await
    }

    /// Sends something and reads the answer.
    pub async fn call<T: DeserializeOwned>(&self, method: Method, path: &str, body: &impl Serialize) -> Result<T> {
        Ok(self.send(method, path, Some(body)).await?.json().await?)
    }

    /// Sends something that has no answer but yes or no.
    pub async fn tell(&self, method: Method, path: &str, body: Option<&impl Serialize>) -> Result<StatusCode> {
        self.send(method, path, body).await.map(|response| response.status())
    }

    /// Tells what the node is.
    pub async fn session(&self) -> Result<SessionInfo> {
        self.get("/session").await
    }

    /// Lists the torrents.
    pub async fn list(&self) -> Result<Vec<TorrentSummary>> {
        self.get("/torrents").await
    }

    /// Tells everything about one torrent.
    pub async fn torrent(&self, id: &str, local: bool) -> Result<TorrentDetail> {
        self.get(&format!("/torrents/{id}?local={local}")).await
    }

    /// Lists a torrent's peers.
    pub async fn peers(&self, id: &str) -> Result<Vec<PeerInfo>> {
        self.get(&format!("/torrents/{id}/peers")).await
    }

    /// Hands over something to fetch.
    pub async fn add(&self, request: &rpc::AddRequest) -> Result<Added> {
        self.call(Method::POST, "/torrents", request).await
    }

    /// Makes a torrent `pause`, `resume` or `recheck`.
    pub async fn act(&self, id: &str, action: &str) -> Result<()> {
        self.tell(Method::POST, &format!("/torrents/{id}/{action}"), None::<&()>).await.map(|_| ())
    }

    /// Forgets a torrent.
    pub async fn remove(&self, id: &str, with_data: bool) -> Result<()> {
        self.tell(Method::DELETE, &format!("/torrents/{id}?with_data={with_data}"), None::<&()>).await.map(|_| ())
    }

    /// Starts a job.
    pub async fn start_job(&self, path: &str, request: &impl Serialize) -> Result<Job> {
        self.call(Method::POST, path, request).await
    }

    /// Stops a job.
    pub async fn cancel_job(&self, id: u64) -> Result<()> {
        self.tell(Method::DELETE, &format!("/jobs/{id}"), None::<&()>).await.map(|_| ())
    }

    /// Follows what changes.
    pub async fn events(&self) -> Result<Events> {
        self.stream("/events").await
    }

    /// Reads a stream of events.
    pub async fn stream(&self, path: &str) -> Result<Events> {
        let response = self.send(Method::GET, path, None::<&()>).await?;
        Ok(Events { response, received: Vec::new() })
    }

    async fn send(&self, method: Method, path: &str, body: Option<&impl Serialize>) -> Result<Response> {
        let mut request = self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            return Err(ClientError::Gone("it is shutting down".to_owned()));
        }
        match response.json::<Problem>().await {
            Ok(problem) => Err(problem.into()),
            Err(_) => Err(ClientError::Unexpected(format!("status {status}"))),
        }
    }
}

impl Events {
    /// Waits for the next event. An error means that there will be no more.
    pub async fn next(&mut self) -> Result<rpc::Event> {
        self.read().await
    }

    /// Waits for the next event of a stream. Safe to drop and call again.
    pub async fn read<T: DeserializeOwned>(&mut self) -> Result<T> {
        loop {
            if let Some(data) = take_event(&mut self.received) {
                return serde_json::from_str(&data).map_err(|error| ClientError::Unexpected(error.to_string()));
            }
            if self.received.len() > MAX_EVENT_BYTES {
                return Err(ClientError::Unexpected("an endless event".to_owned()));
            }
            // Whatever breaks a stream, the node at its other end is gone.
            match self.response.chunk().await.map_err(|_| ClientError::Gone("it broke off".to_owned()))? {
                Some(chunk) => self.received.extend_from_slice(&chunk),
                None => return Err(ClientError::Gone("it has ended".to_owned())),
            }
        }
    }
}

/// Takes the first whole event with data off the front; comments (keep-alive) are dropped.
fn take_event(received: &mut Vec<u8>) -> Option<String> {
    loop {
        let end = received.windows(2).position(|pair| pair == b"\n\n")?;
        let block: Vec<u8> = received.drain(..end + 2).collect();
        let text = String::from_utf8_lossy(&block);
        let data: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim_start).collect();
        if !data.is_empty() {
            return Some(data.join("\n"));
        }
    }
}

/// Says which cryptography rustls uses. Needed before any HTTP client is built; again and again does no harm.
pub fn install_crypto() {
    // An error means that it is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_cut_at_empty_lines_wherever_the_reads_end() {
        let mut received = b": keep-alive\n\nid: 1\ndata: {\"a\":1}\n\ndata: {\"b\"".to_vec();
        assert_eq!(take_event(&mut received).as_deref(), Some("{\"a\":1}"));
        assert_eq!(take_event(&mut received), None);
        received.extend_from_slice(b":2}\n\n");
        assert_eq!(take_event(&mut received).as_deref(), Some("{\"b\":2}"));
        assert!(received.is_empty());
    }
}
