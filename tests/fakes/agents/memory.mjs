// SPDX-License-Identifier: ISC
//
// Memory stores that change on both sides, refuse, or may not be written.

const store = (more = {}) => ({ type: 'memory_store', access: 'read_write',
	memory_store_id: 'ms_1', name: 'notes', ...more });

// Commands in a session with one store; then what it holds in the end.
function stored(memories, commands, left, more = {}) {
	return {
		options: { stores: { ms_1: memories },
		    session: { resources: [store(more.store)] } },
		faults: more.faults ?? {},
		async play(s) {
			await s.attached();
			for (const [name, input] of commands)
				await s.ask(name, input);
			more.meanwhile?.(s.api.stores.get('ms_1'));
			s.idle();
			await s.again();
		},
		want: { stop: 1, send: commands.length, ...more.want },
		check(s) {
			s.want('memories', s.api.stores.get('ms_1').contents(), left);
			s.want('what is left here', s.find('a.md'), undefined);
			more.check?.(s);
		},
	};
}

const bash = (command) => ['bash', { command }];

export const memory = {
	'memory changed on both sides': stored(
	    { '/a.md': 'one', '/b.md': 'two', '/c.md': 'three' },
	    [bash('printf here >memory/notes/a.md; rm memory/notes/c.md; ' +
	        'printf new >memory/notes/d.md')],
	    { '/a.md': 'there', '/b.md': 'two there', '/c.md': 'three there',
	      '/d.md': 'new' }, {
		meanwhile(m) {
			m.put('/a.md', 'there');
			m.put('/b.md', 'two there');
			m.put('/c.md', 'three there');
		},
		want: { memory_update: 0, memory_delete: 0 },
	}),

	'memory update refused': stored({ '/a.md': 'one' },
	    [bash('printf here >memory/notes/a.md')], { '/a.md': 'one' }, {
		faults: { memory_update: [{ status: 409, always: true,
		    kind: 'memory_precondition_failed_error' }] },
	}),

	'memory that cannot be stored': stored({ '/a.md': 'one' },
	    [bash('cd memory/notes; head -c 200000 /dev/zero | tr "\\0" x >big; ' +
	        'printf "\\377" >bytes; ln -s /etc/passwd link; mkfifo fifo; ' +
	        'printf good >good.md')],
	    { '/a.md': 'one', '/good.md': 'good' }),

	'read-only memory store': stored({ '/a.md': 'one' },
	    [bash('pwd'), ['read', { file_path: 'memory/notes/a.md' }],
	     ['write', { file_path: 'memory/notes/a.md', content: 'x' }],
	     ['edit', { file_path: 'memory/notes/a.md', old_string: 'one',
	        new_string: 'x' }]],
	    { '/a.md': 'one' }, { store: { access: 'read_only' },
	    want: { memory_update: 0, memory_create: 0 } }),

	'many memories': stored(
	    Object.fromEntries(Array.from({ length: 45 }, (_, i) =>
	        [`/d${i % 5}/m${i}.md`, `text ${i}`])),
	    [bash('find memory/notes -type f | wc -l; cat memory/notes/d3/m33.md')],
	    Object.fromEntries(Array.from({ length: 45 }, (_, i) =>
	        [`/d${i % 5}/m${i}.md`, `text ${i}`]).sort()), {
		check(s) {
			s.want('text', s.one.results[0]?.content[0].text,
			    '46\ntext 33');
			s.want('pages', s.api.requests.filter((r) =>
			    r.route === 'memories' && r.query.view === 'full')
			    .map((r) => r.query.page ?? '0'), ['0', '20', '40']);
		},
	}),
};

// Ours alone: the official one would make the path on this machine.
export const mounted = {
	'a memory store at its path': stored({ '/a.md': 'one' },
	    [bash('cat /mnt/memory/notes/a.md; printf two >/mnt/memory/notes/b.md'),
	     ['read', { file_path: '/mnt/memory/notes/a.md' }],
	     ['write', { file_path: '/mnt/memory/notes/a.md', content: 'new' }]],
	    { '/a.md': 'new', '/b.md': 'two' },
	    { store: { mount_path: '/mnt/memory/notes' } }),

	'a read-only memory store at its path': stored({ '/a.md': 'one' },
	    [bash('echo x >/mnt/memory/notes/a.md'),
	     bash('rm -rf /mnt/memory/notes/a.md'),
	     ['write', { file_path: '/mnt/memory/notes/a.md', content: 'x' }]],
	    { '/a.md': 'one' },
	    { store: { mount_path: '/mnt/memory/notes', access: 'read_only' },
	    check(s) {
		s.want('errors', s.one.results.map((r) => r.is_error),
		    [true, true, true]);
	} }),

	// The test ends the worker at the mark.
	'memory saved when the worker is told to end': {
		options: { stores: { ms_1: { '/a.md': 'one' } },
		    session: { resources: [store()] } },
		async play(s) {
			await s.attached();
			await s.ask('bash',
			    { command: 'printf two >memory/notes/a.md' });
			s.mark('abort');
			await s.stopped();
		},
		want: { stop: 1 },
		check(s) {
			s.want('memories', s.api.stores.get('ms_1').contents(),
			    { '/a.md': 'two' });
		},
	},
};
