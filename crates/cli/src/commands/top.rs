//! `compeer top`: the transfers, the people and the budget of a running node, live in the terminal.
//!
//! The list comes from the node's events and is never asked for again. What only one pane shows (the peers of a torrent,
//! the connections, the budget) is read while that pane is looked at. The terminal waits for nobody: what is asked of the
//! node runs beside it.

mod draw;
mod feed;
mod look;
mod screen;
mod view;

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use node::Home;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior};

use self::feed::Feed;
use self::look::Look;
use self::screen::Screen;
use self::view::{Press, View};
use super::Context;
use crate::attach::attach;
use crate::interrupt::Interrupt;

/// How often rates are noted down for the curve, and what is on the screen ages.
const TICK: Duration = Duration::from_secs(1);

/// How often it is looked whether the terminal has another size. No signal is waited for: one that comes while a key is
/// read would be taken for Ctrl-C.
const LOOK: Duration = Duration::from_millis(200);

/// The shortest time between two drawings: a slow line (ssh) carries what changed, not each step to it.
const FRAME: Duration = Duration::from_millis(100);

/// How many orders wait for the one that is being done. Arbitrary.
const ORDERS: usize = 4;

/// How much that was told waits to be shown; whoever tells more waits. Arbitrary: some frames of a busy node.
const WAITING: usize = 64;

/// Shows the node until the user has enough.
pub async fn run(context: &Context) -> Result<u8> {
    if context.json {
        bail!("`compeer top` fills a terminal: `compeer list --json` and `compeer who --json` print what it shows");
    }
    let terminals = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    if !terminals || std::env::var_os("TERM").is_some_and(|term| term == "dumb") {
        bail!("`compeer top` needs a terminal that it can fill: `compeer list` and `compeer who` print what it shows");
    }
    let mut interrupt = Interrupt::listen()?;
    // Before the terminal is changed: what is wrong is said as by every command.
    let attached = attach(context.home.as_deref()).await?;
    let home = Home::open(context.home.as_deref())?;
    let (told, mut news) = mpsc::channel(WAITING);
    let (looks_at, looked_at) = watch::channel(view::LooksAt::default());
    let mut tasks = JoinSet::new();
    let feed = Feed::new(attached.client, told);
    tasks.spawn(feed.clone().follow(home));
    tasks.spawn(feed.clone().read(looked_at));
    let (orders, ordered) = mpsc::channel(ORDERS);
    tasks.spawn(feed.obey(ordered));
    let mut shown =
        Shown { view: View::new(Look::of_terminal(), Instant::now()), screen: Screen::enter()?, drawn: None };
    let mut keys = screen::keys();
    let (mut tick, mut look) = (every(TICK), every(LOOK));
    let mut size = shown.screen.size();
    let mut changed = true;
    loop {
        if changed && shown.draw_when_due(&looks_at)? {
            changed = false;
        }
        tokio::select! {
            key = keys.recv() => {
                let Some(key) = key else { bail!("the terminal is gone") };
                match shown.view.press(&key) {
                    Press::Quit => return Ok(0),
                    Press::Order(order) => if orders.try_send(order).is_err() {
                        shown.view.say("not done: the node has not answered to what was ordered before");
                    },
                    Press::Seen => {}
                }
                // The answer to a key is seen at once.
                (changed, shown.drawn) = (true, None);
            }
            news = news.recv() => {
                let Some(news) = news else { bail!("nothing follows the node any more") };
                shown.view.take(news, Instant::now());
                changed = true;
            }
            _ = tick.tick() => {
                shown.view.tick(Instant::now());
                changed = true;
            }
            _ = look.tick() => changed |= std::mem::replace(&mut size, shown.screen.size()) != size,
            () = tokio::time::sleep(shown.rest()), if changed => {}
            ended = tasks.join_next() => bail!("what follows the node has ended: {ended:?}"),
            () = interrupt.wait() => return Ok(0),
        }
    }
}

fn every(period: Duration) -> Interval {
    let mut interval = tokio::time::interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

/// The view, and where and when it was drawn.
struct Shown {
    view: View,
    screen: Screen,
    drawn: Option<Instant>,
}

impl Shown {
    /// Draws, unless that was done just now. Tells whether it did.
    fn draw_when_due(&mut self, looks_at: &watch::Sender<view::LooksAt>) -> Result<bool> {
        if !self.rest().is_zero() {
            return Ok(false);
        }
        self.screen.draw(|frame| draw::screen(frame, &mut self.view))?;
        self.drawn = Some(Instant::now());
        let wanted = self.view.looks_at();
        looks_at.send_if_modified(|now| std::mem::replace(now, wanted.clone()) != wanted);
        Ok(true)
    }

    /// Returns how long the next drawing has to wait.
    fn rest(&self) -> Duration {
        self.drawn.map_or(Duration::ZERO, |drawn| FRAME.saturating_sub(drawn.elapsed()))
    }
}

#[cfg(test)]
mod tests;
