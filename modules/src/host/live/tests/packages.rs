//! apt and dnf themselves, on this machine, in a mount namespace: /etc, /usr and /var are overlays that end with the test, and
//! the only repository is one that the test builds.

use std::{collections::BTreeSet, path::Path, process::Command};

use rectify_core::module::{
    HostError, Manager, Observe, Operate, PackageChange, PackageRequest, PackageSpec, PackageStatus, Transaction,
};

use super::{assert_passed, live, root};

const INSIDE: &str = "RECTIFY_TEST_PACKAGES";

/// Runs this test again in a namespace in which `script` has made the machine ready; `$1` is an empty folder.
fn in_namespace(test: &str, tools: &[(&str, &str)], script: &str) {
    let missing: BTreeSet<&str> =
        tools.iter().filter(|(t, _)| !Path::new("/usr/bin").join(t).exists()).map(|t| t.1).collect();
    assert!(missing.is_empty(), "as root, this test needs Debian packages: apt-get install {missing:?}");
    let script = format!(
        "mount -t tmpfs none \"$1\"\n\
         for dir in etc usr var; do mkdir -p \"$1/$dir/upper\" \"$1/$dir/work\"; mount -t overlay none -o \
         lowerdir=/$dir,upperdir=\"$1/$dir/upper\",workdir=\"$1/$dir/work\" /$dir; done\n{script}\nshift\nexec \"$@\""
    );
    let dir = tempfile::tempdir().unwrap();
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "--propagation", "private", "sh", "-ec", &script, "sh"]).arg(dir.path());
    unshare.arg(std::env::current_exe().unwrap()).args(["--exact", "--nocapture", test]).env(INSIDE, "1");
    let output = unshare.env("LC_ALL", "C").output().unwrap();
    assert_passed(&output);
}

fn spec(name: &str) -> PackageSpec {
    PackageSpec { name: name.into(), version: None }
}

fn exactly(name: &str, version: &str) -> PackageSpec {
    PackageSpec { name: name.into(), version: Some(version.into()) }
}

fn change(name: &str, from: Option<&str>, to: Option<&str>, purge: bool) -> PackageChange {
    PackageChange { name: name.into(), from: from.map(Into::into), to: to.map(Into::into), purge }
}

fn install(specs: impl IntoIterator<Item = PackageSpec>) -> PackageRequest {
    PackageRequest { install: specs.into_iter().collect(), ..PackageRequest::default() }
}

fn remove(names: &[&str]) -> PackageRequest {
    PackageRequest { remove: names.iter().map(|n| (*n).to_owned()).collect(), ..PackageRequest::default() }
}

/// What is announced is done, and then there is nothing left to do.
fn announced_and_done(request: &PackageRequest, expected: &[PackageChange]) {
    let live = live();
    assert_eq!(live.resolve(request).unwrap().changes, expected, "announced for {request:?}");
    assert_eq!(live.transact(request).unwrap().changes, expected, "done for {request:?}");
    assert_eq!(live.resolve(request).unwrap(), Transaction::default(), "left for {request:?}");
}

