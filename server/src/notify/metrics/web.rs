//! `/metrics`, `/healthz`, `/readyz`: for machines, and therefore without a session. No host is named in them.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS},
    },
    response::IntoResponse,
    routing::get,
};

use super::Metrics;

/// What Prometheus is told that this is: <https://prometheus.io/docs/specs/om/open_metrics_spec/>.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

/// The routes, to be merged with those of the page.
pub fn router(metrics: Arc<Metrics>) -> Router {
    Router::new()
        .route("/metrics", get(scrape))
        .route("/healthz", get(|| async { answer(StatusCode::OK, PLAIN, "alive\n".into()) }))
        .route("/readyz", get(ready))
        .with_state(metrics)
}

async fn scrape(State(metrics): State<Arc<Metrics>>) -> impl IntoResponse {
    answer(StatusCode::OK, OPEN_METRICS, metrics.text().await)
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
