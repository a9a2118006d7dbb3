/* SPDX-License-Identifier: ISC */
#include "common/diag.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/offer.h"
#include "common/utf8.h"

enum { LINE_MAX_LEN = 1024, HELD_MAX = 64 << 10 };

static const char *diag_program = "adit";
static enum diag_level diag_max = DIAG_NOTICE;
static bool has_warned;

/* What standard error has not taken. */
static struct {
	bool is_on;
	size_t len;
	char text[HELD_MAX];
} held;

void
diag_init(const char *program)
{
	diag_program = program;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGTTOU, SIG_IGN);
}

void
diag_set_level(enum diag_level max)
{
	diag_max = max;
}

bool
diag_shows(enum diag_level level)
{
	return level <= diag_max;
}

bool
diag_has_warned(void)
{
	return has_warned;
}

static bool
is_plain(uint8_t c)
{
	return c >= 0x20 && c < 0x7f;
}

/* What is in UTF-8 may be a name of the operator's own files. */
static size_t
escape_line(char *out, size_t cap, const char *in)
{
	enum { LONGEST = 4 * 4 + 1 }; /* an escape for each byte */
	struct bytes rest = bytes_cstr(in);
	size_t n = 0;

	while (rest.len != 0 && n + LONGEST < cap) {
		uint32_t c;
		size_t len = utf8_next(rest, &c);

		if (utf8_is_control(c)) {
			for (size_t i = 0; i < len; i++)
				n += (size_t)snprintf(out + n, cap - n,
				    "\\x%02x", rest.ptr[i]);
		} else {
			memcpy(out + n, rest.ptr, len);
			n += len;
		}
		rest = bytes_after(rest, len);
	}
	return n;
}

static void
write_line(const char *line, size_t len)
{
	ssize_t n;

	if (!held.is_on) {
		/* If it fails there is nowhere left to complain. */
		offer_all(STDERR_FILENO, bytes_of(line, len));
		return;
	}
	if (len > sizeof held.text - held.len)
		return;
	memcpy(held.text + held.len, line, len);
	held.len += len;
	n = offer_write(STDERR_FILENO, bytes_of(held.text, held.len));
	if (n == -1)
		n = errno == EAGAIN ? 0 : (ssize_t)held.len;
	held.len -= (size_t)n;
	memmove(held.text, held.text + n, held.len);
}

void
diag_hold(void)
{
	held.is_on = true;
}

void
diag_release(void)
{
	size_t len = held.len;

	held.is_on = false;
	held.len = 0;
	if (len != 0)
		write_line(held.text, len);
}

static __attribute__((format(printf, 2, 0))) void
diag_line(enum diag_level level, const char *format, va_list ap)
{
	static const char *const words[] = {"", "warning: ", "", "", "debug: "};
	char text[LINE_MAX_LEN], line[LINE_MAX_LEN * 2];
	size_t n;

	has_warned = has_warned || level == DIAG_WARNING;
	if (!diag_shows(level))
		return;
	vsnprintf(text, sizeof text, format, ap);
	n = (size_t)snprintf(line, sizeof line, "%s: %s", diag_program,
	    words[level]);
	n += escape_line(line + n, sizeof line - n - 1, text);
	line[n++] = '\n';
	write_line(line, n);
}

#define DIAG_FUNCTION(name, level)                                            \
	void                                                                  \
	name(const char *format, ...)                                         \
	{                                                                     \
		va_list ap;                                                   \
                                                                              \
		va_start(ap, format);                                         \
		diag_line(level, format, ap);                                 \
		va_end(ap);                                                   \
	}

DIAG_FUNCTION(diag_error, DIAG_ERROR)
DIAG_FUNCTION(diag_warning, DIAG_WARNING)
DIAG_FUNCTION(diag_notice, DIAG_NOTICE)
DIAG_FUNCTION(diag_info, DIAG_INFO)
DIAG_FUNCTION(diag_debug, DIAG_DEBUG)

const char *
diag_quote(char *out, size_t cap, struct bytes in)
{
	size_t n = 0;

	out[n++] = '\'';
	for (size_t i = 0; i < in.len; i++) {
		uint8_t c = in.ptr[i];
		bool plain = is_plain(c) && c != '\'' && c != '\\';

		if (n + 4 + 5 > cap) {
			n += (size_t)snprintf(out + n, cap - n, "...");
			break;
		}
		if (plain)
			out[n++] = (char)c;
		else
			n += (size_t)snprintf(out + n, cap - n, "\\x%02x", c);
	}
	out[n++] = '\'';
	out[n] = '\0';
	return out;
}
