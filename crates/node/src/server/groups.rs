//! Groups: who belongs to them, and what the person of this node does to them.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use base::{GroupId, PersonId};
use data_encoding::BASE64URL_NOPAD;
use people::proto::Name;
use people::proto::group::{self, ChangeId, Command, Invitee, Kind, Role, Standing};
use rpc::{
    GroupDetail, GroupInfo, GroupInvitation, GroupInviteRequest, GroupKind, GroupLink, GroupMember, GroupRename,
    GroupRequest, GroupRole, GroupRoleRequest, GroupStanding, Problem, UnlockRequest,
};

use super::body::{Body, Word, Words};
use super::problem::ApiError;
use super::{AppState, named};
use crate::groups::{GroupError, Groups, View};

/// Lists the groups.
#[utoipa::path(get, path = "/api/v1/groups", responses(
    (status = 200, description = "The groups", body = Vec<GroupInfo>),
    (status = 401, description = "No token", body = Problem),
    (status = 409, description = "The node belongs to nobody", body = Problem),
))]
pub(crate) async fn list(State(state): State<AppState>) -> Result<Json<Vec<GroupInfo>>, ApiError> {
    Ok(Json(infos(groups(&state)?)))
}

/// Begins a group; its first member and admin is the person of this node.
#[utoipa::path(post, path = "/api/v1/groups", request_body = GroupRequest, responses(
    (status = 201, description = "The group", body = GroupInfo),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 409, description = "The node belongs to nobody, or the person's key is locked", body = Problem),
    (status = 415, description = "Not JSON", body = Problem),
))]
pub(crate) async fn create(
    State(state): State<AppState>,
    Body(request): Body<GroupRequest>,
) -> Result<(StatusCode, Json<GroupInfo>), ApiError> {
    let groups = groups(&state)?;
    let kind = match request.kind {
        GroupKind::Open => Kind::Open,
        GroupKind::ByInvitation => Kind::ByInvitation,
        GroupKind::Private => Kind::Private,
    };
    let group = groups.create(&name(&request.name)?, kind).await?;
    Ok((StatusCode::CREATED, Json(one_info(groups, group)?)))
}

/// Comes into a group by a link. Takes up to a minute.
#[utoipa::path(post, path = "/api/v1/groups/join", request_body = GroupLink, responses(
    (status = 200, description = "The group", body = GroupInfo),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 403, description = "A member was reached and did not let us in", body = Problem),
    (status = 409, description = "The node belongs to nobody or meets nobody, or the person's key is locked, or is a member", body = Problem),
    (status = 415, description = "Not JSON", body = Problem),
    (status = 424, description = "No member could be reached", body = Problem),
))]
pub(crate) async fn join(
    State(state): State<AppState>,
    Body(request): Body<GroupLink>,
) -> Result<Json<GroupInfo>, ApiError> {
    let groups = groups(&state)?;
    let link = group::GroupLink::parse(&request.link).map_err(|error| ApiError::bad_request(error.to_string()))?;
    let group = groups.join(&link).await?;
    Ok(Json(one_info(groups, group)?))
}

/// Unlocks the person's key for groups, until the node ends.
#[utoipa::path(post, path = "/api/v1/groups/unlock", request_body = UnlockRequest, responses(
    (status = 200, description = "It is unlocked; the groups", body = Vec<GroupInfo>),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 409, description = "The node belongs to nobody or does not hold the key, or the passphrase is missing or wrong", body = Problem),
    (status = 415, description = "Not JSON", body = Problem),
))]
pub(crate) async fn unlock(
    State(state): State<AppState>,
    Body(request): Body<UnlockRequest>,
) -> Result<Json<Vec<GroupInfo>>, ApiError> {
    let unlocking = groups(&state)?;
    let key = unlocking.people().unlock(request.passphrase, super::people::CALL_LIFE).await?;
    unlocking.unlock(key).await?;
    list(State(state)).await
}

/// Tells everything about one group.
#[utoipa::path(get, path = "/api/v1/groups/{id}", params(("id" = String, Path, description = "The group's name, id or its beginning")), responses(
    (status = 200, description = "The group", body = GroupDetail),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No such group", body = Problem),
    (status = 409, description = "The node belongs to nobody", body = Problem),
))]
pub(crate) async fn one(State(state): State<AppState>, Word(id): Word) -> Result<Json<GroupDetail>, ApiError> {
    let groups = groups(&state)?;
    let id = group_id(&state, &id)?;
    let view = groups.view(id).ok_or(GroupError::Unknown)?;
    Ok(Json(detail(groups, id, &view)))
}

