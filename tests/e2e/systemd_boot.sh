#!/bin/sh
# systemd as the first process of namespaces of its own, on a copy of this machine's files that is thrown away: what is
# installed here can be started there, and nothing that it does is seen here. The namespaces are unshare(1)'s:
#
#   unshare --fork --pid --mount --uts --ipc --net --cgroup sh systemd_boot.sh DIRECTORY
#
# DIRECTORY is where the copy is mounted, for the processes in there only.
set -eu
cd "$1"
mount --make-rprivate /
mount -t tmpfs tmpfs "$1"
cd "$1"
mkdir upper work root
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" root
cd root

mount -t proc proc proc
# Settings here hold for the whole machine.
mount --bind -o ro proc/sys proc/sys
mount -t sysfs -o ro sysfs sys
for place in run tmp dev; do mount -t tmpfs tmpfs "$place"; done
for device in null zero full random urandom tty; do
  touch "dev/$device"
  mount --bind "/dev/$device" "dev/$device"
done
mkdir dev/shm dev/pts
mount -t tmpfs tmpfs dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd

if grep -q :name=systemd: /proc/self/cgroup; then
  mount -t tmpfs tmpfs sys/fs/cgroup
  mkdir sys/fs/cgroup/unified sys/fs/cgroup/systemd
  mount -t cgroup2 cgroup2 sys/fs/cgroup/unified
  mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd
else
  mount -t cgroup2 cgroup2 sys/fs/cgroup
fi
ip link set lo up

# Only what a unit with its default dependencies pulls in, and of that nothing that is about hardware.
for unit in systemd-udevd systemd-udev-trigger systemd-modules-load systemd-sysctl; do
  ln -sf /dev/null "etc/systemd/system/$unit.service"
done
mkdir old
pivot_root . old
umount -l old
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin container=lxc \
  /lib/systemd/systemd --system --unit=basic.target --log-target=console --show-status=0
