//! Making an identity while the node runs, and changing what it is called and protected by.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use people::proto::{Name, Phrase};
use rpc::{
    IdentityChange, IdentityInfo, IdentityMade, IdentityRequest, PassphraseChange, Problem, RecoveryPhrase,
    RestoreRequest, UnlockRequest,
};

use super::AppState;
use super::body::Body;
use super::people::{CALL_LIFE, identity, name, nobody, people};
use super::problem::ApiError;
use crate::people::{IdentityError, Origin, keep};
use crate::{NodeError, computer_name, user_name};

/// Makes an identity: draws its recovery phrase, which is answered, and the node's key. It takes effect at once.
#[utoipa::path(post, path = "/api/v1/identity", request_body = IdentityRequest, responses(
    (status = 201, description = "The identity, and its recovery phrase", body = IdentityMade),
    (status = 400, description = "Not understood, or no name", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 409, description = "There is an identity", body = Problem),
    (status = 415, description = "Not JSON", body = Problem),
))]
pub(crate) async fn create(
    State(state): State<AppState>,
    Body(request): Body<IdentityRequest>,
) -> Result<(StatusCode, Json<IdentityMade>), ApiError> {
    let names = (name(&request.name)?, node_name(request.node_name.as_deref())?);
    let phrase = state.society().draw_phrase()?;
    settle(state, phrase, Origin::Drawn, names, request.passphrase).await
}

/// Becomes the person of a recovery phrase. To get contacts and groups back, meet another node of the person, or a
/// contact's: `POST /identity/meet`.
#[utoipa::path(post, path = "/api/v1/identity/restore", request_body = RestoreRequest, responses(
    (status = 201, description = "The identity", body = IdentityMade),
    (status = 400, description = "Not understood, or no recovery phrase", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 409, description = "There is an identity", body = Problem),
    (status = 415, description = "Not JSON", body = Problem),
))]
pub(crate) async fn restore(
    State(state): State<AppState>,
    Body(request): Body<RestoreRequest>,
) -> Result<(StatusCode, Json<IdentityMade>), ApiError> {
    let phrase = Phrase::parse(&request.phrase).map_err(|error| ApiError::bad_request(error.to_string()))?;
    let own = request.name.as_deref().map(name).transpose()?.unwrap_or_else(user_name);
    let names = (own, node_name(request.node_name.as_deref())?);
    settle(state, phrase, Origin::Typed, names, request.passphrase).await
}

/// Shows the recovery phrase again.
#[utoipa::path(post, path = "/api/v1/identity/phrase", request_body = UnlockRequest, responses(
    (status = 200, description = "The recovery phrase", body = RecoveryPhrase),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "The node belongs to nobody", body = Problem),
    (status = 409, description = "The passphrase is missing or wrong, or the secret is not here", body = Problem),
    (status = 415, description = "Not JSON", body = Problem),
))]
pub(crate) async fn phrase(
    State(state): State<AppState>,
    Body(request): Body<UnlockRequest>,
) -> Result<Json<RecoveryPhrase>, ApiError> {
    let phrase = opened(&state, request.passphrase).await?;
    Ok(Json(RecoveryPhrase { phrase: phrase.words().join(" ") }))
}

/// Changes the passphrase that protects the secret on this computer, or takes it away.
#[utoipa::path(put, path = "/api/v1/identity/passphrase", request_body = PassphraseChange, responses(
    (status = 200, description = "The person and the node", body = IdentityInfo),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "The node belongs to nobody", body = Problem),
    (status = 409, description = "The old passphrase is missing or wrong, or the secret is not here", body = Problem),
    (status = 415, description = "Not JSON", body = Problem),
))]
pub(crate) async fn passphrase(
    State(state): State<AppState>,
    Body(change): Body<PassphraseChange>,
) -> Result<Json<IdentityInfo>, ApiError> {
    let phrase = opened(&state, change.old).await?;
    keep(people(&state)?.keys(), &phrase, filled(change.new).as_deref()).await?;
    identity(State(state)).await
}

