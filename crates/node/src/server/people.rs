//! Who we are, our nodes, contacts and invitations.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use base::id::begins;
use base::{NodeId, PersonId};
use overlay::OpenError;
use people::proto::book::BookError;
use people::proto::exchange::Purpose;
use people::proto::{
    Book, ContactLink, Invite, InviteId, InviteState, JoinLink, LinkNode, Name, PersonLink, Relation, Secret,
    verification_words,
};
use rpc::{
    ContactChange, ContactInfo, ContactNode, ContactRequest, ContactState, IdentityInfo, InviteInfo, InviteRequest,
    JoinCode, JoinRequest, MeetRequest, PersonNode, Problem, UnlockRequest,
};

use super::body::{Body, Word};
use super::problem::ApiError;
use super::{AppState, named};
use crate::people::{CODE_LIFE, MeetError, Off, People, SecretError, now_ms};

/// How long the person's secret stays at hand for one call.
pub(super) const CALL_LIFE: std::time::Duration = std::time::Duration::from_secs(120);

/// Tells who this node belongs to.
#[utoipa::path(get, path = "/api/v1/identity", responses(
    (status = 200, description = "The person and the node", body = IdentityInfo),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "The node belongs to nobody", body = Problem),
))]
pub(crate) async fn identity(State(state): State<AppState>) -> Result<Json<IdentityInfo>, ApiError> {
    let people = people(&state)?;
    let hints = people.own_hints();
    let book = people.book();
    let own = book.own().ok_or_else(nobody)?;
    let list = own.newest().list();
    let nodes = vec![LinkNode { node: book.node(), hints: hints.clone() }];
    let link = PersonLink { person: own.id(), name: Some(list.name.clone()), nodes };
    Ok(Json(IdentityInfo {
        person: own.id().to_string(),
        name: list.name.to_string(),
        node: book.node().to_string(),
        node_name: list.nodes.get(&book.node()).map(|entry| entry.name.to_string()),
        has_secret: people.keys().has_person(),
        passphrase: people.keys().is_sealed().unwrap_or(false),
        account: people.keys().account(),
        revoked: own.is_revoked(&book.node()),
        list_number: list.seq,
        hints,
        link: link.to_string(),
    }))
}

/// Meets another node of this person, which has the newest list and all contacts; or, after a restoration, a contact's
/// or fellow member's, which has the list.
#[utoipa::path(post, path = "/api/v1/identity/meet", request_body = MeetRequest, responses(
    (status = 200, description = "The person and the node, as they are now", body = IdentityInfo),
    (status = 401, description = "No token", body = Problem),
    (status = 409, description = "The passphrase is wrong, or nobody answers", body = Problem),
))]
pub(crate) async fn meet(
    State(state): State<AppState>,
    Body(request): Body<MeetRequest>,
) -> Result<Json<IdentityInfo>, ApiError> {
    let people = people(&state)?.clone();
    let node = request.node.parse::<NodeId>().map_err(|error| ApiError::bad_request(error.to_string()))?;
    let hints: Result<Vec<overlay::Hint>, _> = request.hints.iter().map(|hint| hint.parse::<overlay::Hint>()).collect();
    let hints = hints.map_err(|error| ApiError::bad_request(error.to_string()))?;
    people.book().own().ok_or_else(nobody)?;
    people.unlock(request.passphrase, CALL_LIFE).await?;
    people.meet(node, Purpose::Return, &hints).await?;
    people.has_news();
    identity(State(state)).await
}

/// Lists the nodes of this person.
#[utoipa::path(get, path = "/api/v1/nodes", responses(
    (status = 200, description = "The nodes, those that were revoked last", body = Vec<PersonNode>),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "The node belongs to nobody", body = Problem),
))]
pub(crate) async fn nodes(State(state): State<AppState>) -> Result<Json<Vec<PersonNode>>, ApiError> {
    let people = people(&state)?;
    let connected = connected(people);
    let book = people.book();
    let own = book.own().ok_or_else(nobody)?;
    let live = own.nodes().map(|(node, entry)| PersonNode {
        id: node.to_string(),
        name: entry.name.to_string(),
        added_s: entry.added,
        this: *node == book.node(),
        connected: connected.contains(node),
        revoked: false,
    });
    let gone = own.revoked().iter().map(|node| PersonNode {
        id: node.to_string(),
        name: String::new(),
        added_s: 0,
        this: *node == book.node(),
        connected: connected.contains(node),
        revoked: true,
    });
    Ok(Json(live.chain(gone).collect()))
}

