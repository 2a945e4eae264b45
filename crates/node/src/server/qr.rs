//! Links as QR codes (ISO/IEC 18004), for a page to show.

use axum::http::header;
use axum::response::IntoResponse;
use fast_qr::convert::svg::SvgBuilder;
use fast_qr::{ECL, QRBuilder};
use rpc::Problem;
use serde::Deserialize;

use super::body::Params;
use super::problem::ApiError;

/// The most bytes that a code holds (ISO/IEC 18004, version 40 with correction level L).
const MAX_TEXT: usize = 2953;

/// Options of [`code`].
#[derive(Debug, Deserialize)]
pub(crate) struct QrParams {
    text: String,
}

/// Draws a text as a QR code.
#[utoipa::path(get, path = "/api/v1/qr", params(
    ("text" = String, Query, description = "The text: at most 2,953 bytes"),
), responses(
    (status = 200, description = "The code", body = String, content_type = "image/svg+xml"),
    (status = 400, description = "No text, or one that is too long", body = Problem),
    (status = 401, description = "No token", body = Problem),
))]
pub(crate) async fn code(Params(params): Params<QrParams>) -> Result<impl IntoResponse, ApiError> {
    let text = params.text;
    if text.is_empty() || text.len() > MAX_TEXT {
        return Err(ApiError::bad_request(format!("a QR code has from 1 to {MAX_TEXT} bytes of text")));
    }
    // The lowest level of correction: a screen has no scratches, and larger modules are read better.
    let code = QRBuilder::new(text).ecl(ECL::L).build();
    let code = code.map_err(|error| {
        ApiError::bad_request(format!("the text does not fit into a QR code: {error}; take a shorter one"))
    })?;
    let headers = [(header::CONTENT_TYPE, "image/svg+xml"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    Ok((headers, SvgBuilder::default().to_str(&code)))
}
