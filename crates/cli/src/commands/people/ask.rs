//! Asking at the terminal: a line, a passphrase, a recovery phrase.

use std::io::{IsTerminal as _, Read as _};

use anyhow::{Context as _, Result, bail};
use console::Term;
use reqwest::Method;
use rpc::UnlockRequest;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::args::PassphraseChoice;
use crate::client::{Client, ClientError};

/// Where a passphrase is taken from instead of a keyboard.
const VARIABLE: &str = "COMPEER_PASSPHRASE";

/// The most that is read of words or a link: 24 words of 8 letters are far less.
const MAX_PHRASE_BYTES: u64 = 4096;

/// Whether somebody is there who can answer.
pub fn somebody() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks for a line; an empty answer is the default.
pub fn line(question: &str, default: &str) -> Result<String> {
    let term = Term::stderr();
    term.write_str(&format!("{question} [{default}]: "))?;
    let answer = term.read_line()?;
    Ok(if answer.trim().is_empty() { default.to_owned() } else { answer.trim().to_owned() })
}

/// Asks for a line until it is good; says what was wrong each time.
pub fn good<T>(question: &str, default: &str, read: impl Fn(&str) -> Result<T>) -> Result<T> {
    loop {
        match read(&line(question, default)?) {
            Ok(answer) => return Ok(answer),
            Err(error) => eprintln!("{error:#}"),
        }
    }
}

/// Asks for an existing passphrase.
pub fn passphrase() -> Result<String> {
    if let Some(set) = variable() {
        return Ok(set);
    }
    if !somebody() {
        bail!("the secret is protected by a passphrase: set {VARIABLE}, or run this at a terminal");
    }
    hidden("Passphrase: ")
}

/// Finds out by what a secret is to be protected from now on; `None`: by the permissions of its file.
pub fn new_passphrase(choice: PassphraseChoice, ask: bool) -> Result<Option<String>> {
    if choice.no_passphrase {
        return Ok(None);
    }
    if let Some(set) = variable() {
        return Ok(Some(set));
    }
    if !ask && !choice.passphrase {
        return Ok(None);
    }
    if !somebody() {
        bail!("no passphrase: set {VARIABLE}, or take --no-passphrase");
    }
    let term = Term::stderr();
    if !choice.passphrase {
        term.write_line(
            "A passphrase protects the secret of your identity on this computer. Without one, whoever can",
        )?;
        term.write_line(
            "read your files can be you. It is asked for when you add or revoke a node or change a group,",
        )?;
        term.write_line(
            "and not at each start; until `compeer group unlock` the names of private groups cannot be read.",
        )?;
    }
    loop {
        let first = hidden("Passphrase (empty: none): ")?;
        if first.is_empty() {
            return Ok(None);
        }
        if hidden("The same again: ")? == first {
            return Ok(Some(first));
        }
        term.write_line("The two differ: once more.")?;
    }
}

/// Reads a recovery phrase from the keyboard, or from what is piped in.
pub fn phrase() -> Result<node::Phrase> {
    let question = "Type the 24 words of the recovery phrase; the first four letters of each are enough.";
    Ok(node::Phrase::parse(&words(question, 24)?)?)
}

/// Reads the code of another node from the keyboard, or from what is piped in; a link as well.
pub fn code() -> Result<String> {
    words("Type the 12 words that the other computer shows; the first four letters of each are enough.", 12)
}

fn words(question: &str, count: usize) -> Result<String> {
    let mut text = String::new();
    if !somebody() {
        std::io::stdin().take(MAX_PHRASE_BYTES).read_to_string(&mut text).context("cannot read the words")?;
        return Ok(text);
    }
    let term = Term::stderr();
    term.write_line(question)?;
    while text.split_whitespace().count() < count {
        let more = term.read_line().context("cannot read the words")?;
        if more.trim().is_empty() || more.trim_start().starts_with("compeer:") {
            text.push_str(&more);
            break;
        }
        text.push_str(&more);
        text.push(' ');
    }
    Ok(text)
}

/// Calls what may need the passphrase: without it first, then with it.
pub async fn unlocked<B: Serialize, T: DeserializeOwned>(
    client: &Client,
    path: &str,
    body: impl Fn(UnlockRequest) -> B,
) -> Result<T> {
    match client.call(Method::POST, path, &body(UnlockRequest { passphrase: variable() })).await {
        Err(error) if is_locked(&error) => {
            let passphrase = Some(passphrase()?);
            Ok(client.call(Method::POST, path, &body(UnlockRequest { passphrase })).await?)
        }
        other => Ok(other?),
    }
}

fn is_locked(error: &ClientError) -> bool {
    error.is_kind("passphrase-needed")
}

fn variable() -> Option<String> {
    std::env::var(VARIABLE).ok().filter(|text| !text.is_empty())
}

fn hidden(question: &str) -> Result<String> {
    let term = Term::stderr();
    term.write_str(question)?;
    Ok(term.read_secure_line()?)
}
