#!/bin/bash
# A web server in RHEL's layout: a real RPM database, a real dnf over a repository of its own in /srv/repo, a real httpd (Debian's
# program under RHEL's paths). Nothing of dpkg or apt is left, so that whoever looks takes it for what it says it is.
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
source "$recipe/packages.sh"
root=$out/root
mkdir -p "$out" "$work/rpms"

include=systemd,systemd-sysv,dbus,openssh-server,openssh-client,sudo,iproute2,procps,kmod,nftables,cron,less
include+=,rpm,dnf,python3,apache2-bin,media-types,curl,wget,findutils,gawk
debootstrap_root "$root" "$include"
common_host "$root"
put "$root/etc/rpm/macros" <<<'%_dbpath /var/lib/rpm'
put "$root/usr/lib/os-release" <<'CONF'
NAME="Rocky Linux"
VERSION="9.5 (Blue Onyx)"
ID="rocky"
ID_LIKE="rhel centos fedora"
VERSION_ID="9.5"
PLATFORM_ID="platform:el9"
PRETTY_NAME="Rocky Linux 9.5 (Blue Onyx)"
CPE_NAME="cpe:/o:rocky:rocky:9::baseos"
CONF
ln -sfn ../usr/lib/os-release "$root/etc/os-release"
put "$root/etc/rocky-release" <<<'Rocky Linux release 9.5 (Blue Onyx)'
ln -sfn rocky-release "$root/etc/redhat-release"
rename_units "$root"

build_packages
rm -rf "$root/srv/repo"
mkdir -p "$root/srv/repo"
cp "$work"/rpms/*/*.rpm "$root/srv/repo/"
createrepo_c --quiet "$root/srv/repo"
rm -rf "$root/etc/yum.repos.d"
put "$root/etc/yum.repos.d/local.repo" <<'CONF'
[local]
name=local
baseurl=file:///srv/repo
enabled=1
gpgcheck=0
CONF
put "$root/etc/dnf/dnf.conf" <<'CONF'
[main]
gpgcheck=0
installonly_limit=3
clean_requirements_on_remove=True
best=True
metadata_expire=never
CONF

drop_dpkg "$root"
mkdir -p "$root/var/lib/rpm"
chroot "$root" rpm --initdb
install_base
# Wanted by name: what an administrator would have asked for. The rest came along.
chroot "$root" dnf -q -y install httpd php php-cli curl wget telnet >/dev/null
chroot "$root" systemctl -q enable httpd.service sshd.service crond.service
chroot "$root" dnf -q makecache
rm -f "$root"/etc/{passwd,shadow,group,gshadow,subuid,subgid}-
rm -rf "$root"/var/log/*.log "$root"/var/log/httpd/* "$root"/var/log/apt "$root"/var/log/apache2