fn refused(request: &PackageRequest, words: &str) {
    for result in [live().resolve(request), live().transact(request)] {
        let error = result.unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn apt_does_what_it_announces() {
    const TEST: &str = "host::live::tests::packages::apt_does_what_it_announces";
    const REPOSITORY: &str = r#"
        deb() { tree=$1/deb; rm -rf "$tree"; mkdir -p "$tree/DEBIAN" "$tree/etc"; echo "$2 $3" > "$tree/etc/$2.conf"
            echo "/etc/$2.conf" > "$tree/DEBIAN/conffiles"
            printf 'Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: T <t@example.org>\nDescription: x\n%s' "$2" "$3" "$4" > "$tree/DEBIAN/control"
            file=$1/repo/$2_$3.deb; dpkg-deb --root-owner-group -b "$tree" "$file" > /dev/null
            { cat "$tree/DEBIAN/control"; printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "$2_$3.deb" "$(stat -c %s "$file")" "$(sha256sum "$file" | cut -d' ' -f1)"; } >> "$1/repo/Packages"; }
        mkdir "$1/repo"
        deb "$1" rectify-a 1.0 'Depends: rectify-b
'
        deb "$1" rectify-a 2.0 'Depends: rectify-b
'
        deb "$1" rectify-b 1.0 'Provides: rectify-virtual
'
        deb "$1" rectify-c 1.0 'Conflicts: rectify-a
'
        deb "$1" rectify-e 1.0 'Essential: yes
'
        rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/* /etc/apt/preferences.d/* /var/lib/apt/lists/*
        echo "deb [trusted=yes] file:$1/repo ./" > /etc/apt/sources.list"#;
    if std::env::var_os(INSIDE).is_some() {
        return inside_apt();
    }
    if !root("apt") {
        return;
    }
    in_namespace(TEST, &[("apt-get", "apt"), ("dpkg-deb", "dpkg")], REPOSITORY);
}

fn inside_apt() {
    let db = live().packages().unwrap();
    assert_eq!(db.manager, Manager::Apt);
    assert!(db.packages["dpkg"].essential && db.packages["dpkg"].status == PackageStatus::Installed);
    refused_before_the_index_is_there();
    let old = PackageRequest { refresh: Some(3600), ..install([exactly("rectify-a", "1.0")]) };
    let (a, b) = (change("rectify-a", None, Some("1.0"), false), change("rectify-b", None, Some("1.0"), false));
    assert_eq!(live().transact(&old).unwrap().changes, [a, b]);
    let names = ["rectify-a", "nosuch", "rectify-c", "rectify-virtual"].map(String::from);
    let candidates = live().candidates(&names).unwrap();
    assert_eq!(
        candidates.iter().map(|(n, v)| format!("{n} {v}")).collect::<Vec<_>>(),
        ["rectify-a 2.0", "rectify-c 1.0"]
    );
    let db = live().packages().unwrap();
    assert!(db.packages["rectify-a"].manual && !db.packages["rectify-b"].manual);
    assert_eq!(db.packages["rectify-a"].requires, [["rectify-b"]]);
    let files = live().package_files("rectify-a").unwrap();
    assert!(files.contains(&("/etc/rectify-a.conf".into(), true)) && files.contains(&("/etc".into(), false)));

    announced_and_done(&install([spec("rectify-a"), spec("rectify-virtual")]), &[]);
    refused(&install([spec("nosuch")]), "Unable to locate package nosuch");
    refused(&install([spec("rectify.a")]), "Unable to locate package rectify.a");
    refused(&remove(&["dpkg"]), "E: ");
    let latest = PackageRequest { latest: vec!["rectify-a".into()], ..PackageRequest::default() };
    announced_and_done(&latest, &[change("rectify-a", Some("1.0"), Some("2.0"), false)]);
    let down = install([exactly("rectify-a", "1.0")]);
    refused(&down, "--allow-downgrades");
    let down = PackageRequest { allow_downgrade: true, ..down };
    announced_and_done(&down, &[change("rectify-a", Some("2.0"), Some("1.0"), false)]);

    // One call: something comes, something goes, and what nothing needs any more goes along.
    let swap = PackageRequest { remove: vec!["rectify-a".into()], autoremove: true, ..install([spec("rectify-c")]) };
    announced_and_done(
        &swap,
        &[
            change("rectify-a", Some("1.0"), None, false),
            change("rectify-b", Some("1.0"), None, false),
            change("rectify-c", None, Some("1.0"), false),
        ],
    );
    assert_eq!(live().packages().unwrap().packages["rectify-a"].status, PackageStatus::ConfigFiles);
    assert!(Path::new("/etc/rectify-a.conf").exists());
    let purge = PackageRequest { purge: true, ..remove(&["rectify-a", "rectify-c", "nosuch"]) };
    announced_and_done(&purge, &[change("rectify-a", None, None, true), change("rectify-c", Some("1.0"), None, true)]);
    assert!(!Path::new("/etc/rectify-a.conf").exists() && !Path::new("/etc/rectify-c.conf").exists());

    // A dependency that is asked for by name is asked for.
    live().transact(&install([spec("rectify-a")])).unwrap();
    let keep = PackageRequest { autoremove: true, remove: vec!["rectify-a".into()], ..install([spec("rectify-b")]) };
    announced_and_done(&keep, &[change("rectify-a", Some("2.0"), None, false)]);
    assert!(live().packages().unwrap().packages["rectify-b"].manual);

    // Essential by its own word: never removed. Held: never changed.
    live().transact(&install([spec("rectify-e")])).unwrap();
    refused(&remove(&["rectify-e"]), "Essential packages were removed");
    assert!(Command::new("apt-mark").args(["hold", "rectify-b"]).status().unwrap().success());
    assert!(live().packages().unwrap().packages["rectify-b"].held);
    refused(&remove(&["rectify-b"]), "Held packages were changed");
    std::fs::write("/var/lib/dpkg/updates/0001", "Package: x\n").unwrap();
    refused(&remove(&["rectify-e"]), "run `dpkg --configure -a` there first");
}

fn refused_before_the_index_is_there() {
    let error = live().resolve(&install([spec("rectify-a")])).unwrap_err();
    assert!(matches!(&error, HostError::Program { status, .. } if status == "exit 100"), "{error}");
}

#[test]
fn dnf_does_what_it_announces() {
    const TEST: &str = "host::live::tests::packages::dnf_does_what_it_announces";
    const REPOSITORY: &str = r#"
        rm -rf /var/lib/rpm /var/lib/dnf /var/cache/dnf /etc/yum.repos.d /etc/dnf/protected.d
        mkdir -p "$1/repo" /var/lib/rpm /etc/rpm /etc/yum.repos.d /etc/dnf/protected.d "$1/nodpkg"
        echo '%_dbpath /var/lib/rpm' > /etc/rpm/macros
        spec() { cat > "$1/x.spec" <<SPEC
Name: $2
Version: $3
Release: 1
Summary: x
License: MIT
AutoReqProv: no
BuildArch: noarch
$4
%description
x
%install
mkdir -p %{buildroot}/etc
echo $2 $3 > %{buildroot}/etc/$2.conf
%files
%config(noreplace) /etc/$2.conf
SPEC
            rpmbuild -bb --quiet --define "_topdir $1/build" --define "_rpmdir $1/repo" --define "_dbpath $1/builddb" "$1/x.spec" > /dev/null 2>&1; }
        spec "$1" rectify-a 1.0 'Requires: rectify-b'
        spec "$1" rectify-a 2.0 'Requires: rectify-b'
        spec "$1" rectify-b 1.0 'Provides: rectify-virtual'
        spec "$1" rectify-c 1.0 'Conflicts: rectify-a'
        spec "$1" rectify-f 1.0 'Requires: /etc/rectify-b.conf'
        spec "$1" rectify-p 1.0 ''
        echo rectify-p > /etc/dnf/protected.d/p.conf
        createrepo_c -q "$1/repo"
        printf '[main]\ngpgcheck=0\nbest=True\nclean_requirements_on_remove=True\n' > /etc/dnf/dnf.conf
        printf '[local]\nname=local\nbaseurl=file://%s\nenabled=1\ngpgcheck=0\n' "$1/repo" > /etc/yum.repos.d/local.repo
        mkdir -p /etc/dnf/vars; echo 9 > /etc/dnf/vars/releasever
        mount --bind "$1/nodpkg" /var/lib/dpkg"#;
    if std::env::var_os(INSIDE).is_some() {
        return inside_dnf();
    }
    if !root("dnf") {
        return;
    }
    let tools = [("dnf", "dnf"), ("rpm", "rpm"), ("rpmbuild", "rpm"), ("createrepo_c", "createrepo-c")];
    in_namespace(TEST, &tools, REPOSITORY);
}

fn inside_dnf() {
    let db = live().packages().unwrap();
    assert_eq!((db.manager, db.packages.len()), (Manager::Dnf, 0));
    assert!(
        live().resolve(&install([spec("rectify-a")])).is_err(),
        "no index was fetched yet, and a check fetches none"
    );
    let old = PackageRequest { refresh: Some(0), ..install([exactly("rectify-a", "1.0")]) };
    let (a, b) = (change("rectify-a", None, Some("1.0-1"), false), change("rectify-b", None, Some("1.0-1"), false));
    assert_eq!(live().transact(&old).unwrap().changes, [a, b]);
    let names = ["rectify-a", "nosuch", "rectify-c"].map(String::from);
    let candidates = live().candidates(&names).unwrap();
    assert_eq!(
        candidates.iter().map(|(n, v)| format!("{n} {v}")).collect::<Vec<_>>(),
        ["rectify-a 2.0-1", "rectify-c 1.0-1"]
    );
    let db = live().packages().unwrap();
    assert!(db.packages["rectify-a"].manual && !db.packages["rectify-b"].manual);
    assert_eq!(live().package_files("rectify-a").unwrap(), [("/etc/rectify-a.conf".into(), false)]);

    announced_and_done(&install([spec("rectify-a"), spec("rectify-virtual")]), &[]);
    refused(&install([spec("nosuch")]), "Unable to find a match: nosuch");
    let latest = PackageRequest { latest: vec!["rectify-a".into()], ..PackageRequest::default() };
    announced_and_done(&latest, &[change("rectify-a", Some("1.0-1"), Some("2.0-1"), false)]);
    let down = install([exactly("rectify-a", "1.0")]);
    refused(&down, "a version would go down (rectify-a from 2.0-1 to 1.0-1)");
    let down = PackageRequest { allow_downgrade: true, ..down };
    announced_and_done(&down, &[change("rectify-a", Some("2.0-1"), Some("1.0-1"), false)]);

    let swap = PackageRequest { remove: vec!["rectify-a".into()], autoremove: true, ..install([spec("rectify-c")]) };
    announced_and_done(
        &swap,
        &[
            change("rectify-a", Some("1.0-1"), None, false),
            change("rectify-b", Some("1.0-1"), None, false),
            change("rectify-c", None, Some("1.0-1"), false),
        ],
    );
    let broken = PackageRequest { remove: vec!["rectify-c".into()], ..install([spec("nosuch")]) };
    refused(&broken, "Unable to find a match: nosuch");
    assert!(live().packages().unwrap().installed("rectify-c").is_some(), "half of a request is not done");

    // Without autoremove a dependency stays; a required file has its owner.
    announced_and_done(
        &install([spec("rectify-f")]),
        &[change("rectify-b", None, Some("1.0-1"), false), change("rectify-f", None, Some("1.0-1"), false)],
    );
    let db = live().packages().unwrap();
    assert_eq!(db.packages["rectify-f"].requires, [["/etc/rectify-b.conf"]]);
    assert!(db.packages["rectify-b"].provides.contains(&"/etc/rectify-b.conf".to_owned()));
    announced_and_done(&remove(&["rectify-f", "nosuch"]), &[change("rectify-f", Some("1.0-1"), None, false)]);
    let clean = PackageRequest { autoremove: true, ..PackageRequest::default() };
    announced_and_done(&clean, &[change("rectify-b", Some("1.0-1"), None, false)]);

    live().transact(&install([spec("rectify-p")])).unwrap();
    assert!(live().packages().unwrap().packages["rectify-p"].essential);
    refused(&remove(&["rectify-p"]), "protected packages: rectify-p");
}
