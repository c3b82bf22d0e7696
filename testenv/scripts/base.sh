#!/bin/sh
# base.sh DIR PUBKEY: make the root file system that all hosts share, read-only, below their own disks.
# It is a plain Debian 12 with systemd, apt and sshd, without package lists and without any source of packages:
# what a host may install, a test says. Needs root and a Debian mirror. Called by Prepare.
set -eu
dir=$1 key=$2
# The mirror is the one that this machine uses, in either of apt's two forms.
mirror=$(sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/*.sources 2>/dev/null | head -n 1)
[ -n "$mirror" ] || mirror=$(sed -n 's/^deb \(\[[^]]*\] \)\{0,1\}\(http[^ ]*\).*/\2/p' /etc/apt/sources.list 2>/dev/null | head -n 1)
[ -n "$mirror" ] || { echo "no Debian mirror in /etc/apt/sources.list.d/*.sources or /etc/apt/sources.list" >&2; exit 1; }
mirror=${mirror%/}

packages=systemd,systemd-sysv,libpam-systemd,dbus,openssh-server,cron,sudo,iproute2,iputils-ping
packages=$packages,procps,nftables,ca-certificates,kmod,needrestart,gpgv,unattended-upgrades-

mmdebstrap --quiet --mode=root --variant=apt --format=directory --include="$packages" \
	--aptopt='APT::Install-Recommends "false"' \
	--dpkgopt='path-exclude=/usr/share/man/*' \
	--dpkgopt='path-exclude=/usr/share/locale/*' \
	--dpkgopt='path-exclude=/usr/share/doc/*' \
	--dpkgopt='path-include=/usr/share/doc/*/copyright' \
	bookworm "$dir" \
	"deb $mirror bookworm main" "deb $mirror-security bookworm-security main"

# Nothing may start by itself that a test has not asked for.
chroot "$dir" systemctl --quiet set-default multi-user.target
chroot "$dir" systemctl --quiet mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
	e2scrub_all.timer fstrim.timer systemd-remount-fs.service getty.target console-getty.service

# Each host gets its own name, keys and machine id at its first start.
rm -f "$dir"/etc/ssh/ssh_host_* "$dir"/etc/hostname "$dir"/etc/apt/sources.list.d/* "$dir"/var/log/*.log "$dir"/var/log/apt/*
rm -rf "$dir"/var/lib/apt/lists/* "$dir"/etc/resolv.conf
for empty in resolv.conf apt/sources.list fstab machine-id; do : >"$dir/etc/$empty"; done
mkdir -p "$dir/var/log/journal" "$dir/etc/apt/keyrings"
printf 'PermitRootLogin prohibit-password\nUseDNS no\n' >"$dir/etc/ssh/sshd_config.d/testenv.conf"
install -d -m 700 "$dir/root/.ssh"
install -m 600 "$key" "$dir/root/.ssh/authorized_keys"
