# The RPM packages of the host: base packages that own the files which are there already, and those that tests install and remove.
# shellcheck shell=bash disable=SC2154

# base NAME VERSION RELEASE "REQUIRES" FILE…: a package that owns existing files of the image.
base() {
  local name=$1 version=$2 release=$3 requires=$4 spec="$work/base-$1.spec" require file
  shift 4
  {
    printf 'Name: %s\nVersion: %s\nRelease: %s\nSummary: %s\nLicense: MIT\nAutoReqProv: no\n' "$name" "$version" "$release" "$name"
    for require in $requires; do printf 'Requires: %s\n' "$require"; done
    if [ "$name" = rocky-release ]; then
      printf 'Provides: system-release = %s\nProvides: system-release(releasever) = 9\n' "$version"
    fi
    if [ "$name" = bash ]; then printf 'Provides: /bin/sh /bin/bash\n'; fi
    printf '%%description\n%s\n%%install\n' "$name"
    for file in "$@"; do printf 'mkdir -p %%{buildroot}%s; cp -a %%{image_root}%s %%{buildroot}%s\n' "${file%/*}" "$file" "$file"; done
    printf '%%files\n'
    printf '%s\n' "$@"
  } >"$spec"
  rpm_build "$spec"
  base_names+=("$name")
}

rpm_build() {
  rpmbuild -bb --quiet --target x86_64-linux \
    --define "_topdir $work/rpmbuild" --define "_rpmdir $work/rpms" --define "_dbpath $work/rpmdb" \
    --define "image_root $root" --define "recipe_files $recipe/files" \
    --define '_build_id_links none' --define 'debug_package %{nil}' --define '__os_install_post %{nil}' \
    --define '_unitdir /usr/lib/systemd/system' "$1"
}

build_packages() {
  local spec
  base_names=()
  base rocky-release 9.5 1.2.el9 '' /etc/rocky-release /etc/redhat-release /usr/lib/os-release
  base glibc 2.34 125.el9 '' /usr/bin/getent
  base bash 5.1.8 9.el9 glibc /usr/bin/bash /usr/bin/sh
  base coreutils 8.32 36.el9 glibc /usr/bin/ls /usr/bin/cp /usr/bin/cat /usr/bin/chmod
  base shadow-utils 4.9 9.el9 bash /usr/sbin/useradd /usr/sbin/usermod /usr/sbin/userdel
  base util-linux 2.37.4 20.el9 bash /usr/bin/mount /usr/bin/umount
  base systemd 252 46.el9 'bash util-linux' /usr/lib/systemd/systemd /usr/bin/systemctl
  base kmod 28 10.el9 glibc /usr/bin/kmod
  base procps-ng 3.3.17 14.el9 glibc /usr/bin/ps
  base iproute 6.2.0 6.el9 glibc /usr/bin/ip
  base nftables 1.0.9 3.el9 glibc /usr/sbin/nft
  base openssh 8.7p1 43.el9 glibc /usr/bin/ssh-keygen
  base openssh-server 8.7p1 43.el9 openssh /usr/sbin/sshd /usr/lib/systemd/system/sshd.service
  base openssh-clients 8.7p1 43.el9 openssh /usr/bin/ssh
  base sudo 1.9.5p2 10.el9_3 bash /usr/bin/sudo
  base python3 3.9.21 1.el9 glibc /usr/bin/python3
  base rpm 4.16.1.3 34.el9 bash /usr/bin/rpm
  base dnf 4.14.0 17.el9 'rpm python3' /usr/bin/dnf
  base cronie 1.5.7 11.el9 bash /usr/bin/crontab
  base kernel-core 5.14.0 503.14.1.el9_5 systemd
  base grub2-common 2.06 92.el9 bash
  for spec in "$recipe"/specs/*.spec; do
    rpm_build "$spec"
  done
  for version in 1.9 1.10; do
    sed "s/@VERSION@/$version/" "$recipe/specs/demo.spec.in" >"$work/demo.spec"
    rpm_build "$work/demo.spec"
  done
}

# All at once and without checks on files that are there: this is how the image's own files come to be owned.
install_base() {
  local name files=()
  for name in "${base_names[@]}"; do files+=("/srv/repo/$name-[0-9]*.rpm"); done
  chroot "$root" sh -c "rpm -U --replacefiles ${files[*]}"
}

# RHEL's names for Debian's units.
rename_units() {
  local root=$1 units=$1/lib/systemd/system
  chroot "$root" systemctl -q disable ssh.service cron.service 2>/dev/null
  rm -f "$root"/etc/systemd/system/sshd.service "$units"/{rescue-ssh.target,ssh@.service,ssh.socket}
  sed '/^Alias=/d; /sshd_not_to_be_run/d' "$units/ssh.service" >"$units/sshd.service"
  sed 's/cron.service/crond.service/' "$units/cron.service" >"$units/crond.service"
  rm -f "$units/ssh.service" "$units/cron.service" "$root"/etc/init.d/{ssh,cron,apache2,apache-htcacheclean}
}

# Removes Debian's package management and what only it needs.
drop_dpkg() {
  local root=$1 package
  for package in dpkg apt debconf adduser debian-archive-keyring init-system-helpers apache2-bin debianutils; do
    chroot "$root" dpkg -L "$package" 2>/dev/null | while read -r path; do
      case $path in /usr/bin/run-parts | /bin/run-parts | /usr/bin/tempfile | /bin/tempfile | *libapt-pkg*) continue ;; esac
      # Not what leads to a folder: /bin and /lib are links, and belong to everybody.
      if [ ! -d "$root$path" ]; then echo "$root$path"; fi
    done
  done >"$work/dpkg-files"
  xargs -a "$work/dpkg-files" -d '\n' rm -f
  rm -rf "$root"/var/lib/{dpkg,apt} "$root"/var/cache/{apt,debconf} "$root"/etc/{apt,dpkg,debian_version,debconf.conf} \
    "$root"/usr/lib/{apt,dpkg} "$root"/usr/libexec/dpkg "$root"/var/lib/systemd/deb-systemd-* \
    "$root"/etc/systemd/system/{,timers.target.wants/}{apt-,dpkg-}* "$root"/usr/share/{dpkg,debconf} "$root"/etc/apache2 "$root"/usr/lib/apache2 \
    "$root"/usr/bin/*apt-* "$root"/usr/bin/dpkg* "$root"/var/backups/dpkg*
  chroot "$root" userdel www-data 2>/dev/null || true
  chroot "$root" userdel _apt 2>/dev/null || true
}
