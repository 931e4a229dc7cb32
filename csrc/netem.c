/*
 * netem: delay, loss and the like. Requests have flat fields; lists tell them
 * grouped, as `tc -json` does. Times go in nanoseconds (Linux 4.16).
 */
#define _GNU_SOURCE
#include <linux/pkt_sched.h>
#include <stddef.h>
#include <string.h>

#include "qdisc.h"

/* Where a share stands: in the structure, or in an attribute of its own that
 * has two of them. */
struct place {
  int attribute; /* 0: in the structure */
  size_t at, size;
};

#define IN(member) {0, offsetof(struct tc_netem_qopt, member), 0}
#define OF(type, structure, member) \
  {type, offsetof(struct structure, member), sizeof(struct structure)}

static const struct place
  loss = IN(loss), duplicate = IN(duplicate),
  delay_corr = OF(TCA_NETEM_CORR, tc_netem_corr, delay_corr),
  loss_corr = OF(TCA_NETEM_CORR, tc_netem_corr, loss_corr),
  dup_corr = OF(TCA_NETEM_CORR, tc_netem_corr, dup_corr),
  reorder = OF(TCA_NETEM_REORDER, tc_netem_reorder, probability),
  reorder_corr = OF(TCA_NETEM_REORDER, tc_netem_reorder, correlation),
  corrupt = OF(TCA_NETEM_CORRUPT, tc_netem_corrupt, probability),
  corrupt_corr = OF(TCA_NETEM_CORRUPT, tc_netem_corrupt, correlation);

static void put_share(lua_State *L, struct far_request *r,
                      const struct far_attr *a) {
  const struct place *p = a->more;
  uint32_t share = far_percent(L, r, a->name);
  char *data = p->attribute == 0 ? far_header(r)
                                 : far_share(L, r, p->attribute, p->size);
  memcpy(data + p->at, &share, sizeof share);
}

static void put_time(lua_State *L, struct far_request *r,
                     const struct far_attr *a) {
  int64_t ns = far_delay(L, r, a->name);
  far_put(L, r, a->type, &ns, sizeof ns);
}

/* The rate of a link, of which the kernel also counts what a packet has
 * around it. */
static void put_rate(lua_State *L, struct far_request *r,
                     const struct far_attr *a) {
  uint64_t bytes = far_rate(L, r, a->name);
  struct tc_netem_rate *rate = far_share(L, r, a->type, sizeof *rate);
  rate->rate = bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)bytes;
  if (bytes > UINT32_MAX)
    far_put(L, r, TCA_NETEM_RATE64, &bytes, sizeof bytes);
}

static void put_overhead(lua_State *L, struct far_request *r,
                         const struct far_attr *a) {
  struct tc_netem_rate *rate = far_share(L, r, a->type, sizeof *rate);
  rate->packet_overhead =
    (int32_t)far_integer(L, r, a->name, INT32_MIN, INT32_MAX);
}

static const struct far_codec share_of = {.put = put_share};
static const struct far_codec time_of = {.put = put_time};
static const struct far_codec rate_of = {.put = put_rate};
static const struct far_codec overhead = {.put = put_overhead};

#define SHARE(name, place) {name, 0, &share_of, &place, FAR_WRITE}

const struct far_attr far_netem_attrs[] = {
  {"delay", TCA_NETEM_LATENCY64, &time_of, NULL, FAR_WRITE},
  {"jitter", TCA_NETEM_JITTER64, &time_of, NULL, FAR_WRITE},
  SHARE("delay_correlation", delay_corr),
  SHARE("loss", loss),
  SHARE("loss_correlation", loss_corr),
  SHARE("duplicate", duplicate),
  SHARE("duplicate_correlation", dup_corr),
  SHARE("reorder", reorder),
  SHARE("reorder_correlation", reorder_corr),
  SHARE("corrupt", corrupt),
  SHARE("corrupt_correlation", corrupt_corr),
  {"rate", TCA_NETEM_RATE, &rate_of, NULL, FAR_WRITE},
  {"packetoverhead", TCA_NETEM_RATE, &overhead, NULL, FAR_WRITE},
  {"ecn", TCA_NETEM_ECN, &far_switch32, NULL, FAR_WRITE},
  {"limit", offsetof(struct tc_netem_qopt, limit), &far_head_u32, NULL, 0},
  {"gap", offsetof(struct tc_netem_qopt, gap), &far_head_u32, NULL, 0},
  {NULL, 0, NULL, NULL, 0},
};

