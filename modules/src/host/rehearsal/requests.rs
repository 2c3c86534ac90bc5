//! Several package requests as one.
//!
//! A rehearsal cannot run a transaction and ask what comes next. It asks the base for everything that was requested so far
//! at once, and takes off what was done already.

use std::collections::BTreeMap;

use rectify_core::module::PackageRequest;

use super::state::Put;

/// The requests so far and the new one, as one request. For each package the last word counts.
pub(super) fn combined(earlier: &[&PackageRequest], new: &PackageRequest) -> PackageRequest {
    let mut whole = PackageRequest::default();
    for request in earlier.iter().copied().chain([new]) {
        for name in &request.remove {
            whole.install.retain(|spec| spec.name != *name);
            whole.latest.retain(|n| n != name);
            if !whole.remove.contains(name) {
                whole.remove.push(name.clone());
            }
        }
        for spec in &request.install {
            whole.remove.retain(|n| *n != spec.name);
            whole.install.retain(|s| s.name != spec.name || (s.version.is_some() && spec.version.is_none()));
            if !whole.install.iter().any(|s| s.name == spec.name) {
                whole.install.push(spec.clone());
            }
        }
        for name in &request.latest {
            whole.remove.retain(|n| n != name);
            if !whole.latest.contains(name) {
                whole.latest.push(name.clone());
            }
        }
        whole.autoremove |= request.autoremove;
        whole.allow_downgrade |= request.allow_downgrade;
        for repo in &request.enable_repos {
            if !whole.enable_repos.contains(repo) {
                whole.enable_repos.push(repo.clone());
            }
        }
    }
    whole.purge = new.purge;
    whole.recommends = new.recommends;
    whole.refresh = new.refresh;
    whole.disable_repos.clone_from(&new.disable_repos);
    whole.default_release.clone_from(&new.default_release);
    whole
}

/// The packages that are asked for and that an earlier request took away.
pub(super) fn reversals(request: &PackageRequest, done: &BTreeMap<String, Put<String>>) -> Vec<String> {
    let asked = request.install.iter().map(|s| &s.name).chain(&request.latest);
    asked.filter(|name| done.get(*name).is_some_and(|put| put.value.is_none())).cloned().collect()
}
