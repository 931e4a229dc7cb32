/*
 * tbf and htb, which shape by a rate. The kernel wants some times in ticks of
 * 64 ns: how long a burst takes at its rate.
 */
#define _GNU_SOURCE
#include <linux/pkt_sched.h>
#include <stddef.h>
#include <string.h>

#include "qdisc.h"

enum { TICK = 64, HTB_VERSION = 3 };

static uint32_t ticks(double seconds) {
  double n = seconds * 1e9 / TICK;
  return n >= UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

static double seconds(uint32_t n) { return (double)n * TICK / 1e9; }

/* A rate in a structure, saturated where there is a wide one beside. */
static void set_rate(lua_State *L, struct far_request *r,
                     struct tc_ratespec *to, uint64_t rate, int wide) {
  to->rate = rate > UINT32_MAX ? UINT32_MAX : (uint32_t)rate;
  to->linklayer = TC_LINKLAYER_ETHERNET; /* or it wants a table of times */
  if (rate > UINT32_MAX)
    far_put(L, r, wide, &rate, sizeof rate);
}

static uint64_t rate_of(const struct tc_ratespec *rate, struct nlattr *wide) {
  return wide != NULL ? nla_get_u64(wide) : rate->rate;
}

static void set_integer(lua_State *L, const char *field, double value) {
  lua_pushinteger(L, (lua_Integer)(value + 0.5));
  lua_setfield(L, -2, field);
}

/* ---- fields of the table, when given ---- */

static bool rate_in(lua_State *L, const struct far_request *r, int table,
                    const char *field, uint64_t *rate) {
  bool given = lua_getfield(L, table, field) != LUA_TNIL;
  if (given)
    *rate = far_rate(L, r, field);
  lua_pop(L, 1);
  return given;
}

static bool bytes_in(lua_State *L, const struct far_request *r, int table,
                     const char *field, uint32_t *bytes) {
  bool given = lua_getfield(L, table, field) != LUA_TNIL;
  if (given)
    *bytes = far_bytes(L, r, field);
  lua_pop(L, 1);
  return given;
}

static uint32_t integer_or(lua_State *L, const struct far_request *r,
                           int table, const char *field, uint32_t otherwise) {
  if (lua_getfield(L, table, field) != LUA_TNIL)
    otherwise = (uint32_t)far_integer(L, r, field, 0, UINT32_MAX);
  lua_pop(L, 1);
  return otherwise;
}

static void need_rate(lua_State *L, const struct far_request *r, int table,
                      uint64_t *rate) {
  if (rate_in(L, r, table, "rate", rate))
    return;
  lua_pushnil(L);
  far_bad_value(L, r, "rate", "rate such as \"10mbit\"");
}

#define LATER(name) {name, 0, &far_later, NULL, FAR_WRITE}

/* ---- tbf ---- */

const struct far_attr far_tbf_attrs[] = {
  LATER("rate"), LATER("burst"), LATER("limit"), LATER("latency"),
  LATER("peakrate"), LATER("mtu"), {NULL, 0, NULL, NULL, 0},
};

/* What may wait: as many bytes, or what goes out in that time. */
static uint32_t limit_in(lua_State *L, struct far_request *r, int table,
                         uint64_t rate, uint32_t burst) {
  uint32_t limit;
  if (bytes_in(L, r, table, "limit", &limit))
    return limit;
  double wait = 0.05;
  if (lua_getfield(L, table, "latency") != LUA_TNIL)
    wait = (double)far_delay(L, r, "latency") / 1e9;
  lua_pop(L, 1);
  double bytes = (double)rate * wait + burst;
  return bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)bytes;
}

static void put_peak(lua_State *L, struct far_request *r, int table,
                     struct tc_tbf_qopt *q) {
  uint64_t peak;
  uint32_t mtu = 0;
  if (!rate_in(L, r, table, "peakrate", &peak))
    return;
  if (!bytes_in(L, r, table, "mtu", &mtu)) {
    lua_pushnil(L);
    far_bad_value(L, r, "mtu", "bytes, with a peakrate,");
  }
  set_rate(L, r, &q->peakrate, peak, TCA_TBF_PRATE64);
  q->mtu = ticks((double)mtu / (double)peak);
  far_put(L, r, TCA_TBF_PBURST, &mtu, sizeof mtu);
}

void far_tbf_complete(lua_State *L, struct far_request *r, int table) {
  struct tc_tbf_qopt q = {.limit = 0};
  uint64_t rate = 0;
  uint32_t burst = 32768;
  need_rate(L, r, table, &rate);
  (void)bytes_in(L, r, table, "burst", &burst);
  q.limit = limit_in(L, r, table, rate, burst);
  set_rate(L, r, &q.rate, rate, TCA_TBF_RATE64);
  q.buffer = ticks((double)burst / (double)rate);
  far_put(L, r, TCA_TBF_BURST, &burst, sizeof burst);
  put_peak(L, r, table, &q);
  far_put(L, r, TCA_TBF_PARMS, &q, sizeof q);
}

