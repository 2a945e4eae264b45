//! What the user says: checked, shown here, sent on its way.

use base::Now;

use super::super::cipher::Cipher;
use super::super::conversation::{Held, Taken};
use super::super::id::{Conversation, MessageId};
use super::super::io::ChatError;
use super::super::message::{Body, MAX_ATTACHMENT_NAME, MAX_ATTACHMENT_NOTICE, MAX_REACTION, MAX_TEXT, Message};
use super::Chat;
use super::post::{Kind, MAX_OWED};

impl<C: Cipher> Chat<C> {
    /// Says something.
    pub(super) fn say(&mut self, now: Now, conversation: &Conversation, body: Body) -> Result<MessageId, ChatError> {
        let audience = self.people.audience(conversation)?;
        check_lengths(&body)?;
        self.check_meant(conversation, &body)?;
        // Only where nobody else hears it: a room does not fall silent since one member is away.
        if conversation.partner(self.me).is_some_and(|partner| self.posts.is_full(partner, Kind::Direct)) {
            return Err(ChatError::Full { max: MAX_OWED });
        }
        let (pen, author) = (self.pen, self.me);
        let (number, time, after) = self.course(conversation, |course| course.next(pen));
        let id = MessageId { pen, number };
        let expires_s = match body {
            Body::Timer { .. } | Body::Opening => None,
            _ => self.timer(conversation),
        };
        let written = now.wall.0.saturating_mul(1000);
        let conversation = conversation.clone();
        let message = Message { conversation: conversation.clone(), id, author, time, written, after, expires_s, body };
        let held = Held::new(now, message.clone(), self.node(), false);
        if let Taken::Shown(shown) = self.course(&conversation, |course| course.take(held, usize::MAX, now.mono)) {
            self.show(now, shown, false);
        }
        self.post(&message, &audience);
        Ok(id)
    }

    /// Checks that what is meant is here, and where that is needed, ours.
    fn check_meant(&self, conversation: &Conversation, body: &Body) -> Result<(), ChatError> {
        let (meant, has_to_be_ours) = match body {
            Body::Text { answers: Some(id), .. } | Body::Reaction { to: id, .. } => (*id, false),
            Body::Edit { of, .. } | Body::Deletion { of } => (*of, true),
            Body::Text { answers: None, .. } | Body::Attachment { .. } | Body::Timer { .. } | Body::Opening => {
                return Ok(());
            }
        };
        let is_here = self.courses.get(conversation).is_some_and(|course| course.is_shown(meant));
        if is_here && (!has_to_be_ours || meant.pen.is_of(self.me)) { Ok(()) } else { Err(ChatError::NotYours) }
    }
}

/// Checks that nothing is longer than it may be, nor empty.
fn check_lengths(body: &Body) -> Result<(), ChatError> {
    let within = |len: usize, max: usize| if len > max { Err(ChatError::TooLong { len, max }) } else { Ok(()) };
    let words = |text: &str, max: usize| {
        if text.is_empty() { Err(ChatError::Empty) } else { within(text.len(), max) }
    };
    match body {
        Body::Text { text, .. } => words(text, MAX_TEXT),
        Body::Reaction { reaction, .. } => words(reaction, MAX_REACTION),
        Body::Edit { text, .. } => within(text.len(), MAX_TEXT),
        Body::Attachment { name, notice, caption, .. } => {
            words(name, MAX_ATTACHMENT_NAME)?;
            within(notice.len(), MAX_ATTACHMENT_NOTICE)?;
            within(caption.len(), MAX_TEXT)
        }
        // No seconds at all would be "for good" to everybody else.
        Body::Timer { expires_s: Some(0) } => Err(ChatError::Empty),
        Body::Deletion { .. } | Body::Timer { .. } | Body::Opening => Ok(()),
    }
}