/// Makes a code by which one other computer can become a node of this person.
#[utoipa::path(post, path = "/api/v1/nodes/code", request_body = UnlockRequest, responses(
    (status = 200, description = "The code", body = JoinCode),
    (status = 401, description = "No token", body = Problem),
    (status = 409, description = "The passphrase is wrong, or the secret is not here", body = Problem),
))]
pub(crate) async fn add_node(
    State(state): State<AppState>,
    Body(request): Body<UnlockRequest>,
) -> Result<Json<JoinCode>, ApiError> {
    let people = people(&state)?;
    people.book().own().ok_or_else(nobody)?;
    people.reach()?;
    people.unlock(request.passphrase, CODE_LIFE).await?;
    let (code, link) = people.await_node().await?;
    let (code, link) = (code.words().join(" "), link.to_string());
    Ok(Json(JoinCode { code, link, valid_s: CODE_LIFE.as_secs() }))
}

/// Takes the code back.
#[utoipa::path(delete, path = "/api/v1/nodes/code", responses(
    (status = 204, description = "No node is awaited"),
    (status = 401, description = "No token", body = Problem),
))]
pub(crate) async fn await_nobody(State(state): State<AppState>) -> Result<StatusCode, ApiError> {
    people(&state)?.await_nobody();
    Ok(StatusCode::NO_CONTENT)
}

/// Becomes a node of the person that shows a code.
#[utoipa::path(post, path = "/api/v1/nodes/join", request_body = JoinRequest, responses(
    (status = 200, description = "The person and the node", body = IdentityInfo),
    (status = 400, description = "The code is damaged", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 409, description = "Nobody answers, or the code is no longer good", body = Problem),
))]
pub(crate) async fn join(
    State(state): State<AppState>,
    Body(request): Body<JoinRequest>,
) -> Result<Json<IdentityInfo>, ApiError> {
    let bad = |error: &dyn std::fmt::Display| ApiError::bad_request(error.to_string());
    // What is damaged is told before anything is made.
    let name = name(&request.name)?;
    let is_link = request.code.trim_start().starts_with("compeer:");
    let link = is_link.then(|| request.code.parse::<JoinLink>()).transpose().map_err(|error| bad(&error))?;
    let code = (!is_link).then(|| people::proto::JoinCode::parse(&request.code));
    let code = code.transpose().map_err(|error| bad(&error))?;
    let is_first = state.people().is_none();
    let people = state.society().prepare().await?.clone();
    if people.book().own().is_some() {
        return Err(crate::people::IdentityError::Exists.into());
    }
    if is_first {
        // Why a service does not run is part of what the offers show.
        let _ = state.services().has_identity().await;
    }
    let link = match (link, code) {
        (Some(link), _) => link,
        (None, Some(code)) => people.find_by_code(&code).await?,
        (None, None) => {
            return Err(ApiError::bad_request(
                "there is no code: take the words or the link that the other computer shows",
            ));
        }
    };
    people.join(&link, name).await?;
    identity(State(state)).await
}

/// Takes a node of this person out of the list, for ever.
#[utoipa::path(post, path = "/api/v1/nodes/{node}/revoke", request_body = UnlockRequest,
    params(("node" = String, Path, description = "Its id or name")), responses(
    (status = 200, description = "The nodes that are left, those that were revoked last", body = Vec<PersonNode>),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "There is no such node", body = Problem),
    (status = 409, description = "The passphrase is wrong, or the secret is not here", body = Problem),
))]
pub(crate) async fn revoke_node(
    State(state): State<AppState>,
    Word(meant): Word,
    Body(request): Body<UnlockRequest>,
) -> Result<Json<Vec<PersonNode>>, ApiError> {
    let people = people(&state)?.clone();
    let (node, mut list) = {
        let book = people.book();
        let own = book.own().ok_or_else(nobody)?;
        let list = own.newest().list();
        let node = list.find(&meant);
        let node = node.ok_or_else(|| {
            ApiError::not_found(format!(
                "{meant:?} is no node of yours, or could be several: `compeer node list` and GET /api/v1/nodes show \
                 them"
            ))
        })?;
        if node == book.node() {
            return Err(ApiError::conflict("this is the node that answers: revoke it from another one"));
        }
        (node, list.next())
    };
    let key = people.unlock(request.passphrase, CALL_LIFE).await?;
    list.revoke(node).map_err(|error| ApiError::conflict(error.to_string()))?;
    let signed = key.sign(list).map_err(|error| ApiError::conflict(error.to_string()))?;
    people.update(|book, _| book.learn(&signed)).await.map_err(local)?;
    people.has_news();
    if let Some(groups) = state.groups() {
        groups.renew_keys(&key).await;
    }
    nodes(State(state)).await
}

