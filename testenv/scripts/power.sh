#!/bin/sh
# power.sh NAME ROOT CGROUP NETNS: power on one host. It runs in a mount namespace of its own and becomes
# systemd-nspawn, which ends with 133 when the host wants a reboot and with 0 when it powered itself off.
set -eu
name=$1 root=$2 cgroup=$3 netns=$4
mkdir -p "$cgroup"
echo $$ >"$cgroup/cgroup.procs"
# Show it nothing but cgroup2, also on a machine that has version 1 beside it.
case $cgroup in
*/unified/*) umount -l /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup ;;
esac
mkdir -p /run/systemd/nspawn
mount -t tmpfs tmpfs /run/systemd/nspawn

# register, keep-unit: there is no machined here. capability: the network namespace option takes
# NET_ADMIN away, and nft needs it. VFS_WRITABLE: net.* sysctls belong to the host, all others to the machine.
SYSTEMD_NSPAWN_API_VFS_WRITABLE=network exec systemd-nspawn --quiet --boot \
	--machine="$name" --directory="$root" --network-namespace-path="/run/netns/$netns" \
	--register=no --keep-unit --private-users=no --console=pipe \
	--resolv-conf=off --timezone=off --link-journal=no \
	--capability=CAP_NET_ADMIN,CAP_IPC_LOCK,CAP_SYS_RESOURCE \
	--system-call-filter='fanotify_init fanotify_mark'
