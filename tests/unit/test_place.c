/* SPDX-License-Identifier: ISC */
/* The directories of a session and the policy that shows them; the jq program
 * that chooses it; the audit file; the metrics. */
#include <fcntl.h>
#include <sys/stat.h>

#include "cmd/sandbox-worker/audit.h"
#include "cmd/sandbox-worker/judge.h"
#include "cmd/sandbox-worker/metrics.h"
#include "cmd/sandbox-worker/place.h"
#include "cmd/sandbox-worker/policy.h"
#include "common/io.h"
#include "common/str.h"
#include "tests/unit/test.h"

static char dir[64];
static struct settings settings;
static struct place place;

static const char *
path_of(const char *name)
{
	static char out[4][256];
	static int at;

	at = (at + 1) % 4;
	str_format(out[at], sizeof out[at], "%s/%s", dir, name);
	return out[at];
}

static void
test_names(void)
{
	char name[80];

	place_name("sesn_01Ab-c", name);
	eq_str(name, "sesn_01Ab-c", "a harmless id is its own name");
	place_name("../x", name);
	ok(strchr(name, '/') == NULL && str_starts(name, "id."),
	    "another is a digest");
	place_name("", name);
	ok(str_starts(name, "id."), "so is none");
	place_name("-rf", name);
	ok(str_starts(name, "id."), "and what looks like an option");
	place_name("id.x", name);
	ok(!str_eq(name, "id.x"), "no id looks like a digest");
}

static void
open_place(void)
{
	struct error e;

	settings_init(&settings);
	settings.workspaces = dir;
	settings.outputs = dir;
	settings.state = dir;
	eq_int(place_open(&place, &settings, "sesn_1", &e), 0, "opened");
	eq_int(place_make_state(&place, &settings, &e), 0, "and more");
}

static void
test_place(void)
{
	struct error e;
	struct stat st;

	open_place();
	eq_str(place.inside, "/workspace", "where it is shown");
	ok(stat(path_of("sesn_1"), &st) == 0 && S_ISDIR(st.st_mode),
	    "a directory of its own");
	ok(stat(place.state, &st) == 0 && (st.st_mode & 077) == 0,
	    "and one that is private");
	place_close(&place);
	ok(stat(path_of("sesn_1"), &st) == 0, "the workspace is kept");
	eq_int(symlink("/etc", path_of("sesn_2")), 0, "a link");
	eq_int(place_open(&place, &settings, "sesn_2", &e), -1,
	    "is no workspace");
	settings.workspaces = NULL;
	settings.workdir = "/";
	eq_int(place_open(&place, &settings, "s", &e), -1, "nor is the root");
	settings.workdir = path_of("nothing");
	eq_int(place_open(&place, &settings, "s", &e), -1,
	    "nor what is not there");
	mkdir(path_of("a:b"), 0700);
	settings.workdir = path_of("a:b");
	eq_int(place_open(&place, &settings, "s", &e), -1,
	    "nor what cannot be written in a policy");
}

static void
test_mounts(void)
{
	struct error e;
	struct stat st;

	open_place();
	eq_int(place_make_mount(&place, "/workspace/memory/a", &e), 0,
	    "a directory to mount on");
	ok(stat(path_of("sesn_1/memory/a"), &st) == 0, "is made");
	eq_int(place_make_mount(&place, "/mnt/memory/a", &e), 0,
	    "elsewhere it is not needed");
	eq_int(symlink("/tmp", path_of("sesn_1/link")), 0, "a link");
	eq_int(place_make_mount(&place, "/workspace/link/a", &e), -1,
	    "leads nowhere");
	eq_int(place_make_mount(&place, "/workspace/../a", &e), -1,
	    "nor does ..");
	mkdir(path_of("else"), 0700);
	mkdir(path_of("else/a"), 0700);
	rmdir(path_of("sesn_1/memory/a"));
	rmdir(path_of("sesn_1/memory"));
	eq_int(symlink("../else", path_of("sesn_1/memory")), 0,
	    "a link in the way of what was made");
	place_close(&place);
	ok(stat(path_of("else/a"), &st) == 0, "takes nothing else away");
	unlink(path_of("sesn_1/memory"));
	rmdir(path_of("else/a"));
	rmdir(path_of("else"));
	open_place();
	place_make_mount(&place, "/workspace/memory/a", &e);
	place_close(&place);
	ok(stat(path_of("sesn_1/memory"), &st) != 0, "all is removed");
}

