//! What a task found of the things that it manages, in short, for drift.

use std::path::Path;

use rectify_core::{
    arg::Arg,
    digest,
    event::{Keeper, Kept, Thing},
    mask::Masker,
    module::{Content, Entity, ErasedResource, Managed, Operate, Seen},
};

use super::Run;

/// What a look found, as it goes into the report. `args` are the rendered arguments.
pub(crate) fn of(run: &Run<'_>, resource: &dyn ErasedResource, args: &Arg, seen: &Seen, host: &dyn Operate) -> Kept {
    let masker = run.templates.secrets().masker();
    let managed = resource.managed();
    let policy = managed.open.then(|| policy(args, &masker));
    let find = |sha256: &str| text(sha256, &managed, host);
    let keeper = Keeper { masker: &masker, known: run.plan.options.known.as_ref(), find: &find };
    let mut kept = keeper.keep(&managed, &seen.before, &seen.after, seen.differs, policy);
    if run.plan.options.traces {
        for thing in &mut kept.things {
            let things = changed(thing);
            if !things.is_empty() {
                thing.traces = host.traces(&things);
            }
        }
    }
    kept
}

/// What of a thing is not as wanted: itself, or what its properties are about.
fn changed(thing: &Thing) -> Vec<Entity> {
    let mut out: Vec<Entity> = Vec::new();
    for property in thing.properties.iter().filter(|p| p.seen() != p.wanted()) {
        let entity = about(&property.property).or_else(|| entity(&thing.thing));
        out.extend(entity.filter(|entity| !out.contains(entity)));
    }
    out
}

/// `paths./srv/x.mode`, `packages.curl`: a list of what deviates.
fn about(property: &str) -> Option<Entity> {
    let (list, name) = property.split_once('.')?;
    match list {
        "packages" => Some(Entity::Package(name.to_owned())),
        "paths" | "below" | "files" => {
            let path = name.rsplit_once('.').map_or(name, |(path, _)| path);
            path.starts_with('/').then(|| Entity::Path(path.into()))
        }
        _ => None,
    }
}

fn entity(thing: &str) -> Option<Entity> {
    let (kind, name) = thing.split_once(':')?;
    Some(match kind {
        "path" => Entity::Path(name.into()),
        "package" => Entity::Package(name.to_owned()),
        "unit" => Entity::Unit(name.to_owned()),
        "user" => Entity::User(name.to_owned()),
        "group" => Entity::Group(name.to_owned()),
        _ => return None,
    })
}

/// What a task wants, as a hash: secrets are hidden first, so that none can be guessed from it.
fn policy(args: &Arg, masker: &Masker) -> String {
    let mut args = args.to_value();
    masker.apply_json(&mut args);
    digest::sha256(args.to_string().as_bytes())
}

/// The text of a content that the state holds by its hash alone: as it was sent, or as it is in the file that is managed.
fn text(sha256: &str, managed: &Managed, host: &dyn Operate) -> Option<String> {
    let bytes = host.blob(sha256).ok().or_else(|| {
        let path = Path::new(managed.thing.strip_prefix("path:")?);
        host.read(path, Content::SHOWN).ok()?.filter(|bytes| digest::sha256(bytes) == sha256)
    })?;
    // As a state shows contents: long ones and those with zeros in them have no lines.
    let text = bytes.len() as u64 <= Content::SHOWN && !bytes.contains(&0);
    text.then(|| std::str::from_utf8(&bytes).ok().map(str::to_owned)).flatten()
}
