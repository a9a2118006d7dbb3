/* SPDX-License-Identifier: ISC */
/* The codec against tests/vectors, the walk-through of adit-frame(5), and the
 * properties that hold for all bytes. */
#include "common/buf.h"
#include "common/frame.h"
#include "tests/unit/test.h"

#define VECTORS "tests/vectors/"

enum { LINE_CAP = 8192, TEXT_CAP = 1024 };

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* Appends the bytes of a word that is all hexadecimal digits.  Returns
 * whether it is. */
static bool
add_hex(struct buf *b, const char *word, size_t len)
{
	if (len == 0 || len % 2 != 0)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (hex_value(word[i]) < 0)
			return false;
	}
	for (size_t i = 0; i < len; i += 2) {
		uint8_t v = (uint8_t)(hex_value(word[i]) * 16 +
		    hex_value(word[i + 1]));

		buf_add(b, bytes_of(&v, 1));
	}
	return true;
}

/* Appends the hexadecimal words that a line begins with; "*3 61" in it
 * stands for three bytes 61. */
static void
add_line(struct buf *b, const char *line)
{
	while (*line != '\0') {
		size_t space = strspn(line, " "), len;

		line += space;
		len = strcspn(line, " ");
		if (*line == '*') {
			int n = atoi(line + 1);

			line += len + strspn(line + len, " ");
			len = strcspn(line, " ");
			for (int i = 0; i < n; i++)
				add_hex(b, line, len);
		} else if (!add_hex(b, line, len)) {
			return;
		}
		line += len;
	}
}

static FILE *
open_text(const char *path)
{
	FILE *f = fopen(path, "re");

	if (f == NULL) {
		printf("Bail out! %s: %s (run from the top of the tree)\n",
		    path, strerror(errno));
		exit(1);
	}
	return f;
}

/* Reads a line without its end, skipping comments.  Returns false at the
 * end. */
static bool
next_line(FILE *f, char line[static LINE_CAP])
{
	do {
		if (fgets(line, LINE_CAP, f) == NULL)
			return false;
		line[strcspn(line, "\n")] = '\0';
	} while (line[0] == '#' || line[0] == '\0');
	return true;
}

/* One line that says all about a frame. */
static void
describe(const struct frame *f, char out[static TEXT_CAP])
{
	struct frame_reason r;
	struct frame_mark m;

	snprintf(out, TEXT_CAP, "%s stream=%u channel=%u length=%zu",
	    frame_type_name(f->type), f->stream, f->channel, f->payload.len);
	out += strlen(out);
	if (f->type == FRAME_RESET || f->type == FRAME_GOAWAY) {
		r = frame_get_reason(f->payload);
		snprintf(out, 700, " code=%s blame=%s text=%.*s",
		    frame_code_name(r.code), frame_blame_name(r.blame),
		    (int)r.text.len, (const char *)r.text.ptr);
	} else if (f->type == FRAME_MARK) {
		m = frame_get_mark(f->payload);
		snprintf(out, 700, " time=%" PRIu64 " dropped=%u direction=%u",
		    m.time_ns, m.dropped, m.direction);
	} else if (f->type == FRAME_WINDOW) {
		snprintf(out, 700, " credit=%u", be32_get(f->payload.ptr));
	}
}

/* Writes f as its own sender would. */
static void
encode(const struct frame *f, struct buf *out)
{
	uint8_t header[FRAME_HEADER_LEN];

	frame_put_header(header, f, (uint32_t)f->payload.len);
	buf_add(out, bytes_of(header, sizeof header));
	buf_add(out, f->payload);
}

static bool
encodes_to(const struct frame *f, struct bytes want)
{
	struct buf b;
	bool same;

	buf_init(&b, 4 << 20);
	encode(f, &b);
	same = bytes_eq(buf_bytes(&b), want);
	buf_reset(&b);
	return same;
}

/* Every strict prefix, each against a page that cannot be read. */
static bool
prefixes_need_more(struct bytes in)
{
	size_t step = in.len > 4096 ? 251 : 1;

	for (size_t n = 0; n < in.len; n += step) {
		struct test_guard g;
		struct frame f = {0};
		struct error e;
		ssize_t r = frame_decode(test_guard_new(&g,
		    bytes_of(in.ptr, n)), FRAME_LIMIT_DEFAULT, &f, &e);

		test_guard_free(&g);
		if (r != 0) {
			printf("# prefix of %zu bytes: %zd\n", n, r);
			return false;
		}
	}
	return true;
}

