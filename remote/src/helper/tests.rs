//! The very start script, run on this machine under every shell, with a shell script in the helper's place.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::TempDir;
use tokio_util::bytes::Bytes;

use super::{Image, Images, Launch, Start, begin, nonce};
use crate::{
    Failure, HelperProblem,
    session::channel::{Chunk, Process},
};

const ANSWER: Duration = Duration::from_secs(60);

/// A helper's stand-in: echoes its input. The padding makes it as large as one likes.
fn helper(padding: usize) -> Vec<u8> {
    let noise: Vec<u8> = (0..padding).map(|i| b'a' + u8::try_from((i * i / 7) % 26).unwrap()).collect();
    let script = "#!/bin/sh\ncase $1 in\n--self-test) echo rectify-host ok; exit ;;\n--self-hash) sha256sum \"$0\" | cut -d\\  -f1; exit ;;\nesac\nexec cat\n#";
    [script.as_bytes(), &noise, b"\n"].concat()
}

fn images(binary: Vec<u8>) -> Images {
    let arch = std::process::Command::new("uname").arg("-m").output().unwrap().stdout;
    Images::new([(String::from_utf8(arch).unwrap().trim().to_owned(), binary)])
}

/// Bytes as the build packs a helper.
pub(super) fn xz(bytes: &[u8]) -> &'static [u8] {
    let mut child = std::process::Command::new("xz")
        .args(["--format=xz", "--check=crc32", "--x86", "--lzma2=preset=1", "-c"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("`xz` is missing: install the Debian package `xz-utils`");
    let mut input = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    let writer = std::thread::spawn(move || std::io::Write::write_all(&mut input, &bytes));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success());
    output.stdout.leak()
}

/// A helper as the program carries it.
fn carried(binary: Vec<u8>) -> Images {
    let plain = images(binary);
    let arch = plain.architectures().next().unwrap().to_owned();
    let image = plain.get(&arch).unwrap();
    let raw = image.raw().unwrap();
    let packed = Image::from_xz(xz(&raw), image.sha256(), raw.len());
    Images::of([(arch, packed)])
}

fn start(dirs: &[&Path]) -> Start {
    Start {
        directories: dirs.iter().map(|d| d.display().to_string()).collect(),
        opening: vec![b"the plan".to_vec(), vec![7; 3000]],
        ..Start::new(carried(helper(200_000)))
    }
}

/// The opening frames of [`start`] as they travel; the stand-in sends back what it gets.
fn opening() -> Vec<u8> {
    [&[0, 0, 0, 8][..], b"the plan", &[0, 0, 0x0b, 0xb8], &[7; 3000]].concat()
}

/// Runs the start under `shell` (a command line that takes the loader as its last word) and reads `want` bytes.
async fn run(shell: &str, start: &Start, want: usize) -> Result<Vec<u8>, Failure> {
    let nonce = nonce();
    let launch = Launch::new(&nonce, None)?;
    let command = launch.command.replace("exec /bin/sh -c", shell);
    let mut process = Process::here(&command, ANSWER)?;
    let mut got = begin(&mut process, &nonce, &launch, start, ANSWER).await?.to_vec();
    while got.len() < want {
        match process.output.next().await {
            Some(Chunk::Stdout(bytes)) => got.extend_from_slice(&bytes),
            Some(Chunk::Stderr(_)) => {}
            None => panic!("ended after {} bytes: {}", got.len(), process.output.epitaph().await),
        }
    }
    // One more exchange shows that nothing was swallowed and nothing left over.
    process.input.write(Bytes::from_static(b"ping")).await?;
    process.input.finish().await;
    let mut rest = Vec::new();
    while let Some(chunk) = process.output.next().await {
        if let Chunk::Stdout(bytes) = chunk {
            rest.extend_from_slice(&bytes);
        }
    }
    got.extend_from_slice(&rest);
    assert!(got.ends_with(b"ping"));
    got.truncate(got.len() - 4);
    Ok(got)
}

const SHELLS: [&str; 4] = ["exec dash -c", "exec busybox sh -c", "exec bash -c", "exec mksh -c"];

