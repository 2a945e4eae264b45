//! Items: getting, signing and storing (BEP 44). The secret key stays in this process: the node gets the signature.

use std::io::Read;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use data_encoding::{BASE64, HEXLOWER, HEXLOWER_PERMISSIVE};
use metainfo::bencode::{self, Tree, Value};
use node::dht::{MAX_VALUE_LEN, Mutable, SecretKey};
use reqwest::Method;
use rpc::{DhtItem, DhtOwner, DhtPutRequest, DhtStored};
use serde_json::json;

use super::Session;
use crate::args::{DhtGet, DhtPut};
use crate::client::ClientError;
use crate::{out, show};

/// Checks the name of an item before anything is started.
pub fn check_name(name: &str, mutable_only: bool) -> Result<()> {
    let hexadecimal = name.chars().all(|c| c.is_ascii_hexdigit());
    match name.len() {
        40 if hexadecimal && mutable_only => {
            bail!("{name} is the hash of an immutable item: --salt and --newer-than are for the key of an owner")
        }
        40 | 64 if hexadecimal => Ok(()),
        _ => bail!("{name:?} names no item: write a hash (40 hexadecimal digits) or the key of an owner (64)"),
    }
}

/// Reads what is to be stored, and bencodes it.
pub fn value(command: &DhtPut) -> Result<Vec<u8>> {
    let bytes = match (&command.text, &command.file) {
        (Some(text), _) => text.clone().into_bytes(),
        (None, Some(path)) => read(path)?,
        (None, None) => bail!("give a text, or a file with --file"),
    };
    let bytes = if command.bencoded { bytes } else { bencode::encode(&Tree::bytes(&bytes)) };
    if bytes.len() > MAX_VALUE_LEN {
        bail!("this is too long: an item has at most {MAX_VALUE_LEN} bytes, with their length written before them");
    }
    Ok(bytes)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    // One byte more than can be stored tells that there is too much.
    let most = MAX_VALUE_LEN as u64 + 1;
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().take(most).read_to_end(&mut bytes).context("stdin: cannot read it")?;
    } else {
        let file = std::fs::File::open(path).with_context(|| format!("{}: cannot read it", path.display()))?;
        file.take(most).read_to_end(&mut bytes).with_context(|| format!("{}: cannot read it", path.display()))?;
    }
    Ok(bytes)
}

/// Gets an item and prints its value.
pub async fn get(session: &mut Session<'_>, command: &DhtGet) -> Result<Option<u8>> {
    let salt = command.salt.as_deref().unwrap_or_default();
    let mut path = item_path(&command.name.to_ascii_lowercase(), salt);
    if let Some(seq) = command.newer_than {
        path.push_str(&format!("&newer_than={seq}"));
    }
    let client = session.client().clone();
    let Some(item) = session.wait("Asking the DHT", client.get::<DhtItem>(&path)).await? else { return Ok(None) };
    let value = BASE64.decode(item.value_base64.as_bytes()).context("the node's answer is not understood")?;
    if session.context.json {
        let text = bencode::decode(&value).ok().and_then(|value| value.as_str().map(str::to_owned));
        let mut json = serde_json::to_value(&item)?;
        json["text"] = text.into();
        out::json(&json)?;
        return Ok(Some(0));
    }
    if let Some(owner) = &item.owner {
        session.live.note(format!("Sequence number {}, signed by {}.", owner.seq, owner.public_key));
    }
    print(&value, command.bencoded)?;
    Ok(Some(0))
}

/// Prints a value: a string as it is, anything else as JSON.
fn print(value: &[u8], bencoded: bool) -> Result<()> {
    let terminal = console::Term::stdout().is_term();
    match bencode::decode(value) {
        Ok(Value::Bytes(bytes)) if !bencoded => match std::str::from_utf8(bytes) {
            Ok(text) if terminal => out::line(text.lines().map(out::clean).collect::<Vec<_>>().join("\n")),
            Err(_) if terminal => out::line(format!("{} (hexadecimal)", HEXLOWER.encode(bytes))),
            _ => out::bytes(bytes),
        },
        Ok(value) if !bencoded => out::json(&readable(&value)),
        _ if terminal => out::line(out::clean(&String::from_utf8_lossy(value))),
        _ => out::bytes(value),
    }
}

/// Writes bencode as JSON; strings that are no text in hexadecimal.
fn readable(value: &Value<'_>) -> serde_json::Value {
    let text = |bytes: &[u8]| match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => HEXLOWER.encode(bytes),
    };
    match (value.as_int(), value.as_bytes(), value.as_list(), value.as_dict()) {
        (Some(number), ..) => number.into(),
        (_, Some(bytes), ..) => text(bytes).into(),
        (_, _, Some(list), _) => list.iter().map(readable).collect(),
        (.., Some(dict)) => dict.iter().map(|(key, value)| (text(key), readable(value))).collect(),
        _ => serde_json::Value::Null,
    }
}

