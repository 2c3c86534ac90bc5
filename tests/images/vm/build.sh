#!/bin/bash
# The Debian image as a disk, with a kernel of its own and the audit daemon: for what a host in a container cannot show.
# Called with the Debian image as its base.
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
base=$2
root=$work/root
mkdir -p "$out"
cp -a "$base/root" "$root"

# The base's apt knows only its own repository: this machine's mirrors, for this once.
mirror_lines >"$work/sources.list"
apt_options >"$work/apt.conf"
mkdir -p "$work/lists/partial"
cat >>"$work/apt.conf" <<CONF
Dir::Etc::SourceList "$work/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::State::Lists "$work/lists";
Dir::State::Status "$root/var/lib/dpkg/status";
Dir::Cache::Archives "$root/var/cache/apt/archives";
Dir::Cache::PkgCache "";
Dir::Cache::SrcPkgCache "";
APT::Sandbox::User "root";
CONF
packages="linux-image-cloud-amd64 initramfs-tools auditd"
APT_CONFIG="$work/apt.conf" apt-get -qq update
# shellcheck disable=SC2086
APT_CONFIG="$work/apt.conf" apt-get -qq -y --no-install-recommends --download-only install $packages

printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
printf 'virtio_blk\nvirtio_pci\next4\nvirtio_net\n' | put "$root/etc/initramfs-tools/modules"
printf 'COMPRESS=gzip\nMODULES=list\n' | put "$root/etc/initramfs-tools/conf.d/fleet"
chroot "$root" sh -ec 'dpkg --unpack --force-unsafe-io --force-confold /var/cache/apt/archives/*.deb >/dev/null'
chroot "$root" dpkg --configure --pending --force-confold >/dev/null
rm -f "$root/usr/sbin/policy-rc.d" "$root"/var/cache/apt/archives/*.deb
chroot "$root" dpkg --audit | { ! grep .; }

put "$root/etc/fstab" <<'CONF'
/dev/vda / ext4 defaults,errors=remount-ro 0 1
CONF
# A real machine remounts its root and keeps an audit log.
rm -f "$root/etc/systemd/system/systemd-remount-fs.service"
# Seconds each in software emulation, and of no use here.
ln -sfn /dev/null "$root/etc/systemd/system/systemd-binfmt.service"
ln -sfn /dev/null "$root/etc/systemd/system/proc-sys-fs-binfmt_misc.automount"
put "$root/etc/systemd/network-up.sh" <<'SH'
#!/bin/sh
# The address that the emulated network gives to its first guest.
ip link set eth0 up
ip addr add 10.0.2.15/24 dev eth0
ip route add default via 10.0.2.2
SH
put "$root/etc/systemd/fleet-seed.sh" <<'SH'
#!/bin/sh
# The second disk holds what makes this host itself: its name and keys.
set -e
mkdir -p /run/seed
mount -t ext4 -o ro /dev/vdb /run/seed
rm -rf /run/seed-copy
cp -a /run/seed /run/seed-copy
umount /run/seed
rm -rf /run/seed-copy/lost+found
cp -a /run/seed-copy/etc/. /etc/
hostname "$(cat /etc/hostname)"
SH
chmod 755 "$root"/etc/systemd/*.sh
for unit in fleet-seed network-up; do
  put "$root/etc/systemd/system/$unit.service" <<UNIT
[Unit]
Description=$unit
DefaultDependencies=no
After=local-fs.target
Before=network.target ssh.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/etc/systemd/$unit.sh
[Install]
WantedBy=multi-user.target
UNIT
  chroot "$root" systemctl -q enable "$unit.service"
done

cp -L "$root"/boot/vmlinuz-* "$out/vmlinuz"
cp -L "$root"/boot/initrd.img-* "$out/initrd"
mke2fs -q -t ext4 -d "$root" "$out/disk.img" 2G
