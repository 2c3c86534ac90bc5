//! The modules, one file each.

pub(crate) mod apache_fragment;
pub(crate) mod apache_module;
pub(crate) mod assert;
pub(crate) mod blockinfile;
pub(crate) mod command;
pub(crate) mod copy;
pub(crate) mod cron;
pub(crate) mod debug;
pub(crate) mod fail;
pub(crate) mod group;
pub(crate) mod ini_file;
pub(crate) mod kernel_module;
pub(crate) mod lineinfile;
pub(crate) mod package;
pub(crate) mod package_allowlist;
pub(crate) mod replace;
pub(crate) mod service;
pub(crate) mod set_fact;
pub(crate) mod setup;
pub(crate) mod shared;
pub(crate) mod sysctl;
pub(crate) mod template;
pub(crate) mod user;