/// Stores an item and prints its name.
pub async fn put(session: &mut Session<'_>, command: &DhtPut, value: Vec<u8>) -> Result<Option<u8>> {
    let mut request = DhtPutRequest {
        value_base64: BASE64.encode(&value),
        cas: command.cas,
        keep: command.keep,
        ..DhtPutRequest::default()
    };
    if let Some(path) = &command.key {
        let salt = command.salt.as_deref().unwrap_or_default();
        let (secret, drawn) = secret_key(path)?;
        let newest = match command.seq {
            Some(_) => None,
            None if drawn => Some(None),
            None => match newest(session, &secret, salt).await? {
                Some(newest) => Some(newest),
                None => return Ok(None),
            },
        };
        let seq = match (command.seq, newest) {
            (Some(seq), _) => seq,
            (None, newest) => newest.flatten().map_or(1, |seq| seq.saturating_add(1)),
        };
        // What somebody else with this key stored since must not be lost.
        request.cas = request.cas.or(newest.flatten());
        let item = Mutable::sign(&secret, salt.as_bytes().to_vec(), seq, value)?;
        request.owner = Some(DhtOwner {
            public_key: item.key().to_string(),
            salt_hex: HEXLOWER.encode(item.salt()),
            seq,
            signature: HEXLOWER.encode(item.signature()),
        });
        if drawn {
            session.live.note(format!("Drew a key: {} holds its secret.", path.display()));
        }
    }
    if command.keep && session.attached.is_own() {
        session.live.note("--keep needs a node that goes on running (`compeer up`): this one ends with the command.");
    }
    let client = session.client().clone();
    let call = client.call::<DhtStored>(Method::POST, "/dht/items", &request);
    let Some(stored) = session.wait("Storing", call).await? else { return Ok(None) };
    let name = request.owner.as_ref().map_or(&stored.target, |owner| &owner.public_key);
    if session.context.json {
        out::json(&json!({ "name": name, "target": stored.target, "nodes": stored.nodes, "owner": request.owner }))?;
        return Ok(Some(0));
    }
    let nodes = show::count(stored.nodes as usize, "node", "nodes");
    let seq = request.owner.as_ref().map(|owner| format!(" with sequence number {}", owner.seq)).unwrap_or_default();
    session.live.note(format!("Stored on {nodes}{seq}. To get it: compeer dht get {name}{}", salt_option(command)));
    out::line(name)?;
    Ok(Some(0))
}

fn salt_option(command: &DhtPut) -> String {
    command.salt.as_ref().map(|salt| format!(" --salt '{salt}'")).unwrap_or_default()
}

/// Looks for the sequence number of the newest item. The outer `None`: Ctrl-C.
async fn newest(session: &mut Session<'_>, secret: &SecretKey, salt: &str) -> Result<Option<Option<i64>>> {
    let client = session.client().clone();
    let path = item_path(&secret.public().to_string(), salt);
    let call = async {
        match client.get::<DhtItem>(&path).await {
            Ok(item) => Ok(item.owner.map(|owner| owner.seq)),
            Err(ClientError::Problem(problem)) if problem.kind == "not-found" => Ok(None),
            Err(error) => Err(error),
        }
    };
    session.wait("Looking for the newest version", call).await
}

fn item_path(name: &str, salt: &str) -> String {
    format!("/dht/items/{name}?salt_hex={}", HEXLOWER.encode(salt.as_bytes()))
}

/// Reads a secret key, or draws one where there is none; tells which.
fn secret_key(path: &Path) -> Result<(SecretKey, bool)> {
    let shown = path.display();
    match std::fs::read_to_string(path) {
        Ok(text) => {
            let bytes = HEXLOWER_PERMISSIVE.decode(text.trim().as_bytes()).ok();
            let bytes: Option<[u8; 32]> = bytes.and_then(|bytes| bytes.try_into().ok());
            let Some(bytes) = bytes else {
                bail!("{shown}: this is no secret key: 64 hexadecimal digits, as this command writes them");
            };
            Ok((SecretKey::from_bytes(&bytes), false))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let secret = node::draw_secret_key().context("cannot draw a key")?;
            write_secret(path, &HEXLOWER.encode(&secret.to_bytes()))
                .with_context(|| format!("{shown}: cannot write the key"))?;
            Ok((secret, true))
        }
        Err(error) => Err(error).with_context(|| format!("{shown}: cannot read the key")),
    }
}

/// Writes a new file that only its owner can read.
fn write_secret(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut options = std::fs::OpenOptions::new();
    options.create_new(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    writeln!(file, "{text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_drawn_once_and_only_its_owner_can_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let (first, drawn) = secret_key(&path).unwrap();
        let (again, drawn_again) = secret_key(&path).unwrap();
        assert!(drawn && !drawn_again);
        assert_eq!(first.public(), again.public());
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        }
        std::fs::write(&path, "not a key").unwrap();
        assert!(secret_key(&path).unwrap_err().to_string().contains("64 hexadecimal digits"));
    }

    #[test]
    fn names_are_checked_before_anything_starts() {
        let (hash, key) = ("a".repeat(40), "b".repeat(64));
        assert!(check_name(&hash, false).is_ok() && check_name(&key, true).is_ok());
        assert!(check_name(&hash, true).unwrap_err().to_string().contains("immutable"));
        assert!(check_name("xyz", false).is_err());
    }

    #[test]
    fn bencode_is_readable_as_json() {
        let value = bencode::decode(b"d4:listli1e3:twoe3:raw2:\xff\x00e").unwrap();
        assert_eq!(readable(&value), serde_json::json!({ "list": [1, "two"], "raw": "ff00" }));
    }
}
