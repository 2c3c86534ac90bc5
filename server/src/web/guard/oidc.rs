//! Logging in at a provider of OpenID Connect: the code flow with PKCE (RFC 7636), state and nonce.

use std::{path::Path, pin::Pin, time::Duration};

use axum::{
    Extension,
    extract::{Query, State},
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use openidconnect::{
    AdditionalClaims, AsyncHttpClient, AuthenticationFlow, AuthorizationCode, Client, ClientId, ClientSecret,
    CsrfToken, EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse,
    IdTokenFields, IssuerUrl, Nonce, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope, StandardErrorResponse,
    StandardTokenResponse, TokenResponse as _,
    core::{
        CoreAuthDisplay, CoreAuthPrompt, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
        CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreProviderMetadata, CoreResponseType,
        CoreRevocableToken, CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
    },
};
use rectify_core::text::chain;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    login::{Next, begin},
    next::local,
    session::{self, Session},
    token::{self, same},
    visitor::{FROM_PROVIDER, Visitor},
};
use crate::web::{
    Page, PageError, actions, answer,
    settings::{OidcSettings, role},
};

/// How long the provider may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How large an answer of the provider may be, bytes.
const MAX: usize = 1 << 20;

/// What a provider says of somebody besides what every provider says.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(transparent)]
struct Claims(Map<String, Value>);

impl AdditionalClaims for Claims {}

type Fields = IdTokenFields<
    Claims,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;

type Known = Client<
    Claims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    StandardTokenResponse<Fields, CoreTokenType>,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// A provider that people log in at.
#[derive(Debug, Clone)]
pub(in crate::web) struct Provider {
    settings: OidcSettings,
    secret: Option<ClientSecret>,
    back: RedirectUrl,
    issuer: IssuerUrl,
    http: Http,
}

/// How the provider is asked: by the same client as everything else here.
#[derive(Debug, Clone)]
struct Http(reqwest::Client);

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = Unheard;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Unheard>> + Send>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(ask(self.0.clone(), request))
    }
}

async fn ask(http: reqwest::Client, request: HttpRequest) -> Result<HttpResponse, Unheard> {
    let mut heard = http.execute(reqwest::Request::try_from(request)?).await?;
    let mut answer = axum::http::Response::builder().status(heard.status());
    for (name, value) in heard.headers() {
        answer = answer.header(name, value);
    }
    let mut body = Vec::new();
    while let Some(part) = heard.chunk().await? {
        body.extend_from_slice(&part);
        if body.len() > MAX {
            return Err(Unheard::Long);
        }
    }
    Ok(answer.body(body)?)
}

/// What has to come back.
#[derive(Deserialize, Serialize)]
struct Begun {
    state: CsrfToken,
    nonce: Nonce,
    verifier: PkceCodeVerifier,
    next: String,
}

/// Whom the provider has let in.
struct Person {
    name: String,
    /// What the provider itself knows them by.
    subject: String,
    groups: Vec<String>,
    /// Whether the name is known to be theirs.
    proven: bool,
}

