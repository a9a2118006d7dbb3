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
			await more.during?.(s, s.api.stores.get('ms_1'));
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

// COUNT memories of which each changes, and as many new ones, in a service that
// takes a while for each.
const COUNT = Number(process.env.MEMORIES ?? 80);
const SLOW = { delay: Number(process.env.MEMORY_DELAY ?? 40), always: true };

function many(...texts) {
	return Object.fromEntries(texts.flatMap(([name, text]) =>
	    Array.from({ length: COUNT }, (_, i) => [`/${name}${i}.md`, text]))
	    .sort());
}

const changeMany = `cd memory/notes && for ((i = 0; i < ${COUNT}; i++)); do ` +
	'printf new >m$i.md; printf more >n$i.md; done';
const slowly = { memory_update: [SLOW], memory_create: [SLOW] };
const changed = many(['m', 'new'], ['n', 'more']);

// Ours has 32 calls under way; the official one only when it is told to end.
const wantMany = (s) => {
	const most = Math.max(...s.api.requests.filter((r) => r.body)
	    .map((r) => r.at_once));
	if (s.peer === 'worker' && (most < 24 || most > 32))
		s.complain(`calls at once: ${most}`);
};

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

	// The last listing shows what was there before: the service itself has to
	// refuse.
	'memory changed after the last look': stored(
	    { '/a.md': 'one', '/b.md': 'two', '/c.md': 'three' },
	    [bash('printf here >memory/notes/a.md; rm memory/notes/b.md; ' +
	        'printf here >memory/notes/c.md; printf x >memory/notes/d.md')],
	    { '/a.md': 'there', '/b.md': 'two there', '/c.md': 'here',
	      '/d.md': 'there too' }, {
		faults: { memories: [null, { delay: 500 }] },
		async during(s, m) {
			await s.requests('memories', 2);
			m.put('/a.md', 'there');
			m.put('/b.md', 'two there');
			m.put('/d.md', 'there too');
		},
		check(s) {
			const answers = (route) => s.api.requests.filter((r) =>
			    r.route === route).map((r) => r.status);
			s.match('a deletion', answers('memory_delete').join(),
			    /^409(,409)*$/);
			s.want('an update', answers('memory_update')
			    .filter((status) => status < 300), [200]);
			s.match('refusals', answers('memory_update').join(), /409/);
			s.match('creation', answers('memory_create').join(), /^409/);
		},
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

	'many changed memories': stored(many(['m', 'old']),
	    [bash(changeMany)], changed, {
		faults: slowly,
		want: { memory_update: COUNT, memory_create: COUNT },
		check: wantMany,
	}),

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

// The test ends the worker at the mark.
const saved = (memories, command, left, more = {}) => ({
	options: { stores: { ms_1: memories },
	    session: { resources: [store()] } },
	faults: more.faults ?? {},
	async play(s) {
		await s.attached();
		await s.ask('bash', { command });
		s.mark('abort');
		await s.stopped();
	},
	want: { stop: 1, ...more.want },
	check(s) {
		s.want('memories', s.api.stores.get('ms_1').contents(), left);
		more.check?.(s);
	},
});

const AT = '/mnt/memory/notes';

// None of them may succeed in a read-only store.
const attacks = [
	`echo x >${AT}/a.md`, `echo x >>${AT}/a.md`, `echo x >${AT}/new.md`,
	`rm -rf ${AT}/a.md`, `mv ${AT}/a.md ${AT}/b.md`, `mv ${AT} /tmp/gone`,
	`chmod 777 ${AT}/a.md`, `touch -d @1 ${AT}/a.md`,
	`ln ${AT}/a.md ${AT}/b.md`, `ln -s /etc/passwd ${AT}/link`,
	`rm -f ${AT}/.anthropic-memory-store`,
	`truncate -s 0 ${AT}/a.md`, `mkdir ${AT}/dir`,
	`mount -o remount,rw,bind ${AT}`, `umount ${AT}`,
	`unshare -Urm mount -o remount,rw,bind ${AT}`,
	`echo x >/proc/self/root${AT}/a.md`,
	`exec 5<${AT}/a.md; echo x >/proc/self/fd/5`,
	`ln ${AT}/a.md /tmp/a.md && echo x >/tmp/a.md`,
	`setfattr -n user.x -v 1 ${AT}/a.md`,
];

// A store changes while a command runs; the session sees that after a sync.
function changing(more, command, left) {
	return {
		options: { stores: { ms_1: { '/a.md': 'one' } },
		    session: { resources: [store(more.store)] } },
		async play(s) {
			await s.attached();
			s.bash(`touch started; ${command}`);
			await s.file('started');
			s.api.stores.get('ms_1').put('/a.md', 'there');
			await s.turn();
			await s.ask('bash', { command: 'for i in {1..200}; do ' +
			    `[[ $(cat ${AT}/a.md) == there ]] && break; ` +
			    `sleep 0.05; done; cat ${AT}/a.md` });
			s.idle();
			await s.again();
		},
		want: { stop: 1, send: 2, memory_update: 0, memory_create: 0,
		    results: ['(no output)', 'there'] },
		check(s) {
			s.want('memories', s.api.stores.get('ms_1').contents(), left);
		},
	};
}

// Ours alone: the official one would make the path on this machine.
export const mounted = {
	'a memory store at its path': stored({ '/a.md': 'one' },
	    [bash('cat /mnt/memory/notes/a.md; printf two >/mnt/memory/notes/b.md'),
	     ['read', { file_path: '/mnt/memory/notes/a.md' }],
	     ['write', { file_path: '/mnt/memory/notes/a.md', content: 'new' }]],
	    { '/a.md': 'new', '/b.md': 'two' },
	    { store: { mount_path: '/mnt/memory/notes' } }),

	'a read-only memory store at its path': stored({ '/a.md': 'one' },
	    attacks.map((attack) => bash(`cd / && { ${attack}; }`)).concat([
	     ['write', { file_path: `${AT}/a.md`, content: 'x' }],
	     ['write', { file_path: `${AT}/new.md`, content: 'x' }],
	     ['edit', { file_path: `${AT}/a.md`, old_string: 'one',
	        new_string: 'x' }],
	     bash(`cat ${AT}/a.md`)]),
	    { '/a.md': 'one' },
	    { store: { mount_path: AT, access: 'read_only' },
	    want: { memory_update: 0, memory_create: 0, memory_delete: 0 },
	    check(s) {
		const results = s.one.results.map((r) => r.is_error);
		s.want('errors', results.slice(0, -1),
		    results.slice(0, -1).map(() => true));
		s.want('the rest', s.one.results.at(-1).content[0].text, 'one');
	} }),

	// It refuses more than are under way at once, several times each.
	'a memory store with too much to do': stored(many(['m', 'old']),
	    [bash(changeMany)], changed, {
		faults: {
			memory_update: Array.from({ length: 40 }, () => ({
			    status: 429, headers: { 'retry-after-ms': '200' } })),
			memory_create: Array.from({ length: 10 }, () => ({
			    status: 529 })),
		},
		want: { memory_update: COUNT + 40, memory_create: COUNT + 10 },
	}),

	// With --memory-sync 5s: what the service has comes while the session
	// runs.
	'a read-only memory store that changes': changing(
	    { store: { mount_path: AT, access: 'read_only' } },
	    'sleep 5.5', { '/a.md': 'there' }),
	'a conflict while the session runs': changing(
	    { store: { mount_path: AT } },
	    `printf here >${AT}/a.md; sleep 5.5`, { '/a.md': 'there' }),

	'memory saved when the worker is told to end': saved(
	    { '/a.md': 'one' }, 'printf two >memory/notes/a.md',
	    { '/a.md': 'two' }),

	'many memories saved when the worker is told to end': saved(
	    many(['m', 'old']), changeMany, changed, {
		faults: slowly,
		want: { memory_update: COUNT, memory_create: COUNT },
		check: wantMany,
	}),
};
