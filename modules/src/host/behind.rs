//! What a host that stands before another one hands on as it is.

/// Methods that the host behind, `self.host`, answers.
macro_rules! pass {
    ($(fn $name:ident(&self $(, $arg:ident: $type:ty)*) -> $out:ty;)*) => {
        $(fn $name(&self $(, $arg: $type)*) -> $out { self.host.$name($($arg),*) })*
    };
}

/// All of looking but what depends on the account: `probe` and `uid`.
macro_rules! look_behind {
    () => {
        $crate::host::behind::pass! {
            fn lstat(&self, path: &std::path::Path) -> rectify_core::module::HostResult<Option<rectify_core::module::Meta>>;
            fn stat(&self, path: &std::path::Path) -> rectify_core::module::HostResult<Option<rectify_core::module::Meta>>;
            fn read(&self, path: &std::path::Path, limit: u64) -> rectify_core::module::HostResult<Option<std::sync::Arc<[u8]>>>;
            fn sha256(&self, path: &std::path::Path) -> rectify_core::module::HostResult<Option<String>>;
            fn read_link(&self, path: &std::path::Path) -> rectify_core::module::HostResult<std::path::PathBuf>;
            fn list(&self, path: &std::path::Path, each: &mut dyn FnMut(rectify_core::module::DirEntry) -> bool) -> rectify_core::module::HostResult<()>;
            fn user(&self, name: &str) -> rectify_core::module::HostResult<Option<rectify_core::module::User>>;
            fn user_by_id(&self, uid: u32) -> rectify_core::module::HostResult<Option<rectify_core::module::User>>;
            fn group(&self, name: &str) -> rectify_core::module::HostResult<Option<rectify_core::module::Group>>;
            fn group_by_id(&self, gid: u32) -> rectify_core::module::HostResult<Option<rectify_core::module::Group>>;
            fn users(&self) -> rectify_core::module::HostResult<Vec<rectify_core::module::User>>;
            fn groups(&self) -> rectify_core::module::HostResult<Vec<rectify_core::module::Group>>;
            fn packages(&self) -> rectify_core::module::HostResult<std::sync::Arc<rectify_core::module::PackageDb>>;
            fn resolve(&self, request: &rectify_core::module::PackageRequest) -> rectify_core::module::HostResult<rectify_core::module::Transaction>;
            fn candidates(&self, names: &[String]) -> rectify_core::module::HostResult<indexmap::IndexMap<String, String>>;
            fn package_files(&self, name: &str) -> rectify_core::module::HostResult<Vec<(std::path::PathBuf, bool)>>;
            fn unit(&self, name: &str) -> rectify_core::module::HostResult<rectify_core::module::Unit>;
            fn sysctl(&self, key: &str) -> rectify_core::module::HostResult<Option<String>>;
            fn kernel_modules(&self) -> rectify_core::module::HostResult<indexmap::IndexMap<String, u32>>;
            fn traces(&self, things: &[rectify_core::module::Entity]) -> Vec<rectify_core::event::Trace>;
            fn blob(&self, sha256: &str) -> rectify_core::module::HostResult<std::sync::Arc<[u8]>>;
        }
    };
}

pub(in crate::host) use {look_behind, pass};
