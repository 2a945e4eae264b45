//! `compeer password`: the password by which the user's browsers log in from other computers.

use std::io::{BufRead as _, IsTerminal as _, Read as _};

use anyhow::{Context as _, Result, bail};
use console::Term;
use node::Home;

use super::Context;
use crate::args::Password;
use crate::out;

/// The most that is read of a password. Arbitrary: more than is taken.
const MAX_BYTES: u64 = 4096;

/// Sets or removes the password. The node need not run, and need not be told.
pub fn run(command: &Password, context: &Context) -> Result<u8> {
    let home = Home::open(context.home.as_deref())?;
    if command.remove {
        home.remove_password()?;
        out::line("There is no password now: from other computers nobody can log in.")?;
        return Ok(0);
    }
    home.set_password(&ask()?)?;
    out::line("The password is set. Browsers on other computers that logged in with another one have to do so again.")?;
    Ok(0)
}

/// Asks for the password twice; reads a line where nobody is there to ask.
fn ask() -> Result<String> {
    if !std::io::stdin().is_terminal() {
        let mut line = String::new();
        let mut input = std::io::stdin().lock().take(MAX_BYTES);
        input.read_line(&mut line).context("cannot read the password")?;
        return Ok(line.trim_end_matches(['\r', '\n']).to_owned());
    }
    let term = Term::stderr();
    let hidden = |question: &str| -> Result<String> {
        term.write_str(question)?;
        term.read_secure_line().context("cannot read the password")
    };
    let first = hidden("A password for your browsers on other computers: ")?;
    if hidden("The same again: ")? != first {
        bail!("the two differ: nothing was changed");
    }
    Ok(first)
}
