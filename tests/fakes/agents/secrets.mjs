// SPDX-License-Identifier: ISC
//
// What tool calls try to learn of the worker and of other sessions.

export const secrets = {
	// Nothing that a tool call can read holds a credential; the key lies in a
	// file of the host beside the workspace.
	'secrets of the worker': {
		async play(s) {
			await s.attached();
			const texts = [];
			for (const command of [
				'env',
				'cat /proc/*/environ /proc/*/cmdline /proc/*/maps ' +
				    '2>/dev/null | tr "\\0" "\\n"',
				'ls -l /proc/*/fd 2>/dev/null',
				'for f in /proc/*/fd/*; do [ -f "$f" ] && head -c 4096 ' +
				    '"$f" 2>/dev/null; done | tr "\\0" "\\n"',
				'timeout 20 grep -rls "sk-ant-" / --exclude-dir=proc ' +
				    '--exclude-dir=sys --exclude-dir=usr --exclude-dir=lib*',
				'for p in /proc/[0-9]*; do head -c 1 $p/mem ' +
				    '>/dev/null 2>&1 && echo readable $p; done',
				`cat ${s.workdir}/../key; ls ${s.workdir}/..`,
				`exec 3<>/dev/tcp/127.0.0.1/${s.api.port} && ` +
				    'echo connected',
				'ls -d /proc/[0-9]* | wc -l',
			])
				texts.push(await s.ask('bash', { command }));
			for (const text of texts)
				if (/sk-ant-|ANTHROPIC_|^readable|^connected|worker\.err/m
				    .test(text))
					s.complain(text);
			if (Number(texts.at(-1)) > 20)
				s.complain(`it sees ${texts.at(-1)} processes`);
			for (const name of ['read', 'grep', 'glob'])
				s.match(name, await s.ask(name, { pattern: '*',
				    path: `${s.workdir}/..`,
				    file_path: `${s.workdir}/../key` }),
				    /outside|no such file|no matches/);
			s.idle();
			await s.again();
		},
		want: { stop: 1 },
	},

	'secrets of another session': {
		options: { no_work: true },
		async play(s) {
			const one = s.one;
			const two = s.on(s.api.addSession('sesn_2'));
			const items = [one, two].map((session) => s.enqueue(
			    { session: session.id }));
			await s.until(() => one.sinks.size > 0 && two.sinks.size > 0);
			s.on(one);
			await s.ask('bash', { command: 'echo canary_1 >canary_file; ' +
			    'cp canary_file /tmp; CANARY=canary_2 sleep 99 & ' +
			    'sleep 0.1' });
			s.on(two);
			for (const command of [
				'find / -xdev -name "*canary_file*" 2>/dev/null',
				'find .. /tmp -name "*canary_file*" 2>/dev/null',
				'cat /proc/*/environ 2>/dev/null | tr "\\0" "\\n" | ' +
				    'grep CANARY= | grep -v grep',
				'cat ../*/canary_file /tmp/canary_file 2>/dev/null',
				'cat /proc/net/unix 2>/dev/null | grep canary',
			])
				s.match(command, await s.ask('bash', { command }),
				    /^(\(no output\)|exit 1|0)$/);
			for (const session of [one, two]) {
				s.on(session);
				s.idle();
			}
			await Promise.all(items.map((item) => s.stopped(item)));
		},
		want: { ack: 2, stop: 2 },
	},
};
