# Farside. `make help` lists what can be made.

LUA      ?= lua5.4
LUAPC    ?= $(notdir $(LUA))
PKG      ?= pkg-config
PREFIX   ?= /usr/local
B        ?= build
CFLAGS   ?= -O2 -g

# SANITIZE=1 builds with AddressSanitizer and UBSan, beside the usual build.
# STATIC=0 links the driver with shared libraries; so it is anyway where the
# archives are missing.
SANITIZE ?=
STATIC   ?= 1

O        := $(B)$(if $(SANITIZE),/sanitize)
CORE     := $(O)/lib/farside/core.so
DRIVER   := $(O)/farside

# $(call once,NAME,COMMAND): a command's output, run when first needed, which
# is after the set-up, and then kept.
once = $(eval $(1) := $$(shell $(2)))$($(1))

LIBS_PC    := libcap libnl-route-3.0 libseccomp
LIBS        = $(call once,LIBS,$(PKG) --libs $(LIBS_PC))
LIBS_CFLAGS = $(call once,LIBS_CFLAGS,$(PKG) --cflags $(LIBS_PC))
LUA_LIBS    = $(call once,LUA_LIBS,$(PKG) --libs $(LUAPC))
LUA_CFLAGS  = $(call once,LUA_CFLAGS,$(PKG) --cflags $(LUAPC))
LUA_V       = $(call once,LUA_V,$(LUA) -e 'print(_VERSION:match "%d+.%d+")')
VERSION     = $(call once,VERSION,sed -n \
                's/.*_VERSION = "Farside \(.*\)".*/\1/p' lua/farside/init.lua)

WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
            -Wvla -Wformat=2
ifneq ($(SANITIZE),)
SANFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=all \
            -fno-omit-frame-pointer
endif
FLAGS     = -std=c11 $(WARN) $(CFLAGS) $(SANFLAGS) -fPIC \
            -fvisibility=hidden -MMD -MP -Icsrc $(LUA_CFLAGS) $(LIBS_CFLAGS) \
            $(CPPFLAGS)