/// Changes what the person and this node are called. Contacts and the person's other nodes are told.
#[utoipa::path(patch, path = "/api/v1/identity", request_body = IdentityChange, responses(
    (status = 200, description = "The person and the node", body = IdentityInfo),
    (status = 400, description = "Not understood, or no name", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "The node belongs to nobody", body = Problem),
    (status = 409, description = "The passphrase is missing or wrong, or the secret is not here", body = Problem),
    (status = 415, description = "Not JSON", body = Problem),
))]
pub(crate) async fn change(
    State(state): State<AppState>,
    Body(change): Body<IdentityChange>,
) -> Result<Json<IdentityInfo>, ApiError> {
    let people = people(&state)?.clone();
    let own = change.name.as_deref().map(name).transpose()?;
    let node_name = change.node_name.as_deref().map(name).transpose()?;
    people.book().own().ok_or_else(nobody)?;
    let key = people.unlock(filled(change.passphrase), CALL_LIFE).await?;
    let list = {
        let book = people.book();
        let mut list = book.own().ok_or_else(nobody)?.newest().list().next();
        if let Some(own) = own {
            list.name = own;
        }
        if let (Some(name), Some(entry)) = (node_name, list.nodes.get(&book.node()).cloned()) {
            let added = list.add(book.node(), &name, entry.added, entry.consent);
            added.map_err(|error| ApiError::conflict(error.to_string()))?;
        }
        list
    };
    let signed = key.sign(list).map_err(|error| ApiError::conflict(error.to_string()))?;
    people.update(|book, _| book.learn(&signed)).await.map_err(|error| ApiError::local(error.to_string()))?;
    people.has_news();
    identity(State(state)).await
}

/// Makes the person of a phrase at home here, also when whoever asked has gone meanwhile.
async fn settle(
    state: AppState,
    phrase: Phrase,
    origin: Origin,
    names: (Name, Name),
    passphrase: Option<String>,
) -> Result<(StatusCode, Json<IdentityMade>), ApiError> {
    let work = async move {
        let passphrase = filled(passphrase);
        let society = state.society();
        let made = society.settle(&phrase, origin, (&names.0, &names.1), passphrase.as_deref()).await?;
        // Why a service does not run is part of what the offers show.
        let _ = state.services().has_identity().await;
        let drawn = origin == Origin::Drawn;
        Ok::<_, IdentityError>(Json(IdentityMade {
            person: made.person.to_string(),
            identity: identity(State(state)).await.ok().map(|Json(info)| info),
            phrase: drawn.then(|| phrase.words().join(" ")),
            restart: made.waits,
        }))
    };
    let made = tokio::spawn(work).await.map_err(|error| ApiError::local(error.to_string()))?;
    Ok((StatusCode::CREATED, made?))
}

/// Opens the recovery phrase. Takes a moment where a passphrase seals it.
async fn opened(state: &AppState, passphrase: Option<String>) -> Result<Phrase, ApiError> {
    let people = people(state)?;
    people.book().own().ok_or_else(nobody)?;
    let keys = people.keys().clone();
    let opened = tokio::task::spawn_blocking(move || keys.phrase(filled(passphrase).as_deref())).await;
    Ok(opened.map_err(|error| ApiError::local(error.to_string()))??)
}

fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

fn node_name(text: Option<&str>) -> Result<Name, ApiError> {
    Ok(text.map(name).transpose()?.unwrap_or_else(computer_name))
}

impl From<IdentityError> for ApiError {
    fn from(error: IdentityError) -> ApiError {
        let detail = error.to_string();
        match error {
            IdentityError::Exists => ApiError::conflict(detail),
            IdentityError::Missing => nobody(),
            IdentityError::Secret(error) => error.into(),
            IdentityError::List(_) => ApiError::conflict(detail),
            IdentityError::Home(_) | IdentityError::Database(_) => ApiError::local(detail),
        }
    }
}

impl From<NodeError> for ApiError {
    fn from(error: NodeError) -> ApiError {
        ApiError::local(error.to_string())
    }
}
