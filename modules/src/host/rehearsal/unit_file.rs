//! The little of a unit file that decides what enabling and starting it do (systemd.unit(5), systemd.service(5)).

use std::path::{Path, PathBuf};

/// What was read of a unit file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct UnitFile {
    wanted_by: Vec<String>,
    required_by: Vec<String>,
    alias: Vec<String>,
    default_instance: Option<String>,
    /// Units that are enabled and disabled along with it.
    pub(super) also: Vec<String>,
    /// `Type=oneshot`.
    pub(super) one_shot: bool,
    /// `RemainAfterExit=yes`.
    pub(super) remains: bool,
}

impl UnitFile {
    /// Reads it; what is not understood is passed over, as systemd does.
    pub(super) fn parse(text: &str) -> Self {
        let mut file = UnitFile::default();
        let mut section = "";
        let joined = text.replace("\\\n", " ");
        for line in joined.lines().map(str::trim).filter(|l| !l.starts_with(['#', ';'])) {
            if line.starts_with('[') {
                section = line;
                continue;
            }
            let Some((key, value)) = line.split_once('=') else { continue };
            file.take(section, key.trim(), value.trim());
        }
        file
    }

    fn take(&mut self, section: &str, key: &str, value: &str) {
        let list = match (section, key) {
            ("[Install]", "WantedBy") => &mut self.wanted_by,
            ("[Install]", "RequiredBy") => &mut self.required_by,
            ("[Install]", "Alias") => &mut self.alias,
            ("[Install]", "Also") => &mut self.also,
            ("[Install]", "DefaultInstance") => {
                self.default_instance = Some(value.to_owned());
                return;
            }
            ("[Service]", "Type") => {
                self.one_shot = value == "oneshot";
                return;
            }
            ("[Service]", "RemainAfterExit") => {
                self.remains = ["1", "yes", "y", "true", "t", "on"].contains(&value.to_ascii_lowercase().as_str());
                return;
            }
            _ => return,
        };
        if value.is_empty() {
            list.clear();
        }
        list.extend(value.split_whitespace().map(str::to_owned));
    }

    /// The links that enabling the unit of this name makes.
    pub(super) fn links(&self, name: &str) -> Vec<PathBuf> {
        let root = Path::new("/etc/systemd/system");
        let linked = match (name.split_once("@."), &self.default_instance) {
            (Some((prefix, suffix)), Some(instance)) => format!("{prefix}@{instance}.{suffix}"),
            _ => name.to_owned(),
        };
        let instance = linked.split_once('@').and_then(|(_, rest)| rest.rsplit_once('.')).map_or("", |(i, _)| i);
        let fill = |text: &str| text.replace("%i", instance);
        let into = |targets: &[String], kind: &str| -> Vec<PathBuf> {
            targets.iter().map(|t| root.join(format!("{}.{kind}", fill(t))).join(&linked)).collect()
        };
        let mut links = into(&self.wanted_by, "wants");
        links.extend(into(&self.required_by, "requires"));
        links.extend(self.alias.iter().map(|a| root.join(fill(a))));
        links
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn install_sections_become_links() {
        let file = UnitFile::parse(
            "[Unit]\nDescription=x\n# WantedBy=no.target\n[Service]\nType=oneshot\nRemainAfterExit=yes\n\
             [Install]\nWantedBy=multi-user.target \\\n graphical.target\nAlias=www.service\nAlso=x.socket\n",
        );
        let links: Vec<String> = file.links("x.service").iter().map(|l| l.display().to_string()).collect();
        assert_eq!(
            links,
            [
                "/etc/systemd/system/multi-user.target.wants/x.service",
                "/etc/systemd/system/graphical.target.wants/x.service",
                "/etc/systemd/system/www.service",
            ]
        );
        assert_eq!((file.also.as_slice(), file.one_shot, file.remains), (&["x.socket".to_owned()][..], true, true));
    }

    #[test]
    fn an_empty_value_takes_back_what_stood_before() {
        let file = UnitFile::parse("[Install]\nWantedBy=a.target\nWantedBy=\nWantedBy=b.target\n");
        assert_eq!(file.links("x.service"), [PathBuf::from("/etc/systemd/system/b.target.wants/x.service")]);
    }
}
