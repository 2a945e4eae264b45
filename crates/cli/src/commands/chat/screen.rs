//! A conversation that fills the terminal: what was said, a line that tells what goes on, and the line that is typed.
//!
//! The whole screen is drawn anew whenever something changed, from [`View`] alone. While the node is away the screen stays,
//! and goes on when the node is back.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use console::Term;
use node::Home;
use rpc::Event;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::keys::{self, Typed};
use super::model::{Change, Model, load};
use super::terminal::Screen;
use super::view::{AWAY, View};
use crate::attach::connect;
use crate::client::{Client, ClientError, Events};
use crate::interrupt::Interrupt;
use crate::out;

/// How many messages are read at once. Arbitrary: more than a screen has.
pub const PAGE: usize = 100;

/// How often the screen is drawn though nothing happened: the terminal may have another size, and the node may be back.
const LOOK: Duration = Duration::from_secs(1);

/// How long the node may take to stop what is not sent yet. Arbitrary.
const FAREWELL: Duration = Duration::from_secs(1);

/// Shows a conversation until the user has enough.
pub async fn run(client: &Client, name: &str, home: Option<&Path>, term: Term) -> Result<u8> {
    let mut interrupt = Interrupt::listen()?;
    let home = Home::open(home)?;
    let (mut events, first, model) = begin(client, name).await?;
    let mut view = View::new(client.clone(), model);
    view.downloads.apply(&first);
    view.read().await;
    let screen = Screen::enter(term.clone())?;
    let (mut typed, next_key) = keys::keys(term);
    // One key is read at a time, so that none is when this ends: reading one changes the terminal.
    next_key.try_send(()).ok();
    let talk = async {
        loop {
            match follow(&mut view, &screen, (&mut typed, &next_key), &mut events).await? {
                Left::Enough => return Ok(0),
                Left::NodeAway => view.node_went(),
            }
            match wait(&mut view, &screen, (&mut typed, &next_key), &home).await? {
                Some(anew) => events = anew,
                None => return Ok(0),
            }
        }
    };
    // Whatever is waited for.
    let result = tokio::select! {
        result = talk => result,
        () = interrupt.wait() => Ok(0),
    };
    drop(screen);
    // A node that hangs holds nobody up.
    let _ = tokio::time::timeout(FAREWELL, view.stop_sending()).await;
    if let Some(word) = view.last_word.take() {
        out::line(word)?;
    }
    result
}

/// What the screen is left for.
enum Left {
    /// The user has enough.
    Enough,
    /// There is no node any more.
    NodeAway,
}

/// Begins to follow a conversation: returns what happens from now on, what is there, and what was said.
async fn begin(client: &Client, name: &str) -> Result<(Events, Event, Model), ClientError> {
    // Before the rest, so that nothing is missed.
    let mut events = client.events().await?;
    let first = events.next().await?;
    Ok((events, first, load(client, name, PAGE).await?))
}

fn draw(view: &mut View, screen: &Screen) -> Result<()> {
    let (width, height) = screen.size();
    let (lines, column) = view.lines(width, height);
    screen.draw(&lines, column)
}

/// Shows it and does what is typed, until the user has enough, or the node goes.
async fn follow(
    view: &mut View,
    screen: &Screen,
    (typed, next_key): (&mut mpsc::Receiver<Typed>, &mpsc::Sender<()>),
    events: &mut Events,
) -> Result<Left> {
    loop {
        draw(view, screen)?;
        tokio::select! {
            typed = typed.recv() => {
                let Some(typed) = typed else { return Ok(Left::Enough) };
                if view.take(typed).await {
                    return Ok(Left::Enough);
                }
                next_key.try_send(()).ok();
            }
            event = events.next() => {
                let Ok(event) = event else { return Ok(Left::NodeAway) };
                view.downloads.apply(&event);
                if let Event::Job(job) = &event {
                    view.see(job);
                }
                match view.model.apply(event, Instant::now()) {
                    Change::News => view.read().await,
                    Change::Missed => match load(&view.client, &view.model.info.id, PAGE).await {
                        Ok(mut model) => {
                            model.failing = view.model.failing.take();
                            view.model = model;
                            view.read().await;
                        }
                        Err(_) => return Ok(Left::NodeAway),
                    },
                    Change::Nothing | Change::Looks => {}
                }
            }
            () = tokio::time::sleep(LOOK) => view.stop_typing().await,
        }
    }
}

/// Waits until the node is back, and returns what happens from then on; `None`: the user has enough.
async fn wait(
    view: &mut View,
    screen: &Screen,
    (typed, next_key): (&mut mpsc::Receiver<Typed>, &mpsc::Sender<()>),
    home: &Home,
) -> Result<Option<Events>> {
    let mut looks = tokio::time::interval_at(tokio::time::Instant::now() + LOOK, LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        draw(view, screen)?;
        tokio::select! {
            typed = typed.recv() => {
                let Some(typed) = typed else { return Ok(None) };
                if view.take(typed).await {
                    return Ok(None);
                }
                next_key.try_send(()).ok();
            }
            _ = looks.tick() => match come_back(view, home).await {
                Ok(events) => {
                    view.read().await;
                    return Ok(Some(events));
                }
                Err(reason) => view.away = Some(reason),
            },
        }
    }
}

/// Goes on with the node of the home, if there is one. The error says what there is instead.
async fn come_back(view: &mut View, home: &Home) -> Result<Events, String> {
    // On another port, maybe.
    let attached = connect(home).await.ok().flatten().ok_or(AWAY)?;
    let began = begin(&attached.client, &view.model.info.id).await;
    let (events, first, model) = began.map_err(|error| format!("the node is back, but: {error}"))?;
    view.node_came(attached.client, model);
    view.downloads.apply(&first);
    Ok(events)
}
