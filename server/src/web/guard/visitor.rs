//! Who somebody is.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{
    next::to_login,
    proxy::{self, Said},
    session::{self, Session},
    token::{self, Token},
};
use crate::web::{Page, PageError, settings::Role};

/// What stands before the names of people whom a provider named: no account of the file is called so.
pub(super) const FROM_PROVIDER: &str = "oidc:";

/// Somebody who is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::web) struct Who {
    pub(in crate::web) name: String,
    pub(in crate::web) role: Role,
    /// What his forms carry.
    pub(in crate::web) csrf: String,
    /// Whether he logged in here, and can log out.
    pub(in crate::web) session: bool,
}

impl Who {
    pub(in crate::web) fn operates(&self) -> bool {
        self.role == Role::Operator
    }
}

/// Whoever asks.
#[derive(Debug, Clone)]
pub(in crate::web) struct Visitor {
    pub(in crate::web) who: Option<Who>,
    pub(super) token: Option<Token>,
    pub(in crate::web) address: IpAddr,
}

/// Finds out who asks. What comes after finds a [`Visitor`] among the request's extensions.
pub(in crate::web) async fn identify(State(page): State<Page>, mut request: Request, next: Next) -> Response {
    let unknown = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map_or(unknown, |info| info.0).ip();
    let headers = request.headers().clone();
    let (visitor, new) = match visitor(&page, peer, &headers).await {
        Ok(found) => found,
        Err(error) => return error.into_response(),
    };
    let cookie = new.then(|| visitor.token.as_ref().map(|t| token::cookie(page.site(), Some(t)))).flatten();
    request.extensions_mut().insert(visitor);
    let mut answer = next.run(request).await;
    if let Some(cookie) = cookie
        && !answer.headers().contains_key(header::SET_COOKIE)
    {
        answer.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    answer
}

/// Who asks, and whether his token is a new one.
async fn visitor(page: &Page, peer: IpAddr, headers: &HeaderMap) -> Result<(Visitor, bool), PageError> {
    let site = page.site();
    let token = token::sent(site, headers);
    if let Some(settings) = &site.settings.proxy {
        let address = proxy::behind(settings, peer, headers);
        match proxy::said(settings, peer, headers) {
            Said::Nothing => {}
            Said::Nobody(name) => {
                let why = format!("{name} is in no group that may read this page");
                return Err(PageError::refused(StatusCode::FORBIDDEN, why));
            }
            Said::Somebody(name, role) => {
                let new = token.is_none();
                let token = token.unwrap_or_else(Token::new);
                let who = Who { name, role, csrf: token.csrf(), session: false };
                return Ok((Visitor { who: Some(who), token: Some(token), address }, new));
            }
        }
    }
    let known = match &token {
        Some(token) if site.settings.is_closed() => session::find(page.db(), token, page.now()).await?,
        _ => None,
    };
    let who = match (known, &token) {
        (Some(session), Some(token)) => match present(page, &session)? {
            Some(role) => Some(Who { name: session.author, role, csrf: token.csrf(), session: true }),
            None => {
                // For good: not until the account is there again.
                session::end(page.db(), token).await?;
                None
            }
        },
        _ => None,
    };
    Ok((Visitor { who, token, address: peer }, false))
}

/// What somebody with a session may do now: who was taken out of the file, who has another password by now, and whose provider is none any more, is
/// out.
fn present(page: &Page, session: &Session) -> Result<Option<Role>, PageError> {
    if session.author.starts_with(FROM_PROVIDER) {
        let provider = page.site().settings.oidc.as_ref().filter(|oidc| oidc.issuer == session.proof);
        return Ok(provider.map(|_| session.role));
    }
    let Some(users) = page.users() else { return Ok(None) };
    let user = users.find(&session.author)?.filter(|user| user.proof() == session.proof);
    Ok(user.map(|user| user.role))
}

/// Refuses whatever changes something and does not come from a page of ours.
pub(in crate::web) async fn same_origin(State(page): State<Page>, request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return next.run(request).await;
    }
    let mut origins = request.headers().get_all(header::ORIGIN).iter();
    let own = match (origins.next(), origins.next()) {
        (Some(one), None) => one.to_str().is_ok_and(|origin| page.site().origins.contains(origin)),
        _ => false,
    };
    let site = request.headers().get("sec-fetch-site").is_none_or(|site| site == "same-origin");
    if own && site {
        return next.run(request).await;
    }
    PageError::refused(StatusCode::FORBIDDEN, "this was sent by a page from elsewhere").into_response()
}

/// Lets nobody in who has to log in first.
pub(in crate::web) async fn admit(State(page): State<Page>, request: Request, next: Next) -> Response {
    let known = request.extensions().get::<Visitor>().is_some_and(|v| v.who.is_some());
    let settings = &page.site().settings;
    if known || !settings.is_closed() {
        return next.run(request).await;
    }
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let error = if settings.users.is_none() && settings.oidc.is_none() {
        PageError::refused(StatusCode::UNAUTHORIZED, "the proxy in front did not say who you are")
    } else if reads {
        PageError::LogIn(to_login(request.uri().path_and_query().map_or("/", |p| p.as_str())))
    } else {
        PageError::refused(StatusCode::UNAUTHORIZED, "log in first")
    };
    error.into_response()
}
