//! Pages of lists: every call that answers a list takes `offset` and `limit`, says how many there are in all, and names the
//! next page (RFC 8288). One place for all of them, so that they are alike.

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Query, Request};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::Value;

use super::problem::ApiError;

/// How many there are in all.
pub(super) const TOTAL: HeaderName = HeaderName::from_static("x-total-count");

/// The longest list that is cut, in bytes. Arbitrary: a hundred thousand torrents.
const MAX_LIST_BYTES: usize = 128 << 20;

/// What is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Page {
    offset: Option<u32>,
    limit: Option<u32>,
}

/// Cuts the page out of a list that was asked for.
pub(crate) async fn pages(request: Request, next: Next) -> Response {
    let uri = request.uri().clone();
    let page = Query::<Page>::try_from_uri(&uri);
    let is_asked = !page.as_ref().is_ok_and(|page| page.0 == Page::default());
    // What other programs' interfaces call so means what it means there.
    let cuts = is_asked && request.method() == Method::GET && uri.path().starts_with(rpc::PREFIX);
    let response = next.run(request).await;
    if !cuts || response.status() != StatusCode::OK || !is_json(&response) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, MAX_LIST_BYTES).await else {
        return ApiError::local("the list is too long to be cut: ask for all of it, without offset and limit")
            .into_response();
    };
    let Ok(list) = list(&bytes) else { return Response::from_parts(parts, Body::from(bytes)) };
    let page = match page {
        Ok(Query(page)) => page,
        Err(error) => return super::body::misread(&error.body_text()).into_response(),
    };
    let total = list.len();
    let begin = page.offset.map_or(0, |offset| offset as usize).min(total);
    let end = page.limit.map_or(total, |limit| begin.saturating_add(limit as usize)).min(total);
    parts.headers.insert(TOTAL, HeaderValue::from(total));
    if end < total
        && end > begin
        && let Ok(link) = HeaderValue::from_str(&format!("<{}>; rel=\"next\"", at(&uri, end, page.limit)))
    {
        parts.headers.insert(header::LINK, link);
    }
    // Values that were read from JSON have a JSON form.
    let cut = serde_json::to_vec(&list[begin..end]).unwrap_or_default();
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(cut))
}

fn is_json(response: &Response) -> bool {
    response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json")
}

fn list(bytes: &Bytes) -> Result<Vec<Value>, serde_json::Error> {
    serde_json::from_slice(bytes)
}

/// Returns where the page begins that comes next.
fn at(uri: &Uri, offset: usize, limit: Option<u32>) -> String {
    let others = uri.query().unwrap_or_default().split('&');
    let others = others.filter(|pair| !pair.is_empty() && !pair.starts_with("offset=") && !pair.starts_with("limit="));
    let mut query: Vec<String> = others.map(str::to_owned).collect();
    query.push(format!("offset={offset}"));
    query.extend(limit.map(|limit| format!("limit={limit}")));
    format!("{}?{}", uri.path(), query.join("&"))
}
