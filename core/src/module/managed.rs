//! What a task manages, by names that outlive the task.

use std::collections::BTreeMap;

use super::{Entity, Relations};

/// What a task manages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Managed {
    /// The thing as a whole, such as `path:/etc/motd`.
    pub thing: String,
    /// Things among its state that have names of their own: a package of a list.
    pub parts: BTreeMap<String, String>,
    /// Whether it manages more than it can name, such as everything below a folder.
    pub open: bool,
    /// Properties that tell of work to be done and not of how the host is, such as a restart that is due.
    pub passing: &'static [&'static str],
}

impl Managed {
    /// The one entity that it writes, or the one that people name it by; where there is none, the module's word and the subject. `own` is what the
    /// module itself says.
    pub fn of(kind: &str, subject: &str, own: Option<Entity>, relations: &Relations) -> Self {
        let named = |entity: &&Entity| name(entity).is_some_and(|(_, name)| name == subject);
        let writes = &relations.writes;
        let entity = own.or_else(|| writes.iter().find(named).cloned()).or_else(|| match writes.as_slice() {
            [one] => Some(one.clone()),
            _ => None,
        });
        let fallback = || format!("{kind}:{subject}");
        let thing = match &entity {
            Some(Entity::Tree(path)) if kind == "file" => format!("path:{}", path.display()),
            Some(entity) if !is_open(entity) => {
                name(entity).map_or_else(fallback, |(kind, name)| format!("{kind}:{name}"))
            }
            _ => fallback(),
        };
        let open = entity.as_ref().map_or_else(|| writes.iter().any(is_open), is_open);
        let parts = writes.iter().filter(|entity| !open && is_part(entity)).filter_map(name);
        let parts = crate::small::gather(parts.map(|(kind, name)| (name.clone(), format!("{kind}:{name}"))));
        Managed { thing, parts, open, passing: &[] }
    }
}

fn name(entity: &Entity) -> Option<(&str, String)> {
    Some(match entity {
        Entity::Path(path) | Entity::Tree(path) => ("path", path.display().to_string()),
        Entity::User(name) => ("user", name.clone()),
        Entity::Group(name) => ("group", name.clone()),
        Entity::Package(name) => ("package", name.clone()),
        Entity::Unit(name) => ("unit", name.clone()),
        Entity::Sysctl(name) => ("sysctl", name.clone()),
        Entity::KernelModule(name) => ("kernel_module", name.clone()),
        Entity::Other(kind, name) => (kind, name.clone()),
    })
}

/// Whether it stands for things without naming them.
fn is_open(entity: &Entity) -> bool {
    match entity {
        Entity::Tree(_) => true,
        Entity::Package(name) => name.contains(['*', '?', '[']),
        _ => false,
    }
}

fn is_part(entity: &&Entity) -> bool {
    matches!(entity, Entity::Package(_) | Entity::KernelModule(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thing(kind: &str, subject: &str, writes: Vec<Entity>) -> (String, bool, usize) {
        let managed = Managed::of(kind, subject, None, &Relations::writes(writes));
        (managed.thing, managed.open, managed.parts.len())
    }

    #[test]
    fn a_thing_is_named_by_what_is_managed_and_not_by_the_module() {
        let path = |p: &str| Entity::Path(p.into());
        let package = |p: &str| Entity::Package(p.into());
        let motd = "path:/etc/motd".to_owned();
        assert_eq!(thing("lineinfile", "/etc/motd", vec![path("/etc/motd")]), (motd.clone(), false, 0));
        assert_eq!(thing("template", "/etc/motd", vec![path("/etc/motd"), path("/etc/motd/m.j2")]), (motd, false, 0));
        assert_eq!(thing("ini_file", "/etc/x a.b", vec![path("/etc/x")]).0, "path:/etc/x");
        let user = vec![Entity::User("joe".into()), path("/home/joe")];
        assert_eq!(thing("user", "joe", user).0, "user:joe");
        let sysctl = vec![path("/etc/sysctl.conf"), Entity::Sysctl("a.b".into())];
        assert_eq!(thing("sysctl", "a.b", sysctl).0, "sysctl:a.b");
        assert_eq!(thing("package", "curl", vec![package("curl")]), ("package:curl".into(), false, 1));
        assert_eq!(thing("package", "a, b", vec![package("a"), package("b")]).2, 2);
    }

    #[test]
    fn what_a_task_does_not_name_is_known_by_the_task() {
        let tree = |p: &str| Entity::Tree(p.into());
        assert_eq!(thing("file", "/srv", vec![tree("/srv")]), ("path:/srv".into(), true, 0));
        assert_eq!(thing("permissions", "/srv", vec![tree("/srv")]), ("permissions:/srv".into(), true, 0));
        let all = thing("package_allowlist", "installed packages", vec![Entity::Package("*".into())]);
        assert_eq!(all, ("package_allowlist:installed packages".into(), true, 0));
        let mixed = vec![Entity::Package("curl".into()), Entity::Package("php*".into())];
        assert_eq!(thing("package", "curl, php*", mixed), ("package:curl, php*".into(), true, 0));
    }
}
