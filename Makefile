# Towpath. `make help` lists the targets.
#
# Sources are found by folder, so a new driver, view or command needs no line here.
# Each variant (release, debug, asan, tsan, clang, fuzz) builds into its own folder below build/.

SHELL = /bin/sh
comma := ,
PREFIX ?= /usr/local
VARIANT ?= release
B := build/$(VARIANT)
VERSION := 0.1.0

LIBS := libuv libcurl jansson libpq libgit2 libpcre2-8 ncursesw sqlite3 libfyaml libutf8proc libcrypto libmicrohttpd zlib expat
WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
	-Wwrite-strings -Wformat=2 -Wundef -Wvla -Wswitch-enum -Wno-sign-conversion -fno-common
WERROR ?=
HARDEN := -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
LDHARDEN := -pie -Wl,-z,relro,-z,now,-z,noexecstack

CFLAGS_release := -O2 -g $(HARDEN)
CFLAGS_debug := -O0 -g3 -fPIE
CFLAGS_clang := -O1 -g $(HARDEN)
CFLAGS_asan := -DTOWPATH_CHECKS -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined -fPIE
CFLAGS_tsan := -O1 -g -fno-omit-frame-pointer -fsanitize=thread -fPIE
CFLAGS_fuzz := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=undefined -fPIE -DTOWPATH_FUZZ
LDFLAGS_release := $(LDHARDEN)
LDFLAGS_debug := -pie
LDFLAGS_clang := $(LDHARDEN)
LDFLAGS_asan := -pie -fsanitize=address,undefined
LDFLAGS_tsan := -pie -fsanitize=thread
LDFLAGS_fuzz := -pie -fsanitize=address,undefined
CC_clang := clang
CC_fuzz := clang
CC := $(or $(CC_$(VARIANT)),$(if $(filter default,$(origin CC)),gcc,$(CC)))

ifneq ($(wildcard /usr/bin/pkg-config),)
# ncurses asks for another _XOPEN_SOURCE than ours.
PKG_CFLAGS = $(filter-out -D_XOPEN_SOURCE%,$(shell pkg-config --cflags $(LIBS)))
PKG_LIBS = $(shell pkg-config --libs $(LIBS))
endif
# PostgreSQL's own grammar for the lint: inside the program where its archive is there, by library else; without it
# the tokens do the work. Its symbols stay inside: libpq has some of the same names.
PG_QUERY := $(shell echo '\#include <pg_query.h>' | $(CC) -E - >/dev/null 2>&1 && $(CC) -print-file-name=libpg_query.a)
ifneq ($(PG_QUERY),)
PKG_CFLAGS += -DHAVE_PG_QUERY
PKG_LIBS += $(if $(findstring /,$(PG_QUERY)),$(PG_QUERY) -Wl$(comma)--exclude-libs$(comma)libpg_query.a,-lpg_query)
endif
ALL_CFLAGS = -std=c11 -D_XOPEN_SOURCE=700 -DTOWPATH_VERSION='"$(VERSION)"' -I. -I$(B) $(WARN) $(WERROR) \
	$(CFLAGS_$(VARIANT)) $(PKG_CFLAGS) $(CFLAGS) -MMD -MP

FOLDERS := core core/port io engine config themes tui tui/view tui/widget cli demo \
	backends $(addprefix backends/,deploy migrate registry forge metrics logs vars secret notify store)
