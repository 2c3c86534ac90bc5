//! Builds the helper and puts it into the program.
//!
//! The helper is a static binary of its own (`rectify-host`), so it is built by a cargo of its own, in a target folder of
//! its own: for musl where that target is installed, statically for the gnu target otherwise. Symbols that would make a
//! static glibc load libraries at run time are refused: name-service calls crash on hosts with another libc.
//!
//! | variable | what it does |
//! | --- | --- |
//! | `RECTIFY_HELPER_TARGETS` | further targets to build a helper for, separated by commas; their linkers must be set up |
//! | `RECTIFY_HELPER_PROFILE` | `helper`: a helper as it travels, also in a program that is built for development |
//! | `RECTIFY_HELPERS` | helpers that are built already: `ARCH=PATH`, separated by commas; `ARCH` as `uname -m` says |

use std::{
    env,
    error::Error,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use lzma_rust2::{CheckType, FilterType, LzmaOptions, XzOptions, XzWriter};
use sha2::{Digest, Sha256};

/// Calls that a static glibc answers by loading libraries of the build machine's version at run time.
const NAME_SERVICE: &[&str] = &[
    "getpwnam",
    "getpwnam_r",
    "getpwuid",
    "getpwuid_r",
    "getgrnam",
    "getgrnam_r",
    "getgrgid",
    "getgrgid_r",
    "getgrouplist",
    "initgroups",
    "getaddrinfo",
    "getnameinfo",
    "gethostbyname",
    "gethostbyname_r",
    "getservbyname",
    "getservbyname_r",
];

/// Loading itself. A static glibc always has these (its own character sets need them, and Rust's standard library asks
/// `dlsym` for newer calls), so they can be refused for other C libraries only.
const LOADING: &[&str] = &["dlopen", "dlsym", "__libc_dlopen_mode"];

/// Static, and small: nothing unwinds in a program that aborts, and SHA-2 is not unrolled.
const FLAGS: &str = "-C target-feature=+crt-static -C relocation-model=static -C force-unwind-tables=no \
    --cfg sha2_backend_soft=\"compact\"";

/// Functions that are the same are kept once, strings that end alike as well, and there is no index of the tables for
/// unwinding, which would leave a hole. Options of lld, which rustc brings along for this target.
const FOLD: (&str, &str) = ("x86_64-unknown-linux-gnu", " -C link-arg=-Wl,-O2,--icf=all,--no-eh-frame-hdr");

/// Sequences of instructions that stand in many functions become functions, where that saves this many bytes. With
/// less to save, the packed helper grows more than the other one shrinks.
const OUTLINE: &str = " -C llvm-args=-enable-machine-outliner=always -C llvm-args=-outliner-benefit-threshold=30";

/// What stays of the tables for unwinding, bytes: zeros, which mean an empty table to the start code that reads it.
const NO_TABLE: [u8; 256] = [0; 256];

/// The most that a helper may have on a host, bytes.
const LARGEST: usize = 4 << 20;

/// The most that a helper may have as it is sent to a host, bytes.
const LARGEST_SENT: usize = 1_550_000;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("..").canonicalize()?;
    for path in ["core/src", "core/Cargo.toml", "modules/src", "modules/Cargo.toml", "Cargo.toml", "Cargo.lock"] {
        println!("cargo:rerun-if-changed={}", root.join(path).display());
    }
    for name in ["RECTIFY_HELPER_TARGETS", "RECTIFY_HELPER_PROFILE", "RECTIFY_HELPERS"] {
        println!("cargo:rerun-if-env-changed={name}");
    }
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut code = String::from("pub(crate) const HELPERS: &[Helper] = &[\n");
    for (arch, file) in helpers(&root, &out)? {
        code.push_str(&embed(&arch, &file, &out)?);
    }
    code.push_str("];\n");
    fs::write(out.join("helpers.rs"), code)?;
    Ok(())
}

/// The helpers to carry, by architecture.
fn helpers(root: &Path, out: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut found: Vec<(String, PathBuf)> = Vec::new();
    for given in list("RECTIFY_HELPERS") {
        let (arch, path) = given.split_once('=').ok_or("RECTIFY_HELPERS takes ARCH=PATH, separated by commas")?;
        println!("cargo:rerun-if-changed={path}");
        found.push((arch.to_owned(), PathBuf::from(path)));
    }
    let own = env::var("CARGO_CFG_TARGET_ARCH")?;
    let mut targets = list("RECTIFY_HELPER_TARGETS");
    if !found.iter().any(|(arch, _)| *arch == own) {
        targets.insert(0, static_target(&own));
    }
    for target in targets {
        let arch = target.split('-').next().unwrap_or(&target).to_owned();
        found.push((arch, build(root, out, &target)?));
    }
    Ok(found)
}

fn list(variable: &str) -> Vec<String> {
    let given = env::var(variable).unwrap_or_default();
    given.split(',').map(str::trim).filter(|s| !s.is_empty()).map(str::to_owned).collect()
}

/// The musl target where its standard library is installed, the gnu one otherwise.
fn static_target(arch: &str) -> String {
    let musl = format!("{arch}-unknown-linux-musl");
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let libraries = Command::new(rustc).args(["--print", "target-libdir", "--target", &musl]).output();
    let installed =
        libraries.is_ok_and(|o| o.status.success() && Path::new(String::from_utf8_lossy(&o.stdout).trim()).is_dir());
    if installed { musl } else { format!("{arch}-unknown-linux-gnu") }
}

/// Whether the helpers are as small as they get. Building one takes minutes.
fn travels() -> Result<bool> {
    Ok(env::var("PROFILE")? == "release" || env::var("RECTIFY_HELPER_PROFILE").is_ok_and(|profile| profile == "helper"))
}

