//! What every call can answer, said in one place: the checks before it, the reading of what it is sent, and the pages of
//! lists.

use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use utoipa::openapi::{Content, OpenApi, Ref, RefOr, Required, Schema};

/// The type of answers that say what went wrong (RFC 9457).
const PROBLEM: &str = "application/problem+json";

/// What any call can answer.
const ANY: &[(&str, &str)] = &[
    ("400", "Not understood"),
    ("403", "Called by a name that this node does not have, or by a page from elsewhere"),
    ("429", "Too many wrong tokens or passwords, or too much at once"),
    ("500", "This computer failed"),
    ("503", "The node is shutting down"),
];

/// What a call can answer whose path names something.
const NAMED: &[(&str, &str)] = &[("404", "There is no such thing"), ("405", "The method does not fit what is named")];

/// What a call can answer that is about the user's people, groups, conversations and shares.
const OF_SOMEBODY: &[(&str, &str)] = &[
    ("404", "The node belongs to nobody, or there is no such thing"),
    ("409", "Not while the secret is locked, or another thing is in the way: the answer says which"),
];

/// Where such calls are.
const SOMEBODYS: &[&str] = &[
    "identity",
    "nodes",
    "contacts",
    "invites",
    "groups",
    "chat",
    "chats",
    "messages",
    "shares",
    "inbox",
    "libraries",
    "browse",
];

/// What a call can answer that reads JSON. Files that are sent are of any type and length.
const WITH_JSON: &[(&str, &str)] =
    &[("408", "The body did not arrive in time"), ("413", "Too large"), ("415", "The body has the wrong type")];

/// Completes the description of every call.
pub(super) fn complete(doc: &mut OpenApi) {
    for (path, item) in &mut doc.paths.paths {
        if let Some(call) = &mut item.get {
            describe_pages(call);
        }
        let calls = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch];
        for call in calls.into_iter().flatten() {
            describe_answers(path, call);
        }
    }
}

fn describe_answers(path: &str, call: &mut Operation) {
    for (status, answer) in &mut call.responses.responses {
        if let (RefOr::T(answer), '4'..='5') = (answer, status.chars().next().unwrap_or_default())
            && let Some(content) = answer.content.shift_remove("application/json")
        {
            answer.content.insert(PROBLEM.to_owned(), content);
        }
    }
    let named: &[_] = if path.contains('{') { NAMED } else { &[] };
    let place = path.strip_prefix(rpc::PREFIX).and_then(|path| path.split('/').nth(1)).unwrap_or_default();
    let of_somebody: &[_] = if SOMEBODYS.contains(&place) { OF_SOMEBODY } else { &[] };
    let reads_json =
        matches!(&call.request_body, Some(RefOr::T(body)) if body.content.contains_key("application/json"));
    let with_json: &[_] = if reads_json { WITH_JSON } else { &[] };
    for (status, words) in ANY.iter().chain(named).chain(of_somebody).chain(with_json) {
        call.responses.responses.entry((*status).to_owned()).or_insert_with(|| RefOr::T(problem(words)));
    }
}

fn problem(words: &str) -> Response {
    let content = Content::new(Some(Ref::from_schema_name("Problem")));
    ResponseBuilder::new().description(words).content(PROBLEM, content).build()
}

/// Says of a call that answers a list how its pages are asked for.
fn describe_pages(call: &mut Operation) {
    let Some(RefOr::T(answer)) = call.responses.responses.get_mut("200") else { return };
    let Some(RefOr::T(content)) = answer.content.get("application/json") else { return };
    if !matches!(content.schema, Some(RefOr::T(Schema::Array(_)))) {
        return;
    }
    let header = |words: &str, kind: Type| {
        let schema = Object::with_type(kind);
        RefOr::T(HeaderBuilder::new().schema(Some(schema)).description(Some(words)).build())
    };
    let total = header("How many there are in all, where a page was asked for", Type::Integer);
    answer.headers.insert("x-total-count".to_owned(), total);
    let next =
        header("Where the next page is (RFC 8288), where a page was asked for that is not the last", Type::String);
    answer.headers.insert("link".to_owned(), next);
    let parameters = call.parameters.get_or_insert_default();
    parameters.push(RefOr::T(number("offset", "How many of the first ones to leave out")));
    parameters.push(RefOr::T(number("limit", "How many to answer at most")));
}

fn number(name: &str, words: &str) -> Parameter {
    let schema = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0u32)).maximum(Some(u32::MAX)).build();
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(words))
        .schema(Some(schema))
        .build()
}
