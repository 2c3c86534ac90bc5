//! `package_facts`: what is installed, as facts.

use rectify_core::module::{Action, InstalledPackage, Manager, ModuleError, Operate, PackageStatus, Report};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Gathers what is installed into `ansible_facts.packages`: by name, a list of versions. It changes nothing.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PackageFacts {
    /// The package managers to ask: `auto`, `apt`, `rpm`, `dnf`. Default: auto, the host's own.
    #[serde(default)]
    manager: Vec<String>,
}

impl Action for PackageFacts {
    const KIND: &'static str = "package_facts";
    const PURE: bool = true;
    const EXAMPLE: &'static str = "package_facts:\n  manager: auto\n";

    fn run(&self, host: &dyn Operate) -> Result<Report, ModuleError> {
        let db = host.packages()?;
        let own = match db.manager {
            Manager::Apt => ["auto", "apt", "apt"],
            Manager::Dnf => ["auto", "rpm", "dnf"],
        };
        if !self.manager.is_empty() && !self.manager.iter().any(|m| own.contains(&m.as_str())) {
            return Err(ModuleError::failed(format!(
                "asking {} for packages: this host has {}",
                self.manager.join(", "),
                own[2]
            )));
        }
        let mut packages: Map<String, Value> = Map::new();
        for package in db.packages.values().filter(|p| p.status != PackageStatus::ConfigFiles) {
            let entry = packages.entry(package.name.clone()).or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(list) = entry {
                list.push(described(package, db.manager));
            }
        }
        let facts = Map::from_iter([("packages".to_owned(), Value::Object(packages))]);
        let data = Map::from_iter([("ansible_facts".to_owned(), Value::Object(facts.clone()))]);
        Ok(Report { facts: facts.clone(), host_facts: facts, ..Report::looked(data) })
    }

    fn validate(&self) -> Result<(), String> {
        match self.manager.iter().find(|m| !["auto", "apt", "rpm", "dnf"].contains(&m.as_str())) {
            Some(other) => Err(format!("manager: {other:?} is none of auto, apt, rpm, dnf")),
            None => Ok(()),
        }
    }

    fn subject(&self) -> String {
        String::new()
    }
}

fn described(package: &InstalledPackage, manager: Manager) -> Value {
    let InstalledPackage { name, arch, version, section, .. } = package;
    match manager {
        Manager::Apt => {
            json!({ "name": name, "version": version, "arch": arch, "category": section, "source": "apt" })
        }
        Manager::Dnf => {
            let (epoch, rest) =
                version.split_once(':').map_or((None, version.as_str()), |(e, rest)| (e.parse::<u64>().ok(), rest));
            let (version, release) = rest.rsplit_once('-').unwrap_or((rest, ""));
            json!({ "name": name, "version": version, "release": release, "epoch": epoch, "arch": arch, "source": "rpm" })
        }
    }
}
