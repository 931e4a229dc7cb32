/*
 * When and where a process runs: its nice value, its processors, its timer.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include "farside.h"
#include "program.h"

/***
The nice value of a process.
@function getpriority
@tparam[opt] integer|process pid the caller without
@treturn integer from -20 to 19
@raise ESRCH. See getpriority(2).
*/
static int bind_getpriority(lua_State *L) {
  far_at_most(L, 1);
  pid_t pid = far_pid(L, 1);
  errno = 0; /* -1 is an answer too */
  int value = getpriority(PRIO_PROCESS, (id_t)pid);
  if (value == -1 && errno != 0)
    return far_raise(L, errno, "getpriority", NULL, "of %d", (int)pid);
  lua_pushinteger(L, value);
  return 1;
}

void far_describe_setpriority(lua_State *L, struct far_call *c) {
  lua_Integer value = luaL_checkinteger(L, 1);
  luaL_argcheck(L, value >= -20 && value <= 19, 1,
                "nice value from -20 to 19 expected");
  far_at_most(L, 2);
  c->number = SYS_setpriority;
  far_arg(c, PRIO_PROCESS);
  far_arg(c, (uint64_t)far_pid(L, 2));
  far_arg(c, (uint64_t)value);
}

/***
Sets the nice value of a process.
@function setpriority
@tparam integer value from -20, the first to be served, to 19
@tparam[opt] integer|process pid the caller without
@raise EACCES when it is lowered without CAP_SYS_NICE; EPERM for a process of
somebody else; ESRCH. See setpriority(2).
*/
static int bind_setpriority(lua_State *L) {
  return far_do(L, far_describe_setpriority, "setpriority", NULL);
}

/***
Makes the process nicer to others, or less so.
@function nice
@tparam integer increment
@treturn integer the new nice value
@raise EPERM when it is lowered without CAP_SYS_NICE. See nice(2).
*/
static int bind_nice(lua_State *L) {
  lua_Integer increment = luaL_checkinteger(L, 1);
  luaL_argcheck(L, increment >= -40 && increment <= 40, 1,
                "increment out of range");
  far_at_most(L, 1);
  errno = 0; /* -1 is an answer too */
  int value = nice((int)increment);
  if (value == -1 && errno != 0)
    return far_raise(L, errno, "nice", NULL, "by %d", (int)increment);
  lua_pushinteger(L, value);
  return 1;
}

/* Room for the largest machines that Linux is built for. */
#define CPUS 8192
#define WORD (8 * (int)sizeof(unsigned long))
struct cpus {
  unsigned long bits[CPUS / WORD];
};

static cpu_set_t *set_of(struct cpus *cpus) {
  return (cpu_set_t *)(void *)cpus->bits;
}

/* From the list at `index`, in a userdata that is pushed. */
static struct cpus *check_cpus(lua_State *L, int index) {
  luaL_checktype(L, index, LUA_TTABLE);
  struct cpus *cpus = lua_newuserdatauv(L, sizeof *cpus, 0);
  memset(cpus, 0, sizeof *cpus);
  for (lua_Integer i = 1; lua_geti(L, index, i) != LUA_TNIL; i++) {
    int is;
    lua_Integer cpu = lua_tointegerx(L, -1, &is);
    luaL_argcheck(L, is && cpu >= 0 && cpu < CPUS, index,
                  "list of processors' numbers expected");
    cpus->bits[cpu / WORD] |= 1UL << cpu % WORD;
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return cpus;
}

/***
The processors that a process may run on.
@function sched_getaffinity
@tparam[opt] integer|process pid the caller without
@treturn {integer,...} their numbers, from 0
@raise ESRCH. See sched_getaffinity(2).
*/
static int bind_sched_getaffinity(lua_State *L) {
  struct cpus cpus = {{0}};
  far_at_most(L, 1);
  pid_t pid = far_pid(L, 1);
  far_check(L, sched_getaffinity(pid, sizeof cpus, set_of(&cpus)),
            "sched_getaffinity", NULL);
  lua_newtable(L);
  for (int cpu = 0, n = 0; cpu < CPUS; cpu++)
    if ((cpus.bits[cpu / WORD] & 1UL << cpu % WORD) != 0) {
      lua_pushinteger(L, cpu);
      lua_rawseti(L, -2, ++n);
    }
  return 1;
}

void far_describe_sched_setaffinity(lua_State *L, struct far_call *c) {
  far_at_most(L, 2);
  pid_t pid = far_pid(L, 2);
  c->number = SYS_sched_setaffinity;
  far_arg(c, (uint64_t)pid);
  far_arg(c, sizeof(struct cpus));
  far_arg_bytes(c, check_cpus(L, 1), sizeof(struct cpus));
}

/***
Keeps a process, and its children from now on, to some processors.
@function sched_setaffinity
@tparam {integer,...} cpus their numbers, from 0
@tparam[opt] integer|process pid the caller without
@raise EINVAL when none of them is there, or its cgroup has none of them; EPERM
for a process of somebody else. See sched_setaffinity(2).
*/
static int bind_sched_setaffinity(lua_State *L) {
  return far_do(L, far_describe_sched_setaffinity, "sched_setaffinity", NULL);
}

static struct timeval check_time(lua_State *L, int index) {
  int64_t time = far_duration(L, index);
  luaL_argcheck(L, time >= 0, index, "time not before now expected");
  return (struct timeval){time / 1000000000, time % 1000000000 / 1000};
}

void far_describe_setitimer(lua_State *L, struct far_call *c) {
  struct itimerval *timer = (void *)c->scratch;
  *timer = (struct itimerval){.it_value = check_time(L, 1)};
  if (!lua_isnoneornil(L, 2))
    timer->it_interval = check_time(L, 2);
  far_at_most(L, 2);
  c->number = SYS_setitimer;
  far_arg(c, ITIMER_REAL);
  far_arg_bytes(c, timer, sizeof *timer);
  far_arg(c, 0);
}

/***
Has the signal ALRM sent to the process by the kernel.
@function setitimer
@tparam number|string value after this time: seconds, or "5ms"; 0 for never
@tparam[opt] number|string interval and again after each of these
@raise EINVAL. See setitimer(2), ITIMER_REAL.
*/
static int bind_setitimer(lua_State *L) {
  return far_do(L, far_describe_setitimer, "setitimer", NULL);
}

static const luaL_Reg functions[] = {
  {"getpriority", bind_getpriority},
  {"setpriority", bind_setpriority},
  {"nice", bind_nice},
  {"sched_getaffinity", bind_sched_getaffinity},
  {"sched_setaffinity", bind_sched_setaffinity},
  {"setitimer", bind_setitimer},
  {NULL, NULL},
};

void far_open_schedule(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}
