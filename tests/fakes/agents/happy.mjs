// SPDX-License-Identifier: ISC
//
// Every tool, a skill, and a memory store in which one memory changes, one is
// made and one goes.

import { normalize } from 'node:path';

const SKILL = { name: 'greeting', members: [
	{ name: 'greeting/SKILL.md', data: '# Greeting\n' },
	{ name: 'greeting/bin/', type: 'dir' },
	{ name: 'greeting/bin/hi', data: '#!/bin/sh\necho hi\n', mode: 0o755 },
	{ name: 'greeting/link', type: 'symlink', link: '/etc/passwd' },
] };

const steps = [
	['bash', { command: 'pwd' }, /^\//],
	['bash', { command: 'printf "%s\\n" a b c >list; wc -l <list' }, '3'],
	['bash', { command: 'x=5; cd /; false' }, 'exit 1'],
	['bash', { command: 'echo $x; cd - >/dev/null' }, '5'],
	['bash', { command: 'echo é; echo bad >&2; exit_not_found 2>/dev/null' },
	    'é\nbad'],
	['bash', {}, 'bash: command is required'],
	['bash', { command: 'sleep 9', timeout_ms: 100 },
	    'bash: bash command timed out after 100ms'],
	['bash', { restart: true }, 'bash session restarted'],
	['write', { file_path: 'dir/a.txt', content: 'one\ntwo\nthree\n' },
	    'wrote 14 bytes to dir/a.txt'],
	['read', { file_path: 'dir/a.txt' }, 'one\ntwo\nthree\n'],
	['read', { file_path: 'dir/a.txt', view_range: [2, 2] }, 'two'],
	['read', { file_path: 'none' }, 'read: none: no such file or directory'],
	['read', {}, 'read: file_path is required'],
	['edit', { file_path: 'dir/a.txt', old_string: 'two',
	    new_string: '2' }, 'edited dir/a.txt (1 replacement(s))'],
	['edit', { file_path: 'dir/a.txt', old_string: 'e', new_string: 'E' },
	    'edit: old_string appears 3 times in dir/a.txt (must be unique)'],
	['edit', { file_path: 'dir/a.txt', old_string: 'none',
	    new_string: '' }, 'edit: old_string not found in dir/a.txt'],
	['glob', { pattern: '**/*.txt' }, /\/dir\/a\.txt$/],
	['glob', { pattern: '*.none' }, 'no matches'],
	['glob', { pattern: '../*' },
	    'glob: ".." is not permitted in the pattern'],
	['grep', { pattern: 'nothing like it', path: 'dir' }, 'no matches'],
	['grep', { pattern: '' }, 'grep: pattern is required'],
	['bash', { command: 'skills/greeting/bin/hi; ls skills/greeting' },
	    'hi\nSKILL.md\nbin'],
	['read', { file_path: 'skills/greeting/SKILL.md' }, '# Greeting\n'],
	['bash', { command: 'cat memory/notes/keep.md; ls -A memory/notes' },
	    'kept\n.anthropic-memory-store\nchange.md\nkeep.md\nsub'],
	['write', { file_path: 'memory/notes/change.md', content: 'after' },
	    'wrote 5 bytes to memory/notes/change.md'],
	['write', { file_path: 'memory/notes/new/made.md', content: 'made' },
	    'wrote 4 bytes to memory/notes/new/made.md'],
	['bash', { command: 'rm memory/notes/sub/gone.md' }, '(no output)'],
];

function check(s) {
	for (const [i, [name, input, want]] of steps.entries()) {
		const got = s.one.results[i]?.content[0].text;
		const what = `${name} ${JSON.stringify(input)}`;
		if (want instanceof RegExp)
			s.match(what, got, want);
		else
			s.want(what, got, want);
	}
	s.want('memories', s.api.stores.get('ms_1').contents(),
	    { '/change.md': 'after', '/keep.md': 'kept\n',
	      '/new/made.md': 'made' });
	s.want('what is left of the skill', s.find('SKILL.md'), undefined);
	s.want('what is left of the store', s.find('keep.md'), undefined);
	const paths = s.api.requests.map((r) => r.path);
	s.want('paths', paths.filter((p) => normalize(p) !== p), []);
}

export const happy = {
	options: {
		skills: { skill_1: SKILL },
		stores: { ms_1: { '/keep.md': 'kept\n', '/change.md': 'before',
		    '/sub/gone.md': 'x' } },
		session: {
			agent: { skills: [{ type: 'custom', skill_id: 'skill_1',
			    version: 'latest' }] },
			resources: [{ type: 'memory_store', access: 'read_write',
			    memory_store_id: 'ms_1', name: 'notes' }],
		},
	},
	async play(s) {
		await s.attached();
		for (const [name, input] of steps)
			s.call(name, input);
		await s.turn();
		s.idle();
		await s.again();
	},
	want: { ack: 1, session: 1, skill: 1, skill_content: 1, stream: 1,
	    list: 1, send: steps.length, stop: 1, memory_create: 1,
	    memory_update: 1, memory_delete: 1 },
	check,
};
