#!/bin/sh
# layer.sh BASE DIR FLAVOUR: make in DIR/upper what turns the base system into a host of another family: dnf or zypper.
# It is Debian below, with rpm's database as its own and an os-release that says what to take it for. No source of
# packages remains. Needs root and a Debian mirror. Called by Prepare.
set -eu
base=$1 dir=$2 flavour=$3
# Debian's dnf-plugins-core breaks its zypper: never both on one host.
case $flavour in
dnf) packages="rpm dnf dnf-plugins-core" ;;
zypper) packages="rpm zypper" ;;
*) echo "layer.sh: there is no flavour $flavour" >&2; exit 1 ;;
esac
mirror=$(sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/*.sources 2>/dev/null | head -n 1)
[ -n "$mirror" ] || mirror=$(sed -n 's/^deb \(\[[^]]*\] \)\{0,1\}\(http[^ ]*\).*/\2/p' /etc/apt/sources.list 2>/dev/null | head -n 1)
[ -n "$mirror" ] || { echo "no Debian mirror in /etc/apt/sources.list.d/*.sources or /etc/apt/sources.list" >&2; exit 1; }
mirror=${mirror%/}

root=$dir/root
mkdir -p "$dir/upper" "$dir/work" "$root"
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
printf 'deb %s bookworm main\ndeb %s-security bookworm-security main\n' "$mirror" "$mirror" >"$root/etc/apt/sources.list"
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 LC_ALL=C.UTF-8
chroot "$root" apt-get update -qq
# shellcheck disable=SC2086 # a list of words
chroot "$root" apt-get install -y -qq --no-install-recommends $packages >/dev/null 2>&1
chroot "$root" apt-get clean
rm -rf "$root/usr/sbin/policy-rc.d" "$root"/var/lib/apt/lists/* "$root"/var/log/*.log "$root"/var/log/apt/*
for empty in resolv.conf apt/sources.list hosts; do : >"$root/etc/$empty"; done

# Debian's rpm keeps a database in each user's home; here it is the host's.
mkdir -p "$root/etc/rpm" "$root/var/lib/rpm"
echo '%_dbpath /var/lib/rpm' >"$root/etc/rpm/macros"

case $flavour in
dnf)
	# This plugin makes a repository without signatures out of all that is downloaded.
	sed -i 's/^enabled *=.*/enabled = 0/' "$root/etc/dnf/plugins/local.conf"
	mkdir -p "$root/etc/yum.repos.d"
	chroot "$root" systemctl --quiet mask dnf-makecache.timer
	name='Testenv Enterprise Linux' id=rocky like='rhel centos fedora'
	;;
zypper)
	mkdir -p "$root/etc/zypp/repos.d"
	printf '[main]\nmultiversion = provides:multiversion(kernel)\n' >"$root/etc/zypp/zypp.conf" # as openSUSE brings it
	name='Testenv SUSE' id=opensuse-leap like='suse opensuse'
	;;
esac
rm -f "$root/etc/os-release"
cat >"$root/etc/os-release" <<X
NAME="$name"
PRETTY_NAME="$name 9.1"
ID="$id"
ID_LIKE="$like"
VERSION_ID="9.1"
PLATFORM_ID="platform:el9"
X

# Nothing in rpm's database provides a shell, which every package script needs, nor a release.
cat >"$root/tmp/release.spec" <<X
Name: testenv-release
Version: 9.1
Release: 1
Summary: what the base system provides
License: MIT
BuildArch: noarch
Provides: /bin/sh system-release = 9.1 system-release(releasever) = 9
%description
What the base system provides.
%files
X
chroot "$root" rpmbuild -bb --quiet --define '_topdir /tmp/rpm' --define '_rpmdir /tmp/rpm' /tmp/release.spec 2>/dev/null
chroot "$root" rpm --initdb
chroot "$root" rpm -i /tmp/rpm/noarch/testenv-release-9.1-1.noarch.rpm 2>/dev/null # it says that this is Debian
rm -rf "$root/tmp/rpm" "$root/tmp/release.spec"
