//! A handful of modules with the shapes that real ones have: what they touch, not what they do.

use std::{collections::BTreeMap, path::PathBuf};

use rectify_core::module::{
    Action, ActionModule, Change, Entity, Evaluated, Module, ModuleError, Observe, Operate, Registry, Relations,
    Report, Resource, ResourceModule,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    #[default]
    Present,
    Absent,
    Directory,
    Touch,
    Started,
    Stopped,
    Restarted,
    Reloaded,
}

macro_rules! resource {
    ($type:ident, $kind:literal, $self:ident, $relations:expr, { $($constant:tt)* } $($validate:tt)*) => {
        impl Resource for $type {
            const KIND: &'static str = $kind;
            const EXAMPLE: &'static str = "";
            $($constant)*
            type State = ();
            fn observe(&self, _: &dyn Observe) -> Result<Option<()>, ModuleError> {
                Ok(Some(()))
            }
            fn desired(&self, _: Option<&()>) -> Option<()> {
                Some(())
            }
            fn apply(&self, _: &Change<()>, _: &dyn Operate) -> Result<(), ModuleError> {
                Ok(())
            }
            fn subject(&self) -> String {
                String::new()
            }
            fn relations(&$self) -> Relations {
                $relations
            }
            $($validate)*
        }
    };
}

macro_rules! action {
    ($type:ident, $kind:literal, { $($constant:tt)* }) => {
        impl Action for $type {
            const KIND: &'static str = $kind;
            const EXAMPLE: &'static str = "";
            $($constant)*
            fn run(&self, _: &dyn Operate) -> Result<Report, ModuleError> {
                Ok(Report::looked(serde_json::Map::new()))
            }
            fn subject(&self) -> String {
                String::new()
            }
        }
    };
}

/// A file or a folder.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    path: PathBuf,
    #[serde(default)]
    state: State,
    owner: Option<String>,
    #[allow(dead_code, reason = "only its type is tested")]
    mode: Option<String>,
    #[serde(default)]
    recurse: bool,
}

resource!(File, "file", self, {
    let mut all = Relations::file(&self.path);
    if self.recurse {
        all.writes = vec![Entity::Tree(self.path.clone())];
    }
    all.needing(self.owner.iter().map(|o| Entity::User(o.clone())))
}, { const ALIASES: &'static [(&'static str, &'static str)] = &[("dest", "path"), ("name", "path")]; }
fn validate(&self) -> Result<(), String> {
    if self.recurse && self.state != State::Directory {
        return Err("`recurse` needs `state: directory`".into());
    }
    Ok(())
});

/// A file with content.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Copy {
    dest: PathBuf,
    src: Option<String>,
    content: Option<String>,
    owner: Option<String>,
    #[allow(dead_code, reason = "only its type is tested")]
    mode: Option<String>,
    #[serde(default)]
    #[allow(dead_code, reason = "read by the compiler")]
    remote_src: bool,
    #[allow(dead_code, reason = "read by the compiler")]
    decrypt: Option<bool>,
    #[allow(dead_code, reason = "only its presence is tested")]
    _files: Option<Value>,
}

resource!(Copy, "copy", self,
    Relations::file(&self.dest).needing(self.owner.iter().map(|o| Entity::User(o.clone()))), {}
fn validate(&self) -> Result<(), String> {
    match (&self.src, &self.content) {
        (None, None) => Err("one of `src` and `content` is needed".into()),
        (Some(_), Some(_)) => Err("`src` and `content` exclude each other".into()),
        _ => Ok(()),
    }
});

/// A file from a template.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Template {
    dest: PathBuf,
    #[allow(dead_code, reason = "read by the compiler")]
    src: String,
    #[allow(dead_code, reason = "only its presence is tested")]
    _content: Option<String>,
}

resource!(Template, "template", self, Relations::file(&self.dest), {});

/// Packages.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Package {
    name: Vec<String>,
    #[serde(default)]
    #[allow(dead_code, reason = "only its type is tested")]
    state: State,
}

resource!(Package, "package", self, Relations::writes(self.name.iter().map(|n| Entity::Package(n.clone()))), {
    const OTHER_NAMES: &'static [&'static str] = &["apt", "dnf"];
    const ALIASES: &'static [(&'static str, &'static str)] = &[("pkg", "name")];
});

/// A unit.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Service {
    name: String,
    #[allow(dead_code, reason = "only its type is tested")]
    state: Option<State>,
    #[allow(dead_code, reason = "only its type is tested")]
    enabled: Option<bool>,
}

resource!(Service, "service", self, Relations::writes([Entity::Unit(format!("{}.service", self.name))]), {
    const OTHER_NAMES: &'static [&'static str] = &["systemd"];
});

/// An account.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct User {
    name: String,
    #[allow(dead_code, reason = "only its type is tested")]
    uid: Option<u32>,
}

resource!(User, "user", self, Relations::writes([Entity::User(self.name.clone())]), {});

/// A program.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "only its shape is tested")]
pub(crate) struct Command {
    cmd: String,
    creates: Option<String>,
    chdir: Option<String>,
}

action!(Command, "command", {
    const OTHER_NAMES: &'static [&'static str] = &["shell"];
    const FREE_FORM: Option<&'static str> = Some("cmd");
});

/// A message.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "only its shape is tested")]
pub(crate) struct Debug {
    msg: Option<String>,
    var: Option<Evaluated>,
}

action!(Debug, "debug", {
    const PURE: bool = true;
    const EXPRESSIONS: &'static [&'static str] = &["var"];
});

/// A test.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "only its shape is tested")]
pub(crate) struct Assert {
    that: Vec<Evaluated>,
}

action!(Assert, "assert", {
    const EXPRESSIONS: &'static [&'static str] = &["that"];
});

/// Variables.
#[derive(Deserialize, JsonSchema)]
#[allow(dead_code, reason = "only its shape is tested")]
pub(crate) struct SetFact {
    #[serde(flatten)]
    facts: BTreeMap<String, Value>,
}

action!(SetFact, "set_fact", {});

/// All of them.
pub(crate) const REGISTRY: Registry = Registry::new(&[
    &ResourceModule::<File>::NEW as &dyn Module,
    &ResourceModule::<Copy>::NEW,
    &ResourceModule::<Template>::NEW,
    &ResourceModule::<Package>::NEW,
    &ResourceModule::<Service>::NEW,
    &ResourceModule::<User>::NEW,
    &ActionModule::<Command>::NEW,
    &ActionModule::<Debug>::NEW,
    &ActionModule::<Assert>::NEW,
    &ActionModule::<SetFact>::NEW,
]);
