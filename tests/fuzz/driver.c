/* SPDX-License-Identifier: ISC */
/* Runs a fuzz target over the files given, or over those in directories, with
 * any compiler, and prints TAP.  Each input also runs with its end cut off and
 * with bytes changed, so that a corpus says more without an engine. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/io.h"

enum { INPUT_MAX = 1 << 20, NAMES_MAX = 1024, VARIANTS = 32 };

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t len);

static int files;

/* Runs a copy of exactly len bytes, so that a sanitizer sees reads behind
 * it. */
static void
run(const uint8_t *in, size_t len)
{
	uint8_t *copy = malloc(len == 0 ? 1 : len);

	if (copy == NULL)
		exit(1);
	memcpy(copy, in, len);
	LLVMFuzzerTestOneInput(copy, len);
	free(copy);
}

static void
run_variants(uint8_t *in, size_t len)
{
	for (size_t i = 0; i < VARIANTS && len != 0; i++) {
		size_t at = len * i / VARIANTS;
		uint8_t old = in[at];

		run(in, at);
		in[at] = (uint8_t)(old ^ (1U << i % 8));
		run(in, len);
		in[at] = (uint8_t)(i * 255 / VARIANTS);
		run(in, len);
		in[at] = old;
	}
}

static void
run_file(const char *path)
{
	struct error e;
	struct buf b;

	buf_init(&b, INPUT_MAX);
	if (io_read_file(path, &b, &e) != 0) {
		printf("not ok %d - %s\n", ++files, e.text);
		exit(1);
	}
	run(b.mem + b.head, buf_len(&b));
	run_variants(b.mem + b.head, buf_len(&b));
	buf_reset(&b);
	printf("ok %d - %s\n", ++files, path);
	fflush(stdout);
}

static void
run_directory(const char *path)
{
	struct dirent **names;
	int n = scandir(path, &names, NULL, alphasort);

	for (int i = 0; i < n; i++) {
		char file[NAMES_MAX];

		if (names[i]->d_name[0] != '.') {
			snprintf(file, sizeof file, "%s/%s", path,
			    names[i]->d_name);
			run_file(file);
		}
		free(names[i]);
	}
	if (n < 0)
		run_file(path);
	else
		free(names);
}

int
main(int argc, char **argv)
{
	run((const uint8_t *)"", 0);
	for (int i = 1; i < argc; i++)
		run_directory(argv[i]);
	printf("1..%d\n", files);
	return files == 0;
}
