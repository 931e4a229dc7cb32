/*
 * The kinds of queueing disciplines, and the units of their options.
 */
#define _GNU_SOURCE
#include <linux/pkt_sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "qdisc.h"

/* ---- units ---- */

static const struct {
  const char *name;
  double bits;
} units[] = {
  {"", 1},         {"bit", 1},      {"kbit", 1e3},  {"mbit", 1e6},
  {"gbit", 1e9},   {"tbit", 1e12},  {"bps", 8},     {"kbps", 8e3},
  {"mbps", 8e6},   {"gbps", 8e9},   {NULL, 0},
};

uint64_t far_rate(lua_State *L, const struct far_request *r,
                  const char *field) {
  double n = -1;
  if (lua_type(L, -1) == LUA_TNUMBER) {
    n = lua_tonumber(L, -1);
  } else if (lua_type(L, -1) == LUA_TSTRING) {
    char *end;
    const char *text = lua_tostring(L, -1);
    n = strtod(text, &end);
    size_t i = 0;
    while (units[i].name != NULL && strcasecmp(units[i].name, end) != 0)
      i++;
    n = end == text || units[i].name == NULL ? -1 : n * units[i].bits;
  }
  if (!(n >= 8 && n / 8 < 1.8e19))
    far_bad_value(L, r, field, "bits a second, or a rate such as \"10mbit\",");
  return (uint64_t)(n / 8);
}

uint32_t far_percent(lua_State *L, const struct far_request *r,
                     const char *field) {
  char *end = "";
  const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
  double n = strtod(text, &end);
  if (end == text || strcmp(end, "%") != 0 || !(n >= 0 && n <= 100))
    far_bad_value(L, r, field, "percentage such as \"1.5%\"");
  return (uint32_t)(n / 100 * UINT32_MAX + 0.5);
}

uint32_t far_bytes(lua_State *L, const struct far_request *r,
                   const char *field) {
  uint64_t size = UINT64_MAX;
  if (lua_isinteger(L, -1))
    size = (uint64_t)lua_tointeger(L, -1);
  else if (lua_type(L, -1) == LUA_TSTRING)
    (void)far_size_of(lua_tostring(L, -1), &size);
  if (size > UINT32_MAX)
    far_bad_value(L, r, field, "bytes, or a size such as \"32K\",");
  return (uint32_t)size;
}

int64_t far_delay(lua_State *L, const struct far_request *r,
                  const char *field) {
  int64_t ns = -1;
  if (lua_type(L, -1) == LUA_TNUMBER && lua_tonumber(L, -1) < 9e9)
    ns = (int64_t)(lua_tonumber(L, -1) * 1e9);
  else if (lua_type(L, -1) == LUA_TSTRING)
    (void)far_duration_of(lua_tostring(L, -1), &ns);
  if (ns < 0)
    far_bad_value(L, r, field, "seconds, or a time such as \"5ms\",");
  return ns;
}

static void later(lua_State *L, struct far_request *r,
                  const struct far_attr *a) {
  (void)L, (void)r, (void)a;
}

const struct far_codec far_later = {.put = later};

/* ---- kinds with plain fields ---- */

static const struct far_attr fifo[] = {
  {"limit", offsetof(struct tc_fifo_qopt, limit), &far_head_u32, NULL, 0},
  {NULL, 0, NULL, NULL, 0},
};

static const struct far_attr fq_codel[] = {
  {"limit", TCA_FQ_CODEL_LIMIT, &far_u32, NULL, 0},
  {"flows", TCA_FQ_CODEL_FLOWS, &far_u32, NULL, 0},
  {"quantum", TCA_FQ_CODEL_QUANTUM, &far_u32, NULL, 0},
  {"target", TCA_FQ_CODEL_TARGET, &far_u32, NULL, 0},
  {"interval", TCA_FQ_CODEL_INTERVAL, &far_u32, NULL, 0},
  {"memory_limit", TCA_FQ_CODEL_MEMORY_LIMIT, &far_u32, NULL, 0},
  {"ecn", TCA_FQ_CODEL_ECN, &far_switch32, NULL, 0},
  {"drop_batch", TCA_FQ_CODEL_DROP_BATCH_SIZE, &far_u32, NULL, 0},
  {NULL, 0, NULL, NULL, 0},
};

static const struct far_attr none[] = {{NULL, 0, NULL, NULL, 0}};

static const struct far_qdisc qdiscs[] = {
  {"netem", far_netem_attrs, sizeof(struct tc_netem_qopt), NULL,
   far_netem_push},
  {"tbf", far_tbf_attrs, 0, far_tbf_complete, far_tbf_push},
  {"htb", far_htb_attrs, 0, far_htb_complete, far_htb_push},
  {"pfifo", fifo, sizeof(struct tc_fifo_qopt), NULL, NULL},
  {"bfifo", fifo, sizeof(struct tc_fifo_qopt), NULL, NULL},
  {"fq_codel", fq_codel, 0, NULL, NULL},
  {NULL, none, 0, NULL, NULL},
};

static const struct far_qdisc classes[] = {
  {"htb", far_htb_class_attrs, 0, far_htb_class_complete, far_htb_class_push},
  {NULL, none, 0, NULL, NULL},
};

static const struct far_qdisc *find(const struct far_qdisc *kinds,
                                    const char *name) {
  while (kinds->name != NULL && strcmp(kinds->name, name) != 0)
    kinds++;
  return kinds->name != NULL ? kinds : NULL;
}

const struct far_qdisc *far_qdisc_find(const char *name) {
  return find(qdiscs, name);
}

const struct far_qdisc *far_class_find(const char *name) {
  return find(classes, name);
}