/* Every change of one byte gives an error, another frame, or a need for
 * more. */
static bool
changes_are_seen(struct bytes in)
{
	uint8_t *copy = malloc(in.len + 1);
	bool good = true;

	memcpy(copy, in.ptr, in.len);
	for (size_t i = 0; i < in.len && i < 600; i++) {
		for (unsigned x = 1; x < 256; x += i < 16 ? 1 : 37) {
			struct test_guard g;
			struct frame f = {0};
			struct error e;
			struct bytes placed;
			ssize_t r;

			copy[i] = (uint8_t)(in.ptr[i] ^ x);
			placed = test_guard_new(&g, bytes_of(copy, in.len));
			r = frame_decode(placed, FRAME_LIMIT_DEFAULT, &f, &e);
			if (r > 0 && (size_t)r <= in.len &&
			    encodes_to(&f, bytes_of(in.ptr, (size_t)r)))
				good = false;
			test_guard_free(&g);
		}
		copy[i] = in.ptr[i];
	}
	free(copy);
	return good;
}

static void
check_vector(const char *name, struct bytes in, const char *want)
{
	struct test_guard g;
	struct bytes placed = test_guard_new(&g, in);
	struct frame f = {0};
	struct error e = {.text = ""};
	char text[TEXT_CAP];
	ssize_t r = frame_decode(placed, FRAME_LIMIT_DEFAULT, &f, &e);

	if (r == -1) {
		snprintf(text, sizeof text, "error: %s", e.text);
		eq_str(text, want, "%s: refused with a reason", name);
	} else if (eq_int(r, (int64_t)in.len, "%s: decodes whole", name)) {
		describe(&f, text);
		eq_str(text, want, "%s: means what the text says", name);
		ok(encodes_to(&f, placed), "%s: encodes to the same", name);
		ok(prefixes_need_more(in), "%s: a prefix needs more", name);
		ok(changes_are_seen(in), "%s: a changed byte is seen", name);
	}
	test_guard_free(&g);
}

/* frames.hex has "name: bytes", frames.txt "name: meaning". */
static void
test_vectors(void)
{
	FILE *hex = open_text(VECTORS "frames.hex");
	FILE *txt = open_text(VECTORS "frames.txt");
	char line[LINE_CAP], want[LINE_CAP], name[80];
	struct buf b;

	buf_init(&b, 4 << 20);
	while (next_line(hex, line)) {
		size_t len = strcspn(line, ":");

		if (!next_line(txt, want) || strncmp(line, want, len + 1) != 0) {
			ok(false, "'%s' and '%s' go together", line, want);
			break;
		}
		snprintf(name, sizeof name, "%.*s", (int)len, line);
		buf_clear(&b);
		add_line(&b, line + len + 1);
		check_vector(name, buf_bytes(&b), want + len + 2);
	}
	ok(!next_line(txt, want), "every text has its bytes");
	buf_reset(&b);
	fclose(hex);
	fclose(txt);
}

/* The bytes of one direction of the page's walk-through. */
static void
read_page(char direction, struct buf *out)
{
	FILE *page = open_text("man/adit-frame.5");
	char line[LINE_CAP];
	bool inside = false, wanted = false;

	while (fgets(line, sizeof line, page) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (strcmp(line, ".Sh WALK-THROUGH") == 0)
			inside = true;
		else if (strcmp(line, ".Ed") == 0)
			inside = false;
		if (!inside || line[0] == '.')
			continue;
		if (strncmp(line, "C ", 2) == 0 || strncmp(line, "E ", 2) == 0)
			wanted = line[0] == direction;
		else if (strncmp(line, "  ", 2) != 0)
			wanted = false;
		if (wanted)
			add_line(out, line + 2);
	}
	fclose(page);
}

static void
read_hex(const char *path, struct buf *out)
{
	FILE *f = open_text(path);
	char line[LINE_CAP];

	while (next_line(f, line))
		add_line(out, line);
	fclose(f);
}

