"""What a run left on a host's disk: the overlay's upper folder, path by path."""

import hashlib
import os
import stat
from pathlib import Path

# Logs, caches and scratch space: none of it is anybody's declared state. Paths and all below them.
NOISE = [
    "var/log",
    "var/cache",
    "tmp",
    "var/tmp",
    "var/lib/systemd",
    "var/lib/apt",
    "var/lib/dpkg/lock",
    "var/lib/dpkg/lock-frontend",
    "var/lib/dpkg/triggers/Lock",
    "var/lib/private",
    "run",
    # Copies that the account tools keep of what was there before.
    "etc/passwd-",
    "etc/group-",
    "etc/shadow-",
    "etc/gshadow-",
    "etc/subuid-",
    "etc/subgid-",
    "etc/.pwd.lock",
]
# What is declared is looked at also where noise is.
DECLARED = ["var/log/app"]
# What the tools keep for themselves.
OWN = ["var/lib/rectify", "root/.ansible", "root/.cache"]
# pyinfra writes blanks around the sign, the others do not; sysctl.d(5) reads both alike.
BLANKS = ["etc/sysctl.d/60-app.conf"]


def listing(upper):
    """Path to what is there, of everything in the folder."""
    found = {}
    for folder, folders, files in os.walk(upper):
        for name in folders + files:
            path = Path(folder) / name
            relative = str(path.relative_to(upper))
            if not below(relative, NOISE) or below(relative, DECLARED):
                found[relative] = entry(path)
    return found


def below(path, roots):
    return any(path == root or path.startswith(root + "/") for root in roots)


def entry(path, text=lambda data: data):
    """Type, mode, owner and content; `text` takes out what may differ."""
    try:
        about = path.lstat()
    except FileNotFoundError:
        return "nothing"
    if stat.S_ISCHR(about.st_mode) and about.st_rdev == 0:
        return "removed"
    owner = f"{about.st_uid}:{about.st_gid}"
    if stat.S_ISLNK(about.st_mode):
        return f"link {owner} -> {os.readlink(path)}"
    if stat.S_ISREG(about.st_mode):
        return f"{about.st_mode:o} {owner} {hashlib.sha256(text(path.read_bytes())).hexdigest()[:16]}"
    return f"{about.st_mode:o} {owner}"


def made(before, after):
    """The paths that a run made, changed or took away."""
    return {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}


def differences(paths, ours, theirs):
    """Where two hosts are not the same, among those paths: `path: ours | theirs`. Each is a host's name and its whole file system."""
    lines = []
    for path in sorted(path for path in paths if not below(path, OWN)):
        one, other = (entry(root / path, lambda data: neutral(path, data, name)) for name, root in (ours, theirs))
        if one != other:
            lines.append(f"/{path}: {one} | {other}")
    return lines


def neutral(path, data, name):
    """A file's content without what is the host's own."""
    data = data.replace(name.encode(), b"HOST")
    return data.replace(b" ", b"") if path in BLANKS else data


def own(paths):
    """What a tool left for itself."""
    return sorted({"/" + root for root in OWN for path in paths if below(path, [root])})
