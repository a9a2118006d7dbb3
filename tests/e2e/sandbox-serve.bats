#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# shellcheck disable=SC2154,SC2016

# sandbox-exec --serve: sessions with their shell, commands, what ends what.

load helpers
load sandbox-exec
load sandbox-serve

setup_file() { setup_file_serve; }
teardown_file() { teardown_file_sandbox; }
setup() { sandbox_setup; }
teardown() { sandbox_teardown; }

# ---- the shell ----

keeps_state()
{
	client <<'JS'
const s = (await serve(options)).session();
say(Object.keys(await s.until('ready')));
say((await s.bash('cd /usr; X=5; f() { echo "f$X"; }; sleep 300 &')).text);
say((await s.bash('pwd; f; jobs | wc -l')).text);
say((await s.bash('{ kill %1; wait; } 2>/dev/null; cd /etc; cd -')).text);
JS
	says '["type","workdir","isolation"]
(no output)
/usr
f5
1
/usr'
}

@test "a shell keeps directory, variables, functions and jobs" {
	each keeps_state
}

@test "without namespaces it does too" {
	LOWER=1 each keeps_state
}

@test "a command's status, output and errors are its result" {
	client <<'JS'
const s = (await serve(options)).session();
for (const c of ['echo out; echo err >&2', 'exit 7', '(exit 7)', 'false',
	'echo no; false', 'true', 'printf "a\\n\\n\\n"', 'printf "\\n\\na"',
	'printf "\\033[1mb\\033[0m\\377"', '# nothing', 'cat <<X\nhere\nX',
	'read x; echo "[$x]"', "echo 'it'\\''s'", '-x', 'cat',
	'set -x; echo t', 'set +x', 'printf() { echo evil; }', 'echo p']) {
	const r = await s.bash(c);

	say(c, r.text, r.is_error, r.exit ?? null);
}
JS
	eq "$output" "$(<"$BATS_TEST_DIRNAME/sandbox-serve.results")"
}