/* Decodes a direction of a hop and compares with the text. */
static void
check_direction(const char *path, struct bytes in)
{
	FILE *txt = open_text(path);
	enum frame_kind kind = 0;
	char want[LINE_CAP], text[TEXT_CAP];
	struct error e = {.text = ""};
	struct frame f;
	ssize_t n = FRAME_PREAMBLE_LEN;

	eq_int(frame_get_preamble(in, &kind, &e), 1, "%s: preamble", path);
	eq_int(kind, FRAME_KIND_HOP, "%s: of a hop", path);
	while (next_line(txt, want)) {
		in = bytes_after(in, (size_t)n);
		n = frame_decode(in, FRAME_LIMIT_DEFAULT, &f, &e);
		if (!ok(n > 0, "%s: %s %s", path, want, n < 0 ? e.text : ""))
			break;
		describe(&f, text);
		eq_str(text, want, "%s: as the text says", path);
	}
	eq_int(n, (int64_t)in.len, "%s: nothing after it", path);
	fclose(txt);
}

static void
test_walk_through(void)
{
	static const char *const names[] = {"initiator", "acceptor"};

	for (int i = 0; i < 2; i++) {
		struct buf page, vector;
		char hex[80], txt[80];

		buf_init(&page, 65536);
		buf_init(&vector, 65536);
		snprintf(hex, sizeof hex, VECTORS "walk-%s.hex", names[i]);
		snprintf(txt, sizeof txt, VECTORS "walk-%s.txt", names[i]);
		read_page("CE"[i], &page);
		read_hex(hex, &vector);
		ok(buf_len(&page) > 100, "the page has a walk-through");
		eq_bytes(buf_bytes(&page), buf_bytes(&vector),
		    "the page's %s equals the vector", names[i]);
		check_direction(txt, buf_bytes(&vector));
		buf_reset(&page);
		buf_reset(&vector);
	}
}

/* Cuts bytes at random places; what comes out must not depend on it. */
static void
test_chunking(void)
{
	struct buf all, out;
	int bad = 0;

	buf_init(&all, 1 << 20);
	buf_init(&out, 1 << 20);
	read_hex(VECTORS "walk-acceptor.hex", &all);
	buf_drop(&all, FRAME_PREAMBLE_LEN);
	for (int round = 0; round < 300; round++) {
		struct bytes in = buf_bytes(&all);
		size_t have = 0;

		buf_clear(&out);
		while (have < in.len) {
			struct frame f;
			struct error e;
			ssize_t n;

			have += 1 + test_below((size_t)round % 40 + 1);
			have = have > in.len ? in.len : have;
			while ((n = frame_decode(bytes_of(in.ptr, have),
			    FRAME_LIMIT_DEFAULT, &f, &e)) > 0) {
				encode(&f, &out);
				in = bytes_after(in, (size_t)n);
				have -= (size_t)n;
			}
			if (n < 0)
				break;
		}
		bad += !bytes_eq(buf_bytes(&out), buf_bytes(&all));
	}
	eq_int(bad, 0, "any chunking gives the same frames");
	buf_reset(&all);
	buf_reset(&out);
}

static void
test_preamble(void)
{
	uint8_t p[FRAME_PREAMBLE_LEN];
	struct error e;
	int bad = 0;

	for (int kind = FRAME_KIND_HOP; kind <= FRAME_KIND_CAPTURE; kind++) {
		enum frame_kind got = 0;

		frame_put_preamble(p, (enum frame_kind)kind);
		eq_int(frame_get_preamble(bytes_of(p, sizeof p), &got, &e), 1,
		    "preamble of kind %d", kind);
		eq_int(got, kind, "its kind");
		for (size_t n = 0; n < sizeof p; n++)
			bad += frame_get_preamble(bytes_of(p, n), &got,
			    &e) != 0;
		for (size_t i = 0; i < sizeof p; i++) {
			for (unsigned x = 1; x < 256; x++) {
				bool other = i == 6 && (p[i] ^ x) ==
				    (unsigned)(3 - kind);

				p[i] ^= (uint8_t)x;
				bad += frame_get_preamble(bytes_of(p,
				    sizeof p), &got, &e) != (other ? 1 : -1);
				p[i] ^= (uint8_t)x;
			}
		}
	}
	eq_int(bad, 0, "a prefix needs more, a changed byte is refused");
}