void far_tbf_push(lua_State *L, const struct far_source *s, struct nlattr *n) {
  struct tc_tbf_qopt q;
  struct nlattr *tb[TCA_TBF_MAX + 1] = {NULL};
  (void)s;
  lua_createtable(L, 0, 4);
  if (nla_parse_nested(tb, TCA_TBF_MAX, n, NULL) < 0 ||
      tb[TCA_TBF_PARMS] == NULL ||
      nla_len(tb[TCA_TBF_PARMS]) < (int)sizeof q)
    return;
  memcpy(&q, nla_data(tb[TCA_TBF_PARMS]), sizeof q);
  double rate = (double)rate_of(&q.rate, tb[TCA_TBF_RATE64]);
  double peak = (double)rate_of(&q.peakrate, tb[TCA_TBF_PRATE64]);
  set_integer(L, "rate", rate);
  set_integer(L, "burst", rate * seconds(q.buffer));
  set_integer(L, "limit", q.limit);
  if (rate > 0)
    set_integer(L, "lat", (q.limit / rate - seconds(q.buffer)) * 1e6);
  if (peak > 0) {
    set_integer(L, "peakrate", peak);
    set_integer(L, "minburst", peak * seconds(q.mtu));
  }
}

/* ---- htb ---- */

const struct far_attr far_htb_attrs[] = {
  LATER("default"), LATER("r2q"),
  {"direct_qlen", TCA_HTB_DIRECT_QLEN, &far_u32, NULL, 0},
  {NULL, 0, NULL, NULL, 0},
};

void far_htb_complete(lua_State *L, struct far_request *r, int table) {
  const struct tc_htb_glob glob = {
    .version = HTB_VERSION,
    .rate2quantum = integer_or(L, r, table, "r2q", 10),
    .defcls = integer_or(L, r, table, "default", 0),
  };
  far_put(L, r, TCA_HTB_INIT, &glob, sizeof glob);
}

void far_htb_push(lua_State *L, const struct far_source *s, struct nlattr *n) {
  struct tc_htb_glob glob;
  struct nlattr *init = nla_find(nla_data(n), nla_len(n), TCA_HTB_INIT);
  lua_createtable(L, 0, 4);
  far_push_table(L, s, far_htb_attrs, nla_data(n), nla_len(n));
  if (init == NULL || nla_len(init) < (int)sizeof glob)
    return;
  memcpy(&glob, nla_data(init), sizeof glob);
  set_integer(L, "r2q", glob.rate2quantum);
  set_integer(L, "default", glob.defcls);
  set_integer(L, "direct_packets_stat", glob.direct_pkts);
}

const struct far_attr far_htb_class_attrs[] = {
  LATER("rate"), LATER("ceil"), LATER("burst"), LATER("cburst"),
  LATER("prio"), LATER("quantum"), {NULL, 0, NULL, NULL, 0},
};

/* A burst that is not given: what a tick of a slow clock lets through. */
static double burst_in(lua_State *L, struct far_request *r, int table,
                       const char *field, uint64_t rate) {
  uint32_t burst;
  if (bytes_in(L, r, table, field, &burst))
    return burst;
  return (double)rate / 250 + 1600;
}

void far_htb_class_complete(lua_State *L, struct far_request *r, int table) {
  struct tc_htb_opt q = {.level = 0};
  uint64_t rate = 0, ceil;
  need_rate(L, r, table, &rate);
  if (!rate_in(L, r, table, "ceil", &ceil))
    ceil = rate;
  set_rate(L, r, &q.rate, rate, TCA_HTB_RATE64);
  set_rate(L, r, &q.ceil, ceil, TCA_HTB_CEIL64);
  q.buffer = ticks(burst_in(L, r, table, "burst", rate) / (double)rate);
  q.cbuffer = ticks(burst_in(L, r, table, "cburst", ceil) / (double)ceil);
  q.prio = integer_or(L, r, table, "prio", 0);
  q.quantum = integer_or(L, r, table, "quantum", 0);
  far_put(L, r, TCA_HTB_PARMS, &q, sizeof q);
}

void far_htb_class_push(lua_State *L, const struct far_source *s,
                        struct nlattr *n) {
  struct tc_htb_opt q;
  struct nlattr *tb[TCA_HTB_MAX + 1] = {NULL};
  (void)s;
  lua_createtable(L, 0, 6);
  if (nla_parse_nested(tb, TCA_HTB_MAX, n, NULL) < 0 ||
      tb[TCA_HTB_PARMS] == NULL ||
      nla_len(tb[TCA_HTB_PARMS]) < (int)sizeof q)
    return;
  memcpy(&q, nla_data(tb[TCA_HTB_PARMS]), sizeof q);
  double rate = (double)rate_of(&q.rate, tb[TCA_HTB_RATE64]);
  double ceil = (double)rate_of(&q.ceil, tb[TCA_HTB_CEIL64]);
  set_integer(L, "prio", q.prio);
  set_integer(L, "quantum", q.quantum);
  set_integer(L, "rate", rate);
  set_integer(L, "ceil", ceil);
  set_integer(L, "burst", rate * seconds(q.buffer));
  set_integer(L, "cburst", ceil * seconds(q.cbuffer));
}
