#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# shellcheck disable=SC2154,SC2016,SC2030,SC2031

# Attempts from inside a sandbox that lives on: of one command against another
# one, against the shell and the file tools of its session, against other
# sessions and against the server; as root and as an ordinary user.

load helpers
load sandbox-attack

setup_file()
{
	A=$BATS_FILE_TMPDIR/attacks
	mkdir -p "$A"
	make_attack "$A"
	chmod 755 "$A"
	export A
}

setup()
{
	tool_setup
	requires userns node
	USERS=(self)
	chmod 755 "$T" "$BATS_FILE_TMPDIR"
	if ((EUID == 0)); then
		make_user
		USERS+=(user)
	fi
	mkdir -p "$T/bin" "$T/ws"
	cp "$BIN/sandbox-exec" "$ROOT"/tests/fakes/{sandbox-client,sandbox-session,frames}.mjs "$T/bin/"
	chmod -R a+rX "$T/bin"
	chmod 777 "$T/ws"
}

# drive: runs the script on standard input in the client for each user; each line
# that it says has to be one of "ok: ...".
drive()
{
	local script user

	script=$(cat)
	for user in "${USERS[@]}"; do
		rm -rf "$T/ws"/* "$T/ws"/.[!.]*
		cat >"$T/script.js" <<-END
			const {WS, A} = process.env;
			const check = (what, got, want) => say(new RegExp('^(' +
				want + ')\$').test(String(got).trim()) ? 'ok:' :
				'GOT THROUGH?', what + ':', String(got).trim(),
				'(want ' + want + ')');
			$script
		END
		run --separate-stderr "as_$user" env BIN="$T/bin" WS="$T/ws" \
			A="$A" node "$T/bin/sandbox-client.mjs" \
			"$T/script.js"
		echo "# as $user"
		echo "$output"
		echo "$stderr"
		((status == 0))
		[[ $output == *'ok:'* && $output != *'GOT THROUGH'* ]]
	done
}

@test "a command cannot reach another command of its session" {
	drive <<-'END'
	const c = await serve(['--ro', A, '--rw', WS, '--workdir', WS]);
	const s = await c.session({});
	await s.until('ready');
	const victim = c.command({session: s.id,
		argv: ['sh', '-c', 'export SECRET=token; echo $$; read x; echo $x']});
	while (victim.text() === '')
		await new Promise((resolve) => { victim.onData = resolve; });
	const pid = victim.text().trim();
	const table = [
		['signalling it', `${A}/attack signal ${pid}`, 'EPERM|ESRCH'],
		['signalling it by a descriptor', `${A}/attack signal-file ${pid}`,
			'ok'], // whoever is told: it is alive below
		['limiting it', `${A}/attack prlimit ${pid}`, 'EPERM'],
		['limiting init', `${A}/attack prlimit 1`, 'EPERM'],
		['tracing it', `${A}/attack ptrace ${pid}`, 'EPERM'],
		['its memory', `${A}/attack read /proc/${pid}/mem`, 'ENOENT|EACCES'],
		['writing its memory', `${A}/attack write /proc/${pid}/mem`,
			'ENOENT|EACCES'],
		['its variables', `${A}/attack read /proc/${pid}/environ`,
			'ENOENT|EACCES'],
		['its input', `${A}/attack write /proc/${pid}/fd/0`, 'ENOENT|EACCES'],
		['its descriptors', `${A}/attack pidfd-getfd ${pid}`, 'EPERM'],
		['killing all', 'kill -9 -1 2>/dev/null; echo on', 'on'],
		['killing init', 'kill -9 1 2>/dev/null; echo on', 'on'],
		['init\'s channel', `${A}/attack write /proc/1/fd/3`,
			'ENOENT|EACCES'],
		['init\'s program', `${A}/attack write /proc/1/exe`,
			'ENOENT|EACCES'],
		['what descriptors it has', 'ls /proc/self/fd | tr "\\n" " "',
			'0 1 2 3'],
	];
	for (const [what, command, want] of table)
		check(what, (await s.exec(['sh', '-c', command])).out, want);
	victim.data('alive\n');
	victim.end();
	await victim.closed;
	check('the other one', victim.text().split('\n')[1], 'alive');
	END
}

@test "a command that forks away is killed, and no other one" {
	drive <<-'END'
	const c = await serve(['--ro', A, '--rw', WS, '--workdir', WS,
		'--pids', '300']);
	const s = await c.session({});
	await s.until('ready');
	const other = c.command({session: s.id,
		argv: ['sh', '-c', 'echo on; read x; echo $x']});
	while (other.text() === '')
		await new Promise((resolve) => { other.onData = resolve; });
	const r = await s.bash(`${A}/attack chains 20 chained-${process.pid}`,
		{ timeout_ms: 500 });
	check('it', r.text, 'bash: bash command timed out after 500ms');
	check('what is left', count(`chains 20 chained-${process.pid}$`), '0');
	other.data('alive\n');
	other.end();
	await other.closed;
	check('the other one', other.text().split('\n')[1], 'alive');
	END
}

@test "a shell's command cannot speak for the shell or the tools" {
	drive <<-'END'
	const c = await serve(['--ro', A, '--rw', WS, '--workdir', WS]);
	const s = await c.session({});
	await s.until('ready');
	let r = await s.bash('for f in /proc/$$/fd/*; do echo "0 0" >$f; done 2>/dev/null; (exit 7)');
	check('a status of its own making', r.exit, '7');
	r = await s.bash('for i in 3 4 5 9 10 11 12 13 255; do echo 0 >&$i; done 2>/dev/null; (exit 9)');
	check('the same by number', r.exit ?? r.error, '9');
	r = await s.bash('exec 2>&1; trap "" TERM; kill -9 -1 2>/dev/null; echo on');
	check('killing all', r.text, 'on');
	r = await s.tool('write', {file_path: `${WS}/a`, content: 'x'});
	check('the tools after that', r.is_error, 'false');
	await s.bash(`ln -s /etc/passwd ${WS}/l; ln -s / ${WS}/top`);
	r = await s.tool('write', {file_path: `${WS}/l`, content: 'x'});
	check('writing through a link', r.is_error, 'true');
	r = await s.tool('read', {file_path: `${WS}/top/etc/shadow`});
	check('reading through a link', r.is_error, 'true');
	r = await s.tool('read', {file_path: '/proc/1/environ'});
	check('reading of init', r.is_error, 'true');
	r = await s.bash('fb() { fb | fb & }; fb; sleep 1; echo end');
	const t = await c.session({});
	await t.until('ready');
	check('another session', (await t.bash('echo on')).text, 'on');
	check('which sees nothing of it', (await t.exec(['sh', '-c',
		'ls /proc | grep -c "^[0-9]"'])).out, '[1-4]');
	END
}

# For root here a control group counts it, for an ordinary user nothing does.
@test "a command that takes too much memory is told so, and the session goes on" {
	drive <<-'END'
	const c = await serve(['--ro', A, '--rw', WS, '--workdir', WS,
		'--mem', '64m']);
	const s = await c.session({});
	await s.until('ready');
	const killed = 'bash: the sandbox has ended: memory limit|' +
		String.raw`(.|\n)*\[memory limit: a process was killed\]`;
	let r = await s.bash(`for i in 1 2 3 4 5 6; do ${A}/attack memory-held 30 & done; wait -n`);
	check('many processes', r.text, killed);
	check('the next command', (await s.bash('echo on', {restart: true})).text,
		String.raw`on(\n\[memory limit: .*)?`); // one more was killed
	END
	drive <<-'END'
	const c = await serve(['--rw', WS, '--workdir', WS, '--mem', '64m']);
	const s = await c.session({});
	await s.until('ready');
	const killed = String.raw`(.|\n)*\[memory limit: a process was killed\]`;
	if (process.getuid() === 0) {
		// Files in memory are left, and no shell can start beside them.
		let r = await s.bash('head -c 1G /dev/zero >/tmp/full');
		check('files in memory', r.text, killed);
		for (let i = 0; i < 3 && r.text !== 'on'; i++)
			r = await s.bash('echo on');
		check('what comes after that', r.text, 'on');
	} else {
		say('ok: nothing counts them');
	}
	END
}

# Of a shell that has closed its output nothing is read any more; the number of
# the descriptor may be that of another session's by then.
@test "a shell's command cannot end the server by closing its descriptors" {
	drive <<-'END'
	const c = await serve(['--rw', WS, '--workdir', WS]);
	const t = await c.session({});
	await t.until('ready');
	for (const close of ['exec >/dev/null', 'exec >&-',
		'exec <&- >&- 2>&-']) {
		const s = await c.session({});
		await s.until('ready');
		let r = await s.bash(close);
		check(close, r.text, String.raw`\(no output\)`);
		r = await s.bash(`echo lost; echo kept >${WS}/kept`);
		check('its next command', r.text, String.raw`\(no output\)|exit \d+`);
		check('its other tools', (await s.tool('read',
			{file_path: `${WS}/kept`})).text, 'kept');
		check('the other session', (await t.bash('echo on')).text, 'on');
		r = await s.bash('echo back', {restart: true});
		check('a new shell', r.text, '(.|\n)*back');
	}
	END
}

@test "the server's socket and audit file are never in reach" {
	for option in "--rw $T/ws --listen $T/ws/s" "--ro $T/ws --listen $T/ws/s" \
		"--rw $T/ws --audit $T/ws/a"; do
		# shellcheck disable=SC2086 # words
		run_tool 125 "$BIN/sandbox-exec" $option --serve
		[[ $stderr == *"in reach of commands"* ||
			$stderr == *"that the command can write"* ]]
	done
	drive <<-'END'
	const c = await serve(['--audit', `${WS}/audit`]);
	let s = await c.session({rw: [WS]});
	check('a session that could write it', (await s.until('ready')).text,
		'.*audit file is in a directory that the command can write.*');
	s = await c.session({ro: [WS]});
	check('one that cannot', (await s.until('ready')).type, 'ready');
	END
}