/// Why the provider was not heard.
#[derive(Debug, thiserror::Error)]
enum Unheard {
    #[error("{}", chain(.0))]
    Http(#[from] reqwest::Error),
    #[error("its answer is longer than {MAX} bytes")]
    Long,
    #[error("its answer is none of HTTP")]
    Answer(#[from] axum::http::Error),
}

impl Provider {
    /// Reads the secret, and nothing else: the provider is asked when somebody logs in.
    pub(in crate::web) fn new(settings: &OidcSettings, url: &str) -> Result<Self, String> {
        let read =
            |path: &Path| std::fs::read_to_string(path).map_err(|e| format!("`oidc`: reading {}: {e}", path.display()));
        let secret = settings.client_secret_file.as_deref().map(read).transpose()?;
        // A provider that leads elsewhere could make this server ask for anything.
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(PATIENCE).build();
        Ok(Provider {
            secret: secret.map(|text| ClientSecret::new(text.trim().to_owned())),
            back: RedirectUrl::new(format!("{url}/login/back")).map_err(|e| format!("`url`: {e}"))?,
            issuer: IssuerUrl::new(settings.issuer.clone()).map_err(|e| format!("`oidc`: `issuer`: {e}"))?,
            http: Http(http.map_err(|e| format!("`oidc`: {}", chain(&e)))?),
            settings: settings.clone(),
        })
    }

    /// What the provider says of itself and its keys, now.
    async fn client(&self) -> Result<Known, PageError> {
        let said = CoreProviderMetadata::discover_async(self.issuer.clone(), &self.http).await;
        let said = said.map_err(|e| self.failed("cannot be asked", &e))?;
        let id = ClientId::new(self.settings.client_id.clone());
        Ok(Client::from_provider_metadata(said, id, self.secret.clone()).set_redirect_uri(self.back.clone()))
    }

    fn failed(&self, what: &str, error: &dyn std::error::Error) -> PageError {
        PageError::Failed(format!("the provider {} {what}: {}", self.settings.issuer, chain(error)))
    }

    /// Whoever has this code.
    async fn redeem(&self, code: String, begun: Begun) -> Result<Person, PageError> {
        let client = self.client().await?;
        let request =
            client.exchange_code(AuthorizationCode::new(code)).map_err(|e| self.failed("has no tokens", &e))?;
        let tokens = request.set_pkce_verifier(begun.verifier).request_async(&self.http).await;
        let tokens = tokens.map_err(|e| self.failed("does not take the code", &e))?;
        let Some(token) = tokens.id_token() else {
            return Err(PageError::Failed(format!("the provider {} sent no ID token", self.settings.issuer)));
        };
        let claims = token.claims(&client.id_token_verifier(), &begun.nonce);
        let claims = claims.map_err(|e| self.failed("sent an ID token that does not count", &e))?;
        // As one object: a claim that every provider has is not among the additional ones.
        let said = serde_json::to_value(claims).map_err(|e| self.failed("sent an ID token that cannot be read", &e))?;
        let named = self.settings.name_claim.as_deref().unwrap_or("preferred_username");
        let name = said.get(named).and_then(Value::as_str).filter(|name| !name.is_empty());
        // Whether an address is somebody's own, a provider says beside it; at many, anybody may claim any (OpenID Connect Core 1.0, 5.1 and 5.7).
        let proven = named != "email" || name.is_none() || claims.email_verified() == Some(true);
        let name = name.unwrap_or_else(|| claims.subject().as_str());
        let groups = match said.get(self.settings.groups_claim.as_deref().unwrap_or("groups")) {
            Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            Some(Value::String(one)) => vec![one.clone()],
            _ => Vec::new(),
        };
        let short = |text: &str| text.chars().take(200).collect();
        Ok(Person { name: short(name), subject: short(claims.subject().as_str()), groups, proven })
    }
}

fn provider(page: &Page) -> Result<&Provider, PageError> {
    page.provider().ok_or_else(|| PageError::Missing("nobody logs in here at a provider".into()))
}

/// `GET /login/oidc`: to the provider.
pub(in crate::web) async fn oidc_begin(
    State(page): State<Page>,
    Query(next): Query<Next>,
) -> Result<Response, PageError> {
    let provider = provider(&page)?;
    let client = provider.client().await?;
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let flow = AuthenticationFlow::<CoreResponseType>::AuthorizationCode;
    let scopes = provider.settings.scopes.iter().cloned().map(Scope::new);
    let request = client.authorize_url(flow, CsrfToken::new_random, Nonce::new_random).add_scopes(scopes);
    let (url, state, nonce) = request.set_pkce_challenge(challenge).url();
    let begun = Begun { state, nonce, verifier, next: local(&next.next).to_owned() };
    let begun = serde_json::to_string(&begun).expect("invariant: it is made of texts");
    let token = session::remember(page.db(), &begun, page.now()).await?;
    let mut answer = answer::see(url.as_str()).into_response();
    answer.headers_mut().insert(header::SET_COOKIE, token::cookie(page.site(), Some(&token)));
    Ok(answer)
}

/// What the provider sends somebody back with (RFC 6749, section 4.1.2).
#[derive(Debug, Deserialize)]
pub(in crate::web) struct Back {
    code: Option<String>,
    #[serde(default)]
    state: String,
    error: Option<String>,
    error_description: Option<String>,
}

/// `GET /login/back`: from the provider.
pub(in crate::web) async fn oidc_back(
    State(page): State<Page>,
    Extension(visitor): Extension<Visitor>,
    Query(back): Query<Back>,
) -> Result<Response, PageError> {
    let provider = provider(&page)?;
    let begun = match &visitor.token {
        Some(token) => session::recall(page.db(), token, page.now()).await?,
        None => None,
    };
    let begun = begun.and_then(|text| serde_json::from_str::<Begun>(&text).ok());
    let Some(begun) = begun.filter(|begun| same(begun.state.secret(), &back.state)) else {
        let why = "this login was not begun in this browser, or too long ago: go to /login and try again";
        return Err(PageError::refused(StatusCode::FORBIDDEN, why));
    };
    let Some(code) = back.code else {
        let said = back.error_description.or(back.error).unwrap_or_else(|| "no reason".into());
        return Err(PageError::refused(StatusCode::FORBIDDEN, format!("the provider let nobody in: {said}")));
    };
    let next = begun.next.clone();
    let Person { name, subject, groups, proven } = provider.redeem(code, begun).await?;
    if !proven {
        let why = format!("the provider does not say that {name} is verified (`email_verified`)");
        actions::logged(&page, &visitor, &format!("{FROM_PROVIDER}{subject}"), "login", &why, "refused").await?;
        let what = "have the address verified there, or have `name_claim` name another claim";
        return Err(PageError::refused(StatusCode::FORBIDDEN, format!("{why}: {what}")));
    }
    let name = format!("{FROM_PROVIDER}{name}");
    let OidcSettings { operators, readers, .. } = &provider.settings;
    let Some(role) = role(&groups, operators, readers.as_ref()) else {
        actions::logged(&page, &visitor, &name, "login", "in no group that may read", "refused").await?;
        let why = format!("{name} is in no group that may read this page");
        return Err(PageError::refused(StatusCode::FORBIDDEN, why));
    };
    let issuer = &provider.settings.issuer;
    begin(&page, &visitor, Session { author: name, role, proof: issuer.clone() }, &next, issuer).await
}
