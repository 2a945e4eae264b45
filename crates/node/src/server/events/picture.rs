//! What is looked at once a second for as long as somebody follows it.

use std::time::Duration;

use serde::Serialize;
use tokio::time::{Instant, MissedTickBehavior};

use super::hub::{Desk, LINGER};
use super::text;

/// How often it is looked at: rates are measured over seconds.
const TICK: Duration = Duration::from_secs(1);

/// Something that changes, and what was told of it last.
pub(super) trait Picture: Send {
    type Event: Serialize + Send;

    /// Looks, and returns what changed, which it takes as told.
    fn news(&mut self) -> impl Future<Output = Vec<Self::Event>> + Send;

    /// Looks, and returns what changed, and then everything.
    fn whole(&mut self) -> impl Future<Output = (Vec<Self::Event>, Vec<Self::Event>)> + Send;

    /// Tells whether it is no more: what was told last was its end.
    fn is_over(&self) -> bool;
}

/// Looks, and tells what changed, until nobody has followed for a while or it is over.
pub(super) async fn look(mut picture: impl Picture, mut desk: Desk) {
    let mut tick = tokio::time::interval_at(Instant::now() + TICK, TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut followed = Instant::now();
    while !picture.is_over() {
        tokio::select! {
            _ = tick.tick() => {
                let news = picture.news().await;
                desk.tell(news.iter().map(text));
                if desk.is_followed() {
                    followed = Instant::now();
                } else if followed.elapsed() > LINGER && desk.retire() {
                    return;
                }
            }
            // Who follows keeps the other end.
            Some(answer) = desk.asked.recv() => {
                let (news, whole) = picture.whole().await;
                desk.tell(news.iter().map(text));
                if !whole.is_empty() {
                    desk.give(answer, whole.iter().map(text).collect());
                }
            }
        }
    }
}