static void
test_lock(void)
{
	static struct place other;
	struct error e;

	open_place();
	eq_int(place_open(&other, &settings, "sesn_1", &e), 0, "the same");
	eq_int(place_lock(&place, &e), 1, "is for the first");
	eq_int(place_lock(&other, &e), 0, "not for the second");
	place_close(&place);
	eq_int(place_lock(&other, &e), 1, "until the first has ended");
	place_close(&other);
	unlink(path_of("sesn_1/link"));
	rmdir(path_of("sesn_1"));
	eq_int(place_lock(&place, &e), -1, "and not where it is gone");
}

/* Whether a file that is named so is taken. */
static bool
is_taken(const char *name)
{
	struct error e;

	settings.policy = path_of(name);
	return judge_settings(&settings, &e) == 0;
}

static void
test_judge(void)
{
	char work[256], sub[256];
	struct error e;

	settings_init(&settings);
	str_format(work, sizeof work, "%s", path_of("work"));
	str_format(sub, sizeof sub, "%s", path_of("work/sub"));
	mkdir(work, 0700);
	mkdir(sub, 0700);
	settings.workdir = work;
	ok(symlink("..", path_of("work/up")) == 0 &&
	    symlink("work/policy", path_of("link")) == 0, "links");
	ok(io_create_file(path_of("work/policy"), bytes_cstr(""), 0600,
	    &e) == 0 && io_create_file(path_of("policy"), bytes_cstr(""),
	    0600, &e) == 0, "files");
	ok(is_taken("policy"), "a file beside the working directory");
	ok(!is_taken("work/policy"), "not one in it");
	ok(!is_taken("work/sub/nothing"), "nor one that could be made there");
	ok(!is_taken("link"), "nor by a link to it");
	settings.workspaces = dir;
	ok(is_taken("policy"), "one beside the sessions' directories");
	ok(!is_taken("work/policy"), "not one in such a directory");
	settings.workspaces = settings.policy = NULL;
	settings.outputs = sub;
	eq_int(judge_settings(&settings, &e), -1, "outputs in what is written");
	settings.outputs = NULL;
	settings.state = work;
	eq_int(judge_settings(&settings, &e), -1, "nor state");
	settings.state = dir;
	eq_int(judge_settings(&settings, &e), 0, "outside they are fine");
	settings.workdir = ".";
}

/* The list stays: what is noted here is so for the tests below. */
static void
test_secret_files(void)
{
	static char key[256], pattern[256], inside[256], mask[PATH_MAX];
	struct error e;
	int fd;

	str_format(key, sizeof key, "%s", path_of("key"));
	str_format(pattern, sizeof pattern, "%s", path_of("k[1]*"));
	str_format(inside, sizeof inside, "%s", path_of("work/key"));
	settings_init(&settings);
	settings.workdir = path_of("work");
	io_create_file(pattern, bytes_cstr("s"), 0600, &e);
	io_create_file(inside, bytes_cstr("s"), 0600, &e);
	eq_int(symlink(pattern, key), 0, "a link");
	eq_int(secret_file_add("--a", key, &e), 0, "one is noted");
	eq_int(judge_settings(&settings, &e), 0, "outside it may lie");
	fd = open(pattern, O_RDONLY | O_CLOEXEC);
	eq_int(secret_file_add_fd("--b", fd, &e), 0, "one by descriptor");
	eq_str(secret_file_get(1)->path, pattern, "by its name");
	eq_int(secret_file_add_fd("--b", fd, &e), 0, "twice");
	ok(secret_file_get(2) == NULL, "is once");
	unlink(pattern);
	eq_int(secret_file_add_fd("--c", fd, &e), 0, "what has no name");
	ok(secret_file_get(2) == NULL, "needs no mask");
	eq_int(secret_file_format_mask(secret_file_get(0), mask), -1,
	    "nor what is not there");
	io_create_file(pattern, bytes_cstr("s"), 0600, &e);
	eq_int(secret_file_format_mask(secret_file_get(0), mask), 0,
	    "until it is");
	ok(str_ends(mask, "/k?1??"), "as no pattern of its own: %s", mask);
	eq_int(secret_file_add("--d", "/\xff", &e), -1, "no UTF-8");
	eq_str(e.text, "--d: a path that is not UTF-8 cannot be hidden from "
	    "sessions", "is refused");
	open_place();
	eq_int(place.mask_count, 2, "both are masked");
	place_close(&place);
	place.mask_count = 0;
	rmdir(path_of("sesn_1"));
	io_close(&fd);
	settings_init(&settings);
	settings.workdir = path_of("work");
	eq_int(secret_file_add("--signing-key-file", inside, &e), 0, "one "
	    "that sessions can write");
	eq_int(judge_settings(&settings, &e), -1, "is refused");
	ok(str_starts(e.text, "--signing-key-file /"), "by name: %s", e.text);
	unlink(inside);
	unlink(pattern);
	eq_int(secret_file_add("--e", "/e", &e), 0, "four");
	eq_int(secret_file_add("--f", "/f", &e), -1, "not five");
	settings.workdir = ".";
	settings.workspaces = NULL;
}