@test "no function, alias, option or error hides the end of a command" {
	client <<'JS'
const s = (await serve(options)).session();
for (const c of ['printf() { exit 5; }; command() { exit 6; }',
	'builtin() { exit 7; }', 'shopt -s expand_aliases',
	'alias eval="exit 8" builtin="exit 9" command="exit 10"',
	'set -eu', 'false || true', 'set -o posix; (exit 9) || true',
	'trap "exit 11" ERR; set +e', 'BASH_ARGV0=x',
	'trap - ERR; set +o posix', "echo 'x",
	'echo $(', 'if', 'echo `', 'cat <<X', '{', 'a() {', '((', '[[ a',
	'echo ${', 'true', 'echo )', 'echo \\']) {
	const r = await s.bash(c, { timeout_ms: 10000 });

	say(c, r.exit ?? r.text, r.is_error);
}
JS
	says 'printf() { exit 5; }; command() { exit 6; } 0 false
builtin() { exit 7; } 0 false
shopt -s expand_aliases 0 false
alias eval="exit 8" builtin="exit 9" command="exit 10" 0 false
set -eu 0 false
false || true 0 false
set -o posix; (exit 9) || true 0 false
trap "exit 11" ERR; set +e 0 false
BASH_ARGV0=x 0 false
trap - ERR; set +o posix 0 false
echo '"'"'x 2 true
echo $( 2 true
if 2 true
echo ` 2 true
cat <<X 0 false
{ 2 true
a() { 2 true
(( 2 true
[[ a 2 true
echo ${ 2 true
true 0 false
echo ) 2 true
echo \ 0 false'
}

@test "builtins that are turned off do not either" {
	client <<'JS'
const s = (await serve(options)).session();
for (const c of ['enable -n printf builtin command echo test true', '(exit 3)',
	'eval() { exit 9; }'])
	say((await s.bash(c, { timeout_ms: 10000 })).exit);
say((await s.bash('exit 1', { timeout_ms: 10000 })).text);
say((await s.bash('echo anew', { timeout_ms: 10000 })).text);
JS
	says '0
3
0
bash: bash session terminated
anew'
}

@test "a command that is not complete is an error at once" {
	client <<'JS'
const s = (await serve(options)).session();
const r = await s.bash("echo 'x");
say(r.is_error, r.exit, /unexpected EOF/.test(r.text), r.duration_ms < 5000);
say((await s.bash('echo still')).text);
JS
	says 'true 2 true true
still'
}

@test "the last 102400 characters are kept" {
	client <<'JS'
const s = (await serve(options)).session();
for (const n of [102396, 102397, 5000000]) {
	const r = await s.bash(`head -c ${n} /dev/zero | tr '\\0' x; echo end`);

	say(n, r.text.length, r.text.slice(0, 20).replace('\n', '|'),
		r.text.slice(-4), r.truncated ?? false);
}
const r = await s.bash('yes \u{1f600} | head -n 60000 | tr -d "\\n"');
say(r.text.length, r.text.codePointAt(19).toString(16));
JS
	says '102396 102399 xxxxxxxxxxxxxxxxxxxx xend false
102397 102418 [output truncated]|x xend true
5000000 102418 [output truncated]|x xend true
102419 1f600'
}

@test "what background jobs print comes with the next command" {
	client <<'JS'
const s = (await serve(options)).session();
say((await s.bash('(sleep 0.2; echo late) & echo early')).text);
await until(async () => (await s.bash('true')).text === 'late');
say('late');
say((await s.bash('yes & sleep 0.1; kill $!; wait; echo; echo k')).text
	.slice(-2));
say((await s.bash('echo clean')).text);
JS
	says 'early
late
'$'\n''k
clean'
}

kills_all()
{
	client <<'JS'
const mark = `9${process.pid}`;
const s = (await serve(options)).session();
await s.bash('true'); // so that the shell has started
const r = await s.bash(`setsid sleep ${mark} & setsid setsid sleep ${mark} &
	(sleep ${mark} &) ; echo began; sleep ${mark}`, { timeout_ms: 500 });
say(r.text, r.is_error, r.timed_out, r.exit ?? null);
say(count(`^sleep ${mark}$`));
say((await s.bash('echo alive; jobs')).text);
JS
	says 'bash: bash command timed out after 500ms
began true true null
0
alive'
}

@test "a command that takes too long is killed with all it has started" {
	each kills_all
}

@test "without namespaces it is too" {
	LOWER=1 each kills_all
}

@test "a shell that its command ends is followed by a new one" {
	client <<'JS'
const s = (await serve(options)).session();
for (const c of ['exit 3', 'set -e; false', 'exec true', 'kill -9 $$',
	'echo x; exit 3'])
	say((await s.bash(`X=1; ${c}`)).text, (await s.bash('echo "[$X]"')).text);
say((await s.bash('X=1')).text, (await s.tool('bash', { restart: true })).text);
say((await s.bash('echo "[$X]"')).text);
say((await s.bash('echo "[$X]"', { restart: true })).text);
JS
	says 'bash: bash session terminated []
bash: bash session terminated []
bash: bash session terminated []
bash: bash session terminated []
bash: bash session terminated
x []
(no output) bash session restarted
[]
[]'
}

@test "inputs that make no sense are results" {
	client <<'JS'
const s = (await serve(options)).session();
for (const raw of ['{}', '[]', 'x', '', '{"command":5}', '{"command":""}',
	'{"command":"a\\u0000"}', '{"command":"echo ok","timeout_ms":1e5}',
	'{"command":"echo ok","timeout_ms":"x","more":1}'])
	say(raw, (await s.tool('bash', null, { raw })).text);
say((await s.tool('nope', {})).text);
say((await s.tool('read', {})).text);
JS
	says '{} bash: command is required
[] bash: the input: no object
x bash: the input: no JSON, or too deep, at byte 0
 bash: the input: JSON ends early
{"command":5} bash: command is required
{"command":""} bash: command is required
{"command":"a\u0000"} bash: command has a NUL in it
{"command":"echo ok","timeout_ms":1e5} ok
{"command":"echo ok","timeout_ms":"x","more":1} ok
nope: unknown tool
read: file_path is required'
}

@test "a command may have 8 MiB, and no byte more" {
	client <<'JS'
const s = (await serve(options)).session();
const size = 8 * 1024 * 1024;
const raw = (n) => {
	const end = '\\necho ok"}', begin = '{"command":"# ';

	return begin + 'x'.repeat(n - begin.length - end.length) + end;
};
say((await s.tool('bash', null, { raw: raw(size) })).text);
say((await s.tool('bash', null, { raw: raw(size + 1) })).reset);
say((await s.bash('echo still')).text);
JS
	says 'ok
{"code":"limit","blame":"sandbox","text":"the input is above 8 MiB"}
still'
}

@test "without bash sh is the shell, and without both that is the result" {
	mkdir -p root/bin
	client <<'JS'
const h = await serve([...options, '--without', 'files', '--ro',
	'/usr/lib', '--ro', `${fs.realpathSync('/bin/dash')}:/bin/sh`,
	...['/lib64', '/lib'].filter((p) => fs.existsSync(p))
		.flatMap((p) => ['--ro', `${fs.realpathSync(p)}:${p}`])]);
const s = h.session();
say((await s.bash(`X=1; echo "$0 it's"`)).text);
say((await s.bash('echo "$X"; (exit 3)')).text, (await s.bash('cd /; exit')).text);
JS
	[[ ${lines[0]} == "/bin/sh it's" ]]
	[[ ${lines[1]} == 1\ bash:* ]]
	client <<'JS'
const s = (await serve([...options, '--without', 'files'])).session();
const r = await s.bash('echo x');
say(r.text, r.is_error);
JS
	says 'bash: neither /bin/bash nor /bin/sh is in the sandbox true'
}

# ---- calls ----

@test "calls of a session run one after the other in the order of their OPENs" {
	client <<'JS'
const s = (await serve(options)).session();
const a = s.open('bash'), b = s.open('write'), c = s.open('bash');
const put = (t, v) => { t.data(JSON.stringify(v)); t.end(); };
put(c, { command: 'cat f; echo third' });
put(b, { file_path: 'f', content: 'second\n' });
await sleep(100);
say(a.over ?? 'waits', b.over ?? 'waits', c.over ?? 'waits');
put(a, { command: 'sleep 0.1; ls f; echo first' });
for (const t of [a, b, c]) {
	await t.closed;
	say(t.text());
}
JS
	says 'waits waits waits
ls: cannot access '\''f'\'': No such file or directory
first
wrote 7 bytes to f
second
third'
}

@test "output comes as it is made to who wants it live" {
	client <<'JS'
const s = (await serve(options)).session();
const t = s.open('bash', true), at = [];
t.onData = (bytes, channel) => at.push(`${channel}:${bytes}`.trim());
t.data('{"command":"echo one; sleep 0.3; printf two; exit 1"}'.replace(
	'exit', 'sleep 0.3; (exit') .replace('1"', '1)"'));
t.end();
await t.closed;
say(at, t.event('result').exit);
JS
	says '["1:one","1:two","0:one\ntwo"] 1'
}

@test "a cancelled call is killed, and the next one runs" {
	client <<'JS'
const mark = `9${process.pid}`;
const s = (await serve(options)).session();
const t = s.open('bash');
t.data(JSON.stringify({ command: `setsid sleep ${mark} & sleep ${mark}` }));
t.end();
await until(() => count(`^sleep ${mark}$`) === 2);
const waits = s.open('bash'), next = s.bash('echo next');
t.reset();
waits.reset();
say((await next).text, count(`^sleep ${mark}$`));
JS
	says 'next 0'
}

@test "the file tools run in the sandbox, and come back when they are killed" {
	client <<'JS'
const s = (await serve([...options, '--ro', '/usr/share:/shared'])).session();
say((await s.tool('write', { file_path: 'd/f', content: 'x\n' })).text);
say((await s.tool('read', { file_path: 'd/f' })).text);
say((await s.tool('read', { file_path: '/etc/passwd' })).is_error);
say((await s.tool('write', { file_path: '/shared/x', content: 'x' })).text);
say(count('^sandbox-tools rw:' + W));
process.kill(Number((await import_pid()).trim()), 'SIGKILL');
async function import_pid() {

	return execFileSync('pgrep', ['-f', '^sandbox-tools rw:' + W]).toString();
}
await until(() => count('^sandbox-tools rw:' + W) === 0);
say((await s.tool('read', { file_path: 'd/f' })).text);
JS
	says 'wrote 2 bytes to d/f
x

true
write: /shared/x is inside read-only directory /shared
1
x'
}

@test "the tools' process shows the sandbox nothing of itself" {
	client <<'JS'
const s = (await serve(options)).session();
await s.tool('read', { file_path: 'x' });
say((await s.bash('cat /proc/[0-9]*/comm | sort -u; ' +
	'cat /proc/[0-9]*/cmdline | tr "\\0" "\\n" | grep -c "^sandbox-t"')).text);
JS
	[[ $output != *sandbox* ]]
	eq "${lines[-1]}" 0
}

# ---- commands ----

@test "a command has three streams and an end" {
	client <<'JS'
const h = await serve(options);
const s = h.session();
const show = ({ out, err, status, signal, timed_out, limits_hit, error,
	reset }) => say({ out, err, status, signal, timed_out, limits_hit,
	error, reset });
for (const x of [h, s]) {
	const run = (argv, more, input) => x === h ?
		h.exec({ argv, ...more }, input) : s.exec(argv, more, input);

	show(await run(['sh', '-c', 'cat; echo err >&2; exit 7'], {}, 'in'));
	show(await run(['nosuch']));
	show(await run(['/etc/passwd']));
	show(await run(['sh', '-c', 'kill -11 $$']));
	show(await run(['sleep', '60'], { time_ms: 300 }));
	show(await run(['cat'], { stdin: false }, 'in'));
	show(await run(['sh', '-c', 'sleep 300 & echo left']));
}
show(await h.exec({ argv: ['true'], session: 99 }));
show(await h.exec({ argv: [] }));
JS
	eq "$(sed -n 1,7p <<<"$output")" "$(sed -n 8,14p <<<"$output")"
	eq "$(sed -n '1,7p;15,$p' <<<"$output")" '{"out":"in","err":"err\n","status":7,"signal":null,"timed_out":false,"limits_hit":[]}
{"out":"","err":"","status":127,"signal":null,"timed_out":false,"limits_hit":[],"error":"nosuch: command not found"}
{"out":"","err":"","status":126,"signal":null,"timed_out":false,"limits_hit":[],"error":"/etc/passwd: Permission denied"}
{"out":"","err":"","status":139,"signal":11,"timed_out":false,"limits_hit":[]}
{"out":"","err":"","status":124,"signal":9,"timed_out":true,"limits_hit":["time"]}
{"out":"","err":"","status":0,"signal":null,"timed_out":false,"limits_hit":[]}
{"out":"left\n","err":"","status":0,"signal":null,"timed_out":false,"limits_hit":[]}
{"reset":{"code":"refused","blame":"sandbox","text":"no such session"}}
{"reset":{"code":"protocol","blame":"sandbox","text":"argv: no command"}}'
}

@test "a gibibyte goes through, and its reader's pace is kept" {
	requires no-sanitizer
	LIMIT=120 client <<'JS'
const h = await serve(options);
const x = h.command({ argv: ['head', '-c', String(1 << 30), '/dev/zero'] });
x.discard = true;
x.end();
await x.closed;
say(x.count, x.event('exit').status);
const s = h.session();
h.hop.stingy = true; // nothing more is granted
const slow = s.exec(['yes']);
await until(() => [...h.streams.values()].some((v) => v.count >= 65536));
await sleep(300);
say([...h.streams.values()].map((v) => v.count ?? 0).filter((n) => n !== 0));
h.hop.stingy = false;
const rss = Number(fs.readFileSync(`/proc/${h.child.pid}/status`, 'utf8')
	.match(/VmHWM:\s*(\d+)/)[1]);
say(rss < 40000 || rss);
say((await s.bash('echo meanwhile')).text);
JS
	says '1073741824 0
[1073741824,65536]
true
meanwhile'
}

@test "a reset kills a command, and its input may be large" {
	client <<'JS'
const mark = `9${process.pid}`;
const h = await serve(options);
const s = h.session();
for (const open of [{}, { session: s.id }]) {
	const x = h.command({ argv: ['sh', '-c', `setsid sleep ${mark} &
		sleep ${mark}`], ...open });

	await until(() => count(`^sleep ${mark}$`) === 2);
	x.reset();
	await until(() => count(`^sleep ${mark}$`) === 0);
	say('gone');
	const r = await h.exec({ argv: ['wc', '-c'], ...open },
		'x'.repeat(5000000));
	say(r.out.trim());
	const early = await h.exec({ argv: ['true'], ...open },
		'x'.repeat(5000000));
	say(early.status);
}
JS
	says 'gone
5000000
0
gone
5000000
0'
}

@test "calls whose answers are not read hold up their session, not memory" {
	{
		echo "const A = '$T/audit';"
		cat <<'JS'
const h = await serve([...options, '--audit', A]);
const s = h.session(), other = h.session();
const calls = () => fs.readFileSync(A, 'utf8').split('\n')
	.filter((line) => line.includes('"tool":"read"')).length;
await s.bash('head -c 250000 /dev/zero | tr "\\0" x >long');
h.hop.stingy = true;
const reads = [];
for (let i = 0; i < 8; i++) {
	reads.push(s.open('read'));
	reads[i].data('{"file_path":"long"}');
	reads[i].end();
}
await until(() => calls() === 4);
say((await other.bash('echo other')).text, calls());
reads[0].reset();
await until(() => calls() === 5);
reads[6].reset();
reads[1].reset();
await until(() => calls() === 6);
say((await other.bash('echo other')).text, calls());
JS
	} >"$T/script"
	client <"$T/script"
	says 'other 4
other 6'
}

@test "a live reader that does not read costs its own call only" {
	client <<'JS'
const h = await serve(options);
const s = h.session(), other = h.session();
await s.bash('true');
h.hop.stingy = true;
const t = s.open('bash', true);
t.data('{"command":"yes","timeout_ms":300}');
t.end();
await until(() => (t.count ?? 0) >= 65536);
say((await other.bash('echo other')).text);
await sleep(500);
say(t.over ?? 'holds');
t.reset();
say((await s.bash('echo next')).text);
JS
	says 'other
holds
next'
}

# ---- sandboxes ----

rebuilds()
{
	client <<'JS'
const h = await serve(options);
const s = h.session();
await s.bash('X=1');
const children = (pid) => execFileSync('pgrep', ['-P', String(pid)])
	.toString().trim().split('\n');
for (const depth of [1, 2]) {
	const t = s.bash('sleep 60');

	await sleep(300);
	let [pid] = children(children(h.child.pid)[0]);

	if (depth === 2)
		[pid] = children(pid);
	process.kill(Number(pid), 'SIGKILL');
	const r = await t;

	say(r.text, r.is_error, (await s.bash('echo "[$X]"')).text);
}
say(s.events.map((e) => e.type));
JS
	says 'bash: the sandbox has ended true []
bash: the sandbox has ended true []
["ready","ready","ready"]'
}

@test "a sandbox that dies is built anew for the next call" {
	each rebuilds
}

@test "a session has settings of its own, which the policy file may fix" {
	client <<'JS'
const h = await serve(['--env', 'B=2']);
const policy = { workdir: '/usr/share', env: ['C=3', 'BIN'],
	tmpfs: ['/data'], pids: 64 };
const s = h.session(policy);
say((await s.until('ready')).workdir);
say((await s.bash('echo $B$C; stat -fc %T /data; echo "[$BIN]"')).text);
say((await h.exec({ argv: ['pwd'], policy })).out.trim());
for (const bad of [{ nope: 1 }, { net: 'x' }, { fd: 3 }, { out: '1k' },
	{ rw: ['/nosuch'] }, { workdir: '/nosuch' }]) {
	const t = h.session(bad);

	await t.closed;
	say(t.over);
}
JS
	says '/usr/share
23
tmpfs
[]
/usr/share
{"code":"refused","blame":"sandbox","text":"policy:1:2: '\''nope'\'': unknown key; did you mean '\''home'\''?"}
{"code":"refused","blame":"sandbox","text":"policy:1:8: net: '\''x'\'': not none, host or allow"}
{"code":"refused","blame":"sandbox","text":"fd: not for a sandbox that lives on"}
{"code":"refused","blame":"sandbox","text":"out: not for a sandbox that lives on"}
{"code":"refused","blame":"sandbox","text":"policy:1:8: rw: '\''/nosuch'\'': on the host: No such file or directory"}
{"code":"refused","blame":"sandbox","text":"workdir: /nosuch: in the sandbox: No such file or directory"}'
}

@test "what the policy file fixes a session cannot loosen" {
	printf 'net: none\nfixed: all\n' >"$SX_DIR/w.policy"
	client <<'JS'
const h = await serve(['--policy', `${W}/../w.policy`]);
for (const policy of [{ net: 'host' }, { rw: ['/var/tmp'] }, { env: ['A=1'] },
	{ time: '1s' }]) {
	const s = h.session(policy);

	say(await s.until('ready').then((e) => e.text ?? e.type));
}
JS
	eq "${#lines[@]}" 4
	[[ ${lines[0]} == *net* && ${lines[1]} == *rw* && ${lines[2]} == *env* ]]
	eq "${lines[3]}" ready
}

@test "what one session was told is in no process of another one's" {
	requires root no-sanitizer
	client <<'JS'
const secret = `secret-${process.pid}`;
const h = await serve(options);
const a = h.session({ env: [`S=${secret}`] });
await a.bash(`echo ${secret} >/dev/null`);
await a.tool('read', { file_path: secret });
const b = h.session();
await b.bash('sleep 300 &');
await b.tool('read', { file_path: 'x' });
const holds = (pid) => {
	const fd = fs.openSync(`/proc/${pid}/mem`);

	for (const line of fs.readFileSync(`/proc/${pid}/maps`, 'utf8')
		.split('\n')) {
		const m = line.match(/^(\w+)-(\w+) rw/);

		if (m === null)
			continue;
		const from = parseInt(m[1], 16);
		const b = Buffer.alloc(parseInt(m[2], 16) - from);

		fs.readSync(fd, b, 0, b.length, from);
		if (b.includes(secret))
			return true;
	}
	return false;
};
const alike = { 'sandbox-zygote': [], 'sandbox-keeper': [],
	'sandbox-init': [], 'sandbox-leader': [] };
const below = (pid) => fs.readFileSync(
	`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')
	.filter((p) => p !== '').flatMap((p) => [p, ...below(p)]);
for (const pid of below(h.child.pid)) {
	const name = fs.readFileSync(`/proc/${pid}/comm`, 'utf8').trim();

	alike[name]?.push(holds(pid));
}
for (const name of Object.keys(alike))
	say(name, alike[name].sort());
JS
	# Only what belongs to the session itself: half of them.
	says 'sandbox-zygote [false]
sandbox-keeper [false,true]
sandbox-init [false,true]
sandbox-leader [false,false,true,true]'
}

@test "there are as many sandboxes as there may be" {
	client <<'JS'
const h = await serve([...options, '--max-sandboxes', '2']);
const a = h.session(), b = h.session(), c = h.session();
await c.closed;
say(c.over, (await h.exec({ argv: ['true'] })).reset.code);
say((await a.exec(['echo', 'beside'])).out.trim());
a.end();
say(await a.closed, (await h.exec({ argv: ['echo', 'in'] })).out.trim());
b.reset();
JS
	says '{"code":"limit","blame":"sandbox","text":"more than 2 sandboxes at once"} limit
beside
end in'
}

@test "sessions run at the same time and see nothing of each other" {
	client <<'JS'
const h = await serve([...options, '--max-sandboxes', '12']);
const all = Array.from({ length: 12 }, () => h.session());
const texts = await Promise.all(all.map(async (s, i) => {
	await s.bash(`X=${i}; echo ${i} >/tmp/own; sleep 300 &`);
	return (await s.bash('echo $X $(cat /tmp/own) $(jobs | wc -l); ' +
		'ls /proc | grep -c "^[0-9]"')).text;
}));
say(texts.every((t, i) => t.startsWith(`${i} ${i} 1\n`)), texts[0]);
JS
	[[ ${lines[0]} == 'true 0 0 1' ]]
	((lines[1] < 8))
}

@test "users of root's sandboxes differ" {
	requires root
	client <<'JS'
const h = await serve(options);
const a = h.session(), b = h.session();
await a.bash('touch a');
await b.bash('touch b');
const sleeps = 'sleep 98765 & until grep -q sleep /proc/$!/comm; do :; done';
await a.bash(sleeps);
await b.bash(sleeps);
say(new Set(execSync('ps -o uid= -p $(pgrep -d, -fx "sleep 98765")')
	.toString().trim().split('\n')).size);
JS
	says 2
}

# ---- the end ----

ends_with_server()
{
	local signal

	for signal in SIGKILL SIGTERM; do
		client <<JS
const mark = \`9\${process.pid}\`;
const h = await serve(options);
const s = h.session(), x = h.command({ argv: ['sleep', mark] });
await s.bash(\`setsid sleep \${mark} & sleep \${mark} &\`);
await until(() => count(\`^sleep \${mark}\$\`) === 3);
if ('$signal' === 'SIGTERM')
	x.reset();
h.child.kill('$signal');
say(await h.exited);
await until(() => count(\`^sleep \${mark}\$\`) === 0);
say('nothing');
JS
		[[ $output == *nothing ]]
		wait_until nothing_serves "$W"
	done
}

# nothing_serves DIRECTORY: no process of a server that has it; those of other
# tests come and go.
nothing_serves()
{
	local found=0

	pgrep -f -- " --rw $1 .* --serve\$" || found=$?
	((found == 1))
}

@test "nothing survives the server, whatever ends it" {
	each ends_with_server
}

@test "without namespaces nothing does" {
	LOWER=1 each ends_with_server
}

@test "a hop that ends takes its sessions along" {
	client <<'JS'
const mark = `9${process.pid}`;
const h = await serve(options);
const s = h.session();
await s.bash(`setsid sleep ${mark} &`);
const t = s.open('bash');
t.data(`{"command":"sleep ${mark}"}`);
t.end();
await until(() => count(`^sleep ${mark}$`) === 2);
h.child.stdin.end();
say(await h.exited, count(`^sleep ${mark}$`));
JS
	says '0 0'
}

@test "SIGTERM lets what runs come to its end" {
	client <<'JS'
const h = await serve(options);
const s = h.session();
await s.until('ready');
const t = s.bash('touch begun; until [ -e go ]; do sleep 0.05; done; echo done');
await until(() => fs.existsSync(`${W}/begun`));
h.child.kill('SIGTERM');
await until(() => h.gone !== undefined);
const late = s.open('bash');
await late.closed;
fs.writeFileSync(`${W}/go`, '');
say(h.gone.code, late.over.code);
say((await t).text, await h.exited);
JS
	says 'draining draining
done 0'
}

@test "without the process that builds sandboxes what runs ends, and no more" {
	client <<'JS'
const h = await serve(options);
const s = h.session();
await s.until('ready');
const t = s.bash('touch begun; until [ -e go ]; do sleep 0.05; done; echo done');
await until(() => fs.existsSync(`${W}/begun`));
execSync(`kill -KILL $(pgrep -P ${h.child.pid} -x sandbox-zygote)`);
await until(() => h.gone !== undefined);
fs.writeFileSync(`${W}/go`, '');
say(h.gone.code, (await t).text, await h.exited);
JS
	says 'draining done 125'
	[[ $stderr == *'the process that builds sandboxes was killed'* ]]
}

@test "bytes that are no frames end the hop with status 3" {
	run -3 --separate-stderr "$SX" --serve < <(printf 'GET / HTTP/1.1\r\n\r\n')
	[[ $stderr == 'sandbox-exec: warning: hop: '* ]]
	run -0 --separate-stderr "$SX" --serve </dev/null
	eq "$stderr" ''
}

# ---- a socket ----

@test "clients of a socket see only their own streams" {
	start_ready server "$SX" --rw "$W" --workdir "$W" --listen "$W.s" \
		--ready-fd 9 --serve
	eq "${READY[server]}" "$W.s"
	eq "$(stat -c %a "$W.s")" 600
	client <<'JS'
const mark = `9${process.pid}`;
const a = await dial(`${W}.s`), b = await dial(`${W}.s`);
const s = a.session(), t = b.session();
await s.bash(`X=a; sleep ${mark} &`);
await t.bash('X=b');
say((await s.bash('echo $X')).text, (await t.bash('echo $X')).text);
const alien = await b.exec({ argv: ['true'], session: 3 });
say(alien.reset.text);
a.socket.destroy();
await until(() => count(`^sleep ${mark}$`) === 0);
say((await t.bash('echo still $X')).text);
b.socket.destroy();
JS
	says 'a b
no such session
still b'
	stop server TERM
	[[ ! -e $W.s ]]
}

@test "without descriptors a connection waits, and the server does not spin" {
	start_ready server "$SX" --rw "$W" --workdir "$W" --listen "$W.s" \
		--ready-fd 9 --serve
	{
		echo "const P = ${PID[server]};"
		cat <<'JS'
const limit = (n) => execSync(`prlimit --pid ${P} --nofile=${n}:4096`);
const ticks = () => fs.readFileSync(`/proc/${P}/stat`, 'utf8')
	.split(' ').slice(13, 15).reduce((a, b) => a + Number(b), 0);
execSync(`prlimit --pid ${P} --nofile=4096`);
limit(Math.max(...fs.readdirSync(`/proc/${P}/fd`).map(Number)) + 1);
const a = dial(`${W}.s`), before = ticks();
await sleep(1000);
say(ticks() - before < 30);
limit(4096);
say((await (await a).session().bash('echo served')).text);
JS
	} >"$T/script"
	client <"$T/script"
	says 'true
served'
	stop server TERM
}

# ---- what is written down ----

@test "the audit tells of calls and commands, of what they were only if asked" {
	local audit=$T/audit

	client <<JS
const h = await serve([...options, '--audit', '$audit']);
const s = h.session();
await s.bash('echo secret; exit 2');
await s.tool('read', { file_path: 'secret' });
await s.bash('sleep 9', { timeout_ms: 100 });
await h.exec({ argv: ['echo', 'secret'] });
s.end();
await s.closed;
JS
	run -1 grep -c secret "$audit"
	eq "$(jq -c '[.event, .tool, .verdict, .exit]' "$audit" |
		grep -v '"\(start\|end\)"')" '["call","bash","error",null]
["call","read","error",null]
["call","bash","timeout",null]
["exec",null,null,null]'
	eq "$(jq -r 'select(.tool == "read").input_sha256' "$audit")" \
		"$(printf '{"file_path":"secret"}' | sha256sum | cut -d' ' -f1)"
	eq "$(jq -r .run "$audit" | sort -u | wc -l)" 2
	client <<JS
const h = await serve([...options, '--audit', '$audit', '--audit-input']);
await h.exec({ argv: ['echo', 'secret'] });
JS
	eq "$(jq -c 'select(.argv).argv' "$audit")" '"echo\u0000secret\u0000"'
}

@test "options that a sandbox that lives on cannot have are usage errors" {
	local word

	for word in '--fd 3' '--out 1k' '--explain' '--status-fd 1' 'true' \
		'--changes /x --overlay /usr' '--audit-input'; do
		# shellcheck disable=SC2086 # words
		run_tool 125 "$SX" --serve $word
		[[ $stderr == "sandbox-exec: "* && -z $output ]]
	done
	run_tool 125 "$SX" --listen "$T/s" true
	run_tool 125 "$SX" --ready-fd 1 true
}