/* Lengths at a limit and one beyond, without the payload. */
static void
test_limits(void)
{
	static const struct {
		uint8_t type;
		uint32_t stream, min, max;
	} cases[] = {
		{FRAME_HELLO, 0, 2, FRAME_HELLO_MAX},
		{FRAME_AUTH, 0, 1, FRAME_AUTH_MAX},
		{FRAME_PING, 0, 8, 8}, {FRAME_PONG, 0, 8, 8},
		{FRAME_GOAWAY, 0, 4, 516}, {FRAME_WINDOW, 1, 4, 4},
		{FRAME_OPEN, 1, 2, FRAME_HELLO_MAX},
		{FRAME_DATA, 1, 1, FRAME_LIMIT_MIN},
		{FRAME_END, 1, 0, 0}, {FRAME_RESET, 1, 4, 516},
		{FRAME_EVENT, 0, 2, FRAME_LIMIT_MIN}, {FRAME_MARK, 0, 16, 16},
		{0x80, 0, 0, FRAME_LIMIT_MIN}, {0xff, 9, 0, FRAME_LIMIT_MIN},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct frame f = {.type = cases[i].type,
		    .stream = cases[i].stream}, got;
		uint8_t h[FRAME_HEADER_LEN];
		struct bytes in = bytes_of(h, sizeof h);
		struct error e;
		const char *name = frame_type_name(f.type);

		frame_put_header(h, &f, cases[i].max);
		ok(frame_decode(in, FRAME_LIMIT_MIN, &got, &e) >= 0,
		    "%s of %u bytes", name, cases[i].max);
		frame_put_header(h, &f, cases[i].max + 1);
		eq_int(frame_decode(in, FRAME_LIMIT_MIN, &got, &e), -1,
		    "%s one byte longer is refused by its header", name);
		frame_put_header(h, &f, UINT32_MAX);
		eq_int(frame_decode(in, FRAME_LIMIT_MIN, &got, &e), -1,
		    "%s of 4 GiB", name);
		if (cases[i].min == 0)
			continue;
		frame_put_header(h, &f, cases[i].min - 1);
		eq_int(frame_decode(in, FRAME_LIMIT_MIN, &got, &e), -1,
		    "%s of %u bytes is refused", name, cases[i].min - 1);
	}
}

static void
test_reason(void)
{
	uint8_t out[FRAME_REASON_LEN + FRAME_TEXT_MAX];
	char text[FRAME_TEXT_MAX + 9];
	struct frame_reason r = {.code = FRAME_DENIED, .blame = BLAME_POLICY};

	memset(text, 'x', sizeof text);
	for (size_t len = FRAME_TEXT_MAX - 1; len <= FRAME_TEXT_MAX + 1; len++) {
		struct frame_reason got;
		size_t want = len < FRAME_TEXT_MAX ? len : FRAME_TEXT_MAX, n;

		r.text = bytes_of(text, len);
		n = frame_put_reason(out, &r);
		eq_int(n, FRAME_REASON_LEN + want, "reason with %zu bytes",
		    len);
		got = frame_get_reason(bytes_of(out, n));
		ok(got.code == r.code && got.blame == r.blame &&
		    got.text.len == want, "it comes back");
	}
	eq_str(frame_code_name(16), "code-16", "an unknown code");
	eq_str(frame_code_name(0), "code-0", "code 0");
	eq_str(frame_blame_name(12), "blame-12", "an unknown blame");
	eq_str(frame_type_name(0x7f), "0x7f", "an unknown type");
	eq_str(frame_code_name(FRAME_DENIED), "denied", "the last code");
	eq_str(frame_blame_name(BLAME_SANDBOX), "sandbox", "the last blame");
}

/* Random bytes: no crash, and what decodes encodes to the same. */
static void
test_noise(void)
{
	uint8_t in[64];
	int bad = 0, frames = 0;

	for (int round = 0; round < 200000; round++) {
		struct frame f;
		struct error e;
		ssize_t n;

		for (size_t i = 0; i < sizeof in; i++)
			in[i] = test_below(3) == 0 ? (uint8_t)test_random() : 0;
		in[0] = (uint8_t)test_below(0x24);
		in[11] = (uint8_t)test_below(60);
		if (test_below(2) == 0)
			in[1] = in[2] = in[3] = in[8] = in[9] = in[10] = 0;
		n = frame_decode(bytes_of(in, sizeof in), FRAME_LIMIT_MIN, &f,
		    &e);
		frames += n > 0;
		bad += n > 0 && !encodes_to(&f, bytes_of(in, (size_t)n));
	}
	eq_int(bad, 0, "noise that decodes encodes to itself");
	ok(frames > 1000, "%d of 200000 were frames", frames);
}

int
main(void)
{
	test_vectors();
	test_walk_through();
	test_chunking();
	test_preamble();
	test_limits();
	test_reason();
	test_noise();
	return test_done();
}