fn private() -> TempDir {
    for (program, package) in
        [("dash", "dash"), ("busybox", "busybox"), ("bash", "bash"), ("mksh", "mksh"), ("gzip", "gzip")]
    {
        let there = std::env::var("PATH").unwrap().split(':').any(|dir| Path::new(dir).join(program).exists());
        assert!(there, "`{program}` is missing: install the Debian package `{package}`");
    }
    tempfile::tempdir().unwrap()
}

fn installed(dir: &Path) -> Vec<PathBuf> {
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn root() {
    assert!(rustix::process::geteuid().is_root(), "this test mounts and changes owners: run it as root");
}

#[tokio::test]
async fn a_missing_helper_is_sent_and_a_present_one_is_not() {
    for shell in SHELLS {
        let home = private();
        let dir = home.path().join("deep/bin");
        let start = start(&[&dir]);
        assert_eq!(run(shell, &start, opening().len()).await.unwrap(), opening(), "{shell}");
        let [file] = &installed(&dir)[..] else { panic!("{shell}: one file, nothing half left") };
        assert_eq!(fs::metadata(&dir).unwrap().mode() & 0o7777, 0o700, "{shell}");
        let written = fs::metadata(file).unwrap();
        assert_eq!(run(shell, &start, opening().len()).await.unwrap(), opening(), "{shell}: the second time");
        assert_eq!(fs::metadata(file).unwrap().ino(), written.ino(), "{shell}: it was not sent again");
    }
}

#[tokio::test]
async fn a_damaged_copy_a_link_and_a_directory_in_its_place_are_replaced() {
    for shell in SHELLS {
        let home = private();
        let start = start(&[&home.path().join("bin")]);
        run(shell, &start, opening().len()).await.unwrap();
        let file = installed(&home.path().join("bin")).remove(0);
        let good = fs::read(&file).unwrap();
        let elsewhere = home.path().join("elsewhere");
        fs::write(&elsewhere, &good).unwrap();
        fs::set_permissions(&elsewhere, fs::Permissions::from_mode(0o700)).unwrap();
        for damage in ["cut", "link"] {
            fs::remove_file(&file).unwrap();
            match damage {
                "cut" => fs::write(&file, &good[..good.len() - 1]).unwrap(),
                _ => symlink(&elsewhere, &file).unwrap(),
            }
            assert_eq!(run(shell, &start, opening().len()).await.unwrap(), opening(), "{shell} {damage}");
            assert_eq!(fs::read(&file).unwrap(), good, "{shell} {damage}");
            assert!(!fs::symlink_metadata(&file).unwrap().is_symlink(), "{shell} {damage}");
        }
    }
}

#[tokio::test]
async fn a_link_an_open_and_a_foreign_directory_are_passed_over() {
    root();
    for shell in SHELLS {
        let home = private();
        let at = |name: &str| home.path().join(name);
        for name in ["target", "open", "foreign", "shared", "shared/in"] {
            fs::create_dir(at(name)).unwrap();
            fs::set_permissions(at(name), fs::Permissions::from_mode(0o700)).unwrap();
        }
        symlink(at("target"), at("link")).unwrap();
        fs::set_permissions(at("open"), fs::Permissions::from_mode(0o755)).unwrap();
        std::os::unix::fs::chown(at("foreign"), Some(65534), None).unwrap();
        fs::set_permissions(at("shared"), fs::Permissions::from_mode(0o777)).unwrap();
        let bad = ["link", "open", "foreign", "shared/in"].map(at);
        let mut dirs: Vec<&Path> = bad.iter().map(PathBuf::as_path).collect();
        let failure = run(shell, &start(&dirs), 0).await.unwrap_err().to_string();
        let reasons = [
            "link is a symbolic link",
            "open is not private",
            "foreign belongs to somebody else",
            "shared/in is below a directory that others can write to",
        ];
        for reason in reasons {
            assert!(failure.contains(reason), "{shell}: {failure}");
        }
        let good = at("good");
        dirs.push(&good);
        assert_eq!(run(shell, &start(&dirs), opening().len()).await.unwrap(), opening(), "{shell}");
        assert_eq!(installed(&good).len(), 1, "{shell}");
        assert!(bad.iter().all(|dir| dir.ends_with("shared/in") || installed(dir).is_empty()), "{shell}");
    }
}

#[tokio::test]
async fn a_directory_that_does_not_let_programs_run_and_one_that_is_full_are_passed_over() {
    root();
    for shell in ["dash", "busybox sh", "bash"] {
        let home = private();
        let at = |name: &str| home.path().join(name).display().to_string();
        for name in ["noexec", "full", "good"] {
            fs::create_dir(home.path().join(name)).unwrap();
            fs::set_permissions(at(name), fs::Permissions::from_mode(0o700)).unwrap();
        }
        let mounts = format!(
            "mount -t tmpfs -o noexec,mode=700 none {}; mount -t tmpfs -o size=64k,mode=700 none {}",
            at("noexec"),
            at("full")
        );
        // $0 is the loader. What is left in the full directory is told by its last words.
        let inside = format!(
            "exec unshare -m sh -c \"{mounts}; {shell} -c \\\"\\$0\\\"; ls -A {} {} >&2\"",
            at("noexec"),
            at("full")
        );
        let both = [home.path().join("noexec"), home.path().join("full")];
        let failure = run(&inside, &start(&[&both[0], &both[1]]), 0).await.unwrap_err();
        let Failure::Helper(HelperProblem::NoPlace { reasons }) = &failure else { panic!("{shell}: {failure}") };
        assert!(reasons.contains("noexec does not let programs run"), "{shell}: {reasons}");
        assert!(
            reasons.contains("full did not take it") && reasons.to_lowercase().contains("no space left"),
            "{shell}: {reasons}"
        );
        let good = home.path().join("good");
        let start = start(&[&both[0], &both[1], &good]);
        assert_eq!(run(&inside, &start, opening().len()).await.unwrap(), opening(), "{shell}");
        assert_eq!(installed(&good).len(), 1, "{shell}");
    }
}

/// A PATH with nothing but these programs.
fn only(dir: &Path, programs: &[&str]) -> String {
    fs::create_dir(dir).unwrap();
    for program in programs {
        let busybox = fs::canonicalize("/bin/busybox").unwrap();
        let real = ["/usr/bin", "/bin"].iter().map(|d| Path::new(d).join(program)).find(|p| p.exists());
        symlink(real.unwrap_or(busybox), dir.join(program)).unwrap();
    }
    dir.display().to_string()
}

/// A program of that name.
fn fake(dir: &Path, name: &str, body: &str) {
    fs::write(dir.join(name), format!("#!/bin/sh\n{body}\n")).unwrap();
    fs::set_permissions(dir.join(name), fs::Permissions::from_mode(0o755)).unwrap();
}

const BASE: [&str; 14] =
    ["sh", "ls", "uname", "id", "mkdir", "chmod", "mv", "rm", "cat", "find", "head", "cut", "dd", "dash"];

#[tokio::test]
async fn without_gzip_it_travels_as_it_is_and_without_any_hash_program_it_tells_its_own() {
    let home = private();
    for (name, extra, helper_sees) in [("nogzip", "sha256sum", None), ("nohash", "gzip", Some(()))] {
        let mut programs = BASE.to_vec();
        programs.push(extra);
        let path = only(&home.path().join(name), &programs);
        let dir = home.path().join(format!("{name}-bin"));
        let mut start = start(&[&dir]);
        if helper_sees.is_some() {
            // The stand-in's own hash needs the program that the script must not find.
            let text = String::from_utf8(helper(10)).unwrap().replace("sha256sum", "/usr/bin/sha256sum");
            start.images = images(text.into_bytes());
        }
        let shell = format!("exec env -i PATH={path} dash -c");
        assert_eq!(run(&shell, &start, opening().len()).await.unwrap(), opening(), "{name}");
        let file = installed(&dir).remove(0);
        let first = fs::metadata(&file).unwrap().ino();
        assert_eq!(run(&shell, &start, opening().len()).await.unwrap(), opening(), "{name}: again");
        assert_eq!(fs::metadata(&file).unwrap().ino(), first, "{name}: it was found");
        let mut bytes = fs::read(&file).unwrap();
        bytes.extend_from_slice(b"# changed\n");
        fs::write(&file, bytes).unwrap();
        assert_eq!(run(&shell, &start, opening().len()).await.unwrap(), opening(), "{name}: damaged");
        assert!(!fs::read(&file).unwrap().ends_with(b"# changed\n"), "{name}: it was replaced");
    }
}

/// Names, and the commands behind them.
type Programs = &'static [(&'static str, &'static str)];

#[tokio::test]
async fn it_is_sent_as_small_as_the_host_can_unpack_it() {
    let home = private();
    // What the host has, and which of it unpacks: the first `xz` is for the sample.
    let cases: [(&str, Programs, &str); 4] = [
        ("xz", &[("xz", "/usr/bin/xz"), ("gzip", "/bin/gzip")], "xz xz "),
        ("gzip", &[("gzip", "/bin/gzip")], "gzip "),
        // busybox's has no filter for machine code.
        ("busybox", &[("xz", "/bin/busybox xz"), ("gzip", "/bin/gzip")], "xz gzip "),
        ("neither", &[], ""),
    ];
    for (shell, words) in [("dash", "dash"), ("busybox", "busybox sh"), ("bash", "bash"), ("mksh", "mksh")] {
        for (name, has, expected) in &cases {
            let dir = home.path().join(format!("{name}-{shell}"));
            let programs: Vec<&str> = BASE.iter().copied().chain([shell, "printf", "sha256sum"]).collect();
            let programs: std::collections::BTreeSet<&str> = programs.into_iter().collect();
            let path = only(&dir, &programs.into_iter().collect::<Vec<_>>());
            for (program, real) in *has {
                fake(&dir, program, &format!("printf '{program} ' >>{}/log; exec {real} \"$@\"", dir.display()));
            }
            let bin = dir.join("to");
            let run = run(&format!("exec env -i PATH={path} {words} -c"), &start(&[&bin]), opening().len()).await;
            assert_eq!(run.unwrap(), opening(), "{shell}, {name}");
            let log = fs::read_to_string(dir.join("log")).unwrap_or_default();
            // busybox's shell takes its own programs before those in PATH, its xz and gzip included.
            assert_eq!(&log, if shell == "busybox" { "" } else { expected }, "{shell}, {name}");
            assert_eq!(fs::read(&installed(&bin)[0]).unwrap(), helper(200_000), "{shell}, {name}");
        }
    }
}

#[tokio::test]
async fn what_arrives_damaged_is_not_kept() {
    let whole = helper(200_000);
    let mut other = whole.clone();
    other[1000] ^= 1;
    let mut torn = xz(&whole).to_vec();
    let middle = torn.len() / 2;
    torn[middle] ^= 0xff;
    // Those that have an xz that can unpack it: busybox's shell has its own.
    for shell in SHELLS.into_iter().filter(|shell| !shell.contains("busybox")) {
        // The pack itself is broken; the pack is sound and holds something else.
        for (packed, reason) in [(&*torn.clone().leak(), "did not take it"), (xz(&other), "did not take it whole")] {
            let home = private();
            let dir = home.path().join("bin");
            let mut start = start(&[&dir]);
            let arch = start.images.architectures().next().unwrap().to_owned();
            let sha256 = images(whole.clone()).get(&arch).unwrap().sha256().to_owned();
            start.images = Images::of([(arch, Image::from_xz(packed, &sha256, whole.len()))]);
            let failure = run(shell, &start, 0).await.unwrap_err();
            let Failure::Helper(HelperProblem::NoPlace { reasons }) = &failure else { panic!("{shell}: {failure}") };
            assert!(reasons.contains(reason), "{shell}: {reasons}");
            assert!(installed(&dir).is_empty(), "{shell}: nothing stays");
        }
    }
}

#[tokio::test]
async fn a_host_of_another_architecture_gets_the_helper_that_was_given_for_it() {
    let home = private();
    let programs: Vec<&str> =
        BASE.iter().copied().filter(|p| *p != "uname").chain(["printf", "sha256sum", "gzip", "xz"]).collect();
    let path = only(&home.path().join("path"), &programs);
    fake(&home.path().join("path"), "uname", "echo aarch64");
    let shell = format!("exec env -i PATH={path} dash -c");
    let bin = home.path().join("bin");
    let mut start = start(&[&bin]);
    let native = start.images.architectures().next().unwrap().to_owned();
    start.images = Images::new([(native.clone(), helper(10)), ("aarch64".to_owned(), helper(20))]);
    assert_eq!(run(&shell, &start, opening().len()).await.unwrap(), opening());
    assert_eq!(fs::read(&installed(&bin)[0]).unwrap(), helper(20));
    start.images = Images::new([(native, helper(10))]);
    let failure = run(&shell, &start, 0).await.unwrap_err();
    let hint = crate::RemoteError::new("h", failure).hint().unwrap();
    assert!(hint.contains("RECTIFY_HELPERS=aarch64=PATH"), "{hint}");
}

#[tokio::test]
async fn the_input_is_taken_to_the_byte_whichever_dd_and_head_there_are() {
    let home = private();
    let programs: Vec<&str> =
        BASE.iter().copied().filter(|p| !["dd", "head"].contains(p)).chain(["gzip", "sha256sum"]).collect();
    let strict = "for a; do case $a in iflag=*) exit 1;; esac; done; exec /bin/dd \"$@\"";
    for (name, dd, head) in
        [("head", "exit 1", "exec /usr/bin/head \"$@\""), ("byte", strict, "exec busybox head \"$@\"")]
    {
        let dir = home.path().join(name);
        let path = only(&dir, &programs);
        symlink("/bin/busybox", dir.join("busybox")).unwrap();
        fake(&dir, "dd", dd);
        fake(&dir, "head", head);
        let bin = home.path().join(format!("{name}-bin"));
        let mut start = start(&[&bin]);
        start.images = images(helper(5000));
        let shell = format!("exec env -i PATH={path} dash -c");
        assert_eq!(run(&shell, &start, opening().len()).await.unwrap(), opening(), "{name}");
    }
}

#[tokio::test]
async fn an_architecture_without_a_helper_is_named() {
    let home = private();
    let mut start = start(&[&home.path().join("bin")]);
    start.images = Images::new([("vax".to_owned(), helper(1))]);
    let failure = run("exec dash -c", &start, 0).await.unwrap_err();
    let Failure::Helper(HelperProblem::NoArchitecture { arch, have }) = &failure else { panic!("{failure}") };
    assert_eq!((arch.as_str(), have.as_str()), (std::env::consts::ARCH, "vax"));
}

#[tokio::test]
async fn banners_before_the_marker_are_passed_over_and_endless_ones_end_it() {
    let home = private();
    let start = start(&[&home.path().join("bin")]);
    let noisy = "echo Welcome; printf no-line-end; echo rectify:other:go /bin/sh; seq 2000; seq 2000 >&2; exec bash -c";
    assert_eq!(run(noisy, &start, opening().len()).await.unwrap(), opening());
    let failure = run("exec yes -- ", &start, 0).await.unwrap_err();
    assert!(failure.to_string().contains("prints and prints"), "{failure}");
}

#[tokio::test]
async fn a_shell_that_ends_is_reported_with_its_last_words() {
    let home = private();
    let start = start(&[&home.path().join("bin")]);
    let failure = run("echo This account is currently not available. >&2; exit 7; :", &start, 0).await.unwrap_err();
    assert!(failure.to_string().contains("not available") && failure.to_string().contains('7'), "{failure}");
}

#[tokio::test]
async fn login_shells_that_are_no_posix_shells_pass_it_on() {
    for (shell, package) in [("tcsh", "tcsh"), ("fish", "fish")] {
        let home = private();
        let start = start(&[&home.path().join("bin")]);
        let nonce = nonce();
        let launch = Launch::new(&nonce, None).unwrap();
        // As sshd does it: the login shell, `-c`, the command as one word.
        let word = format!("'{}'", launch.command.replace('\'', r"'\''"));
        let mut process = Process::here(&format!("exec {shell} -c {word}"), ANSWER).unwrap();
        let begun = begin(&mut process, &nonce, &launch, &start, ANSWER).await;
        assert!(begun.is_ok(), "{shell}: {begun:?} (install the Debian package `{package}` if it is missing)");
    }
}
