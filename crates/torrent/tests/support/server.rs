//! A small HTTP server for tests: a tracker, or files with ranges.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A request: the target, and the range asked for.
#[derive(Clone, Debug)]
pub struct Request {
    pub target: String,
    pub range: Option<(u64, u64)>,
}

/// Serves every request with what `answer` returns: status line, extra headers, body. Returns the address and the log.
pub async fn serve(
    answer: impl Fn(&Request) -> (String, Vec<u8>) + Send + Sync + 'static,
) -> (SocketAddr, Arc<Mutex<Vec<Request>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let log = Arc::new(Mutex::new(Vec::new()));
    let (seen, answer) = (log.clone(), Arc::new(answer));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(connection(stream, seen.clone(), answer.clone()));
        }
    });
    (address, log)
}

async fn connection(
    mut stream: TcpStream,
    log: Arc<Mutex<Vec<Request>>>,
    answer: Arc<impl Fn(&Request) -> (String, Vec<u8>)>,
) {
    let mut buffer = Vec::new();
    loop {
        let Some(end) = buffer.windows(4).position(|w| w == b"\r\n\r\n") else {
            let mut part = [0; 4096];
            match stream.read(&mut part).await {
                Ok(0) | Err(_) => return,
                Ok(n) => buffer.extend_from_slice(&part[..n]),
            }
            continue;
        };
        let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
        buffer.drain(..end + 4);
        let target = head.split(' ').nth(1).unwrap_or("").to_owned();
        let range = head.lines().find_map(|line| {
            let line = line.to_ascii_lowercase();
            let (first, last) = line.strip_prefix("range: bytes=")?.split_once('-')?;
            Some((first.parse().ok()?, last.trim().parse().ok()?))
        });
        let request = Request { target, range };
        log.lock().unwrap().push(request.clone());
        let (status, body) = answer(&request);
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", body.len());
        if stream.write_all(head.as_bytes()).await.is_err() || stream.write_all(&body).await.is_err() {
            return;
        }
    }
}

/// Serves the files below a folder, with ranges.
pub async fn serve_files(folder: PathBuf) -> (SocketAddr, Arc<Mutex<Vec<Request>>>) {
    serve(move |request| {
        let path = percent_decode(request.target.trim_start_matches('/'));
        let Ok(content) = std::fs::read(folder.join(path)) else { return ("404 Not Found".into(), Vec::new()) };
        match request.range {
            None => ("200 OK".into(), content),
            Some((first, last)) => {
                let last = (last as usize + 1).min(content.len());
                ("206 Partial Content".into(), content[first as usize..last].to_vec())
            }
        }
    })
    .await
}

/// A tracker that names every peer that announced to it, to every other one.
pub async fn serve_tracker() -> (SocketAddr, Arc<Mutex<Vec<Request>>>) {
    let swarms: Mutex<HashMap<String, Vec<u16>>> = Mutex::default();
    serve(move |request| {
        let value = |key: &str| {
            let query = request.target.split_once('?').map_or("", |(_, query)| query);
            query.split('&').find_map(|part| part.strip_prefix(key)?.strip_prefix('=')).unwrap_or("").to_owned()
        };
        let mut swarms = swarms.lock().unwrap();
        let ports = swarms.entry(value("info_hash")).or_default();
        let port: u16 = value("port").parse().unwrap();
        let mut peers = Vec::new();
        for other in ports.iter().filter(|other| **other != port) {
            peers.extend([127, 0, 0, 1]);
            peers.extend(other.to_be_bytes());
        }
        if value("event") == "stopped" {
            ports.retain(|other| *other != port);
        } else if !ports.contains(&port) {
            ports.push(port);
        }
        let mut body = format!("d8:completei1e10:incompletei2e8:intervali1800e5:peers{}:", peers.len()).into_bytes();
        body.extend(peers);
        body.push(b'e');
        ("200 OK".into(), body)
    })
    .await
}

fn percent_decode(text: &str) -> String {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
            out.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).unwrap()
}