/* ---- telling ---- */

static void set_share(lua_State *L, const char *field, uint32_t value) {
  lua_pushnumber(L, (lua_Number)value / UINT32_MAX);
  lua_setfield(L, -2, field);
}

/* { loss = 0.01, correlation = 0 } as `group`, if there is any. */
static void push_share(lua_State *L, const char *group, const char *field,
                       uint32_t value, uint32_t correlation) {
  if (value == 0)
    return;
  lua_createtable(L, 0, 2);
  set_share(L, field, value);
  set_share(L, "correlation", correlation);
  lua_setfield(L, -2, group);
}

static double seconds_of(struct nlattr *n) {
  int64_t ns = 0;
  if (n != NULL && nla_len(n) >= (int)sizeof ns)
    memcpy(&ns, nla_data(n), sizeof ns);
  return (double)ns / 1e9;
}

static void push_delay(lua_State *L, struct nlattr *delay,
                       struct nlattr *jitter, uint32_t correlation) {
  if (seconds_of(delay) == 0)
    return;
  lua_createtable(L, 0, 3);
  lua_pushnumber(L, seconds_of(delay));
  lua_setfield(L, -2, "delay");
  lua_pushnumber(L, seconds_of(jitter));
  lua_setfield(L, -2, "jitter");
  set_share(L, "correlation", correlation);
  lua_setfield(L, -2, "delay");
}

static void push_rate(lua_State *L, struct nlattr *n, struct nlattr *wide) {
  struct tc_netem_rate rate = {0};
  if (n != NULL && nla_len(n) >= (int)sizeof rate)
    memcpy(&rate, nla_data(n), sizeof rate);
  if (rate.rate == 0)
    return;
  lua_createtable(L, 0, 4);
  lua_pushinteger(L, wide != NULL ? (lua_Integer)nla_get_u64(wide)
                                  : (lua_Integer)rate.rate);
  lua_setfield(L, -2, "rate");
  lua_pushinteger(L, rate.packet_overhead);
  lua_setfield(L, -2, "packetoverhead");
  lua_pushinteger(L, rate.cell_size);
  lua_setfield(L, -2, "cellsize");
  lua_pushinteger(L, rate.cell_overhead);
  lua_setfield(L, -2, "celloverhead");
  lua_setfield(L, -2, "rate");
}

/* Copies an attribute of at least `size` bytes, or leaves zeros. */
static void copy(void *to, struct nlattr *n, size_t size) {
  if (n != NULL && nla_len(n) >= (int)size)
    memcpy(to, nla_data(n), size);
}

void far_netem_push(lua_State *L, const struct far_source *s,
                    struct nlattr *n) {
  struct tc_netem_qopt q = {0};
  struct tc_netem_corr corr = {0};
  struct tc_netem_reorder re = {0};
  struct tc_netem_corrupt bad = {0};
  struct nlattr *tb[TCA_NETEM_MAX + 1] = {NULL};
  (void)s;
  copy(&q, n, sizeof q);
  if (nla_len(n) > (int)sizeof q)
    (void)nla_parse(tb, TCA_NETEM_MAX,
                    (struct nlattr *)((char *)nla_data(n) + sizeof q),
                    nla_len(n) - (int)sizeof q, NULL);
  copy(&corr, tb[TCA_NETEM_CORR], sizeof corr);
  copy(&re, tb[TCA_NETEM_REORDER], sizeof re);
  copy(&bad, tb[TCA_NETEM_CORRUPT], sizeof bad);
  lua_createtable(L, 0, 4);
  lua_pushinteger(L, q.limit);
  lua_setfield(L, -2, "limit");
  push_delay(L, tb[TCA_NETEM_LATENCY64], tb[TCA_NETEM_JITTER64],
             corr.delay_corr);
  push_share(L, "loss-random", "loss", q.loss, corr.loss_corr);
  push_share(L, "duplicate", "duplicate", q.duplicate, corr.dup_corr);
  push_share(L, "reorder", "reorder", re.probability, re.correlation);
  push_share(L, "corrupt", "corrupt", bad.probability, bad.correlation);
  push_rate(L, tb[TCA_NETEM_RATE], tb[TCA_NETEM_RATE64]);
  lua_pushboolean(L, tb[TCA_NETEM_ECN] != NULL &&
                     nla_get_u32(tb[TCA_NETEM_ECN]) != 0);
  lua_setfield(L, -2, "ecn");
  lua_pushinteger(L, q.gap);
  lua_setfield(L, -2, "gap");
}