static void
grants(const char *rw, const char *want)
{
	char policy[2048];
	struct error e = {.text = "fine"};

	str_format(policy, sizeof policy, "{\"rw\":%s}", rw);
	if (judge_policy(&settings, bytes_cstr(policy), &e) == 0)
		str_format(e.text, sizeof e.text, "fine");
	eq_str(e.text, want, "%s", rw);
}

#define GRANT(format, ...)                                                  \
	(str_format(grant, sizeof grant, format, __VA_ARGS__), grant)
#define REFUSED "the policy: rw %s: sessions could write where --%s %s lies"

static void
test_grants(void)
{
	char grant[1024], want[1024], state[256], audit[256], link[256];
	struct error e;

	settings_init(&settings);
	settings.workdir = path_of("work");
	str_format(state, sizeof state, "%s", path_of("state"));
	str_format(audit, sizeof audit, "%s", path_of("logs/audit"));
	str_format(link, sizeof link, "%s", path_of("way"));
	settings.state = state;
	settings.audit = audit;
	mkdir(state, 0700);
	mkdir(path_of("state/sub"), 0700);
	mkdir(path_of("logs"), 0700);
	eq_int(symlink("state", link), 0, "a link");
	grants("[]", "fine");
	grants("[\"/nowhere/at/all\",\"/usr/share\"]", "fine");
	grants("7", "fine"); /* sandbox-exec says so */
	grants("[7]", "the policy: rw: not a list of paths");
	grants(GRANT("[\"%s/sub\"]", state), "fine");
	str_format(want, sizeof want, REFUSED, state, "state", state);
	grants(GRANT("[\"/usr\",\"%s\"]", state), want);
	grants(GRANT("\"%s\"", state), want);
	settings.audit = NULL;
	str_format(want, sizeof want, REFUSED, dir, "state", state);
	grants(GRANT("[\"%s\"]", dir), want);
	settings.audit = audit;
	str_format(want, sizeof want, REFUSED, state, "state", state);
	grants(GRANT("[\"%s:/x\"]", state), want);
	str_format(want, sizeof want, REFUSED, link, "state", state);
	grants(GRANT("[\"%s\"]", link), want);
	str_format(want, sizeof want, REFUSED, path_of("logs"), "audit",
	    audit);
	grants(GRANT("[\"%s\"]", path_of("logs")), want);
	grants(GRANT("[\"%s\"]", audit), "fine");
	io_create_file(audit, bytes_cstr(""), 0600, &e);
	str_format(want, sizeof want, REFUSED, audit, "audit", audit);
	grants(GRANT("[\"%s\"]", audit), want);
	setenv("HOME", dir, 1);
	str_format(want, sizeof want, REFUSED, state, "state", state);
	grants("[\"~/state\"]", want);
	unlink(audit);
	unlink(link);
	rmdir(path_of("state/sub"));
	rmdir(state);
	rmdir(path_of("logs"));
	settings_init(&settings);
}

static void
policy_is(const char *base, const char *want, const char *title)
{
	static const struct content_mount mounts[] = {
		{"/h/a", "/mnt/memory/a", false},
		{"/h/b", "/mnt/memory/b", true},
	};
	char got[2048];
	struct buf out;
	struct error e;

	str_format(place.host, sizeof place.host, "/h/w");
	str_format(place.inside, sizeof place.inside, "/workspace");
	place.outputs[0] = '\0';
	buf_init(&out, PLACE_POLICY_MAX);
	if (place_write_policy(&place, bytes_cstr(base), mounts, 2, &out,
	    &e) != 0)
		str_format(got, sizeof got, "error");
	else
		str_from_bytes(got, sizeof got, buf_bytes(&out));
	eq_str(got, want, "%s", title);
	buf_reset(&out);
}

#define OWN "\"/h/w:/workspace\",\"/h/a:/mnt/memory/a\""

