//! Saying something.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chat::proto::{Body as Said, ChatError};
use rpc::{ChatSend, ChatSent, Problem};

use super::super::AppState;
use super::super::body::{Body, Word};
use super::super::problem::ApiError;
use super::{found, message, view};
use crate::chat::ChatFailure;

/// How long a request waits for delivery at most.
const MAX_WAIT_S: u32 = 30;

/// Says something: a text, a reaction, other words for a message, that it is taken back, or for how long messages are kept.
/// It is sent until it arrives, also after a restart.
#[utoipa::path(post, path = "/api/v1/chats/{chat}/messages", request_body = ChatSend, params(("chat" = String, Path, description = "A person's name or id, GROUP, or GROUP/ROOM")), responses(
    (status = 201, description = "It is said", body = ChatSent),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "Nobody is called so, or there is no such message", body = Problem),
    (status = 409, description = "The node has no identity or meets nobody, the person is blocked or not known, the user is in the group no more, or too much waits", body = Problem),
    (status = 415, description = "Not JSON", body = Problem),
))]
pub(crate) async fn send(
    State(state): State<AppState>,
    Word(name): Word,
    Body(request): Body<ChatSend>,
) -> Result<(StatusCode, Json<ChatSent>), ApiError> {
    let (chat, of) = found(&state, &name)?;
    let patience = Duration::from_secs(request.wait_s.min(MAX_WAIT_S).into());
    let said = body(request)?;
    let is_reaction = matches!(said, Said::Reaction { .. });
    let (id, stages) = chat.send_and_see(&of, said, patience).await.map_err(|failure| why(failure, is_reaction))?;
    let delivery = view::deliveries(chat, stages);
    let sent = ChatSent { id: id.to_string(), stage: view::least(&delivery), delivery };
    Ok((StatusCode::CREATED, Json(sent)))
}

/// Says why something was not said.
fn why(failure: ChatFailure, is_reaction: bool) -> ApiError {
    match failure {
        ChatFailure::Refused(ChatError::TooLong { len, max }) if is_reaction => ApiError::bad_request(format!(
            "a reaction is an emoji or a short word: this one is {len} bytes, at most {max} fit; answer instead"
        )),
        failure => failure.into(),
    }
}

/// Returns what is to be said.
fn body(request: ChatSend) -> Result<Said, ApiError> {
    let ChatSend { text, answers, reaction, edit, deletion, timer, wait_s: _ } = request;
    let answers = answers.as_deref().map(message).transpose()?;
    let mut said = Vec::new();
    if text.is_none() && answers.is_some() {
        return Err(ApiError::bad_request("an answer needs a text"));
    }
    said.extend(text.map(|text| Said::Text { text, answers }));
    if let Some(reaction) = reaction {
        let to = message(&reaction.to)?;
        said.push(Said::Reaction { to, reaction: reaction.reaction, put: !reaction.take_away });
    }
    if let Some(edit) = edit {
        said.push(Said::Edit { of: message(&edit.of)?, text: edit.text });
    }
    if let Some(of) = deletion {
        said.push(Said::Deletion { of: message(&of)? });
    }
    said.extend(timer.map(|timer| Said::Timer { expires_s: timer.seconds.filter(|seconds| *seconds > 0) }));
    match (said.pop(), said.is_empty()) {
        (Some(said), true) => Ok(said),
        _ => Err(ApiError::bad_request("say exactly one of text, reaction, edit, deletion and timer")),
    }
}

#[cfg(test)]
mod tests {
    use rpc::{ChatReact, ChatTimer};

    use super::*;

    #[test]
    fn one_thing_is_said_at_a_time() {
        let text = ChatSend { text: Some("hello".into()), ..ChatSend::default() };
        assert_eq!(body(text.clone()).unwrap(), Said::Text { text: "hello".into(), answers: None });
        let timer = ChatSend { timer: Some(ChatTimer { seconds: Some(0) }), ..ChatSend::default() };
        assert_eq!(body(timer).unwrap(), Said::Timer { expires_s: None });
        let id = "0011223344556677-2";
        let react = ChatReact { to: id.into(), reaction: "👍".into(), take_away: true };
        let reaction = ChatSend { reaction: Some(react), ..ChatSend::default() };
        let taken = Said::Reaction { to: id.parse().unwrap(), reaction: "👍".into(), put: false };
        assert_eq!(body(reaction.clone()).unwrap(), taken);
        for wrong in [
            ChatSend::default(),
            ChatSend { text: Some("and".into()), ..reaction },
            ChatSend { answers: Some(id.into()), deletion: Some(id.into()), ..ChatSend::default() },
            ChatSend { answers: Some("x".into()), ..text },
        ] {
            assert!(body(wrong.clone()).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn nobody_is_told_to_send_a_reaction_as_a_file() {
        let failure = || ChatFailure::Refused(ChatError::TooLong { len: 40, max: 32 });
        assert!(format!("{:?}", why(failure(), false)).contains("as a file"));
        let of_reaction = format!("{:?}", why(failure(), true));
        assert!(of_reaction.contains("answer instead") && !of_reaction.contains("file"), "{of_reaction}");
    }
}
