#!/bin/bash
# A Debian 12 web server: systemd, sshd, sudo, doas, apache2 with PHP, fetch tools, cron, and a package repository of its own
# in /srv/repo, because a host in its namespace reaches no mirror.
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
source "$recipe/demo.sh"
root=$out/root
mkdir -p "$out"

include=systemd,systemd-sysv,dbus,openssh-server,sudo,opendoas,iproute2,procps,kmod,nftables,cron,busybox,less
include+=,apache2,libapache2-mod-php,php-cli,curl,wget,python3,python3-apt

# Installed by tests (jq brings libraries, tinyproxy a service and an account), or removed and wanted back.
repository="tree jq sl hello tinyproxy rsync telnet tcpd libapache2-mod-security2 apache2 apache2-bin
  apache2-data apache2-utils libapache2-mod-php libapache2-mod-php8.2 php-cli php8.2-cli php8.2-common php8.2-opcache
  php8.2-readline php-common curl wget libcurl4 cron cron-daemon-common sudo opendoas nftables"
cat >"$work/fetch" <<HOOK
#!/bin/sh
set -eu
APT_CONFIG="\$MMDEBSTRAP_APT_CONFIG" apt-get -qq -y --no-install-recommends --reinstall --download-only install $(tr '\n' ' ' <<<"$repository")
mkdir -p "\$1/srv/repo"
mv "\$1"/var/cache/apt/archives/*.deb "\$1/srv/repo/"
HOOK
chmod 755 "$work/fetch"
debootstrap_root "$root" "$include" "$work/fetch"

for version in 1.9-1 1.10-1; do
  demo_package "$root/srv/repo" rectify-demo "$version"
done
demo_package "$root/srv/repo" rectify-demo-extra 1.0-1 "rectify-demo (>= 1.9)"
demo_package "$root/srv/repo" rectify-demod 1.0-1
(cd "$root/srv/repo" && apt-ftparchive packages . >Packages && apt-ftparchive release . >Release)
rm -f "$root"/etc/apt/sources.list.d/*
echo 'deb [trusted=yes] file:/srv/repo ./' >"$root/etc/apt/sources.list"
chroot "$root" apt-get -qq -o Acquire::Languages=none update
chroot "$root" apt-cache policy >/dev/null

common_host "$root"
put "$root/etc/doas.conf" <<'CONF'
permit admin
permit nopass deploy
CONF
chmod 400 "$root/etc/doas.conf"
# Created at the first boot of the unit otherwise, and would count as a change.
chroot "$root" apachectl -t 2>/dev/null
rm -rf "$root"/var/log/*.log "$root"/var/log/apt/* "$root"/var/log/dpkg.log "$root"/var/cache/apt/archives/*.deb