static void
test_policy(void)
{
	policy_is("{}", "{\"rw\":[" OWN "],\"ro\":[\"/h/b:/mnt/memory/b\"],"
	    "\"workdir\":\"/workspace\"}", "the directories");
	policy_is("{\"net\":\"allow\",\"rw\":\"/x\",\"allow\":[\"a\",\"b\"],"
	    "\"ro\":[\"/y\",\"/z\"],\"workdir\":\"/x\"}",
	    "{\"net\":\"allow\",\"allow\":[\"a\",\"b\"],\"workdir\":\"/x\","
	    "\"rw\":[\"/x\"," OWN "],\"ro\":[\"/y\",\"/z\","
	    "\"/h/b:/mnt/memory/b\"]}", "and those of a program");
	policy_is("{\"rw\":[]}", "{\"rw\":[" OWN "],\"ro\":["
	    "\"/h/b:/mnt/memory/b\"],\"workdir\":\"/workspace\"}",
	    "an empty list");
	str_format(place.masks[0], PATH_MAX, "/etc/k");
	str_format(place.masks[1], PATH_MAX, "/etc/s");
	place.mask_count = 2;
	policy_is("{\"mask\":\"/x\"}", "{\"rw\":[" OWN "],\"ro\":["
	    "\"/h/b:/mnt/memory/b\"],\"mask\":[\"/x\",\"/etc/k\","
	    "\"/etc/s\"],\"workdir\":\"/workspace\"}",
	    "files with secrets are masked");
	place.mask_count = 0;
	policy_is("{\"mask\":[\"/x\"]}", "{\"rw\":[" OWN "],\"ro\":["
	    "\"/h/b:/mnt/memory/b\"],\"mask\":[\"/x\"],"
	    "\"workdir\":\"/workspace\"}", "and what a program wants");
	policy_is("[]", "error", "no object");
	policy_is("{\"rw\":7}", "error", "no list");
	policy_is("{\"rw\":[7]}", "error", "no strings");
	policy_is("{\"rw\":[],\"rw\":[]}", "error", "a key twice");
}

static void
evaluates(const char *program, const char *want, const char *title)
{
	static const struct work work = {.id = "w", .session_id = "s",
		.environment_id = "e"};
	char got[512];
	struct buf out;
	struct error e;

	buf_init(&out, sizeof got - 1);
	if (policy_evaluate(program, bytes_cstr("{\"metadata\":{\"net\":"
	    "\"none\"}}"), &work, &out, &e) != 0)
		str_format(got, sizeof got, "error");
	else
		str_from_bytes(got, sizeof got, buf_bytes(&out));
	eq_str(got, want, "%s", title);
	buf_reset(&out);
}

static void
test_program(void)
{
	evaluates("{net: .session.metadata.net, x: .work.id, "
	    "y: .work.session_id, z: .environment_id}",
	    "{\"net\":\"none\",\"x\":\"w\",\"y\":\"s\",\"z\":\"e\"}",
	    "a policy");
	evaluates("empty", "error", "nothing");
	evaluates("{}, {}", "error", "two");
	evaluates("7", "error", "no object");
	evaluates("null", "error", "null");
	evaluates("error(\"no\")", "error", "an error");
	evaluates("{}, error(\"no\")", "error", "an error at the end");
	evaluates("{", "error", "no program");
}

static void
test_audit(void)
{
	struct audit a = {.environment_id = "e", .work_id = "w",
		.session_id = "s"};
	struct audit_call c = {.tool = "bash", .id = "t", .exit = 7,
		.input = bytes_cstr("{\"command\":\"secret\"}"),
		.verdict = "allow", .is_error = true, .bytes = 12,
		.duration_ms = 34};
	char got[2048];
	struct error e;
	struct buf in;

	eq_int(audit_open(&a, path_of("audit"), "/nowhere", "", &e), 0, "opened");
	audit_write(&a, &c);
	a.input = true;
	c.exit = -1;
	audit_write(&a, &c);
	audit_close(&a);
	buf_init(&in, sizeof got - 1);
	io_read_file(path_of("audit"), &in, &e);
	str_from_bytes(got, sizeof got, buf_bytes(&in));
	buf_reset(&in);
	ok(strstr(got, "\"input_sha256\":\"e48504609f0efed3ab6cea45fe51465f"
	    "ae8b439bfdaaeef51b27dd6e7901bb89\"") != NULL && strstr(got, "\"exit\":7,\"duration_ms\":34,"
	    "\"bytes\":12}\n{") != NULL, "a line without the input");
	ok(strstr(got, "\"exit\":null") != NULL && strstr(got,
	    "\"input\":\"{\\\"command\\\":\\\"secret\\\"}\"}\n") != NULL,
	    "one with it");
	eq_int(mkfifo(path_of("fifo"), 0600), 0, "a FIFO");
	eq_int(audit_open(&a, path_of("fifo"), "/nowhere", "", &e), -1,
	    "that nobody reads does not block: %s", e.text);
	unlink(path_of("fifo"));
	eq_int(audit_open(&a, path_of("audit"), dir, "", &e), -1,
	    "none where the session can write");
	eq_int(audit_open(&a, path_of("audit"), "/nowhere", dir, &e), -1,
	    "nor where it puts what it has made");
}

