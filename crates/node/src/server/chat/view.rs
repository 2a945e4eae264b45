//! Conversations and messages as the API shows them.

use base::PersonId;
use chat::proto::{Conversation, Stage};
use chat::{Entry, Hit, Newest, Quote, Said, Summary};
use metainfo::InfoHashes;
use rpc::{
    ChatAttachment, ChatDelivery, ChatHit, ChatInfo, ChatKind, ChatLast, ChatMessage, ChatPiece, ChatQuote,
    ChatReaction, ChatStage,
};
use sharing::proto::Notice;

use crate::chat::{ChatFailure, ChatHandle};

/// Returns all conversations.
pub(in crate::server) async fn infos(chat: &ChatHandle) -> Result<Vec<ChatInfo>, ChatFailure> {
    let summaries = chat.conversations().await?;
    let timers = chat.timers(summaries.iter().map(|summary| summary.conversation.clone()).collect()).await;
    // While nothing can be stored, the timers cannot be asked for, and everything else can.
    let timers = timers.unwrap_or_else(|_| vec![None; summaries.len()]);
    Ok(summaries.into_iter().zip(timers).map(|(summary, timer_s)| info_of(chat, summary, timer_s)).collect())
}

/// Returns one conversation, also where nothing was said yet.
pub(in crate::server) async fn info(chat: &ChatHandle, of: &Conversation) -> Result<ChatInfo, ChatFailure> {
    let summaries = chat.conversations().await?;
    let found = summaries.into_iter().find(|summary| summary.conversation == *of);
    let timer_s = chat.timers(vec![of.clone()]).await.ok().and_then(|timers| timers.into_iter().next().flatten());
    let silent = Summary { conversation: of.clone(), newest: None, unread: 0, is_muted: false, is_request: false };
    Ok(info_of(chat, found.unwrap_or(silent), timer_s))
}

fn info_of(chat: &ChatHandle, summary: Summary, timer_s: Option<u32>) -> ChatInfo {
    let of = &summary.conversation;
    let (group, room) = match of {
        Conversation::Direct(..) => (None, None),
        Conversation::Room(group, room) => (Some(group.to_string()), Some(room.to_string())),
    };
    let others = chat.members(of).into_iter().filter(|member| member.person != chat.me());
    ChatInfo {
        name: chat.name(of),
        id: chat.id(of),
        person: of.partner(chat.me()).map(|person| person.to_string()),
        group,
        room,
        unread: summary.unread,
        request: summary.is_request,
        muted: summary.is_muted,
        timer_s,
        people: others.map(|member| member.name).collect(),
        last: summary.newest.map(|newest| last(chat, newest)),
    }
}

fn last(chat: &ChatHandle, newest: Newest) -> ChatLast {
    let (kind, text) = match &newest.said {
        Said::Text(text) => (ChatKind::Text, text.clone()),
        Said::Attachment { name, .. } => (ChatKind::Attachment, name.clone()),
        Said::Timer(_) => (ChatKind::Timer, String::new()),
        Said::Opening => (ChatKind::Opening, String::new()),
        Said::Deleted => (ChatKind::Text, String::new()),
    };
    ChatLast {
        id: newest.position.id.to_string(),
        from: chat.person_name(newest.author),
        mine: newest.author == chat.me(),
        at_ms: newest.said_ms,
        kind,
        text,
        deleted: newest.said == Said::Deleted,
    }
}

/// Returns one message.
pub(in crate::server) fn message(chat: &ChatHandle, of: &Conversation, entry: Entry) -> ChatMessage {
    let mine = entry.author == chat.me();
    let deleted = entry.said == Said::Deleted;
    let (kind, text, timer_s, attachment) = match entry.said {
        Said::Text(text) => (ChatKind::Text, text, None, None),
        Said::Attachment { name, bytes, notice, caption } => {
            let hash = Notice::decode(&notice).ok().map(|notice| InfoHashes::v2_only(notice.hash).key());
            let torrent = hash.map(|hash| hash.to_string());
            (ChatKind::Attachment, caption, None, Some(ChatAttachment { name, bytes, torrent }))
        }
        Said::Timer(timer_s) => (ChatKind::Timer, String::new(), timer_s, None),
        Said::Opening => (ChatKind::Opening, String::new(), None, None),
        Said::Deleted => (ChatKind::Text, String::new(), None, None),
    };
    let delivery = deliveries(chat, entry.stages);
    ChatMessage {
        id: entry.position.id.to_string(),
        chat: chat.id(of),
        chat_name: chat.name(of),
        from: chat.person_name(entry.author),
        person: entry.author.to_string(),
        mine,
        written_at_ms: entry.written,
        order: entry.position.time,
        kind,
        text,
        answers: entry.answers.map(|quote| quoted(chat, quote)),
        attachment,
        reactions: entry.reactions.into_iter().map(|(reaction, by)| reacted(chat, reaction, &by)).collect(),
        edited: entry.is_edited,
        deleted,
        read: !entry.is_unread,
        timer_s,
        until_ms: entry.due_ms,
        stage: mine.then(|| least(&delivery)),
        delivery: if mine { delivery } else { Vec::new() },
    }
}

fn quoted(chat: &ChatHandle, quote: Quote) -> ChatQuote {
    let (from, text) = quote.of.map(|(author, text)| (chat.person_name(author), text)).unzip();
    ChatQuote { id: quote.id.to_string(), from, text: text.unwrap_or_default() }
}

fn reacted(chat: &ChatHandle, reaction: String, by: &[PersonId]) -> ChatReaction {
    let mine = by.contains(&chat.me());
    ChatReaction { reaction, by: by.iter().map(|person| chat.person_name(*person)).collect(), mine }
}

/// Returns how far a message is with each but ourselves.
pub(in crate::server) fn deliveries(
    chat: &ChatHandle,
    stages: impl IntoIterator<Item = (PersonId, Stage)>,
) -> Vec<ChatDelivery> {
    let others = stages.into_iter().filter(|(person, _)| *person != chat.me());
    others.map(|(person, stage)| delivery(chat, person, stage)).collect()
}

/// Returns how far a message is with somebody.
pub(in crate::server) fn delivery(chat: &ChatHandle, person: PersonId, stage: Stage) -> ChatDelivery {
    let stage = match stage {
        Stage::Waiting => ChatStage::Waiting,
        Stage::InMailbox => ChatStage::InMailbox,
        Stage::Delivered => ChatStage::Delivered,
        Stage::Read => ChatStage::Read,
    };
    ChatDelivery { name: chat.person_name(person), person: person.to_string(), stage }
}

/// Returns how far a message is with all; what is for nobody else is there already.
pub(in crate::server) fn least(delivery: &[ChatDelivery]) -> ChatStage {
    delivery.iter().map(|it| it.stage).min().unwrap_or(ChatStage::Delivered)
}

/// Returns a message that was found.
pub(in crate::server) fn hit(chat: &ChatHandle, hit: Hit) -> ChatHit {
    ChatHit {
        id: hit.position.id.to_string(),
        chat: chat.id(&hit.conversation),
        chat_name: chat.name(&hit.conversation),
        from: chat.person_name(hit.author),
        person: hit.author.to_string(),
        at_ms: hit.said_ms,
        snippet: hit.snippet.into_iter().map(|(text, found)| ChatPiece { text, found }).collect(),
    }
}