/// Lists contacts.
#[utoipa::path(get, path = "/api/v1/contacts", responses(
    (status = 200, description = "Contacts, and persons that are blocked", body = Vec<ContactInfo>),
    (status = 401, description = "No token", body = Problem),
))]
pub(crate) async fn contacts(State(state): State<AppState>) -> Result<Json<Vec<ContactInfo>>, ApiError> {
    let people = people(&state)?;
    let connected = connected(people);
    let book = people.book();
    let mut contacts: Vec<_> = book.contacts().filter_map(|contact| info(&book, &contact.person, &connected)).collect();
    contacts.sort_by_key(|contact| contact.name.to_lowercase());
    Ok(Json(contacts))
}

/// Takes an invitation. Answers when a node of the person did, or none could be reached: then it is tried again.
#[utoipa::path(post, path = "/api/v1/contacts", request_body = ContactRequest, responses(
    (status = 200, description = "The contact; its state says whether it knows", body = ContactInfo),
    (status = 400, description = "The link is damaged", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 409, description = "The invitation is not good, or the node meets nobody", body = Problem),
))]
pub(crate) async fn add_contact(
    State(state): State<AppState>,
    Body(request): Body<ContactRequest>,
) -> Result<Json<ContactInfo>, ApiError> {
    let people = people(&state)?.clone();
    people.book().own().ok_or_else(nobody)?;
    let link = request.link.parse::<ContactLink>().map_err(|error| ApiError::bad_request(error.to_string()))?;
    let petname = request.name.as_deref().map(name).transpose()?;
    people.reach()?;
    people.update(|book, now| book.ask(&link, petname, now)).await.map_err(local)??;
    match people.meet_person(link.person).await {
        Ok(_) => {}
        Err(MeetError::Failure(failure @ people::proto::exchange::Failure::Refused(_))) => {
            let unknown = people.book().contact(&link.person).is_some_and(|c| c.relation == Relation::Asked);
            if unknown {
                people.update(|book, now| book.remove(link.person, now)).await.map_err(local)??;
            }
            return Err(ApiError::conflict(failure.to_string()));
        }
        // Nobody is there now: the link stays good, and is tried again.
        Err(error) => tracing::debug!(%error, "an invitation is taken later"),
    }
    one(&people, &link.person)
}

/// Tells about one contact.
#[utoipa::path(get, path = "/api/v1/contacts/{contact}",
    params(("contact" = String, Path, description = "Its name here, its id, or the beginning of it")), responses(
    (status = 200, description = "The contact", body = ContactInfo),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "There is no such contact", body = Problem),
))]
pub(crate) async fn contact(State(state): State<AppState>, Word(meant): Word) -> Result<Json<ContactInfo>, ApiError> {
    let people = people(&state)?;
    let person = find(&people.book(), &meant)?;
    one(people, &person)
}

/// Changes a contact, or blocks a person that is none (by id).
#[utoipa::path(patch, path = "/api/v1/contacts/{contact}", request_body = ContactChange,
    params(("contact" = String, Path, description = "Its name here, its id, or the beginning of it")), responses(
    (status = 200, description = "The contact", body = ContactInfo),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "There is no such contact", body = Problem),
    (status = 409, description = "Another contact has this name", body = Problem),
))]
pub(crate) async fn change_contact(
    State(state): State<AppState>,
    Word(meant): Word,
    Body(change): Body<ContactChange>,
) -> Result<Json<ContactInfo>, ApiError> {
    let people = people(&state)?.clone();
    let stranger = || meant.parse::<PersonId>().ok().filter(|_| change.blocked == Some(true));
    let found = find(&people.book(), &meant);
    let person = match (found, stranger()) {
        (Ok(person), _) | (Err(_), Some(person)) => person,
        (Err(error), None) => return Err(error),
    };
    let petname = match change.name.as_deref() {
        None => None,
        Some("") => Some(None),
        Some(text) => Some(Some(name(text)?)),
    };
    let changed = people.update(|book, now| {
        if let Some(petname) = petname {
            book.rename(person, petname, now)?;
        }
        if let Some(verified) = change.verified {
            book.verify(person, verified, now)?;
        }
        if let Some(blocked) = change.blocked {
            book.block(person, blocked, now)?;
        }
        Ok::<_, BookError>(())
    });
    changed.await.map_err(local)??;
    if let Some(blocked) = change.blocked {
        named::agree(&state, person, blocked).await?;
    }
    people.has_news();
    one(&people, &person)
}

