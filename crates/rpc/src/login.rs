//! Logging in, for pages in a browser.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What somebody shows who wants to be logged in: one of the two.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LoginRequest {
    /// The token, which the file `token` in the node's home holds, or the password; from other computers only that.
    pub secret: Option<String>,
    /// A code that is good once, as `compeer open` makes them.
    pub code: Option<String>,
}

/// How a caller is logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LoginBy {
    /// By the token that the request shows.
    Token,
    /// By the cookie of a log-in.
    Cookie,
}

/// Says that the caller is logged in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LoginInfo {
    /// By what.
    pub by: LoginBy,
}

/// A code that logs one browser in, once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LoginCode {
    /// The code.
    pub code: String,
    /// The page with the code behind it: whoever opens this is logged in.
    pub url: String,
    /// For how long it is good.
    pub good_for_s: u64,
}

/// Whether there is a password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PasswordInfo {
    /// There is one: other computers can log in where the settings let them in.
    pub set: bool,
}

/// Sets the password by which other computers log in.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordRequest {
    /// The password: 15 characters or more.
    pub password: String,
}

impl std::fmt::Debug for PasswordRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordRequest(secret)")
    }
}

impl std::fmt::Debug for LoginRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LoginRequest(secret)")
    }
}

impl std::fmt::Debug for LoginCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LoginCode(secret)")
    }
}
