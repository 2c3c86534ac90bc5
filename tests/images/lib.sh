# Shared by the recipes. A recipe is called with the folder to fill and, where it builds on another image, that image's folder.
# shellcheck shell=bash
set -euo pipefail
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
unset TMPDIR

suite=bookworm
recipe=$(cd "$(dirname "${BASH_SOURCE[1]}")" && pwd)
out=$1
work=$(mktemp -d /var/tmp/rectify-image.XXXXXX)
trap 'rm -rf "$work"' EXIT

# The mirrors that this machine itself uses for the suite, or Debian's own.
mirror_lines() {
  local keyring=/usr/share/keyrings/debian-archive-keyring.gpg lines
  lines=$(apt-get indextargets --format '$(CODENAME) $(REPO_URI) $(SUITE)' 'Created-By: Packages' 2>/dev/null |
    awk -v s="$suite" -v k="$keyring" '$1 == s || index($1, s "-") == 1 {
      uri = $2; sub("/$", "", uri); print "deb [signed-by=" k "] " uri " " $1 " main" }' |
    grep -E " $suite(-updates|-security)? main$" | sort -u || true)
  if ! grep -q " $suite main$" <<<"$lines"; then
    lines="deb [signed-by=$keyring] http://deb.debian.org/debian $suite main"
  fi
  printf '%s\n' "$lines"
}

# How this machine's apt reaches them: proxies, clock checks, retries.
apt_options() {
  apt-config dump | grep -E '^Acquire::(https?::|Check-|Retries)' || true
  echo 'Acquire::Retries "3";'
  echo 'Acquire::Languages "none";'
}

# debootstrap_root ROOT PACKAGE,PACKAGE… [HOOK…]: a root file system with those packages.
debootstrap_root() {
  local root=$1 include=$2 hook hooks=()
  shift 2
  for hook in "$@"; do hooks+=("--customize-hook=$hook"); done
  apt_options >"$work/apt.conf"
  mirror_lines >"$work/sources.list"
  mmdebstrap --quiet --mode=root --variant=minbase --format=directory \
    --aptopt="$work/apt.conf" --skip=cleanup/reproducible \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --include="$include" "${hooks[@]}" "$suite" "$root" "$work/sources.list"
  rm -f "$root"/etc/apt/apt.conf.d/99mmdebstrap "$root"/etc/dpkg/dpkg.cfg.d/99mmdebstrap
}

# What every booted host has in common: quiet, without clocks of its own, reachable, with the four accounts of the tests.
common_host() {
  local root=$1 unit
  : >"$root/etc/machine-id"
  rm -f "$root"/etc/ssh/ssh_host_* "$root/etc/hostname" "$root/etc/resolv.conf"
  : >"$root/etc/resolv.conf"
  for unit in apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer \
    dpkg-db-backup.timer phpsessionclean.timer logrotate.timer systemd-timesyncd.service \
    systemd-tmpfiles-clean.timer console-getty.service getty@tty1.service getty.target getty-static.service \
    systemd-logind.service systemd-update-utmp.service systemd-update-utmp-runlevel.service systemd-random-seed.service \
    systemd-firstboot.service systemd-machine-id-commit.service systemd-pstore.service systemd-remount-fs.service; do
    ln -sfn /dev/null "$root/etc/systemd/system/$unit"
  done
  mkdir -p "$root/etc/systemd/journald.conf.d" "$root/etc/ssh/sshd_config.d"
  printf '[Journal]\nStorage=volatile\nRuntimeMaxUse=8M\n' >"$root/etc/systemd/journald.conf.d/fleet.conf"
  cat >"$root/etc/ssh/sshd_config.d/fleet.conf" <<'CONF'
# Keys that the fleet puts beside an account's own.
AuthorizedKeysFile .ssh/authorized_keys /etc/ssh/fleet_keys
PermitRootLogin prohibit-password
PasswordAuthentication yes
UseDNS no
MaxStartups 1000
MaxSessions 100
PrintLastLog no
CONF
  chroot "$root" sh -eu <<'SH'
useradd -m -s /bin/sh admin
useradd -m -s /bin/bash deploy
useradd -m -s /bin/bash nosudo
printf '%s\n' 'root:root secret' 'admin:admin secret' 'deploy:deploy secret' 'nosudo:nosudo secret' | chpasswd
rm -f /etc/passwd- /etc/shadow- /etc/group- /etc/gshadow- /etc/subuid- /etc/subgid-
umask 337
echo 'admin ALL=(ALL:ALL) ALL' >/etc/sudoers.d/admin
echo 'deploy ALL=(ALL:ALL) NOPASSWD: ALL' >/etc/sudoers.d/deploy
SH
  # sudo's lecture writes a file on first use.
  printf 'Defaults lecture=never\n' >"$root/etc/sudoers.d/lecture"
  chmod 440 "$root/etc/sudoers.d/lecture"
}

# A file's parent folders and its text from standard input.
put() {
  mkdir -p "$(dirname "$1")"
  cat >"$1"
}
