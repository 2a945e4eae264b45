//! Coming in: capabilities, the password by PASS or SASL PLAIN (RFC 4616), the first lines.

use data_encoding::BASE64;
use zeroize::Zeroizing;

use super::*;
use crate::irc::names::{MAX_CHANNEL, MAX_NICK};

/// How often a client may show a wrong password. Arbitrary.
const TRIES: u32 = 3;

/// The longest piece of an answer (sasl-3.1, "The AUTHENTICATE command").
const CHUNK: usize = 400;

/// The longest answer, in base64: a password, and names that do not count. Arbitrary.
const MAX_SASL: usize = 2048;

/// How many messages of its history a client may ask for at once. Arbitrary: some screens.
pub(super) const MAX_HISTORY: usize = 100;

/// How many rooms a client comes into by itself. Arbitrary: it can still join the others.
const MAX_JOINED: usize = 256;

/// How long a line of [`RPL_ISUPPORT`] may be: 13 tokens (modern.ircdocs.horse, "RPL_ISUPPORT").
const TOKENS: usize = 12;

/// What a client has shown so far.
#[derive(Debug, Default)]
pub(super) struct Registration {
    nick: Option<String>,
    has_user: bool,
    /// Whether capabilities are talked about, which holds everything up.
    negotiates: bool,
    admitted: bool,
    wrong: u32,
    sasl: Option<Sasl>,
}

/// An answer that comes in pieces.
#[derive(Debug, Default)]
struct Sasl(Zeroizing<String>);

impl Registration {
    /// Returns what the client called itself, which is only how it is spoken to until it is let in.
    pub(super) fn nick(&self) -> &str {
        self.nick.as_deref().unwrap_or("*")
    }
}

impl Session {
    /// Handles a line of a client that was not let in.
    pub(super) async fn register<T: Talk>(&mut self, line: &Line, talk: &mut T) {
        match line.command.as_str() {
            "CAP" => self.cap(line),
            "NICK" => match line.params.first().filter(|nick| !nick.is_empty()) {
                Some(nick) => self.registration.nick = Some(nick.chars().take(MAX_NICK).collect()),
                None => self.reply(ERR_NONICKNAMEGIVEN, ["No nickname given"]),
            },
            "USER" if self.has_params(line, 4) => self.registration.has_user = true,
            "PASS" if self.has_params(line, 1) => drop(self.password(line.param(0), talk)),
            "AUTHENTICATE" => self.authenticate(line, talk),
            "USER" | "PASS" => {}
            "PING" | "PONG" | "QUIT" => self.about(line),
            _ => self.reply(ERR_NOTREGISTERED, ["You have not registered"]),
        }
        let Registration { nick, has_user, negotiates, .. } = &self.registration;
        if nick.is_none() || !has_user || *negotiates || self.phase != Phase::Registering {
            return;
        }
        if self.registration.sasl.take().is_some() {
            self.reply(ERR_SASLABORTED, ["SASL authentication aborted"]);
        }
        if self.registration.admitted {
            self.welcome(talk).await;
        } else {
            let why = "Password wrong or missing: it is what the file `token` in the home of your node contains";
            self.reply(ERR_PASSWDMISMATCH, [why]);
            self.close("no or a wrong password");
        }
    }

    /// Answers about capabilities (capability-negotiation).
    pub(super) fn cap(&mut self, line: &Line) {
        let nick = self.nick();
        let sub = line.param(0).to_ascii_uppercase();
        let answer = |sub: &str, list: &str| Line::new("CAP", [nick.as_str(), sub, list]).from(SERVER);
        match sub.as_str() {
            "LS" => {
                let values = line.param(1).parse().is_ok_and(|version: u32| version >= 302);
                if values {
                    self.caps.grant(Cap::Notify);
                }
                self.lines.push(answer("LS", &Caps::offer(values)));
            }
            "LIST" => self.lines.push(answer("LIST", &self.caps.list())),
            "REQ" => {
                let granted = self.caps.request(line.param(1));
                self.lines.push(answer(if granted { "ACK" } else { "NAK" }, line.param(1)));
            }
            "END" => {}
            _ => self.reply(ERR_INVALIDCAPCMD, [line.param(0), "Invalid CAP command"]),
        }
        match sub.as_str() {
            "LS" | "REQ" => self.registration.negotiates = true,
            "END" => self.registration.negotiates = false,
            _ => {}
        }
    }

