//! One client: its socket, what it hears, and the session between them.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use ::chat::irc::{Cutter, Flood, Input, Output, Session, View};
use ::chat::proto::Event;
use base::Instant;
use jiff::tz::TimeZone;
use net::Clock;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::{broadcast, watch};
use tokio::time::timeout;

use super::super::Happening;
use super::talk::NodeTalk;

/// How much is read at once. Arbitrary; it bounds how many lines wait.
const READ: usize = 4096;

/// How long an answer may take to be written: whoever does not read for so long is gone.
const WRITING: Duration = Duration::from_secs(30);

/// How long somebody who is seen for the first time may take to have a name.
const NAMING: Duration = Duration::from_secs(1);

/// What serves one client.
pub(super) struct Client {
    pub(super) talk: NodeTalk,
    pub(super) views: watch::Receiver<Arc<View>>,
    /// Closed: it has to go.
    pub(super) over: watch::Receiver<()>,
}

/// What comes from the client and was not handled yet.
struct Lines {
    cutter: Cutter,
    waiting: VecDeque<Result<Vec<u8>, ::chat::irc::TooLong>>,
    flood: Flood,
    /// When the next one is handled.
    due: Option<Instant>,
}

impl Lines {
    fn new(now: Instant) -> Lines {
        Lines { cutter: Cutter::default(), waiting: VecDeque::new(), flood: Flood::new(now), due: None }
    }

    fn add(&mut self, now: Instant, bytes: &[u8]) {
        self.waiting.extend(self.cutter.cut(bytes));
        self.schedule(now);
    }

    fn schedule(&mut self, now: Instant) {
        self.due = (!self.waiting.is_empty()).then(|| now + self.flood.wait(now));
    }

    fn next(&mut self, now: Instant) -> Option<Input> {
        let line = self.waiting.pop_front();
        self.schedule(now);
        line.map(Input::Line)
    }
}

impl Client {
    /// Serves the client until it goes.
    pub(super) async fn run(self, socket: TcpStream) {
        if let Err(error) = self.serve(socket).await {
            tracing::debug!(%error, "an IRC client is gone");
        }
    }

    async fn serve(mut self, socket: TcpStream) -> io::Result<()> {
        socket.set_nodelay(true)?;
        let (mut reader, mut writer) = socket.into_split();
        let clock = Clock::start();
        let mut events = self.talk.chat.subscribe();
        let view = self.views.borrow_and_update().clone();
        let mut session = Session::new(clock.now(), TimeZone::system(), view);
        let mut lines = Lines::new(clock.mono());
        let mut buffer = vec![0; READ];
        loop {
            let input = tokio::select! {
                // What came is handled before more is read.
                read = reader.read(&mut buffer), if lines.due.is_none() => {
                    match read? {
                        0 => return Ok(()),
                        count => lines.add(clock.mono(), &buffer[..count]),
                    }
                    None
                }
                () = clock.sleep_until(lines.due), if lines.due.is_some() => lines.next(clock.mono()),
                happening = events.recv() => {
                    if let Ok(happening) = &happening
                        && self.is_news(happening)
                        && let Ok(Ok(())) = timeout(NAMING, self.views.changed()).await
                    {
                        let view = self.views.borrow_and_update().clone();
                        session.handle(clock.now(), Input::View(view), &mut self.talk).await;
                    }
                    heard(happening)
                }
                changed = self.views.changed() => match changed {
                    Ok(()) => Some(Input::View(self.views.borrow_and_update().clone())),
                    Err(_) => Some(Input::Over("the gateway ends".to_owned())),
                },
                Err(_) = self.over.changed() => Some(Input::Over("the gateway is switched off".to_owned())),
                () = clock.sleep_until(session.poll_timeout()) => Some(Input::Timeout),
            };
            if let Some(input) = input {
                session.handle(clock.now(), input, &mut self.talk).await;
            }
            if !write(&mut writer, &mut session).await? {
                return writer.shutdown().await;
            }
        }
    }

    /// Whether something is of somebody, or in a room, that cannot be seen yet.
    fn is_news(&self, happening: &Happening) -> bool {
        let Happening::Chat(Event::Shown(message)) = happening else { return false };
        let view = self.views.borrow();
        let is_known = view.person(message.author).is_some();
        let is_room = message.conversation.partner(view.me()).is_none();
        !is_known || is_room && view.channel(&message.conversation).is_none()
    }
}

/// Returns what a session is told of what happened.
fn heard(happening: Result<Arc<Happening>, broadcast::error::RecvError>) -> Option<Input> {
    match happening.as_deref() {
        Ok(Happening::Chat(event)) => Some(Input::Event(event.clone())),
        Ok(_) => None,
        // What was missed is in the history, which it reads when it comes again.
        Err(broadcast::error::RecvError::Lagged(_)) => Some(Input::Over("the client was too slow".to_owned())),
        Err(broadcast::error::RecvError::Closed) => Some(Input::Over("the node ends".to_owned())),
    }
}

/// Writes what the session wants; whether it goes on.
async fn write(writer: &mut OwnedWriteHalf, session: &mut Session) -> io::Result<bool> {
    let (mut text, mut goes_on) = (String::new(), true);
    while let Some(output) = session.poll_output() {
        match output {
            Output::Line(line) => text.push_str(&line),
            Output::Close => goes_on = false,
        }
    }
    if !text.is_empty() {
        timeout(WRITING, writer.write_all(text.as_bytes())).await??;
    }
    Ok(goes_on)
}