/// Forgets a contact.
#[utoipa::path(delete, path = "/api/v1/contacts/{contact}",
    params(("contact" = String, Path, description = "Its name here, its id, or the beginning of it")), responses(
    (status = 204, description = "It is none any more"),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "There is no such contact", body = Problem),
))]
pub(crate) async fn remove_contact(State(state): State<AppState>, Word(meant): Word) -> Result<StatusCode, ApiError> {
    let people = people(&state)?.clone();
    let person = find(&people.book(), &meant)?;
    people.update(|book, now| book.remove(person, now)).await.map_err(local)??;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the invitations that were given out.
#[utoipa::path(get, path = "/api/v1/invites", responses(
    (status = 200, description = "The invitations, the newest last", body = Vec<InviteInfo>),
    (status = 401, description = "No token", body = Problem),
))]
pub(crate) async fn invites(State(state): State<AppState>) -> Result<Json<Vec<InviteInfo>>, ApiError> {
    let people = people(&state)?;
    let hints = people.own_hints();
    let book = people.book();
    book.own().ok_or_else(nobody)?;
    Ok(Json(book.invites().into_iter().filter_map(|invite| invite_info(&book, invite, &hints)).collect()))
}

/// Makes an invitation.
#[utoipa::path(post, path = "/api/v1/invites", request_body = InviteRequest, responses(
    (status = 200, description = "The invitation, with its link", body = InviteInfo),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "The node belongs to nobody", body = Problem),
    (status = 409, description = "Too many are open, or the node meets nobody", body = Problem),
))]
pub(crate) async fn invite(
    State(state): State<AppState>,
    Body(request): Body<InviteRequest>,
) -> Result<Json<InviteInfo>, ApiError> {
    let people = people(&state)?;
    people.book().own().ok_or_else(nobody)?;
    // Nobody could take it.
    people.reach()?;
    let mut secret = [0; 16];
    getrandom::fill(&mut secret).map_err(|error| ApiError::local(error.to_string()))?;
    let expires = request.valid_s.map(|valid| (now_ms() / 1000).saturating_add(valid));
    let made = people.update(|book, now| book.invite(Secret(secret), request.standing, expires, now));
    let id = made.await.map_err(local)??;
    let hints = people.own_hints();
    let book = people.book();
    let info = book.invite_of(&id).and_then(|invite| invite_info(&book, invite, &hints));
    info.map(Json).ok_or_else(nobody)
}

/// Takes an invitation back.
#[utoipa::path(delete, path = "/api/v1/invites/{invite}",
    params(("invite" = String, Path, description = "Its id")), responses(
    (status = 204, description = "Nobody can take it any more"),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "There is no such invitation", body = Problem),
))]
pub(crate) async fn revoke_invite(State(state): State<AppState>, Word(meant): Word) -> Result<StatusCode, ApiError> {
    let people = people(&state)?.clone();
    let id = {
        let book = people.book();
        let found: Vec<InviteId> =
            book.invites().into_iter().map(Invite::id).filter(|id| begins(&id.to_string(), &meant)).collect();
        match found[..] {
            [one] => one,
            _ => {
                return Err(ApiError::not_found(format!(
                    "{meant:?} is no open invitation, or could be several: GET /api/v1/invites lists them"
                )));
            }
        }
    };
    people.update(|book, now| book.revoke_invite(id, now)).await.map_err(local)?;
    people.has_news();
    Ok(StatusCode::NO_CONTENT)
}

pub(super) fn people(state: &AppState) -> Result<&People, ApiError> {
    state.people().ok_or_else(nobody)
}

pub(super) fn nobody() -> ApiError {
    let detail = "this node belongs to nobody yet: make an identity with POST /api/v1/identity, or end the node and run \
                  `compeer init`, or `compeer node join` to make it one of your nodes";
    ApiError::new(StatusCode::NOT_FOUND, "no-identity", "There is no identity", detail)
}

fn local(error: db::DbError) -> ApiError {
    ApiError::local(error.to_string())
}

pub(super) fn name(text: &str) -> Result<Name, ApiError> {
    Name::new(text).map_err(|error| ApiError::bad_request(error.to_string()))
}

pub(super) fn find(book: &Book, meant: &str) -> Result<PersonId, ApiError> {
    book.find(meant).map_err(|several| {
        if several.is_empty() {
            return ApiError::not_found(format!(
                "there is no contact {meant:?}: `compeer contact list` and GET /api/v1/contacts show all"
            ));
        }
        ambiguous(meant, &several)
    })
}

