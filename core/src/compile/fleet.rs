//! The inventory as the compiler needs it.

use serde_json::{Map, Value};

/// Hosts, their groups and variables.
pub trait Fleet: Sync {
    /// The hosts that a pattern names, in the inventory's order.
    ///
    /// # Errors
    /// What is wrong with the pattern.
    fn select(&self, pattern: &str) -> Result<Vec<String>, String>;

    /// The variables of a host from inventory, `group_vars` and `host_vars`, merged; magic variables need not be among them.
    fn vars(&self, host: &str) -> Map<String, Value>;

    /// The names of the groups that a host is in, directly or through other groups, sorted, without `all`.
    fn groups_of(&self, host: &str) -> Vec<String>;

    /// Every group with its hosts, `all` and `ungrouped` included.
    fn groups(&self) -> Vec<(String, Vec<String>)>;

    /// The folder and the file of the first inventory source, if it is a file.
    fn source(&self) -> Option<(String, String)> {
        None
    }
}