CORE_SRC   := $(wildcard csrc/*.c)
DRIVER_SRC := $(wildcard csrc/driver/*.c)
CORE_OBJ   := $(CORE_SRC:csrc/%.c=$(O)/obj/%.o)
DRIVER_OBJ := $(DRIVER_SRC:csrc/%.c=$(O)/obj/%.o) $(O)/obj/embedded.o
WALKER_SRC := $(wildcard csrc/walker/*.c)
MACHINE    := $(shell uname -m)
BENCH      := $(addprefix $(O)/bench/,container runner network nothing floor)
FUZZER     := $(B)/fuzz/fuzz
FAULT      := $(addprefix $(O)/fault/,starve.so \
                $(if $(filter x86_64,$(MACHINE)),inject))
LUA_SRC    := $(sort $(shell find lua -name '*.lua'))
PAGES      := $(O)/lua/farside/pages.lua
FILTERS    := $(if $(SANITIZE),,$(O)/lua/farside/filters.lua)
MANUAL     := $(O)/man/farside.3
MAN_PAGES  := farside.1 farside.3 farside-recipe.5
DOCS_LUA   := scripts/dev/docs.lua $(wildcard scripts/dev/docs/*.lua)

# The driver has Lua and all libraries inside and exports Lua's C interface,
# whole, to the C modules that are loaded; what else is inside stays hidden.
archive  = $(or $(if $(filter 1,$(STATIC)),$(filter /%,$(shell \
             $(CC) -print-file-name=lib$(1).a))),-l$(1))
archives = $(foreach w,$(1),$(if $(filter -l%,$w),$(call archive,$(w:-l%=%)),$w))
driver_libs = -Wl,-E,--exclude-libs,libcap.a:libnl-route-3.a:libnl-3.a:libseccomp.a \
  -Wl,--whole-archive $(call archives,$(LUA_LIBS)) -Wl,--no-whole-archive \
  $(call archives,$(LIBS)) -Wl,--as-needed -lm -ldl -lpthread

# Where things go.
BINDIR   ?= $(PREFIX)/bin
LUADIR   ?= $(PREFIX)/share/lua/$(LUA_V)
CLUADIR  ?= $(PREFIX)/lib/lua/$(LUA_V)
DOCDIR   ?= $(PREFIX)/share/doc/farside
DATADIR  ?= $(PREFIX)/share

# What shells complete; the path begins with the shell's name.
COMPLETIONS := bash-completion/completions/farside \
               zsh/site-functions/_farside \
               fish/vendor_completions.d/farside.fish

# What the specs are run by: with the sanitizers the driver, which has them
# inside; a plain lua would have to be told to load them.
SPEC_LUA  = $(if $(SANITIZE),$(DRIVER),$(LUA))
BUSTED   ?= $(SPEC_LUA) spec/run.lua --ignore-lua $(BUSTEDFLAGS)
export ASAN_OPTIONS  ?= detect_leaks=1
export UBSAN_OPTIONS ?= print_stacktrace=1

.DELETE_ON_ERROR:
.PHONY: all demo check install uninstall lint bench fuzz docs clean help \
        check-vm faults kills need-build need-demo need-check need-lint need-docs \
        need-bench need-check-vm need-fuzz

all: $(CORE) $(DRIVER) ## build the C module and the driver (the default)

demo: need-demo all ## install what is missing, build, run a first container
	$(DRIVER) scripts/hello.lua

check: need-check all $(BENCH) $(FAULT) ## install what is missing, build, and run the specs
	@tmp=$$(mktemp -d) && trap 'rm -rf "$$tmp"' EXIT && chmod 755 "$$tmp" && \
	  TMPDIR=$$tmp FARSIDE_BUILD=$(O) $(BUSTED)

faults: all $(FAULT) ## make each call of a set-up fail, in turn (FAULTFLAGS)
	$(DRIVER) scripts/dev/fault/memory.lua
	$(DRIVER) scripts/dev/faults.lua $(FAULTFLAGS)

kills: all ## kill processes of containers at random, 1,000 times (KILLFLAGS)
	$(DRIVER) scripts/dev/kills.lua $(KILLFLAGS)

# VM is where the emulated machine is kept; several trees may share one.
VM ?= $(B)/vm
check-vm: need-check-vm all $(BENCH) $(FAULT) ## run them, or SPECS, in qemu (AS=user)
	@scripts/dev/vm $(if $(filter user,$(AS)),--user) $(O) $(VM) $(SPECS)

# No system headers are read; a member that another file uses counts as unused
# here; the rest is taste: & before ?: needs no parentheses, an empty loop says
# continue, and a variable may stand above its loop.
CPPCHECK_QUIET := missingIncludeSystem unusedStructMember clarifyCalculation \
                  redundantContinue variableScope

lint: need-lint ## luacheck, cppcheck, warnings as errors, sizes
	luacheck -q .
	$(LUA) scripts/dev/rockspec.lua --check rockspec/farside-scm-1.rockspec
	cppcheck -q --std=c11 --enable=warning,style,performance,portability \
	  --error-exitcode=1 --inline-suppr $(CPPCHECK_QUIET:%=--suppress=%) \
	  -Icsrc csrc
	@$(MAKE) --no-print-directory B=$(B)/lint CFLAGS='-O2 -Werror' all
	@! grep -nE '^.{81,}' csrc/*.[ch] csrc/*/*.[ch] || \
	  { echo 'lint: lines of more than 80 columns'; exit 1; }
	@! wc -l csrc/*.[ch] csrc/*/*.[ch] $(LUA_SRC) | \
	  awk '$$2 != "total" && $$1 > 500' | grep . || \
	  { echo 'lint: files of more than 500 lines'; exit 1; }

docs: need-docs $(MANUAL) ## the reference from the comments: HTML, manual pages
	@rm -rf $(B)/doc $(B)/docs && mkdir -p $(B)/docs
	@cp -r lua/farside $(B)/docs
	@awk -f scripts/dev/docs.awk csrc/*.c >$(B)/docs/core.c
	ldoc -q -c .ldoc -d $(B)/doc $(B)/docs >$(B)/docs/log 2>&1
	@! grep -v 'contains no items\|^format:\|^reading' $(B)/docs/log

bench: need-bench all $(BENCH) ## measure Farside beside others (BENCHFLAGS)
	$(DRIVER) scripts/dev/bench.lua --json $(B)/bench.json \
	  --svg $(B)/bench.svg $(BENCHFLAGS)

# What is fuzzed, all of it when FUZZ says nothing, and for how long each.
FUZZ    ?=
SECONDS ?= 600
fuzz: need-fuzz all $(FUZZER) ## feed nonsense to what reads input (FUZZ, SECONDS)
	@$(LUA) scripts/dev/fuzz.lua $(FUZZER) $(B)/fuzz $(SECONDS) $(FUZZ)

install: all $(MANUAL) ## install under PREFIX (/usr/local), within DESTDIR
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(CLUADIR)/farside \
	  $(DESTDIR)$(DOCDIR)
	install -m 755 $(DRIVER) $(DESTDIR)$(BINDIR)/farside
	install -m 644 $(CORE) $(DESTDIR)$(CLUADIR)/farside/core.so
	for f in $(LUA_SRC:lua/%=%); do \
	  install -D -m 644 "lua/$$f" "$(DESTDIR)$(LUADIR)/$$f" || exit 1; done
	install -m 644 $(PAGES) $(DESTDIR)$(LUADIR)/farside/pages.lua
	install -m 644 README.md LICENSE $(DESTDIR)$(DOCDIR)
	for page in $(MAN_PAGES); do install -D -m 644 \
	  $(dir $(MANUAL))$$page $(DESTDIR)$(DATADIR)/man/man$${page##*.}/$$page \
	  || exit 1; done
	install -D -m 644 $(dir $(MANUAL))farside.d.lua \
	  $(DESTDIR)$(DATADIR)/farside/farside.d.lua
	install -d $(addprefix $(DESTDIR)$(DATADIR)/,$(dir $(COMPLETIONS)))
	for f in $(COMPLETIONS); do s=$${f%%-*}; s=$${s%%/*}; \
	  $(DRIVER) completion $$s >"$(DESTDIR)$(DATADIR)/$$f" || exit 1; done

# Directories go when nobody else has put anything there.
uninstall: ## remove what install put there
	rm -f $(DESTDIR)$(BINDIR)/farside $(DESTDIR)$(CLUADIR)/farside/core.so
	rm -f $(addprefix $(DESTDIR)$(LUADIR)/,$(LUA_SRC:lua/%=%)) \
	  $(DESTDIR)$(LUADIR)/farside/pages.lua
	rm -f $(DESTDIR)$(DOCDIR)/README.md $(DESTDIR)$(DOCDIR)/LICENSE
	rm -f $(addprefix $(DESTDIR)$(DATADIR)/,$(COMPLETIONS)) \
	  $(foreach p,$(MAN_PAGES),$(DESTDIR)$(DATADIR)/man/man*/$p) \
	  $(DESTDIR)$(DATADIR)/farside/farside.d.lua
	for d in $(DESTDIR)$(CLUADIR)/farside $(DESTDIR)$(DOCDIR) \
	  $(DESTDIR)$(DATADIR)/farside \
	  $(addprefix $(DESTDIR)$(LUADIR)/,$(sort $(dir $(LUA_SRC:lua/%=%)))); do \
	  if [ -d "$$d" ]; then find "$$d" -depth -type d -empty -delete; fi; done

