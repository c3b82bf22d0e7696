#!/bin/sh
# vm.sh BASE DIR: make DIR/disk.img, a whole machine with a kernel and a boot loader of its own on top of the base
# system, and DIR/newer, the packages of a newer kernel for it. Needs root and a Debian mirror. Called by PrepareVM.
set -eu
base=$1 dir=$2
mirror=$(sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/*.sources 2>/dev/null | head -n 1)
[ -n "$mirror" ] || mirror=$(sed -n 's/^deb \(\[[^]]*\] \)\{0,1\}\(http[^ ]*\).*/\2/p' /etc/apt/sources.list 2>/dev/null | head -n 1)
[ -n "$mirror" ] || { echo "no Debian mirror in /etc/apt/sources.list.d/*.sources or /etc/apt/sources.list" >&2; exit 1; }
mirror=${mirror%/}

root=$dir/root
mkdir -p "$dir/upper" "$dir/work" "$dir/newer" "$root"
mount -t overlay overlay -o "lowerdir=$base,upperdir=$dir/upper,workdir=$dir/work" "$root"
trap 'umount -l "$root/proc" "$root/dev" 2>/dev/null; umount "$root"' EXIT
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --make-rslave "$root/dev"

# Only while packages are fetched: the machine's names, and no service may start.
cat /etc/resolv.conf >"$root/etc/resolv.conf"
cat /etc/hosts >"$root/etc/hosts"
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 LC_ALL=C.UTF-8

# The kernel of the point release runs, the one of the security updates is to come.
printf 'deb %s bookworm main\n' "$mirror" >"$root/etc/apt/sources.list"
chroot "$root" apt-get update -qq
printf 'virtio_pci\nvirtio_blk\nvirtio_net\next4\n' >"$dir/modules"
chroot "$root" apt-get install -y -qq --no-install-recommends initramfs-tools >/dev/null
cat "$dir/modules" >>"$root/etc/initramfs-tools/modules"
sed -i 's/^MODULES=.*/MODULES=list/' "$root/etc/initramfs-tools/initramfs.conf"
printf 'do_symlinks = yes\nlink_in_boot = no\n' >"$root/etc/kernel-img.conf"
chroot "$root" apt-get install -y -qq --no-install-recommends linux-image-cloud-amd64 >/dev/null
printf 'deb %s-security bookworm-security main\n' "$mirror" >>"$root/etc/apt/sources.list"
chroot "$root" apt-get update -qq
chroot "$root" sh -c 'mkdir /newer && cd /newer && apt-get install -y -qq --no-install-recommends --download-only \
	-o Dir::Cache::archives=/newer linux-image-cloud-amd64' >/dev/null
mv "$root"/newer/linux-image-*.deb "$dir/newer/"
rm -rf "$root/newer"
chroot "$root" apt-get clean
rm -rf "$root/usr/sbin/policy-rc.d" "$root"/var/lib/apt/lists/* "$root"/var/log/*.log "$root"/var/log/apt/*
for empty in resolv.conf apt/sources.list; do : >"$root/etc/$empty"; done

echo vm1 >"$root/etc/hostname"
printf '127.0.0.1 localhost\n127.0.1.1 vm1\n10.77.0.1 server repo\n' >"$root/etc/hosts"
echo '/dev/vda / ext4 rw 0 1' >"$root/etc/fstab"
mkdir -p "$root/etc/systemd/network" "$root/boot/extlinux"
printf '[Match]\nName=e*\n[Network]\nAddress=10.77.0.50/24\n' >"$root/etc/systemd/network/10-wire.network"
chroot "$root" systemctl -q enable systemd-networkd
chroot "$root" systemctl -q mask systemd-networkd-wait-online
ssh-keygen -q -t ed25519 -N '' -f "$root/etc/ssh/ssh_host_ed25519_key"
# It boots whatever /vmlinuz and /initrd.img point at, which is what the kernel's package moves.
cat >"$root/boot/extlinux/extlinux.conf" <<X
DEFAULT linux
TIMEOUT 1
PROMPT 0
LABEL linux
 LINUX /vmlinuz
 INITRD /initrd.img
 APPEND root=/dev/vda rw console=ttyS0 quiet mitigations=off net.ifnames=0
X

umount -l "$root/proc" "$root/dev"
truncate -s 2G "$dir/disk.img"
mke2fs -q -t ext4 -O ^has_journal,^64bit,^metadata_csum -d "$root" "$dir/disk.img"
trap - EXIT
umount "$root"
mkdir "$dir/mnt"
mount -o loop "$dir/disk.img" "$dir/mnt"
extlinux --install "$dir/mnt/boot/extlinux" >/dev/null 2>&1
umount "$dir/mnt"
rm -rf "$dir/mnt" "$dir/root" "$dir/upper" "$dir/work" "$dir/modules"
