/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-worker/skill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/sandbox-worker/log.h"
#include "cmd/sandbox-worker/stop.h"
#include "cmd/sandbox-worker/tree.h"
#include "cmd/sandbox-worker/unpacker.h"
#include "common/clock.h"
#include "common/io.h"
#include "common/str.h"
#include "common/utf8.h"

enum {
	ID_CAP = 256,
	CALL_PATH_CAP = 2048,
	VERSION_ANSWER_MAX = 1 << 20,
	UNAUTHORIZED = 401,
	FORBIDDEN = 403,
};

struct skill {
	char id[ID_CAP], version[ID_CAP];
	char name[SKILL_NAME_CAP]; /* of the directory */
};

void
skills_init(struct skills *s, struct api *api, int workdir_fd)
{
	*s = (struct skills){
		.api = api, .workdir_fd = workdir_fd, .stop_fd = -1,
		.dir_fd = -1, .unpack = unpacker_run,
	};
}

/* ---- names ---- */

static bool
is_component(struct bytes in)
{
	return in.len != 0 && in.len < SKILL_NAME_CAP &&
	    memchr(in.ptr, '/', in.len) == NULL &&
	    !bytes_eq(in, bytes_cstr(".")) &&
	    !bytes_eq(in, bytes_cstr("..")) && utf8_is_valid(in);
}