/// Calls a group otherwise.
#[utoipa::path(patch, path = "/api/v1/groups/{id}", request_body = GroupRename,
    params(("id" = String, Path, description = "The group's name, id or its beginning")), responses(
    (status = 200, description = "The group", body = GroupInfo),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No such group", body = Problem),
    (status = 409, description = "Not an admin, or the person's key is locked", body = Problem),
    (status = 415, description = "Not JSON", body = Problem),
))]
pub(crate) async fn rename(
    State(state): State<AppState>,
    Word(id): Word,
    Body(request): Body<GroupRename>,
) -> Result<Json<GroupInfo>, ApiError> {
    let (groups, id) = (groups(&state)?, group_id(&state, &id)?);
    groups.command(id, Command::Rename(name(&request.name)?)).await?;
    Ok(Json(one_info(groups, id)?))
}

/// Leaves a group, and forgets it.
#[utoipa::path(delete, path = "/api/v1/groups/{id}", params(("id" = String, Path, description = "The group's name, id or its beginning")), responses(
    (status = 202, description = "Left; the members learn of it when one of them is met"),
    (status = 204, description = "Left, and a member knows"),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No such group", body = Problem),
    (status = 409, description = "The person's key is locked", body = Problem),
))]
pub(crate) async fn leave(State(state): State<AppState>, Word(id): Word) -> Result<StatusCode, ApiError> {
    let heard = groups(&state)?.leave(group_id(&state, &id)?).await?;
    Ok(if heard { StatusCode::NO_CONTENT } else { StatusCode::ACCEPTED })
}

/// Invites: a person, or whoever has the link that is returned.
#[utoipa::path(post, path = "/api/v1/groups/{id}/invitations", request_body = GroupInviteRequest,
    params(("id" = String, Path, description = "The group's name, id or its beginning")), responses(
    (status = 201, description = "The link", body = GroupLink),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No such group, or no such contact", body = Problem),
    (status = 409, description = "Not an admin, or the person's key is locked, or the node meets nobody", body = Problem),
    (status = 415, description = "Not JSON", body = Problem),
))]
pub(crate) async fn invite(
    State(state): State<AppState>,
    Word(id): Word,
    Body(request): Body<GroupInviteRequest>,
) -> Result<(StatusCode, Json<GroupLink>), ApiError> {
    let (groups, id) = (groups(&state)?, group_id(&state, &id)?);
    let person = request.person.as_deref().map(|meant| named::person(&state, meant)).transpose()?;
    let link = groups.invite(id, person, request.uses, role_of(request.role)).await?;
    Ok((StatusCode::CREATED, Json(GroupLink { link: link.to_string() })))
}

