//! What every answer says, and which names are answered to.

use axum::{
    extract::{Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::web::{Page, PageError};

/// No script and no style within a page, nothing from elsewhere, no frame around it: <https://www.w3.org/TR/CSP3/>.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; \
                      base-uri 'none'; frame-ancestors 'none'";

/// Every answer's headers.
pub(in crate::web) async fn headers(request: Request, next: Next) -> Response {
    let mut answer = next.run(request).await;
    let all = answer.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // Not `no-referrer`: with it browsers hide the origin of a form, which has to be checked.
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        all.insert(name, HeaderValue::from_static(value));
    }
    all.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    answer
}

/// Answers to the page's own names only: another name that leads here is somebody else's (DNS rebinding), and must not end up in a link.
pub(in crate::web) async fn host(State(page): State<Page>, request: Request, next: Next) -> Response {
    let named = |name: &str| page.site().hosts.contains(&name.to_ascii_lowercase());
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let header = match (hosts.next(), hosts.next()) {
        (Some(one), None) => one.to_str().is_ok_and(named),
        _ => false,
    };
    let absolute = request.uri().authority().is_none_or(|a| named(a.as_str()));
    if header && absolute {
        return next.run(request).await;
    }
    let why = "this page is not found under that name: use the address in `url`";
    PageError::refused(StatusCode::MISDIRECTED_REQUEST, why).into_response()
}
