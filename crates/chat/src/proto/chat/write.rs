//! What the user says: checked, shown here, sent on its way.

use base::Now;

use super::super::cipher::Cipher;
use super::super::conversation::{Course, Held, Taken};
use super::super::id::{Audience, Conversation, MessageId, Pen};
use super::super::io::ChatError;
use super::super::message::{Body, MAX_ATTACHMENT_NAME, MAX_ATTACHMENT_NOTICE, MAX_REACTION, MAX_TEXT, Message};
use super::Chat;
use super::post::{Kind, MAX_OWED};
use super::take::{MAX_REQUEST_LEN, is_too_long};

impl<C: Cipher> Chat<C> {
    /// Says something.
    pub(super) fn say(
        &mut self,
        now: Now,
        written: u64,
        conversation: &Conversation,
        body: Body,
    ) -> Result<MessageId, ChatError> {
        let audience = self.people.audience(conversation)?;
        check_lengths(&body)?;
        self.check_meant(conversation, &body)?;
        // Only where nobody else hears it: a room does not fall silent since one member is away.
        if conversation.partner(self.me).is_some_and(|partner| self.posts.is_full(partner, Kind::Direct)) {
            return Err(ChatError::Full { max: MAX_OWED });
        }
        let (pen, author) = (self.pen, self.me);
        let (number, time, after) = self.course(conversation, |course| course.next(pen, now.wall));
        let id = MessageId { pen, number };
        let expires_s = match body {
            Body::Timer { .. } | Body::Opening => None,
            _ => self.timer(conversation),
        };
        let conversation = conversation.clone();
        let message = Message { conversation: conversation.clone(), id, author, time, written, after, expires_s, body };
        if self.is_unasked(&conversation) && is_too_long(&message) {
            return Err(ChatError::TooLongUnasked { max: MAX_REQUEST_LEN });
        }
        let mut marks = Audience::new();
        if matches!(conversation, Conversation::Room(..)) {
            marks.extend(audience.iter().chain([&author]).map(|person| Pen::mark_of(*person)));
        }
        let held = Held { audience: marks.clone(), ..Held::new(now, message.clone(), self.node(), false) };
        if let Taken::Shown(shown) = self.course(&conversation, |course| course.take(held, usize::MAX, now.mono)) {
            self.show(now, shown, false);
        }
        self.post(&message, &marks, &audience);
        Ok(id)
    }

    /// Whether one speaks to somebody who is no contact and never wrote: there it may be a request.
    fn is_unasked(&self, conversation: &Conversation) -> bool {
        let Some(partner) = conversation.partner(self.me).filter(|partner| !self.people.is_contact(*partner)) else {
            return false;
        };
        let shown = self.courses.get(conversation).map(Course::shown).unwrap_or_default();
        shown.spans().all(|(pen, ..)| !pen.is_of(partner))
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
        if text.trim().is_empty() { Err(ChatError::Empty) } else { within(text.len(), max) }
    };
    match body {
        Body::Text { text, .. } => words(text, MAX_TEXT),
        Body::Reaction { reaction, .. } => words(reaction, MAX_REACTION),
        // What goes with a file may be taken away, and nothing else is there to be read.
        Body::Edit { text, .. } if !text.is_empty() => words(text, MAX_TEXT),
        Body::Attachment { name, notice, caption, .. } => {
            words(name, MAX_ATTACHMENT_NAME)?;
            within(notice.len(), MAX_ATTACHMENT_NOTICE)?;
            within(caption.len(), MAX_TEXT)
        }
        // No seconds at all would be "for good" to everybody else.
        Body::Timer { expires_s: Some(0) } => Err(ChatError::Empty),
        Body::Edit { .. } | Body::Deletion { .. } | Body::Timer { .. } | Body::Opening => Ok(()),
    }
}
