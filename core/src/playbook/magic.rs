//! The names that exist without anybody's having written them.

/// Set by rectify; a playbook's own value would not be seen.
pub(crate) const READ_ONLY: &[&str] = &[
    "ansible_check_mode",
    "ansible_diff_mode",
    "ansible_facts",
    "ansible_play_batch",
    "ansible_play_hosts",
    "ansible_play_hosts_all",
    "ansible_play_name",
    "ansible_version",
    "group_names",
    "groups",
    "hostvars",
    "inventory_dir",
    "inventory_file",
    "inventory_hostname",
    "inventory_hostname_short",
    "omit",
    "play_hosts",
    "playbook_dir",
    "role_name",
    "role_path",
    "vars",
];

/// Names that are known in every template, besides facts.
pub(crate) const ALWAYS: &[&str] = &[
    "ansible_config_file",
    "ansible_failed_result",
    "ansible_failed_task",
    "ansible_forks",
    "ansible_inventory_sources",
    "ansible_limit",
    "ansible_run_tags",
    "ansible_skip_tags",
    "ansible_verbosity",
    "ansible_role_name",
    "ansible_managed",
    "ansible_search_path",
    "ansible_host",
    "ansible_port",
    "ansible_user",
    "ansible_connection",
    "ansible_playbook_python",
];

/// Names whose values say how a run was started, and nothing of what a task does.
pub(crate) const OF_RUN: &[&str] = &[
    "ansible_check_mode",
    "ansible_diff_mode",
    "ansible_play_batch",
    "ansible_play_hosts",
    "ansible_play_hosts_all",
    "ansible_run_tags",
    "ansible_skip_tags",
    "ansible_verbosity",
    "ansible_version",
    "play_hosts",
];

/// Names of a loop's own variables.
pub(crate) const LOOP: &[&str] = &["ansible_loop", "ansible_loop_var", "ansible_index_var"];

/// The value of a setting's revision that holds on a host; known in the setting's tasks.
pub(crate) const ROLLOUT_VALUE: &str = "rollout_value";

/// The version of Ansible that `ansible_version` names: the one whose language this follows.
pub(crate) const VERSION: (u64, u64, u64) = (2, 19, 4);

/// Facts as `setup` names them, without the prefix `ansible_`; for "did you mean".
pub(crate) const FACTS: &[&str] = &[
    "all_ipv4_addresses",
    "all_ipv6_addresses",
    "apparmor",
    "architecture",
    "bios_date",
    "bios_vendor",
    "bios_version",
    "board_name",
    "board_vendor",
    "chassis_vendor",
    "cmdline",
    "date_time",
    "default_ipv4",
    "default_ipv6",
    "device_links",
    "devices",
    "distribution",
    "distribution_file_parsed",
    "distribution_file_path",
    "distribution_file_variety",
    "distribution_major_version",
    "distribution_release",
    "distribution_version",
    "dns",
    "domain",
    "effective_group_id",
    "effective_user_id",
    "env",
    "fips",
    "form_factor",
    "fqdn",
    "hostname",
    "interfaces",
    "is_chroot",
    "kernel",
    "kernel_version",
    "loadavg",
    "local",
    "lsb",
    "lvm",
    "machine",
    "machine_id",
    "memfree_mb",
    "memory_mb",
    "memtotal_mb",
    "mounts",
    "nodename",
    "os_family",
    "packages",
    "pkg_mgr",
    "proc_cmdline",
    "processor",
    "processor_cores",
    "processor_count",
    "processor_nproc",
    "processor_threads_per_core",
    "processor_vcpus",
    "product_name",
    "product_serial",
    "product_uuid",
    "product_version",
    "python",
    "python_version",
    "real_group_id",
    "real_user_id",
    "selinux",
    "selinux_python_present",
    "service_mgr",
    "services",
    "ssh_host_key_ecdsa_public",
    "ssh_host_key_ed25519_public",
    "ssh_host_key_rsa_public",
    "swapfree_mb",
    "swaptotal_mb",
    "system",
    "system_capabilities",
    "system_vendor",
    "uptime_seconds",
    "user_dir",
    "user_gecos",
    "user_gid",
    "user_id",
    "user_shell",
    "user_uid",
    "userspace_architecture",
    "userspace_bits",
    "virtualization_role",
    "virtualization_type",
];

/// Whether a name is (or may be) a fact of the host.
pub(crate) fn is_fact(name: &str) -> bool {
    name == "ansible_facts"
        || (name.starts_with("ansible_")
            && !READ_ONLY.contains(&name)
            && !ALWAYS.contains(&name)
            && !LOOP.contains(&name))
}