/// Takes an invitation back.
#[utoipa::path(delete, path = "/api/v1/groups/{id}/invitations/{invitation}",
    params(("id" = String, Path, description = "The group's name, id or its beginning"),
           ("invitation" = String, Path, description = "The invitation's id")), responses(
    (status = 204, description = "It lets nobody in any more"),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No such group or invitation", body = Problem),
    (status = 409, description = "Not an admin, or the person's key is locked", body = Problem),
))]
pub(crate) async fn cancel(State(state): State<AppState>, Words(words): Words) -> Result<StatusCode, ApiError> {
    let (id, invitation) = words;
    let (groups, id) = (groups(&state)?, group_id(&state, &id)?);
    let wrong = || {
        ApiError::bad_request(format!(
            "{invitation:?} is not the id of an invitation: GET /api/v1/groups/ID lists those that are open"
        ))
    };
    let bytes = BASE64URL_NOPAD.decode(invitation.as_bytes()).map_err(|_| wrong())?;
    let invitation = ChangeId(bytes.try_into().map_err(|_| wrong())?);
    groups.command(id, Command::Cancel(invitation)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives a member a role.
#[utoipa::path(put, path = "/api/v1/groups/{id}/members/{person}", request_body = GroupRoleRequest,
    params(("id" = String, Path, description = "The group's name, id or its beginning"),
           ("person" = String, Path, description = "The person's id")), responses(
    (status = 204, description = "Done"),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No such group or member", body = Problem),
    (status = 409, description = "Not an admin, or the person's key is locked", body = Problem),
    (status = 415, description = "Not JSON", body = Problem),
))]
pub(crate) async fn role(
    State(state): State<AppState>,
    Words(words): Words,
    Body(request): Body<GroupRoleRequest>,
) -> Result<StatusCode, ApiError> {
    let (groups, id) = (groups(&state)?, group_id(&state, &words.0)?);
    groups.command(id, Command::Role(person_id(&words.1)?, role_of(request.role))).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Expels a member: what the group writes and shares from now on is not for them.
#[utoipa::path(delete, path = "/api/v1/groups/{id}/members/{person}",
    params(("id" = String, Path, description = "The group's name, id or its beginning"),
           ("person" = String, Path, description = "The person's id")), responses(
    (status = 204, description = "Expelled"),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No such group or member", body = Problem),
    (status = 409, description = "Not an admin, or the person's key is locked", body = Problem),
))]
pub(crate) async fn expel(State(state): State<AppState>, Words(words): Words) -> Result<StatusCode, ApiError> {
    let (groups, id) = (groups(&state)?, group_id(&state, &words.0)?);
    groups.command(id, Command::Expel(person_id(&words.1)?)).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn groups(state: &AppState) -> Result<&Groups, ApiError> {
    state.groups().ok_or_else(|| GroupError::NoPerson.into())
}

fn group_id(state: &AppState, meant: &str) -> Result<GroupId, ApiError> {
    groups(state)?.find(meant).map_err(ApiError::not_found)
}

fn person_id(text: &str) -> Result<PersonId, ApiError> {
    text.parse().map_err(|error: base::id::ParseIdError| ApiError::bad_request(error.to_string()))
}

fn name(text: &str) -> Result<Name, ApiError> {
    Name::new(text).map_err(|error| ApiError::bad_request(error.to_string()))
}

fn role_of(role: GroupRole) -> Role {
    match role {
        GroupRole::Member => Role::Member,
        GroupRole::Admin => Role::Admin,
    }
}

fn shown_role(role: Role) -> GroupRole {
    match role {
        Role::Member => GroupRole::Member,
        Role::Admin => GroupRole::Admin,
    }
}

fn one_info(groups: &Groups, id: GroupId) -> Result<GroupInfo, ApiError> {
    let view = groups.view(id).ok_or(GroupError::Unknown)?;
    Ok(info(groups, id, &view))
}

/// Lists the groups.
pub(super) fn infos(groups: &Groups) -> Vec<GroupInfo> {
    groups.list().into_iter().map(|(id, view)| info(groups, id, &view)).collect()
}

fn info(groups: &Groups, id: GroupId, view: &View) -> GroupInfo {
    let roster = view.roster.as_ref();
    let member = roster.and_then(|roster| roster.members.get(&groups.person()));
    GroupInfo {
        id: id.to_string(),
        name: view.name.as_ref().map(ToString::to_string),
        kind: roster.map(|roster| match roster.kind {
            Kind::Open => GroupKind::Open,
            Kind::ByInvitation => GroupKind::ByInvitation,
            Kind::Private => GroupKind::Private,
        }),
        standing: match view.standing {
            Standing::Member => GroupStanding::Member,
            Standing::Expelled => GroupStanding::Expelled,
            Standing::Outside | Standing::Left => GroupStanding::Outside,
        },
        role: member.map(|member| shown_role(member.role)),
        members: groups.members(id).len() as u32,
        connected: groups.met(id) as u32,
        has_key: view.has_key,
        locked: groups.is_locked(),
    }
}

fn detail(groups: &Groups, id: GroupId, view: &View) -> GroupDetail {
    let info = info(groups, id, view);
    let Some(roster) = &view.roster else {
        return GroupDetail {
            info,
            people: Vec::new(),
            expelled: Vec::new(),
            names: Default::default(),
            invitations: Vec::new(),
        };
    };
    let own = groups.person();
    let book = groups.people().book();
    let name_of = |person: &PersonId| {
        let name = book.name_of(person);
        // Where nothing is known it returns the beginning of the id.
        Some(name).filter(|name| !person.to_string().starts_with(name))
    };
    let people = roster.members.iter().map(|(person, member)| GroupMember {
        person: person.to_string(),
        name: name_of(person),
        role: shown_role(member.role),
        since_s: member.since.0,
        own: *person == own,
    });
    let invitations = roster.invitations.iter().map(|(id, invitation)| GroupInvitation {
        id: BASE64URL_NOPAD.encode(&id.0),
        person: match invitation.to {
            Invitee::Person(person) => Some(person.to_string()),
            Invitee::Link(_) => None,
        },
        left: invitation.left,
        role: shown_role(invitation.role),
    });
    let invited = roster.invitations.values().filter_map(|invitation| match invitation.to {
        Invitee::Person(person) => Some(person),
        Invitee::Link(_) => None,
    });
    let others: Vec<PersonId> = roster.expelled.iter().copied().chain(invited).collect();
    let names = others.iter().filter_map(|person| Some((person.to_string(), name_of(person)?))).collect();
    GroupDetail {
        info,
        names,
        people: people.collect(),
        expelled: roster.expelled.iter().map(ToString::to_string).collect(),
        invitations: invitations.collect(),
    }
}

impl From<GroupError> for ApiError {
    fn from(error: GroupError) -> ApiError {
        let detail = error.to_string();
        match error {
            GroupError::Unknown => ApiError::not_found(detail),
            GroupError::TooMany | GroupError::Off(_) | GroupError::NoPerson | GroupError::Already => {
                ApiError::conflict(detail)
            }
            GroupError::Unreachable => ApiError::elsewhere("unreachable", "Nobody could be reached", detail),
            GroupError::Refused => ApiError::new(StatusCode::FORBIDDEN, "refused", "A member said no", detail),
            GroupError::Refusal(group::Refusal::NoSuchMember | group::Refusal::NoSuchInvitation) => {
                ApiError::not_found(detail)
            }
            GroupError::Refusal(_) => ApiError::conflict(detail),
            GroupError::Database(_) | GroupError::Random(_) => ApiError::local(detail),
        }
    }
}
