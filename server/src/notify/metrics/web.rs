//! `/metrics`, `/healthz`, `/readyz`: for machines, and therefore without a session; `/metrics` with a token, where one is set. No host is named in them.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{
        HeaderMap, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS},
    },
    response::{IntoResponse, Response},
    routing::get,
};

use super::{Metrics, TokenFile};

/// What Prometheus is told that this is: <https://prometheus.io/docs/specs/om/open_metrics_spec/>.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

/// The routes, to be merged with those of the page. With a token, `/metrics` answers to whoever shows it.
pub fn router(metrics: Arc<Metrics>, token: Option<TokenFile>) -> Router {
    let scrape = move |State(metrics): State<Arc<Metrics>>, headers: HeaderMap| scrape(metrics, token.clone(), headers);
    Router::new()
        .route("/metrics", get(scrape))
        .route("/healthz", get(|| async { answer(StatusCode::OK, PLAIN, "alive\n".into()) }))
        .route("/readyz", get(ready))
        .with_state(metrics)
}

async fn scrape(metrics: Arc<Metrics>, token: Option<TokenFile>, headers: HeaderMap) -> Response {
    if token.is_some_and(|token| !token.is_shown(&headers)) {
        let refused = answer(StatusCode::UNAUTHORIZED, PLAIN, "the token is missing, or is not the right one\n".into());
        return ([(WWW_AUTHENTICATE, "Bearer")], refused).into_response();
    }
    answer(StatusCode::OK, OPEN_METRICS, metrics.text().await).into_response()
}

/// Ready is who can read the record and whose scheduler lives.
async fn ready(State(metrics): State<Arc<Metrics>>) -> impl IntoResponse {
    match metrics.ill().await {
        None => answer(StatusCode::OK, PLAIN, "ready\n".into()),
        Some(why) => answer(StatusCode::SERVICE_UNAVAILABLE, PLAIN, format!("not ready: {why}\n")),
    }
}

fn answer(status: StatusCode, kind: &'static str, body: String) -> impl IntoResponse {
    let headers = [(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-store"), (X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (status, headers, body)
}
