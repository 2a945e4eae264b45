//! What a stream may carry just now: each direction asks the budget before it reads or writes, and counts what it did.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use net::Meter;
use tokio::time::{Sleep, sleep};

/// One direction of a stream.
#[derive(Debug)]
pub(crate) struct Metered {
    /// `None`: somebody else counts.
    meter: Option<Meter>,
    /// Until when to wait for the budget.
    wait: Option<Pin<Box<Sleep>>>,
}

impl Metered {
    pub(crate) fn new(meter: Option<Meter>) -> Metered {
        Metered { meter, wait: None }
    }

    /// Lets `carry` move up to `want` bytes, as many as the budget has, and puts back what it did not move. `moved` tells
    /// that of what it returned.
    pub(crate) fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        want: usize,
        carry: impl FnOnce(&mut Context<'_>, usize) -> Poll<io::Result<T>>,
        moved: impl FnOnce(&T) -> usize,
    ) -> Poll<io::Result<T>> {
        let granted = ready!(self.poll_take(cx, want));
        let carried = carry(cx, granted);
        let moved = match &carried {
            Poll::Ready(Ok(value)) => moved(value),
            _ => 0,
        };
        if let Some(meter) = &self.meter {
            meter.refund(granted - moved);
        }
        carried
    }

    /// Takes up to `want` bytes of the budget, at least one if any are wanted.
    fn poll_take(&mut self, cx: &mut Context<'_>, want: usize) -> Poll<usize> {
        let Some(meter) = &mut self.meter else { return Poll::Ready(want) };
        loop {
            if let Some(wait) = &mut self.wait {
                ready!(wait.as_mut().poll(cx));
                self.wait = None;
            }
            match meter.take(want) {
                Ok(granted) => return Poll::Ready(granted),
                Err(pause) => self.wait = Some(Box::pin(sleep(pause))),
            }
        }
    }
}
