/*
 * Fields: how the values of a Lua table and the attributes of a netlink message
 * become each other. A table of these describes an object, for both ways.
 */
#ifndef FARSIDE_NETATTR_H
#define FARSIDE_NETATTR_H

#include "netlink.h"

/* What an answer is read with. */
struct far_source {
  struct far_netlink *nl;
  const void *header; /* of the message */
};

struct far_attr;

struct far_codec {
  /* Puts the value on top of the stack into the request; it stays there. */
  void (*put)(lua_State *L, struct far_request *r, const struct far_attr *a);
  /* Pushes the value of an attribute (NULL for what is in the header), or
   * nil. */
  void (*push)(lua_State *L, const struct far_source *s,
               const struct far_attr *a, struct nlattr *n);
  uint8_t size; /* bytes of a number */
  bool is_signed, big_endian;
  bool header; /* it is in the header: the field's `type` is its offset */
  /* The fields of the attributes within this one, and where those are. */
  const struct far_attr *(*inner)(struct nlattr *n, struct nlattr **first,
                                  int *length);
};

/* Fields that only one way knows; 0 is both. What is told but has no meaning in
 * a request may stand in one, so that what lists tell can be used again. */
enum { FAR_READ = 1, FAR_WRITE = 2, FAR_TOLD = 3 };

struct far_attr {
  const char *name;
  uint16_t type;
  const struct far_codec *codec;
  const void *more; /* what the codec says: words, fields, an offset */
  int only;
};

/* Puts all fields of the table at `index`, in one walk. A field that stands in
 * `others` (or NULL) is left to a walk of its own: answers how many are. A list
 * element 1 is the field "1". */
int far_put_table(lua_State *L, struct far_request *r, int index,
                  const struct far_attr *attrs,
                  const struct far_attr *others);

/* The same for those that stand in `attrs` only. */
void far_put_some(lua_State *L, struct far_request *r, int index,
                  const struct far_attr *attrs);

/* Sets fields of the table on top from the attributes. */
void far_push_table(lua_State *L, const struct far_source *s,
                    const struct far_attr *attrs, struct nlattr *first,
                    int length);

/* Complains about the value on top: "peer.mtu: EXPECTED expected, got 'x'". */
int far_bad_value(lua_State *L, const struct far_request *r, const char *field,
                  const char *expected);

/* Pushes the name of the attribute at `offset` of a message: "peer.mtu", or
 * nil. */
void far_push_attribute(lua_State *L, const struct far_verb *call,
                        const struct nlmsghdr *h, size_t offset);

/* An address of either family. */
struct far_address {
  uint8_t family, length; /* of the prefix; FAR_WHOLE when none was given */
  uint8_t bytes[16];
};
enum { FAR_WHOLE = 255 };

/* From "10.0.0.1/24"; false when it is none. */
bool far_ip_parse(const char *text, struct far_address *ip);
void far_ip_push(lua_State *L, int family, const void *bytes, int length);
unsigned far_ip_bits(const struct far_address *ip); /* 32 or 128 */
size_t far_ip_size(const struct far_address *ip);

/* Checks the value on top, and that all addresses of a request are of one
 * family. */
struct far_address far_ip_check(lua_State *L, struct far_request *r,
                                const char *field, bool prefix);

/* Pushes a table of the fields of a message, whose header has so many bytes. */
void far_push_message(lua_State *L, const struct far_request *r,
                      const struct far_attr *attrs, struct nlmsghdr *h,
                      int header);

/* Begins a request about what the table describes that is the only argument. */
void far_request_table(lua_State *L, struct far_request *r,
                       const struct far_verb *call);

/* Begins a request for a list, with the filters of the table that argument 1
 * may be, and no other. */
void far_request_list(lua_State *L, struct far_request *r,
                      const struct far_verb *call,
                      const struct far_attr *filters);

/* Complains unless the table at `index` has the field. */
void far_need(lua_State *L, const struct far_request *r, int index,
              const char *field);

/* Makes "X on eth0" of the X on top. */
void far_push_on(lua_State *L, const struct far_request *r, int link);

/* The bits of the word on top; complains where there is none. */
uint64_t far_word_of(lua_State *L, const struct far_request *r,
                     const char *field, const struct far_word *words);

/* The same of the list of words on top. */
uint64_t far_words_of(lua_State *L, const struct far_request *r,
                      const char *field, const struct far_word *words);

/* The value on top as an integer. */
lua_Integer far_integer(lua_State *L, const struct far_request *r,
                        const char *field, lua_Integer least,
                        lua_Integer most);

/* The field of the table on top as an integer from 0 to `most`. */
lua_Integer far_integer_in(lua_State *L, const struct far_request *r,
                           const char *field, lua_Integer most);

/* Seconds, from the value on top: a number, or "1h". */
uint32_t far_seconds(lua_State *L, const struct far_request *r,
                     const char *field);

/* The family of a request, which all its addresses have. The value on top is
 * what complaints name. */
void far_family(lua_State *L, struct far_request *r, const char *field,
                int family);

/* The value on top as the name of a link, also an alternative one. */
enum { FAR_LONGEST = 127 };
const char *far_link_check(lua_State *L, const struct far_request *r,
                           const char *field);

extern const struct far_codec
  far_u8, far_u16, far_u32, far_s32, far_u64, far_be16, far_be32, /* integers */
  far_head_u8, far_head_s32, far_head_u32,
  far_ticks,     /* hundredths of a second in 8 bytes: told as seconds */
  far_flag,      /* a byte: boolean */
  far_switch,    /* a byte: boolean or integer, told as ip tells it: integer */
  far_switch32,  /* the same in four bytes */
  far_present,   /* an attribute without a value: true */
  far_word8, far_word16, far_word32, far_head_word,
  far_be_word16, /* a word of `more`, or a number */
  far_head_word, far_head_word16,
  far_head_bits8, far_head_bits32, /* words of `more` for bits; told only */
  far_text,      /* a string */
  far_name,      /* a new name of a link */
  far_lladdr,    /* "02:00:00:00:00:01" */
  far_link,      /* a link by name */
  far_link_at,   /* the same by number, as lists tell it besides */
  far_head_link, far_head_link_at,
  far_head_family, /* "inet", "inet6" */
  far_ip,        /* "10.0.0.1" */
  far_end;       /* the same, of no matter which family; `more` is the attribute
                    for IPv6 where that is another */

#endif
