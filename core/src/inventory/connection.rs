//! How to reach a host: the variables that Ansible's ssh connection and become plugins read.

use serde_json::Value;

use super::model::{Inventory, Var};

/// The variables that say how a host is reached, each under all of its names. Where several are set, the last of them wins, as in
/// Ansible.
pub const CONNECTION: &[&[&str]] = &[
    &["ansible_connection"],
    &["ansible_host", "ansible_ssh_host"],
    &["ansible_port", "ansible_ssh_port"],
    &["ansible_user", "ansible_ssh_user"],
    &["ansible_password", "ansible_ssh_pass", "ansible_ssh_password"],
    &["ansible_private_key_file", "ansible_ssh_private_key_file"],
    &["ansible_ssh_private_key_passphrase", "ansible_private_key_passphrase"],
    &["ansible_ssh_common_args"],
    &["ansible_ssh_args"],
    &["ansible_ssh_extra_args"],
    &["ansible_timeout", "ansible_ssh_timeout"],
    &["ansible_host_key_checking", "ansible_ssh_host_key_checking"],
    &["ansible_become"],
    &["ansible_become_method"],
    &["ansible_become_user", "ansible_sudo_user"],
    &["ansible_become_password", "ansible_become_pass", "ansible_sudo_pass"],
    &["ansible_become_flags", "ansible_sudo_flags"],
    &["ansible_become_exe", "ansible_sudo_exe"],
];

/// All names of the connection variable of this name, the one that wins last; none for any other name.
pub fn connection_names(name: &str) -> &'static [&'static str] {
    CONNECTION.iter().find(|names| names.contains(&name)).copied().unwrap_or_default()
}

/// The connection variables of a host, by reference, each with its place. Values may be templates, which are not rendered here.
///
/// Where Ansible has several names for one thing, the last of its list wins, as in Ansible.
#[derive(Clone, Debug, Default)]
pub struct Connection<'a> {
    /// `ansible_connection`: `ssh` unless set; `local` for this machine.
    pub connection: Option<&'a Var>,
    /// The address: `ansible_host`, `ansible_ssh_host`.
    pub host: Option<&'a Var>,
    /// `ansible_port`, `ansible_ssh_port`.
    pub port: Option<&'a Var>,
    /// The login: `ansible_user`, `ansible_ssh_user`.
    pub user: Option<&'a Var>,
    /// `ansible_password`, `ansible_ssh_pass`, `ansible_ssh_password`.
    pub password: Option<&'a Var>,
    /// `ansible_private_key_file`, `ansible_ssh_private_key_file`.
    pub private_key_file: Option<&'a Var>,
    /// `ansible_ssh_private_key_passphrase`, `ansible_private_key_passphrase`.
    pub private_key_passphrase: Option<&'a Var>,
    /// `ansible_ssh_common_args`, for the options that a proxy needs.
    pub common_args: Option<&'a Var>,
    /// `ansible_ssh_args`.
    pub args: Option<&'a Var>,
    /// `ansible_ssh_extra_args`.
    pub extra_args: Option<&'a Var>,
    /// Seconds: `ansible_timeout`, `ansible_ssh_timeout`.
    pub timeout: Option<&'a Var>,
    /// `ansible_host_key_checking`, `ansible_ssh_host_key_checking`.
    pub host_key_checking: Option<&'a Var>,
    /// `ansible_become`.
    pub become_enabled: Option<&'a Var>,
    /// `ansible_become_method`: `sudo` unless set.
    pub become_method: Option<&'a Var>,
    /// `ansible_become_user`, `ansible_sudo_user`: `root` unless set.
    pub become_user: Option<&'a Var>,
    /// `ansible_become_password`, `ansible_become_pass`, `ansible_sudo_pass`.
    pub become_password: Option<&'a Var>,
    /// `ansible_become_flags`, `ansible_sudo_flags`.
    pub become_flags: Option<&'a Var>,
    /// `ansible_become_exe`, `ansible_sudo_exe`.
    pub become_exe: Option<&'a Var>,
}

impl Inventory {
    /// The connection variables of a host; all empty for an unknown one.
    pub fn connection(&self, host: &str) -> Connection<'_> {
        let vars = self.merged(host).unwrap_or_default();
        let last = |name: &str| {
            let set = connection_names(name).iter().rev().find_map(|n| vars.get(n).copied());
            set.filter(|v| *v.value != Value::Null)
        };
        Connection {
            connection: last("ansible_connection"),
            host: last("ansible_host"),
            port: last("ansible_port"),
            user: last("ansible_user"),
            password: last("ansible_password"),
            private_key_file: last("ansible_private_key_file"),
            private_key_passphrase: last("ansible_ssh_private_key_passphrase"),
            common_args: last("ansible_ssh_common_args"),
            args: last("ansible_ssh_args"),
            extra_args: last("ansible_ssh_extra_args"),
            timeout: last("ansible_timeout"),
            host_key_checking: last("ansible_host_key_checking"),
            become_enabled: last("ansible_become"),
            become_method: last("ansible_become_method"),
            become_user: last("ansible_become_user"),
            become_password: last("ansible_become_password"),
            become_flags: last("ansible_become_flags"),
            become_exe: last("ansible_become_exe"),
        }
    }
}