static bool
is_blank(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

int
skill_directory(const char *name, const char *id,
    char out[static SKILL_NAME_CAP])
{
	struct bytes in = bytes_cstr(name);
	size_t from;

	while (in.len != 0 && is_blank(in.ptr[0]))
		in = bytes_after(in, 1);
	while (in.len != 0 && is_blank(in.ptr[in.len - 1]))
		in.len--;
	while (in.len > 1 && in.ptr[in.len - 1] == '/')
		in.len--;
	for (from = in.len; from > 0 && in.ptr[from - 1] != '/'; from--)
		;
	in = bytes_after(in, from);
	if (!is_component(in))
		in = bytes_cstr(id);
	return is_component(in) ? str_from_bytes(out, SKILL_NAME_CAP, in) : -1;
}

/* ---- calls ---- */

/* Calls with the item's token, and if the service wants the environment key
 * for skills, with that. */
static int
call(struct skills *s, struct api_request *r, struct api_response *ret,
    struct error *e)
{
	memset(ret, 0, sizeof *ret);
	r->method = "GET";
	r->helper = API_HELPER_WORKER;
	r->timeout_ms = SKILL_CALL_MS;
	r->retries = API_RETRIES;
	if (api_call(s->api, r, ret, e) != 0)
		return -1;
	if ((ret->status == UNAUTHORIZED || ret->status == FORBIDDEN) &&
	    api_has_token(s->api) && api_has_environment_key(s->api)) {
		api_response_done(ret);
		memset(ret, 0, sizeof *ret);
		r->environment_key = true;
		if (api_call(s->api, r, ret, e) != 0)
			return -1;
	}
	if (api_is_success(ret->status))
		return 0;
	api_describe(ret, e);
	return -1;
}

static int
format_path(const struct skill *skill, const char *end, char *out,
    struct error *e)
{
	char id[3 * ID_CAP] = "", version[3 * ID_CAP] = "";

	if (api_encode(id, sizeof id, skill->id) != 0 ||
	    api_encode(version, sizeof version, skill->version) != 0 ||
	    str_format(out, CALL_PATH_CAP, "/v1/skills/%s/versions/%s%s", id,
	    version, end) != 0)
		return error_set(e, "its id is too long");
	return 0;
}

/* Reads the answer that says which version, "latest" perhaps, is which, and
 * what the skill is called. */
static int
read_version(struct skill *skill, struct bytes in, struct error *e)
{
	char name[4 * SKILL_NAME_CAP];
	struct jsonr v;

	if (jsonr_parse_object(in, &v, e) != 0)
		return -1;
	if (jsonr_get_str(v, "id", skill->version, sizeof skill->version,
	    e) != 1)
		return error_set(e, "a version without id");
	if (jsonr_get_str(v, "name", name, sizeof name, e) < 0)
		name[0] = '\0';
	if (skill_directory(name, skill->id, skill->name) != 0)
		return error_set(e, "neither name nor id is a file name");
	return 0;
}

static int
resolve(struct skills *s, struct skill *skill, struct error *e)
{
	char path[CALL_PATH_CAP];
	struct api_request r = {.path = path, .to_fd = -1,
	    .max = VERSION_ANSWER_MAX};
	struct api_response answer = {.status = 0};
	int result = -1;

	if (format_path(skill, "", path, e) == 0 &&
	    call(s, &r, &answer, e) == 0)
		result = read_version(skill, buf_bytes(&answer.body), e);
	api_response_done(&answer);
	return result;
}

static int
download(struct skills *s, const struct skill *skill, int fd,
    struct error *e)
{
	char path[CALL_PATH_CAP];
	struct api_request r = {.path = path, .to_fd = fd,
	    .accept = "application/binary", .max = SKILL_ARCHIVE_MAX};
	struct api_response answer = {.status = 0};
	int result = -1;

	if (format_path(skill, "/content", path, e) == 0)
		result = call(s, &r, &answer, e);
	api_response_done(&answer);
	return result;
}

/* ---- directories ---- */

static int
open_dir(struct skills *s, struct error *e)
{
	if (s->dir_fd != -1)
		return 0;
	if (mkdirat(s->workdir_fd, "skills", 0700) == 0)
		s->made_dir = true;
	else if (errno != EEXIST)
		return error_errno(e, "skills: mkdir");
	s->dir_fd = tree_open(s->workdir_fd, "skills",
	    O_RDONLY | O_DIRECTORY, 0);
	return s->dir_fd == -1 ? error_errno(e, "skills: open") : 0;
}

/* Puts the directory that was unpacked where it belongs; what was there
 * goes. */
static int
place(struct skills *s, const char *stage, const struct skill *skill,
    struct error *e)
{
	if (tree_remove(s->dir_fd, skill->name, SKILL_REMOVE_MS) != 0)
		return error_errno(e, "remove what is there");
	if (renameat2(s->dir_fd, stage, s->dir_fd, skill->name,
	    RENAME_NOREPLACE) != 0)
		return error_errno(e, "rename");
	return 0;
}

static int
unpack(struct skills *s, int archive_fd, const struct skill *skill,
    struct error *e)
{
	char hex[17], stage[40];
	int stage_fd, r = -1;

	random_hex(hex, sizeof hex - 1);
	str_format(stage, sizeof stage, ".skill-stage-%s", hex);
	if (mkdirat(s->dir_fd, stage, 0700) != 0)
		return error_errno(e, "mkdir");
	stage_fd = tree_open(s->dir_fd, stage, O_RDONLY | O_DIRECTORY, 0);
	if (stage_fd == -1)
		error_errno(e, "open");
	else if (s->unpack(archive_fd, stage_fd, e) != 0)
		error_prefix(e, "archive");
	else if (tree_check_plain(stage_fd, e) == 0)
		r = place(s, stage, skill, e);
	io_close(&stage_fd);
	if (r != 0)
		tree_remove(s->dir_fd, stage, SKILL_REMOVE_MS);
	return r;
}

/* ---- one and all ---- */

static void
note_installed(struct skills *s, const char *name)
{
	for (size_t i = 0; i < s->count; i++)
		if (str_eq(s->names[i], name))
			return;
	str_format(s->names[s->count++], SKILL_NAME_CAP, "%s", name);
}

static int
install(struct skills *s, struct skill *skill, struct error *e)
{
	int fd, r = -1;

	if (resolve(s, skill, e) != 0)
		return -1;
	fd = memfd_create("skill", MFD_CLOEXEC);
	if (fd == -1)
		return error_errno(e, "memfd_create");
	if (download(s, skill, fd, e) == 0 && open_dir(s, e) == 0)
		r = unpack(s, fd, skill, e);
	io_close(&fd);
	if (r == 0)
		note_installed(s, skill->name);
	return r;
}

static int
read_skill(struct jsonr v, struct skill *ret, struct error *e)
{
	if (jsonr_get_str(v, "skill_id", ret->id, sizeof ret->id, e) != 1)
		return error_set(e, "no skill_id");
	if (jsonr_get_str(v, "version", ret->version, sizeof ret->version,
	    e) < 0)
		return -1;
	if (ret->version[0] == '\0')
		str_format(ret->version, sizeof ret->version, "latest");
	return 0;
}

void
skills_install(struct skills *s, struct jsonr list)
{
	struct jsonr_iter i;
	struct jsonr v;
	unsigned n = 0;

	s->names = calloc(SKILL_COUNT_MAX, sizeof *s->names);
	if (s->names == NULL) {
		log_line(DIAG_WARNING, "skills: none installed: %s",
		    strerror(errno));
		return;
	}
	jsonr_iter_init(&i, list);
	while (!stop_is_asked(s->stop_fd) && jsonr_next(&i, NULL, &v)) {
		struct skill skill = {.id = ""};
		struct error e;

		if (++n > SKILL_COUNT_MAX) {
			log_line(DIAG_WARNING, "skills: only the first %d of "
			    "them are installed", SKILL_COUNT_MAX);
			return;
		}
		if (read_skill(v, &skill, &e) != 0 ||
		    install(s, &skill, &e) != 0)
			log_line(DIAG_WARNING, "failed to download skill "
			    "'%s': %s", skill.id, e.text);
		else
			log_line(DIAG_INFO, "skill installed: id=%s "
			    "version=%s name=%s", skill.id, skill.version,
			    skill.name);
	}
}

void
skills_remove(struct skills *s)
{
	for (size_t i = 0; i < s->count; i++)
		if (tree_remove(s->dir_fd, s->names[i], SKILL_REMOVE_MS) != 0)
			log_line(DIAG_WARNING, "skill %s: not removed: %s",
			    s->names[i], strerror(errno));
	io_close(&s->dir_fd);
	if (s->made_dir)
		unlinkat(s->workdir_fd, "skills", AT_REMOVEDIR);
	free(s->names);
	s->names = NULL;
	s->count = 0;
}
