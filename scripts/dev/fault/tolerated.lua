-- Calls that a set-up does without, and why that is well: by the call's name,
-- or that and the number (in hexadecimal) that says what is asked of it, or the
-- errno. What fails is one call, of which others with the same name may matter:
-- they are told by the error.
return {
  ["hang:rt_sigprocmask"] = "posix_spawn of libc does not look whether it has "
    .. "blocked signals, and puts back a mask that it never got",

  -- nothing is asked of it
  brk = "libc takes memory elsewhere",
  munmap = "memory that is kept until the process ends",
  ["prctl:f"] = "a name for ps(1)",
  ["setsockopt:a"] = "shorter answers of the kernel",
  ["setsockopt:b"] = "the kernel's longer messages, where it has them",
  ["setsockopt:c"] = "lists with less in them than is looked through",
  ["write:9"] = "the init ends in the way that it tells",
  ["getsockopt:47"] = "whether a socket need be asked for elsewhere",
  ["ioctl:5401"] = "whether a stream of libc's is a terminal",
  newfstatat = "the size of a stream's buffer, which libc asks for",

  -- there is another way
  memfd_create = "the child is a copy of the caller then, and no walker",
  ["fcntl:409"] = "as memfd_create: the walker's file cannot be sealed",
  mmap = "as memfd_create: there is no memory that the walker starts in",
  setns = "EPERM: rights come from the user namespace, where it is tried again",
  landlock_create_ruleset = "the recipe says `optional`",

  ["read:EIO"] = "how a terminal ends, to who writes a container's log",

  -- what was to be found out is not so
  ["pidfd_send_signal:0"] = "whether a process is still there: only ESRCH "
    .. "says that it is not",
  ["wait4:40000000"] = "the end of a child that has already told all",
  waitid = "the init has told how the program ended; who it was stays until "
    .. "the starter ends",
  ppoll = "as waitid, before which it is made",
  rt_sigprocmask = "cannot fail as it is called; what libc calls, in "
    .. "posix_spawn, is not looked at there",
  rt_sigaction = "cannot fail as it is called; as rt_sigprocmask",
  ["openat:290000"] = "where a process is in /proc; its pidfd knows, too",
  ["ioctl:ff09"] = "the other way round",
  ["ioctl:8910"] = "the name of a link, which may have gone",
  rseq = "what libc does without",
  set_robust_list = "what libc does without",
  prlimit64 = "how many descriptors there may be, which libc asks for",
  faccessat2 = "whether there is a program, looked for in several places",
}