/// Several are meant.
pub(super) fn ambiguous(meant: &str, several: &[PersonId]) -> ApiError {
    let ids: Vec<_> = several.iter().map(|person| person.to_string()[..8].to_owned()).collect();
    ApiError::conflict(format!("{meant:?} can mean {}: write the beginning of the id", ids.join(", ")))
}

fn one(people: &People, person: &PersonId) -> Result<Json<ContactInfo>, ApiError> {
    let connected = connected(people);
    info(&people.book(), person, &connected).map(Json).ok_or_else(|| ApiError::from(BookError::Unknown))
}

fn connected(people: &People) -> Vec<NodeId> {
    let connections = people.overlay().map(overlay::Overlay::connections).unwrap_or_default();
    connections.into_iter().map(|connection| connection.node).collect()
}

fn info(book: &Book, person: &PersonId, connected: &[NodeId]) -> Option<ContactInfo> {
    let contact = book.contact(person)?;
    let known = book.person(person);
    let state = match contact.relation {
        _ if contact.blocked => ContactState::Blocked,
        Relation::Asked => ContactState::Asked,
        Relation::Mutual => ContactState::Contact,
        Relation::None => ContactState::Stranger,
    };
    let words = book.own().map(|own| verification_words(own.id(), *person).map(str::to_owned).to_vec());
    let nodes = known.into_iter().flat_map(|known| known.nodes()).map(|(node, entry)| ContactNode {
        id: node.to_string(),
        name: entry.name.to_string(),
        connected: connected.contains(node),
    });
    Some(ContactInfo {
        person: person.to_string(),
        name: book.name_of(person),
        shown_name: known.map(|known| known.newest().list().name.to_string()),
        state,
        verified: contact.verified,
        words: words.unwrap_or_default(),
        added_s: contact.added,
        nodes: nodes.collect(),
    })
}

fn invite_info(book: &Book, invite: &Invite, hints: &[String]) -> Option<InviteInfo> {
    let own = book.own()?;
    let link = ContactLink {
        person: own.id(),
        name: Some(own.newest().list().name.clone()),
        nodes: vec![LinkNode { node: book.node(), hints: hints.to_vec() }],
        secret: invite.secret,
    };
    let state = match invite.state {
        InviteState::Open if !invite.is_open(now_ms() / 1000) => rpc::InviteState::Expired,
        InviteState::Open => rpc::InviteState::Open,
        InviteState::Used => rpc::InviteState::Used,
        InviteState::Revoked => rpc::InviteState::Revoked,
    };
    Some(InviteInfo {
        id: invite.id().to_string(),
        link: link.to_string(),
        standing: invite.standing,
        state,
        uses: invite.uses,
        created_s: invite.created,
        expires_s: invite.expires,
    })
}

impl From<BookError> for ApiError {
    fn from(error: BookError) -> ApiError {
        match error {
            BookError::Unknown => ApiError::not_found(error.to_string()),
            _ => ApiError::conflict(error.to_string()),
        }
    }
}

impl From<SecretError> for ApiError {
    fn from(error: SecretError) -> ApiError {
        use people::keystore::KeystoreError;
        let (kind, title) = match &error {
            SecretError::Keystore(KeystoreError::PassphraseNeeded) => ("passphrase-needed", "A passphrase is needed"),
            SecretError::Keystore(KeystoreError::WrongPassphrase) => ("wrong-passphrase", "The passphrase is wrong"),
            SecretError::File(_) => return ApiError::local(error.to_string()),
            _ => return ApiError::conflict(error.to_string()),
        };
        ApiError::new(StatusCode::CONFLICT, kind, title, error.to_string())
    }
}

impl From<Off> for ApiError {
    fn from(off: Off) -> ApiError {
        ApiError::conflict(off.to_string())
    }
}

impl From<MeetError> for ApiError {
    fn from(error: MeetError) -> ApiError {
        match error {
            MeetError::Store(error) => local(error),
            MeetError::Open(error) => {
                let advice = match error {
                    OpenError::Gate(_) | OpenError::NotAdmitted => "see under Controls and People whom this node meets",
                    OpenError::NoPeer => "write the id of another node",
                    OpenError::Refused => "ask whoever it belongs to",
                    OpenError::ShutDown => "start the node again",
                    _ => "see that the other computer is on and connected, then try again",
                };
                ApiError::conflict(format!("{error}; {advice}"))
            }
            error => ApiError::conflict(error.to_string()),
        }
    }
}