fn build(root: &Path, out: &Path, target: &str) -> Result<PathBuf> {
    let profile = if travels()? { "helper" } else { "helper-dev" };
    // OUT_DIR is TARGET/PROFILE/build/PACKAGE/out: the helper's folder stands beside the profiles.
    let folder = out.ancestors().nth(4).ok_or("OUT_DIR is not where cargo puts it")?.join("helper");
    let status = Command::new(env::var("CARGO")?)
        .current_dir(root)
        .args(["build", "--locked", "--package", "rectify-modules", "--bin", "rectify-host", "--no-default-features"])
        .args(["--profile", profile, "--target", target, "--target-dir"])
        .arg(&folder)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        // Clippy's and other wrappers are for the outer build.
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .env("RUSTFLAGS", flags(target)?)
        .status()?;
    if !status.success() {
        return Err(format!("building the helper for {target} failed").into());
    }
    let built = folder.join(target).join(profile).join("rectify-host");
    refuse_forbidden(&built, target)?;
    thin(&built, out, target)
}

fn flags(target: &str) -> Result<String> {
    let mut flags = FLAGS.to_owned();
    if target == FOLD.0 {
        flags.push_str(FOLD.1);
    }
    if travels()? {
        flags.push_str(OUTLINE);
    }
    Ok(flags)
}

/// Takes out what a program that aborts never reads: symbols, and the tables for unwinding, which the compiler writes all
/// the same for everything that has something to clean up.
fn thin(built: &Path, out: &Path, target: &str) -> Result<PathBuf> {
    let thin = out.join(format!("rectify-host-{target}"));
    let empty = out.join("no-table");
    fs::write(&empty, NO_TABLE)?;
    let update = format!(".eh_frame={}", empty.display());
    run(binutil("objcopy", target)
        .args(["--strip-all", "--remove-section=.comment", "--remove-section=.eh_frame_hdr", "--update-section"])
        .arg(update)
        .args([built, &thin]))?;
    // HOST is the machine that builds: the program that carries the helper may be for another one.
    if target.split('-').next() == env::var("HOST")?.split('-').next() {
        let said = run(Command::new(&thin).arg("--self-test"))?;
        if said != b"rectify-host ok\n" {
            return Err(format!("{} does not run", thin.display()).into());
        }
    }
    Ok(thin)
}

/// A tool of binutils for that target: `aarch64-linux-gnu-nm` where the plain `nm` knows this machine's format only.
fn binutil(name: &str, target: &str) -> Command {
    let arch = target.split('-').next().unwrap_or(target);
    let prefixed = format!("{arch}-linux-gnu-{name}");
    let own = env::var("HOST").is_ok_and(|own| own.split('-').next() == Some(arch));
    let there = !own && Command::new(&prefixed).arg("--version").output().is_ok();
    Command::new(if there { prefixed } else { name.to_owned() })
}

/// These are linked only if something calls them.
fn refuse_forbidden(helper: &Path, target: &str) -> Result<()> {
    let symbols = run(binutil("nm", target).arg("--defined-only").arg(helper))?;
    let text = String::from_utf8_lossy(&symbols);
    if text.lines().count() < 100 {
        return Err(format!("{} has no symbols left to check", helper.display()).into());
    }
    let found: Vec<&str> = text
        .lines()
        .filter_map(|line| line.split_whitespace().nth(2))
        .filter(|name| NAME_SERVICE.contains(name) || (!target.contains("gnu") && LOADING.contains(name)))
        .collect();
    if found.is_empty() {
        return Ok(());
    }
    Err(format!("the helper must not link {}: they load libraries at run time", found.join(", ")).into())
}

fn run(command: &mut Command) -> Result<Vec<u8>> {
    let output = command.output().map_err(|e| format!("{command:?}: {e} (is binutils installed?)"))?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(output.stdout)
}

fn embed(arch: &str, file: &Path, out: &Path) -> Result<String> {
    let bytes = fs::read(file).map_err(|e| format!("{}: {e}", file.display()))?;
    let sha256: String = Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
    let packed = out.join(format!("rectify-host-{arch}.xz"));
    let xz = pack(arch, &bytes)?;
    if travels()? && arch == "x86_64" {
        keep_limit("as it lies on a host", bytes.len(), LARGEST)?;
        keep_limit("as it is sent", xz.len(), LARGEST_SENT)?;
    }
    fs::write(&packed, xz)?;
    Ok(format!(
        "    Helper {{ arch: {arch:?}, sha256: {sha256:?}, size: {}, xz: include_bytes!({:?}) }},\n",
        bytes.len(),
        packed.display().to_string()
    ))
}

/// In the format of xz. The filter knows what machine code looks like; the start script asks hosts whether theirs has it.
fn pack(arch: &str, bytes: &[u8]) -> Result<Vec<u8>> {
    let mut options = XzOptions::with_preset(if travels()? { 9 } else { 1 });
    options.set_check_sum_type(CheckType::Crc32);
    options.lzma_options.lc = 4;
    // A host takes that much memory to unpack it.
    options.lzma_options.dict_size = options.lzma_options.dict_size.min(4 << 20);
    if travels()? {
        options.lzma_options.nice_len = LzmaOptions::NICE_LEN_MAX;
    }
    if arch == "x86_64" {
        options.prepend_pre_filter(FilterType::BcjX86, 0);
    }
    let mut xz = XzWriter::new(Vec::new(), options)?;
    xz.write_all(bytes)?;
    Ok(xz.finish()?)
}

fn keep_limit(how: &str, size: usize, limit: usize) -> Result<()> {
    if size <= limit {
        return Ok(());
    }
    Err(format!("the helper has {size} bytes {how}, and may have {limit} (docs/design/helper.md): make it smaller")
        .into())
}