SRC := $(wildcard $(addsuffix /*.c,$(FOLDERS)))
# Programs of their own: everything else goes into the library.
MAINS := cli/main.c cli/commands.c
OBJ := $(patsubst %.c,$(B)/%.o,$(filter-out $(MAINS),$(SRC)))
# Files that the program carries inside: name and bytes, found by baked_find() (core/baked.h).
BAKED := $(sort $(wildcard themes/*.theme config/*.yaml config/examples/*.yaml backends/store/schema/*.sql) \
	$(shell find demo/world -type f 2>/dev/null))

TESTS := $(patsubst tests/%.c,%,$(wildcard tests/unit/*.c tests/port/*.c tests/golden/*.c tests/e2e/*.c tests/crash/*.c))
SCRIPTS := $(patsubst tests/%.sh,%,$(wildcard tests/script/*.sh))
TESTLIB := $(patsubst %.c,$(B)/%.o,$(wildcard tests/lib/*.c))
FUZZERS := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c))

.PHONY: all help debug asan tsan clang test tests-build check crash golden demo deps deps-test install uninstall clean docs \
	fuzz fuzz-long bench figures layers headers style screenshots valgrind
.SECONDARY:
.DELETE_ON_ERROR:

all: towpath                      ## build ./towpath
towpath: build/release/towpath
	@cp -f $< $@.new && mv -f $@.new $@
ifneq ($(VARIANT),release)
build/release/towpath:
	@$(MAKE) VARIANT=release all
endif

help:                             ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

debug asan tsan clang:            ## build a variant into build/NAME
	@$(MAKE) --no-print-directory VARIANT=$@ build/$@/towpath

# Short lines; V=1 shows the commands.
Q := $(if $(V),,@)
$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC $<")
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(B)/libtowpath.a: $(OBJ) $(B)/baked.o
	@rm -f $@
	@ar rcs $@ $^

$(B)/towpath: $(MAINS:%.c=$(B)/%.o) $(B)/libtowpath.a
	$(if $(V),,@echo "  LD $@")
	$(Q)$(CC) $(LDFLAGS_$(VARIANT)) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) -lm -lpthread

$(B)/baked.c: $(BAKED) core/bake.sh
	@mkdir -p $(@D)
	@sh core/bake.sh $(BAKED) > $@
$(B)/baked.o: $(B)/baked.c
	$(Q)$(CC) $(ALL_CFLAGS) -Wno-overlength-strings -c -o $@ $<

# --- tests: every test program prints TAP; tests/run counts -------------------------------------
$(B)/tests/%: $(B)/tests/%.o $(TESTLIB) $(B)/libtowpath.a
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD $@")
	$(Q)$(CC) $(LDFLAGS_$(VARIANT)) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) -lcmocka -lvterm -lutil -lm -lpthread

# What a test loads before the C library.
$(B)/tests/preload/%.so: tests/preload/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) -std=c11 -O1 -fPIC -shared $(WARN) $(WERROR) -o $@ $<
$(B)/tests/crash/hosts: | $(B)/tests/preload/hostname.so

tests-build: $(B)/towpath $(addprefix $(B)/tests/,$(TESTS))
ifeq ($(VARIANT),release)
tests-build: towpath
endif

test: tests-build                 ## run all tests of this variant (VARIANT=asan for another)
	@sh tests/tools/install
	@sh tests/run $(B) $(if $(filter release,$(VARIANT)),$(TESTS),$(filter-out e2e/tools_%,$(TESTS))) $(SCRIPTS)

# One test builds only what it needs; those that drive the program build that too.
test/unit/% test/port/% test/golden/%:
	@$(MAKE) --no-print-directory $(B)/tests/$(@:test/%=%)
	@sh tests/run -v $(B) $(@:test/%=%)
test/%: $(B)/towpath             ## run one: make test/unit/core_text
	@case $* in script/*) ;; *) $(MAKE) --no-print-directory $(B)/tests/$* ;; esac
	@case $* in e2e/tools_*) sh tests/tools/install ;; esac
	@sh tests/run -v $(B) $*

check: deps-test                  ## install what the tests need, build and run everything
	@sh tests/check

# A thousand tries of tests/crash/storm.c, at most 20 minutes; the gate runs its short form.
crash: $(B)/tests/crash/storm     ## kill, stop and cut off rollouts at every failpoint, on both stores
	@CMOCKA_MESSAGE_OUTPUT=TAP $(B)/tests/crash/storm 1000 1200

golden: tests-build               ## rewrite the golden screens
	@GOLDEN_UPDATE=1 sh tests/run $(B) $(filter golden/%,$(TESTS))

layers headers style docs-check:
	@sh tests/$@.sh

# --- fuzzing -------------------------------------------------------------------------------------
build/fuzz/tests/fuzz/%: build/fuzz/tests/fuzz/%.o build/fuzz/libtowpath.a
	@mkdir -p $(@D)
	clang $(LDFLAGS_fuzz) -fsanitize=fuzzer -o $@ $^ $(PKG_LIBS) -lm -lpthread
fuzz-build:
	@$(MAKE) --no-print-directory VARIANT=fuzz $(addprefix build/fuzz/tests/fuzz/,$(FUZZERS))
fuzz: fuzz-build                  ## each fuzz target for 5 seconds
	@sh tests/fuzz/run 5
fuzz-long: fuzz-build             ## each fuzz target for 10 minutes
	@sh tests/fuzz/run 600

# --- people --------------------------------------------------------------------------------------
deps:                             ## install what building and the demo need
	@sh .ci/deps demo
deps-test:                        ## install what the tests need as well
	@sh .ci/deps test

# Set up, build, and open the console on the demo world; without a terminal run its story headless.
demo: deps                        ## the demo world
	@$(MAKE) --no-print-directory -j$$(nproc 2>/dev/null || echo 2) all
	@sh demo/start

docs: $(B)/towpath                ## write the manual's tables from the program's own
	@sh man/generate $(B)/towpath

screenshots: tests-build          ## render the README's pictures from the program's own screen
	@sh tests/golden/screenshots $(B)

bench: all                        ## figures, beside peers where they are installed
	@sh tests/bench/run

figures:                          ## shape of the code
	@python3 tests/figures.py . core io engine backends tui themes config cli demo

install: all                      ## into $(PREFIX)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/man/man5 \
		$(DESTDIR)$(PREFIX)/share/man/man7 $(DESTDIR)$(PREFIX)/share/towpath/examples $(DESTDIR)$(PREFIX)/share/bash-completion/completions \
		$(DESTDIR)$(PREFIX)/share/zsh/site-functions $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
	install -m 755 towpath $(DESTDIR)$(PREFIX)/bin/towpath
	install -m 644 man/*.1 $(DESTDIR)$(PREFIX)/share/man/man1/
	install -m 644 man/*.5 $(DESTDIR)$(PREFIX)/share/man/man5/
	install -m 644 man/*.7 $(DESTDIR)$(PREFIX)/share/man/man7/
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's|/usr/local|$(PREFIX)|' config/systemd/towpath-executor.service > \
		$(DESTDIR)$(PREFIX)/lib/systemd/system/towpath-executor.service
	install -m 644 config/examples/*.yaml $(DESTDIR)$(PREFIX)/share/towpath/examples/
	./towpath completion bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/towpath
	./towpath completion zsh > $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_towpath
	./towpath completion fish > $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/towpath.fish

uninstall:                        ## from $(PREFIX)
	rm -f $(DESTDIR)$(PREFIX)/bin/towpath $(DESTDIR)$(PREFIX)/share/man/man1/towpath.1 \
		$(DESTDIR)$(PREFIX)/share/man/man5/towpath*.5 $(DESTDIR)$(PREFIX)/share/man/man7/towpath*.7 \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/towpath \
		$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_towpath $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/towpath.fish
	rm -f $(DESTDIR)$(PREFIX)/lib/systemd/system/towpath-executor.service
	rm -rf $(DESTDIR)$(PREFIX)/share/towpath

clean:                            ## forget all that was built
	rm -rf build towpath

-include $(shell find $(B) -name '*.d' 2>/dev/null)