static void
test_metrics(void)
{
	struct metrics m;
	struct buf out;
	char got[16384];

	metrics_init(&m, 4);
	metrics_take(&m, bytes_cstr("{\"event\":\"tool\",\"tool\":\"bash\","
	    "\"is_error\":true,\"duration_ms\":1500}"));
	metrics_take(&m, bytes_cstr("{\"event\":\"tool\",\"tool\":\"new\"}"));
	metrics_take(&m, bytes_cstr("{\"event\":\"beat\"}"));
	metrics_take(&m, bytes_cstr("{\"event\":"));
	metrics_take(&m, bytes_cstr("[]"));
	buf_init(&out, sizeof got - 1);
	eq_int(metrics_format(&m, &out), 0, "formatted");
	str_from_bytes(got, sizeof got, buf_bytes(&out));
	buf_reset(&out);
	ok(strstr(got, "sandbox_worker_tool_calls_total{tool=\"bash\","
	    "result=\"error\"} 1\n") != NULL, "calls");
	ok(strstr(got, "sandbox_worker_tool_seconds_total{tool=\"bash\"} "
	    "1.500\n") != NULL, "their time");
	ok(strstr(got, "\nsandbox_worker_heartbeats_total 1\n") != NULL,
	    "beats");
	ok(strstr(got, "\nsandbox_worker_sessions_max 4\n") != NULL,
	    "sessions");
}

/* Whether a sandbox's line is copied with our ids in front. */
static bool
is_copied(const char *line)
{
	struct audit a = {.environment_id = "e", .work_id = "w",
		.session_id = "s"};
	char got[1024], want[1024];
	struct error e;
	struct buf in;

	unlink(path_of("audit"));
	audit_open(&a, path_of("audit"), "/nowhere", "", &e);
	audit_copy(&a, bytes_cstr(line));
	audit_close(&a);
	buf_init(&in, sizeof got - 1);
	io_read_file(path_of("audit"), &in, &e);
	str_from_bytes(got, sizeof got, buf_bytes(&in));
	buf_reset(&in);
	str_format(want, sizeof want, "{\"environment_id\":\"e\","
	    "\"work_id\":\"w\",\"session_id\":\"s\",%s\n", line + 1);
	return str_eq(got, want);
}

static void
test_audit_copy(void)
{
	ok(is_copied("{\"event\":\"net\",\"verdict\":\"deny\"}") &&
	    is_copied("{\"event\":\"net-end\",\"sent\":1}") &&
	    is_copied("{\"event\":\"kill\"}") &&
	    is_copied("{\"event\":\"end\",\"limits_hit\":[\"mem\"]}"),
	    "what a sandbox decides is copied");
	ok(!is_copied("{\"event\":\"call\",\"tool\":\"bash\"}") &&
	    !is_copied("{\"event\":\"tool\",\"tool\":\"bash\"}") &&
	    !is_copied("{\"event\":\"end\",\"limits_hit\":[]}") &&
	    !is_copied("{\"event\":\"start\"}"), "nothing else");
	ok(!is_copied("{\"event\":\"net\",\"session_id\":\"other\"}") &&
	    !is_copied("{\"event\":\"net\"") &&
	    !is_copied("{\"event\":\"net\",\"event\":\"net\"}") &&
	    !is_copied("[]"), "nor what is forged or broken");
}

/* What the tests have made, each by its name. */
static void
remove_all(void)
{
	static const char *const names[] = {
		"audit", "sesn_2", "sesn_1/link", "link", "policy",
		"work/policy", "work/up",
	};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		unlink(path_of(names[i]));
	rmdir(path_of("sesn_1"));
	rmdir(path_of("work/sub"));
	rmdir(path_of("work"));
	rmdir(path_of("a:b"));
	rmdir(dir);
}

int
main(void)
{
	const char *tmp = getenv("TMPDIR");

	str_format(dir, sizeof dir, "%s/test_place.XXXXXX",
	    tmp == NULL ? "/tmp" : tmp);
	if (mkdtemp(dir) == NULL)
		return 1;
	test_names();
	test_place();
	test_mounts();
	test_lock();
	test_judge();
	test_grants();
	test_secret_files();
	test_policy();
	test_program();
	test_audit();
	test_audit_copy();
	test_metrics();
	remove_all();
	return test_done();
}
