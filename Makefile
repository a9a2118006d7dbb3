# SPDX-License-Identifier: ISC
# make            builds everything into build/
# make demo       installs what is missing, builds, shows the main job
# make check      installs what is missing, builds, runs every test
# make help       lists the rest

MAKEFLAGS += -rR --no-print-directory
.DELETE_ON_ERROR:
.SUFFIXES:

ifeq ($(origin CC),default)
CC := gcc
endif
CC ?= gcc
BUILD ?= build
PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man
COMPDIR ?= $(PREFIX)/share/bash-completion/completions
CFLAGS ?= -O2 -g
JOBS ?= $(shell nproc)
FUZZ_SECONDS ?= 20
Q := $(if $(V),,@)
say = $(if $(V),:,printf '  %-5s %s\n' $(1) $(2))

# A program is a directory of cmd/ with a main.c.
TOOLS := $(patsubst cmd/%/main.c,%,$(wildcard cmd/*/main.c))

# What each program links; nothing else.
LIBS_tunnel-up := -lcurl -lssl -lcrypto -ljq -lev -lm
LIBS_tunnel-edge := -lssl -lcrypto -ljq -lev -lm
LIBS_mcp-proxy := -lssl -lcrypto -ljq -lev -lyaml -lhttp_parser -lcares -lm
LIBS_frame-dump := -ljq -lev -lm
# An image that is given sandbox-worker needs no more libraries than it must.
LIBS_sandbox-worker := -lcurl -lssl -lcrypto -larchive -ljq \
	-l:libhttp_parser.a -l:libev.a -lm
# sandbox-exec starts in a millisecond: a static program is half of it less.
LIBS_sandbox-exec := -lyaml -lcares -lhttp_parser -lev -lm
# (The sanitizers need a dynamic one.)
LDFLAGS_sandbox-exec = $(if $(findstring -fsanitize,$(CFLAGS)),,-static-pie)
# Tests link what they use of all of it.
LIBS_TEST := -lcurl -lssl -lcrypto -ljq -lev -lyaml -lhttp_parser -lcares -larchive -lm

WARN := -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion \
	-Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition \
	-Wpointer-arith -Wcast-qual -Wwrite-strings -Wvla -Walloca \
	-Wformat=2 -Wundef -Wimplicit-fallthrough -Wnull-dereference \
	-Wdouble-promotion -Wswitch-enum -Wredundant-decls \
	-Wframe-larger-than=32768 $(if $(WERROR),-Werror)
HARDEN := -fno-common -fno-strict-aliasing -fPIE -fstack-protector-strong \
	-fstack-clash-protection
FORTIFY := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
ifeq ($(shell uname -m),x86_64)
HARDEN += -fcf-protection=full
endif
ifeq ($(findstring clang,$(CC)),)
WARN += -Wformat-signedness -Wlogical-op -Wduplicated-cond \
	-Wduplicated-branches -Wjump-misses-init -Wcast-align=strict \
	-Wstringop-overflow=4
HARDEN += -fzero-call-used-regs=used-gpr
else
# The macros of OpenSSL cast const away; gcc knows a system header.
WARN += -Wno-cast-qual
endif
LDHARDEN := -pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code \
	-Wl,--as-needed -Wl,--gc-sections
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -I. $(WARN) \
	$(HARDEN) $(FORTIFY) -ffunction-sections -fdata-sections $(CFLAGS)

SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all
SANITIZED := FORTIFY=-U_FORTIFY_SOURCE \
	CFLAGS='-O1 -g -fno-omit-frame-pointer $(SANITIZE)'

.PHONY: all deps demo test-programs check check-unit fuzz-replay check-e2e check-leaks \
	asan fuzz bench lint objects mutate analyze cover install uninstall clean help

COMMON := $(patsubst %.c,$(BUILD)/%.o,$(wildcard common/*.c))
objects = $(patsubst %.c,$(BUILD)/%.o,$(wildcard cmd/$(1)/*.c))
BINARIES := $(TOOLS:%=$(BUILD)/bin/%)
UNIT := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/test_*.c))
FUZZ := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/fuzz/fuzz_*.c))
SOURCES := $(wildcard common/*.c cmd/*/*.c tests/unit/*.c tests/fuzz/*.c)

all: $(BINARIES) ## build the programs (the default)

deps: ## install the Debian packages that make check needs
	@tests/deps check

demo: ## show the main job on this machine
	@tests/deps demo
	@$(MAKE) -j$(JOBS) all
	@BIN=$(abspath $(BUILD)/bin) tests/demo

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

%.a:
	@mkdir -p $(@D)
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/libcommon.a: $(COMMON)

link = $(CC) $(CFLAGS) $(LDHARDEN) -o $@ $(filter %.o,$^) $(filter %.a,$^)

# lib<tool>.a is the program without its main, for tests.
$(foreach t,$(TOOLS),$(eval $(BUILD)/lib$(t).a: \
	$(filter-out %/main.o,$(call objects,$(t)))))

define tool
$(BUILD)/bin/$(1): $(call objects,$(1)) $(BUILD)/libcommon.a
	@mkdir -p $$(@D)
	@$$(call say,LD,$$@)
	$$(Q)$$(link) $$(LDFLAGS_$(1)) $$(LIBS_$(1))
endef

# The seccomp filters of sandbox-exec, made by libseccomp.
SECCOMP := $(BUILD)/cmd/sandbox-exec/sandbox-filter
$(SECCOMP): $(wildcard cmd/sandbox-exec/generate/*.c)
	@mkdir -p $(@D)
	@$(call say,CC,$<)
	$(Q)$(CC) -std=c11 -D_GNU_SOURCE $(WARN) -o $@ $^ -lseccomp
$(SECCOMP).h: $(SECCOMP)
	$(Q)$< >$@
$(BUILD)/cmd/sandbox-exec/seccomp.o: $(SECCOMP).h
$(BUILD)/cmd/sandbox-exec/seccomp.o: ALL_CFLAGS += -I$(BUILD)/cmd/sandbox-exec

include cmd/sandbox-exec/musl/rules.mk
$(foreach t,$(filter-out $(MUSL_TOOLS),$(TOOLS)),$(eval $(call tool,$(t))))

# A test that includes "cmd/<tool>/x.h" links that program's modules.
CMD_USES := $(shell awk -F'[/"]' '/^.include "cmd\//{print FILENAME ":" $$3}' \
	$(wildcard tests/unit/*.c tests/fuzz/*.c) /dev/null)
archives = $(patsubst $(1):%,$(BUILD)/lib%.a,$(filter $(1):%,$(CMD_USES))) \
	$(BUILD)/libcommon.a

# It has allocations fail.
LDFLAGS_tests/unit/test_fault := -Wl,--wrap=malloc,--wrap=calloc \
	-Wl,--wrap=realloc,--wrap=free

define test_program
$(BUILD)/$(1): $(BUILD)/$(1).o $(2) $(call archives,$(1).c)
	@$$(call say,LD,$$@)
	$$(Q)$$(link) $(3) $$(LDFLAGS_$(1)) $$(LIBS_TEST)
endef
$(foreach t,$(UNIT:$(BUILD)/%=%),$(eval $(call test_program,$(t))))
# FUZZER is clang's engine; without it driver.c replays files.
$(foreach t,$(FUZZ:$(BUILD)/%=%),$(eval $(call test_program,$(t),$(if \
	$(FUZZER),,$(BUILD)/tests/fuzz/driver.o),$(FUZZER))))

test-programs: $(UNIT) $(FUZZ)

check: ## run every test
	@tests/deps check
	@rm -rf $(BUILD)/tap
	@$(MAKE) -j$(JOBS) WERROR=1 all test-programs
	@status=0; \
	$(MAKE) -k -j$(JOBS) WERROR=1 lint check-unit fuzz-replay || status=1; \
	$(MAKE) check-e2e || status=1; \
	tests/tap --sum $(BUILD)/tap || status=1; \
	exit $$status

check-unit: $(UNIT:%=%.run) ## run the unit and property tests
$(UNIT:%=%.run): %.run: %
	@tests/tap $(BUILD)/tap/$(*F) $<

fuzz-replay: $(FUZZ:%=%.replay) ## run the fuzz targets over their corpora
$(FUZZ:%=%.replay): %.replay: %
	@tests/tap $(BUILD)/tap/$(*F) $< tests/fuzz/corpus/$(*F:fuzz_%=%)

# TESTS=tests/e2e/x.bats runs one file, FILTER='regular expression' its tests.
TESTS ?= $(sort $(wildcard tests/e2e/*.bats))
check-e2e: all ## run the end-to-end tests
	@BIN=$(abspath $(BUILD)/bin) tests/tap --live $(BUILD)/tap/e2e \
		bats --tap --timing --jobs $(JOBS) --no-parallelize-within-files \
		$(if $(FILTER),--filter '$(FILTER)') $(TESTS)

check-leaks: all ## run 10 000 sandboxes in a row: nothing may be left
	@FULL=1 $(MAKE) check-e2e TESTS=tests/e2e/sandbox-leaks.bats

asan: ## run the tests with AddressSanitizer and UBSan
	@tests/deps check
	@$(MAKE) -j$(JOBS) BUILD=$(BUILD)/asan $(SANITIZED) all test-programs
	@rm -rf $(BUILD)/asan/tap
	@status=0; \
	$(MAKE) -k -j$(JOBS) BUILD=$(BUILD)/asan $(SANITIZED) check-unit \
		fuzz-replay || status=1; \
	$(MAKE) BUILD=$(BUILD)/asan $(SANITIZED) check-e2e || status=1; \
	tests/tap --sum $(BUILD)/asan/tap || status=1; \
	exit $$status

fuzz: ## fuzz each target for FUZZ_SECONDS (20) with clang's libFuzzer
	@tests/deps fuzz
	@$(MAKE) -j$(JOBS) BUILD=$(BUILD)/fuzz CC=clang FUZZER=-fsanitize=fuzzer \
		FORTIFY=-U_FORTIFY_SOURCE \
		CFLAGS='-O1 -g -fsanitize=fuzzer-no-link $(SANITIZE)' \
		$(FUZZ:$(BUILD)/%=$(BUILD)/fuzz/%)
	@tests/fuzz/run $(BUILD)/fuzz $(FUZZ_SECONDS) $(TARGET)

bench: all $(BUILD)/libsandbox-exec.a ## measure against other programs
	@for b in run sandbox tools memory bridge search; do BUILD=$(abspath $(BUILD)) \
		BIN=$(abspath $(BUILD)/bin) tests/bench/$$b || exit 1; done

lint: ## compile with every warning as an error, check the style
	@tests/tap $(BUILD)/tap/lint tests/lint/run $(BUILD)/lint \
		$(if $(WERROR),$(BUILD))

objects: $(SOURCES:%.c=$(BUILD)/%.o)

mutate: ## break lines one by one: a unit test must notice each
	@tests/tap --live $(BUILD)/tap-mutate/mutate tests/lint/mutate \
		$(BUILD)/mutate

analyze: ## run gcc's and clang's analyzers
	@tests/lint/scan $(BUILD)/analyze

cover: ## measure which lines and branches the tests reach
	@$(MAKE) -j$(JOBS) BUILD=$(BUILD)/cover CFLAGS='-O0 -g --coverage' \
		FORTIFY=-U_FORTIFY_SOURCE all test-programs
	@find $(BUILD)/cover -name '*.gcda' -delete
	@$(MAKE) -k -j$(JOBS) BUILD=$(BUILD)/cover CFLAGS='-O0 -g --coverage' \
		FORTIFY=-U_FORTIFY_SOURCE check-unit fuzz-replay check-e2e; true
	@tests/lint/cover $(BUILD)/cover

MANPAGES := $(wildcard man/*.[1-8])
COMPLETIONS := $(wildcard completions/*)
man_target = $(DESTDIR)$(MANDIR)/man$(patsubst .%,%,$(suffix $(1)))/$(notdir \
	$(1))

install: all ## install below DESTDIR and PREFIX (/usr/local)
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(COMPDIR)
	install -m 755 $(BINARIES) $(DESTDIR)$(BINDIR)
	$(if $(COMPLETIONS),install -m 644 $(COMPLETIONS) $(DESTDIR)$(COMPDIR))
	$(foreach m,$(MANPAGES),install -D -m 644 $(m) $(call man_target,$(m)) &&) :

uninstall: ## remove what install put there
	rm -f $(BINARIES:$(BUILD)/bin/%=$(DESTDIR)$(BINDIR)/%) \
		$(COMPLETIONS:completions/%=$(DESTDIR)$(COMPDIR)/%) \
		$(foreach m,$(MANPAGES),$(call man_target,$(m)))

clean: ## remove build/
	rm -rf $(BUILD)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-12s %s\n", $$1, $$2}' \
		$(MAKEFILE_LIST) | sort -u

-include $(shell find $(BUILD) -path '$(BUILD)/*/tap' -prune -o \
	-name '*.d' -print 2>/dev/null)
