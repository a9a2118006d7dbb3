# SPDX-License-Identifier: ISC
# make            builds everything into build/
# make demo       installs what is missing, builds, shows the main job
# make check      installs what is missing, builds, runs every test
# make help       lists the rest

MAKEFLAGS += -rR
.DELETE_ON_ERROR:
.SUFFIXES:

CC ?= gcc
ifeq ($(CC),cc)
CC := gcc
endif
BUILD ?= build
PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man
COMPDIR ?= $(PREFIX)/share/bash-completion/completions
PKG_CONFIG ?= pkg-config
CFLAGS ?= -O2 -g
Q := $(if $(V),,@)

TOOLS := tunnel-up tunnel-edge mcp-proxy frame-dump

WARN := -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion \
	-Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition \
	-Wpointer-arith -Wcast-qual -Wwrite-strings -Wvla -Walloca \
	-Wformat=2 -Wundef -Wimplicit-fallthrough -Wnull-dereference \
	-Wdouble-promotion -Wswitch-enum -Wredundant-decls \
	-Wframe-larger-than=32768 $(if $(WERROR),-Werror)
HARDEN := -fno-common -fno-strict-aliasing -fPIE -fstack-protector-strong \
	-fstack-clash-protection -fcf-protection=full
FORTIFY := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
LDHARDEN := -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed \
	-Wl,--gc-sections
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -I. $(WARN) $(HARDEN) $(FORTIFY) \
	-ffunction-sections -fdata-sections $(CFLAGS)

# What each tool links; nothing else.
LIBS_tunnel-up := -lcurl -lssl -lcrypto -ljq -lev -lm
LIBS_tunnel-edge := -lssl -lcrypto -ljq -lev -lm
LIBS_mcp-proxy := -lssl -lcrypto -ljq -lev -lyaml -lhttp_parser -lcares -lm
LIBS_frame-dump := -ljq -lev -lm

COMMON := $(patsubst %.c,$(BUILD)/%.o,$(wildcard common/*.c))
sources = $(wildcard cmd/$(1)/*.c)
objects = $(patsubst %.c,$(BUILD)/%.o,$(call sources,$(1)))

.PHONY: all
all: $(TOOLS:%=$(BUILD)/bin/%)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(if $(V),,echo "  CC $<";) $(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/libcommon.a: $(COMMON)
	$(Q)rm -f $@ && ar rcs $@ $^

define tool
$(BUILD)/bin/$(1): $(call objects,$(1)) $(BUILD)/libcommon.a
	@mkdir -p $$(@D)
	$$(Q)$$(if $$(V),,echo "  LD $$@";) $$(CC) $$(CFLAGS) $$(LDHARDEN) \
		-o $$@ $$(filter %.o,$$^) $(BUILD)/libcommon.a $$(LIBS_$(1))
endef
$(foreach t,$(TOOLS),$(eval $(call tool,$(t))))

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
