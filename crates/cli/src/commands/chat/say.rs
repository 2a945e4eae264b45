//! Saying something with one command, and waiting until it is on its way.

use std::time::Duration;

use anyhow::{Result, bail};
use reqwest::Method;
use rpc::{ChatDelivery, ChatMessage, ChatSend, ChatSent, ChatStage, Event};

use super::super::Context;
use super::{model, path, told};
use crate::client::{Client, ClientError, part};
use crate::interrupt::Interrupt;
use crate::live::Live;
use crate::out::clean;

/// For how long a command waits at most until others have what it said: fifteen seconds with [`WAIT_S`]. Measured: a mailbox
/// has the first message for somebody who is away after some ten, since they are dialled before.
const PATIENCE: Duration = Duration::from_secs(14);

/// For how many seconds the node itself waits: mostly that is enough.
const WAIT_S: u32 = 1;

/// Says something, and tells how far it is.
pub async fn say(client: &Client, name: &str, text: String, context: &Context) -> Result<u8> {
    if text.trim().is_empty() {
        bail!("there is nothing in the message");
    }
    let mut interrupt = Interrupt::listen()?;
    let mut live = Live::new(context.json);
    if live.is_terminal() {
        live.draw(&["Sending …".to_owned()], String::new);
    }
    let send = ChatSend { text: Some(text), wait_s: WAIT_S, ..ChatSend::default() };
    let said: Result<ChatSent, ClientError> = client.call(Method::POST, &path(name, "/messages"), &send).await;
    let mut sent = match said {
        Ok(sent) => sent,
        Err(error) => {
            live.clear();
            return Err(error.into());
        }
    };
    let stopped = tokio::select! {
        biased;
        // Where the node goes meanwhile, what is known is told.
        _ = tokio::time::timeout(PATIENCE, follow(client, name, &mut sent)) => false,
        () = interrupt.wait() => true,
    };
    live.clear();
    if stopped {
        eprintln!("It is said, and goes on in the background: this computer has to stay on until somebody has it.");
        return Ok(crate::INTERRUPTED);
    }
    told(context, &sent, || how_far(&sent))
}

/// Follows what was said until all have it, or a mailbox for them.
async fn follow(client: &Client, name: &str, sent: &mut ChatSent) -> Result<(), ClientError> {
    if !is_waiting(sent) {
        return Ok(());
    }
    let mut events = client.events().await?;
    let now = path(name, &format!("/messages/{}", part(&sent.id)));
    // What happened before the events began.
    further(sent, client.get::<ChatMessage>(&now).await?.delivery);
    while is_waiting(sent) {
        match events.next().await? {
            Event::Delivery(progress) if progress.id == sent.id => further(sent, vec![progress.delivery]),
            Event::ChatsMissed {} => further(sent, client.get::<ChatMessage>(&now).await?.delivery),
            _ => {}
        }
    }
    Ok(())
}

/// Whether it is on this computer alone, for somebody.
fn is_waiting(sent: &ChatSent) -> bool {
    sent.delivery.iter().any(|it| it.stage == ChatStage::Waiting)
}

/// Takes how far it is with some.
fn further(sent: &mut ChatSent, delivery: Vec<ChatDelivery>) {
    for news in delivery {
        sent.stage = model::further(&mut sent.delivery, news).unwrap_or(sent.stage);
    }
}

/// Says how far something is.
fn how_far(sent: &ChatSent) -> String {
    let names = |stages: &[ChatStage]| -> Option<String> {
        let with = sent.delivery.iter().filter(|it| stages.contains(&it.stage));
        let names: Vec<String> = with.map(|it| clean(&it.name)).collect();
        (!names.is_empty()).then(|| names.join(", "))
    };
    if sent.delivery.is_empty() {
        return "Noted.".to_owned();
    }
    let delivered = names(&[ChatStage::Delivered, ChatStage::Read]).map(|names| format!("Delivered to {names}."));
    let kept = names(&[ChatStage::InMailbox]).map(|names| format!("In a mailbox for {names}."));
    let waiting = names(&[ChatStage::Waiting]).map(|names| {
        let until = "this computer has to stay on, with its node, until it is delivered or in a mailbox";
        format!("Waiting for {names}: it goes out as soon as they are reached; {until}.")
    });
    [delivered, kept, waiting].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, stage: ChatStage) -> ChatDelivery {
        ChatDelivery { name: name.into(), person: name.into(), stage }
    }

    #[test]
    fn a_command_waits_until_somebody_has_it() {
        let delivery = vec![of("bob", ChatStage::Waiting), of("dora", ChatStage::Waiting)];
        let mut sent = ChatSent { delivery, ..ChatSent::default() };
        further(&mut sent, vec![of("bob", ChatStage::Delivered)]);
        assert!(is_waiting(&sent));
        let said = how_far(&sent);
        assert!(said.starts_with("Delivered to bob. Waiting for dora") && said.contains("has to stay on"), "{said}");
        further(&mut sent, vec![of("dora", ChatStage::InMailbox), of("bob", ChatStage::Waiting)]);
        assert!(!is_waiting(&sent) && sent.stage == ChatStage::InMailbox);
        assert_eq!(how_far(&sent), "Delivered to bob. In a mailbox for dora.");
    }
}
