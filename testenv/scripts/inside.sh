#!/bin/sh
# inside.sh COMMAND...: the first process of the new namespaces. It gives them a /proc, a /run, a disk
# in memory for the hosts, and a loopback, then runs COMMAND. When it ends, everything in here ends.
set -eu
mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
mkdir -p /run/netns /run/lock "$PLUMB_TESTENV_DISKS"
mount -t tmpfs -o mode=0755 tmpfs "$PLUMB_TESTENV_DISKS"
ip link set lo up
# Every host takes about ten inotify instances of the 128 that root has by default.
limit=/proc/sys/fs/inotify/max_user_instances
[ "$(cat $limit)" -ge 4096 ] || echo 4096 >$limit
"$@"