clean: ## remove what was built
	rm -rf $(B)

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | \
	  awk -F'|' '{ printf "make %-10s %s\n", $$1, $$2 }'
	@echo 'With B=DIR the build goes elsewhere; SANITIZE=1 finds memory errors.'

# Whole commands with V=1.
say = $(if $(V),,@echo '  $(1)  $@'; )

# What is needed is looked for each time, which is quick. Packages are
# installed for those who want to see or to work on Farside, not by `make`.
SETUP := LUA=$(LUA) LUAPC=$(LUAPC) scripts/dev/setup
need-build: | $(filter $(MAKECMDGOALS:%=need-%),need-demo need-check need-lint \
              need-bench need-check-vm need-fuzz)
	@$(SETUP) --check build
need-demo:; @$(SETUP) build run
need-check:; @$(SETUP) build run check
need-lint:; @$(SETUP) build lint
need-docs:; @$(SETUP) docs
need-check-vm:; @$(SETUP) build vm
need-fuzz:; @$(SETUP) build run fuzz
need-bench:
	@$(SETUP) build
	@$(SETUP) bench || echo 'Without them some rows are left out.'

$(CORE): $(CORE_OBJ)
	@mkdir -p $(@D)
	$(call say,LD) $(CC) -shared $(SANFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$(DRIVER): $(DRIVER_OBJ) $(CORE_OBJ)
	$(call say,LD) $(CC) $(SANFLAGS) $(LDFLAGS) -o $@ $^ $(driver_libs)

$(O)/obj/%.o: csrc/%.c Makefile | need-build
	@mkdir -p $(@D)
	$(call say,CC) $(CC) $(FLAGS) -c -o $@ $<

# The first process of a container, which the core has inside: small, without
# libc and without what compilers put in for it. It knows one processor;
# elsewhere containers are made in Lua.
$(O)/walker: $(WALKER_SRC) $(wildcard csrc/walker/*.h) csrc/raw.h csrc/sys.h \
             csrc/walk.h Makefile | need-build
	@mkdir -p $(@D)
	$(call say,LD) $(CC) -std=c11 $(WARN) -Os -Icsrc -ffreestanding -fno-pie \
	  -fno-stack-protector -fno-asynchronous-unwind-tables -static -nostdlib \
	  -no-pie -s -Wl,--build-id=none,-z,noseparate-code -o $@ $(WALKER_SRC)

WALKER := $(if $(filter x86_64,$(MACHINE)),$(O)/walker)
$(O)/obj/walker.o: CPPFLAGS += $(if $(WALKER),-DFAR_WALKER='"$(WALKER)"')
$(O)/obj/walker.o: $(WALKER)

$(O)/obj/driver/main.o: CPPFLAGS += -DFARSIDE_VERSION='"$(VERSION)"'

$(O)/obj/embedded.o: $(O)/embedded.c
	$(call say,CC) $(CC) $(FLAGS) -Icsrc/driver -c -o $@ $<

$(O)/bench/container: $(addprefix scripts/dev/bench/,container.c host.c \
                        root.c payload.c container.h) csrc/sys.h
$(O)/bench/runner: scripts/dev/bench/runner.c
$(O)/bench/network: scripts/dev/bench/network.c
$(O)/bench/nothing: scripts/dev/bench/nothing.c
$(O)/bench/floor: scripts/dev/bench/floor.c csrc/sys.h
$(O)/bench/nothing $(O)/bench/runner: LDFLAGS += -static
$(BENCH): Makefile | need-build
	@mkdir -p $(@D)
	$(call say,CC) $(CC) -std=c11 $(WARN) $(CFLAGS) -Icsrc $(LDFLAGS) -o $@ \
	  $(filter %.c,$^)

# The core with the fuzzer's counters, which only clang has, and the sanitizers.
FUZZ_CC   ?= clang
FUZZ_FLAGS = -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all \
             -fno-omit-frame-pointer
FUZZ_WRAP := send recvfrom bind mount sendto recvmmsg getrandom ppoll
FUZZ_OBJ  := $(CORE_SRC:csrc/%.c=$(B)/fuzz/obj/%.o)
$(B)/fuzz/obj/%.o: csrc/%.c Makefile | need-build
	@mkdir -p $(@D)
	$(call say,CC) $(FUZZ_CC) -std=c11 $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link \
	  -MMD -MP -Icsrc $(LUA_CFLAGS) $(LIBS_CFLAGS) $(CPPFLAGS) -c -o $@ $<

$(B)/fuzz/obj/walker.o: CPPFLAGS += $(if $(WALKER),-DFAR_WALKER='"$(WALKER)"')
$(B)/fuzz/obj/walker.o: $(WALKER)

$(FUZZER): scripts/dev/fuzz/fuzz.c $(FUZZ_OBJ)
	$(call say,LD) $(FUZZ_CC) -std=c11 $(WARN) $(FUZZ_FLAGS) -fsanitize=fuzzer \
	  $(LUA_CFLAGS) $(FUZZ_WRAP:%=-Wl,--wrap=%) -o $@ $^ $(driver_libs)

# What makes a system call fail, by the registers of x86-64.
$(O)/fault/inject: scripts/dev/fault/inject.c Makefile | need-build
	@mkdir -p $(@D)
	$(call say,CC) $(CC) -std=c11 $(WARN) $(CFLAGS) $(LIBS_CFLAGS) -o $@ $< \
	  $(LIBS)

# A Lua module that has no memory.
$(O)/fault/starve.so: scripts/dev/fault/starve.c Makefile | need-build
	@mkdir -p $(@D)
	$(call say,CC) $(CC) -std=c11 $(WARN) $(CFLAGS) $(SANFLAGS) $(LUA_CFLAGS) \
	  -fPIC -shared -o $@ $<

EMBEDDED := $(LUA_SRC) $(PAGES) $(FILTERS)
$(O)/embedded.c: scripts/dev/embed.lua scripts/dev/slim.lua $(EMBEDDED) | need-build
	@mkdir -p $(@D)
	$(call say,LUA) $(LUA) scripts/dev/embed.lua $@ $(EMBEDDED)

# The usual filter of system calls, compiled by the core itself, which with the
# sanitizers a plain lua cannot load.
$(O)/lua/farside/filters.lua: scripts/dev/filters.lua $(CORE) $(LUA_SRC)
	@mkdir -p $(@D)
	$(call say,LUA) $(LUA) $< $@ $(CORE)

$(PAGES): $(DOCS_LUA) $(CORE_SRC) $(LUA_SRC) | need-build
	@mkdir -p $(@D)
	$(call say,LUA) $(LUA) scripts/dev/docs.lua help $@ $(CORE_SRC) $(LUA_SRC)

# Manual pages, and definitions for editors beside them. The driver makes them:
# it has what the commands and the keys of recipes say of themselves.
$(MANUAL): $(DRIVER)
	@mkdir -p $(@D)
	$(call say,MAN) $(DRIVER) scripts/dev/docs.lua man $(@D) $(CORE_SRC) \
	  $(LUA_SRC)
	$(call say,LUA) $(DRIVER) scripts/dev/docs.lua luacats \
	  $(@D)/farside.d.lua $(CORE_SRC) $(LUA_SRC)

-include $(wildcard $(O)/obj/*.d $(O)/obj/driver/*.d $(B)/fuzz/obj/*.d)
