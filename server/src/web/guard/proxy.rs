//! A proxy in front that says who somebody is.

use std::net::IpAddr;

use axum::http::HeaderMap;

use crate::web::settings::{ProxySettings, Role, role};

/// What a proxy says of a visitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// Nothing: it is no proxy of ours, or nobody is logged in there.
    Nothing,
    /// Somebody who may do nothing here.
    Nobody(String),
    /// Somebody.
    Somebody(String, Role),
}

/// What the headers say, if they come from the proxy.
pub(super) fn said(settings: &ProxySettings, peer: IpAddr, headers: &HeaderMap) -> Said {
    if !settings.from.contains(&peer.to_canonical()) {
        return Said::Nothing;
    }
    let header = settings.user_header.as_deref().unwrap_or("x-remote-user");
    let mut users = headers.get_all(header).iter();
    // Of two, one is the browser's own.
    let (Some(user), None) = (users.next(), users.next()) else { return Said::Nothing };
    let user = match user.to_str() {
        Ok(user) if !user.trim().is_empty() && user.len() <= 200 => user.trim().to_owned(),
        _ => return Said::Nothing,
    };
    let header = settings.groups_header.as_deref().unwrap_or("x-remote-groups");
    let lists = headers.get_all(header).iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(','));
    let groups: Vec<String> = lists.map(|group| group.trim().to_owned()).collect();
    match role(&groups, &settings.operators, settings.readers.as_ref()) {
        Some(role) => Said::Somebody(user, role),
        None => Said::Nobody(user),
    }
}

/// Whom the proxy speaks for: the last of the list, which it wrote itself.
pub(super) fn behind(settings: &ProxySettings, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    if !settings.from.contains(&peer.to_canonical()) {
        return peer;
    }
    let last = headers.get_all("x-forwarded-for").iter().next_back().and_then(|v| v.to_str().ok());
    last.and_then(|list| list.rsplit(',').next()).and_then(|ip| ip.trim().parse().ok()).unwrap_or(peer)
}
