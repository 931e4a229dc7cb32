# Farside: `make help` lists what can be made.

LUA      ?= lua5.4
CC       ?= gcc
PREFIX   ?= /usr/local
B        ?= build

PKG      := pkg-config
LUAPC    ?= lua5.4
WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
            -Wvla -Wformat=2
CFLAGS   ?= -O2 -g
ALL_CFLAGS = -std=c11 $(WARN) $(CFLAGS) -fPIC -fvisibility=hidden \
             $(shell $(PKG) --cflags $(LUAPC) libcap libnl-route-3.0) \
             $(SANFLAGS)

CORE_SRC := $(wildcard csrc/*.c)
CORE_OBJ := $(CORE_SRC:csrc/%.c=$(B)/obj/%.o)
LUA_SRC  := $(shell find lua -name '*.lua' | sort)

all: $(B)/lib/farside/core.so

$(B)/obj/%.o: csrc/%.c csrc/farside.h
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(B)/lib/farside/core.so: $(CORE_OBJ)
	@mkdir -p $(@D)
	$(CC) -shared $(SANFLAGS) $(LDFLAGS) -o $@ $^ \
	  $(shell $(PKG) --libs libcap libnl-route-3.0)

clean:
	rm -rf $(B)

.PHONY: all clean
