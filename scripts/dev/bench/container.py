"""A container in Python, by ctypes: what worker.lua is in Lua, with as many
namespaces and mounts of its own, the same filter of system calls and no
capabilities.

    container.py FILTER

For each byte on standard input it makes one container of /bin/true and waits
for its end, then answers with a byte. Mounts are made by path, as a script
would; nothing is checked on the way, which the others do.
"""

import ctypes
import os
import sys

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long

NEWNS, NEWCGROUP, NEWUTS, NEWIPC = 0x20000, 0x2000000, 0x4000000, 0x8000000
NEWUSER, NEWPID, NEWNET, NEWTIME = 0x10000000, 0x20000000, 0x40000000, 0x80
RDONLY, NOSUID, NODEV, NOEXEC, REMOUNT = 1, 2, 4, 8, 32
BIND, REC, PRIVATE, DETACH = 4096, 16384, 1 << 18, 2
SAFE = NOSUID | NODEV
PIVOT_ROOT = 155 if os.uname().machine == "x86_64" else 41
SECCOMP = 317 if os.uname().machine == "x86_64" else 277


def must(result, what):
    if result == -1:
        raise OSError(ctypes.get_errno(), what)
    return result


def mount(source, target, fstype, flags, data=None):
    def text(value):
        return value.encode() if value is not None else None
    must(libc.mount(text(source), text(target), text(fstype),
                    ctypes.c_ulong(flags), text(data)), target)


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def furniture():
    mount("proc", "proc", "proc", SAFE | NOEXEC)
    mount("sysfs", "sys", "sysfs", RDONLY | SAFE | NOEXEC)
    mount("cgroup2", "sys/fs/cgroup", "cgroup2", RDONLY | SAFE | NOEXEC)
    mount("tmpfs", "dev", "tmpfs", NOSUID | NOEXEC, "mode=0755")
    for name in ("null", "zero", "full", "random", "urandom", "tty"):
        os.close(os.open(f"dev/{name}", os.O_CREAT | os.O_WRONLY))
        mount(f"/dev/{name}", f"dev/{name}", None, BIND)
    for name in ("pts", "shm", "mqueue"):
        os.mkdir(f"dev/{name}")
    mount("devpts", "dev/pts", "devpts", NOSUID | NOEXEC,
          "newinstance,ptmxmode=0666,mode=0620")
    mount("tmpfs", "dev/shm", "tmpfs", SAFE, "mode=1777")
    mount("mqueue", "dev/mqueue", "mqueue", SAFE | NOEXEC)
    os.symlink("pts/ptmx", "dev/ptmx")
    os.symlink("/proc/self/fd", "dev/fd")
    mount("tmpfs", "run", "tmpfs", SAFE, "mode=0755")


def mask():
    for name in ("kcore", "keys", "key-users", "timer_list", "interrupts"):
        if os.path.exists(f"proc/{name}"):
            mount("dev/null", f"proc/{name}", None, BIND)
    mount("tmpfs", "sys/firmware", "tmpfs", RDONLY | SAFE)
    for name in ("bus", "fs", "irq", "sys", "sysrq-trigger"):
        if os.path.exists(f"proc/{name}"):
            mount(f"proc/{name}", f"proc/{name}", None, BIND | REC)
            mount(None, f"proc/{name}", None, REMOUNT | BIND | RDONLY | SAFE
                  | NOEXEC)


def root_of_host():
    mount(None, "/", None, REC | PRIVATE)
    mount("tmpfs", "/tmp", "tmpfs", SAFE, "mode=0755")
    os.chdir("/tmp")
    os.mkdir("root")
    mount("/", "root", None, BIND | REC)
    mount(None, "root", None, REMOUNT | BIND | RDONLY)
    os.chdir("root")
    furniture()
    mask()
    mount("tmpfs", "tmp", "tmpfs", SAFE, "mode=1777")
    must(libc.syscall(PIVOT_ROOT, b".", b"."), "pivot_root")
    must(libc.umount2(b".", DETACH), "umount2")
    os.chdir("/")


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_char_p)]


def drop(filter_bytes):
    for capability in range(41):
        libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP
    must(libc.prctl(38, 1, 0, 0, 0), "no_new_privs")
    program = Program(len(filter_bytes) // 8, filter_bytes)
    must(libc.syscall(SECCOMP, 1, 0, ctypes.byref(program)), "seccomp")


def child(root, ready, filter_bytes):
    os.read(ready, 1)
    if root:
        os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    must(libc.unshare(NEWNS | NEWUTS | NEWIPC | NEWNET | NEWCGROUP | NEWPID
                      | NEWTIME), "unshare")
    pid = os.fork()
    if pid == 0:
        root_of_host()
        os.setsid()
        os.closerange(3, 64)
        drop(filter_bytes)
        os.execv("/bin/true", ["/bin/true"])
    os._exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def write_maps(root, pid):
    if not root:
        write(f"/proc/{pid}/setgroups", "deny")
    ids = (100000, 65536) if root else None
    for name, own in (("uid_map", os.getuid()), ("gid_map", os.getgid())):
        first, count = ids or (own, 1)
        write(f"/proc/{pid}/{name}", f"0 {first} {count}\n")


def run(filter_bytes):
    root = os.geteuid() == 0
    here, ready = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            must(libc.unshare(NEWUSER), "unshare")
            os.write(here[1], b"+")
            child(root, ready[0], filter_bytes)
        finally:
            os._exit(125)
    os.read(here[0], 1)
    write_maps(root, pid)
    os.write(ready[1], b"+")
    status = os.waitpid(pid, 0)[1]
    for end in here + ready:
        os.close(end)
    if status != 0:
        raise OSError(f"the container ended with {status}")


def main():
    with open(sys.argv[1], "rb") as file:
        filter_bytes = file.read()
    while os.read(0, 1):
        run(filter_bytes)
        os.write(1, b"\n")


main()
