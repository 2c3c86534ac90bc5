# Packages of our own making: two versions that sort by number and not by text, a dependent, and one with a service.
# shellcheck shell=bash

# demo_package FOLDER NAME VERSION [DEPENDS]
demo_package() {
  local folder=$1 name=$2 version=$3 depends=${4:-} tree="$work/$2-$3"
  mkdir -p "$tree/DEBIAN"
  {
    printf 'Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: Fleet <fleet@example.org>\nSection: misc\nPriority: optional\n' \
      "$name" "$version"
    if [ -n "$depends" ]; then printf 'Depends: %s\n' "$depends"; fi
    printf 'Description: %s, for tests of package management\n' "$name"
  } | put "$tree/DEBIAN/control"
  printf '#!/bin/sh\necho %s %s\n' "$name" "$version" | put "$tree/usr/bin/$name"
  printf 'version = %s\n' "$version" | put "$tree/etc/$name.conf"
  printf '/etc/%s.conf\n' "$name" | put "$tree/DEBIAN/conffiles"
  chmod 755 "$tree/usr/bin/$name"
  case $name in *demod) demo_service "$tree" "$name" ;; esac
  dpkg-deb --root-owner-group -b "$tree" "$folder/${name}_${version}_all.deb" >/dev/null
}

# Debian's own convention: a package's service is enabled and started when it is installed.
demo_service() {
  local tree=$1 name=$2
  put "$tree/lib/systemd/system/$name.service" <<UNIT
[Unit]
Description=$name, which sleeps

[Service]
ExecStart=/bin/sleep infinity
ExecReload=/bin/kill -CONT \$MAINPID

[Install]
WantedBy=multi-user.target
UNIT
  put "$tree/DEBIAN/postinst" <<SH
#!/bin/sh
set -e
if [ "\$1" = configure ]; then
  deb-systemd-helper enable $name.service >/dev/null
  if [ -d /run/systemd/system ]; then systemctl daemon-reload; deb-systemd-invoke start $name.service >/dev/null; fi
fi
SH
  put "$tree/DEBIAN/prerm" <<SH
#!/bin/sh
set -e
if [ -d /run/systemd/system ] && [ "\$1" = remove ]; then deb-systemd-invoke stop $name.service >/dev/null; fi
SH
  put "$tree/DEBIAN/postrm" <<SH
#!/bin/sh
set -e
if [ "\$1" = purge ]; then deb-systemd-helper purge $name.service >/dev/null; fi
SH
  chmod 755 "$tree"/DEBIAN/p*
}