    fn password<T: Talk>(&mut self, password: &str, talk: &T) -> bool {
        if talk.admits(password) {
            self.registration.admitted = true;
            return true;
        }
        self.registration.wrong += 1;
        if self.registration.wrong >= TRIES {
            self.close("too many wrong passwords");
        }
        false
    }

    fn authenticate<T: Talk>(&mut self, line: &Line, talk: &T) {
        let answer = line.param(0);
        if self.registration.admitted {
            return self.reply(ERR_SASLALREADY, ["You have already authenticated"]);
        }
        if answer == "*" {
            self.registration.sasl = None;
            return self.reply(ERR_SASLABORTED, ["SASL authentication aborted"]);
        }
        let Some(sasl) = &mut self.registration.sasl else {
            if answer.eq_ignore_ascii_case("PLAIN") {
                self.registration.sasl = Some(Sasl::default());
                self.lines.push(Line::new("AUTHENTICATE", ["+"]));
                return;
            }
            self.reply(RPL_SASLMECHS, ["PLAIN", "are available SASL mechanisms"]);
            return self.reply(ERR_SASLFAIL, ["SASL authentication failed"]);
        };
        if answer.len() > CHUNK || sasl.0.len() + answer.len() > MAX_SASL {
            self.registration.sasl = None;
            return self.reply(ERR_SASLTOOLONG, ["SASL message too long"]);
        }
        if answer != "+" {
            sasl.0.push_str(answer);
        }
        if answer.len() == CHUNK {
            return;
        }
        let whole = self.registration.sasl.take().unwrap_or_default();
        let password = plain_password(&whole.0);
        if password.is_some_and(|password| self.password(&password, talk)) {
            let nick = self.nick();
            let source = format!("{nick}!person@*");
            self.reply(RPL_LOGGEDIN, [source.as_str(), nick.as_str(), "You are now logged in"]);
            self.reply(RPL_SASLSUCCESS, ["SASL authentication successful"]);
        } else if self.phase != Phase::Over {
            self.reply(ERR_SASLFAIL, ["SASL authentication failed"]);
        }
    }

    async fn welcome<T: Talk>(&mut self, talk: &mut T) {
        self.phase = Phase::Open;
        let nick = self.nick();
        let version = concat!("compeer-", env!("CARGO_PKG_VERSION"));
        self.reply(RPL_WELCOME, [format!("Welcome, {nick}: this is your own node").as_str()]);
        self.reply(RPL_YOURHOST, [format!("Your host is {SERVER}, running version {version}").as_str()]);
        self.reply(RPL_CREATED, ["Nobody but you is on this server: messages go from node to node"]);
        self.reply(RPL_MYINFO, [SERVER, version, "i", "nov", "ov"]);
        let tokens = [
            "CASEMAPPING=ascii".to_owned(),
            format!("CHANNELLEN={MAX_CHANNEL}"),
            "CHANMODES=,,,nt".to_owned(),
            "CHANTYPES=#".to_owned(),
            format!("CHATHISTORY={MAX_HISTORY}"),
            "CLIENTTAGDENY=*,-draft/react,-draft/reply,-draft/unreact,-reply,-typing".to_owned(),
            "MODES=4".to_owned(),
            "MSGREFTYPES=msgid,timestamp".to_owned(),
            "NETWORK=Compeer".to_owned(),
            format!("NICKLEN={MAX_NICK}"),
            "PREFIX=(ov)@+".to_owned(),
            "SAFELIST".to_owned(),
            format!("TARGMAX=NOTICE:{0},PRIVMSG:{0},TAGMSG:{0}", speaking::MAX_TARGETS),
            "UTF8ONLY".to_owned(),
        ];
        for tokens in tokens.chunks(TOKENS) {
            let tokens = tokens.iter().map(String::as_str);
            self.reply(RPL_ISUPPORT, tokens.chain(["are supported by this server"]));
        }
        self.lusers();
        self.motd();
        self.release();
        let channels: Vec<_> = self.view.channels().map(|channel| channel.conversation.clone()).collect();
        for conversation in channels.into_iter().take(MAX_JOINED) {
            self.enter(&conversation, true, talk).await;
            self.release();
        }
        self.play_unread(talk).await;
    }
}

/// Reads the password of an answer: an identity to act as, one that is shown, and the password, with NUL between them.
fn plain_password(answer: &str) -> Option<Zeroizing<String>> {
    let bytes = Zeroizing::new(BASE64.decode(answer.as_bytes()).ok()?);
    let password = bytes.splitn(3, |&byte| byte == 0).nth(2)?;
    Some(Zeroizing::new(std::str::from_utf8(password).ok()?.to_owned()))
}
