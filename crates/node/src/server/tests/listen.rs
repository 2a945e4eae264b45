//! A stream of server-sent events, as a client reads it.

use serde::de::DeserializeOwned;

use super::*;

/// A stream.
pub(super) struct Listener {
    response: Response,
    text: String,
}

impl Listener {
    pub(super) async fn of(alice: &Alice, path: &str) -> Listener {
        Listener::to(alice.call(Method::GET, path)).await
    }

    pub(super) async fn to(request: RequestBuilder) -> Listener {
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Listener { response, text: String::new() }
    }

    /// Waits for the next event; `None` at the end.
    pub(super) async fn next<T: DeserializeOwned>(&mut self) -> Option<T> {
        Some(self.next_with_id().await?.1)
    }

    /// Waits for the next event; returns it with its id, if it has one.
    pub(super) async fn next_with_id<T: DeserializeOwned>(&mut self) -> Option<(Option<String>, T)> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name| event.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                let (id, data) = (field("id: "), field("data: "));
                self.text = rest.to_owned();
                match data {
                    Some(data) => return Some((id, serde_json::from_str(&data).unwrap())),
                    // A sign of life.
                    None => continue,
                }
            }
            let chunk = self.response.chunk().await.ok()??;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// Waits for one that is meant.
    pub(super) async fn until<T: DeserializeOwned>(&mut self, meant: impl Fn(&T) -> bool) -> T {
        let wait = async {
            loop {
                let event = self.next().await.expect("the stream goes on");
                if meant(&event) {
                    return event;
                }
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(60), wait).await.expect("it is told")
    }
}
