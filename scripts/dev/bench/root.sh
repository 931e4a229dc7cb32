# What a person would write below unshare(1) to get as far as farside does: the
# host's files, read-only, below a /proc, /sys, /dev, /tmp and /run of their
# own; some of what tells of the host hidden; no new privileges.
set -e
safe=nosuid,nodev
mount -t tmpfs -o $safe none /tmp
cd /tmp
mkdir root
mount --rbind / root
mount -o remount,bind,ro root
cd root
mount -t proc -o $safe,noexec none proc
mount -t sysfs -o ro,$safe,noexec none sys
mount -t cgroup2 -o ro,$safe,noexec none sys/fs/cgroup
mount -t tmpfs -o nosuid,noexec,mode=755 none dev
mkdir dev/pts dev/shm dev/mqueue
for name in null zero full random urandom tty; do
  : >dev/$name
  mount --bind /dev/$name dev/$name
done
mount -t devpts -o nosuid,noexec,newinstance,ptmxmode=0666 none dev/pts
mount -t tmpfs -o $safe,mode=1777 none dev/shm
mount -t mqueue -o $safe,noexec none dev/mqueue
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs -o $safe none run
for name in kcore keys kmsg timer_list interrupts; do
  [ ! -e proc/$name ] || mount --bind dev/null proc/$name
done
mount -t tmpfs -o ro,$safe none sys/firmware
mount --rbind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t tmpfs -o $safe,mode=1777 none tmp
pivot_root . .
umount -l .
cd /
exec setsid setpriv --no-new-privs /bin/true
