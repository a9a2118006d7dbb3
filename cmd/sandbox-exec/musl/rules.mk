# SPDX-License-Identifier: ISC
# sandbox-exec linked with musl, where that is installed (MUSL= for not).
# glibc asks the processor for its features some 60 times as it starts, and on
# a virtual machine each answer is a trap: 0.3 to 0.4 ms in all.
#
# The objects are compiled once more, with musl's headers; the libraries are
# Debian's, which are made for glibc: musl has its ABI, and checked.c what they
# call beyond that.

MUSL ?= $(patsubst %/,%,$(dir $(firstword $(wildcard \
	/usr/lib/$(shell uname -m)-linux-musl/rcrt1.o))))
# Instrumented programs need the library that the instruments are made for.
ifeq ($(findstring -fsanitize,$(CFLAGS))$(findstring --coverage,$(CFLAGS)),)
MUSL_TOOLS := $(if $(MUSL),sandbox-exec)
endif

ifneq ($(MUSL_TOOLS),)
MUSL_OBJECTS := $(patsubst %.c,$(BUILD)/musl/%.o,$(wildcard \
	cmd/sandbox-exec/*.c cmd/sandbox-exec/musl/*.c))
# Without the modules for libraries that it does not link.
MUSL_COMMON := $(patsubst %.c,$(BUILD)/musl/%.o,$(shell grep -LE \
	'<(curl|openssl)/|<(jv|jq)\.h>|/(tls|json)\.h"' common/*.c))
MUSL_INCLUDES := -nostdinc -isystem $(MUSL:/usr/lib/%=/usr/include/%) \
	-isystem $(shell $(CC) -print-file-name=include) \
	-idirafter /usr/include/$(shell $(CC) -print-multiarch) \
	-idirafter /usr/include -include cmd/sandbox-exec/musl/headers.h
MUSL_LIBS := $(foreach l,$(filter-out m,$(LIBS_sandbox-exec:-l%=%)),$(shell \
	$(CC) -print-file-name=lib$(l).a)) $(MUSL)/libc.a \
	$(shell $(CC) -print-libgcc-file-name)
MUSL_START := $(MUSL)/rcrt1.o $(MUSL)/crti.o \
	$(shell $(CC) -print-file-name=crtbeginS.o)
MUSL_END := $(shell $(CC) -print-file-name=crtendS.o) $(MUSL)/crtn.o

$(BUILD)/musl/%.o: %.c cmd/sandbox-exec/musl/headers.h
	@mkdir -p $(@D)
	@$(call say,MUSL,$<)
	$(Q)$(CC) $(filter-out -D_FORTIFY_SOURCE=%,$(ALL_CFLAGS)) \
		$(MUSL_INCLUDES) -MMD -MP -c $< -o $@

$(BUILD)/musl/cmd/sandbox-exec/seccomp.o: $(SECCOMP).h
$(BUILD)/musl/cmd/sandbox-exec/seccomp.o: \
	ALL_CFLAGS += -I$(BUILD)/cmd/sandbox-exec

$(BUILD)/musl/libcommon.a: $(MUSL_COMMON)

$(BUILD)/bin/sandbox-exec: $(MUSL_OBJECTS) $(BUILD)/musl/libcommon.a
	@mkdir -p $(@D)
	@$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDHARDEN) -nostdlib -static-pie -o $@ \
		$(MUSL_START) $^ $(MUSL_LIBS) $(MUSL_END)
endif
