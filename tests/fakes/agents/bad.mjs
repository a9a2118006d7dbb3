// SPDX-License-Identifier: ISC
//
// What no API should answer, and what an attacker in its place would.  The
// call after it works, or the item is released; nobody else is called.

import { tar, zip } from './archive.mjs';

const FEW = 100 << 20;
const BOMB = 160 << 20;
const MEMBERS = 30000;

// One fault of a route, and then all is well.
function survives(route, fault, more = {}) {
	return {
		options: more.options,
		faults: { [route]: [fault] },
		async play(s) {
			await s.ask('bash', { command: 'echo run >>runs; echo hello' });
			s.idle();
			await s.again();
		},
		want: { stop: 1, runs: 1, results: ['hello'], ...more.want },
	};
}

// A session that cannot be read: its item is released.
function releases(fault, options = {}) {
	return {
		options,
		faults: fault ? { session: [{ ...fault, always: true }] } : {},
		play: (s) => s.again(),
		want: { stop: 1, send: 0 },
	};
}

// Something on the event stream, and then a call.
function hears(what, want = {}) {
	return {
		async play(s) {
			await s.attached();
			await what(s);
			await s.ask('bash', { command: 'echo hello' });
			s.idle();
			await s.again();
		},
		want: { stop: 1, results: ['hello'], ...want },
	};
}

const event = (data) => `event: x\ndata: ${typeof data === 'string' ? data
    : JSON.stringify(data)}\n\n`;

// Redirects lead to the second listener, where nobody may go.
function redirect(route, status, make = survives) {
	const scenario = make === releases ? releases({}) : make(route, {});
	return {
		...scenario,
		faults: {},
		async play(s) {
			s.api.faults[route] = [{ status, always: make === releases,
			    location: `http://127.0.0.1:${s.api.otherPort}/v1/x` }];
			await scenario.play(s);
		},
	};
}

function secret(value) {
	return {
		options: { item: { secret: value } },
		async play(s) {
			await s.ask('bash', { command: 'echo hello' });
			s.idle();
			await s.again();
		},
		want: { stop: 1, results: ['hello'] },
		check(s) {
			s.want('credentials', [...new Set(s.api.requests.map((r) =>
			    r.auth))], ['key']);
		},
	};
}

const file = (name, more = {}) => ({ name, data: 'x', ...more });
const good = [file('top/SKILL.md')];

const HOSTILE = {
	absolute: zip([...good, file('/tmp/adit-evil')]),
	dotdot: zip([...good, file('top/../../../adit-evil')]),
	backslash: zip([...good, file('..\\..\\adit-evil')]),
	tardotdot: tar([...good, file('../../adit-evil')]),
	through: tar([...good,
	    { name: 'top/out', type: 'symlink', link: '/tmp' },
	    file('top/out/adit-evil')]),
	hard: tar([...good,
	    { name: 'top/passwd', type: 'hardlink', link: '/etc/passwd' }]),
	special: tar([...good, { name: 'top/fifo', type: 'fifo' },
	    { name: 'top/zero', type: 'char' }]),
	garbage: Buffer.from('PK\x03\x04 and nothing else'),
	cut: zip(good).subarray(0, 40),
	empty: Buffer.alloc(0),
};
const bombs = () => ({
	member_bomb: zip([...good, file('top/big',
	    { data: Buffer.alloc(BOMB) })]),
	count_bomb: tar(Array.from({ length: MEMBERS }, (_, i) =>
	    ({ name: `top/${i}`, data: '' }))),
});
const NAMES = { parent: '../../adit-evil', root: '/', dots: '..',
	slash: 'a/b/c', control: 'a\nb\x1b[31m', long: 'x'.repeat(5000) };

function hostileSkills() {
	const skills = { good: { name: 'good', members: good } };
	for (const [id, bytes] of Object.entries({ ...HOSTILE, ...bombs() }))
		skills[id] = { name: id, bytes };
	for (const [id, name] of Object.entries(NAMES))
		skills[id] = { name, members: good };
	return skills;
}

export const bad = {
	'poll: malformed JSON': survives('poll', { raw: '{"id":' }),
	'poll: wrong types': survives('poll',
	    { raw: '{"id":7,"data":[],"secret":{}}' }),
	'poll: wrong content type': survives('poll',
	    { raw: '<html>', type: 'text/html' }),
	'poll: truncated response': survives('poll',
	    { raw: '{"id":"work_9","type":"work"}', drop: 'body' }),
	'poll: 100 MiB': survives('poll', { raw: 'null', pad: FEW }),
	'poll: redirect': redirect('poll', 302),
	'ack: redirect': {
		...redirect('ack', 307),
		options: { reclaim: 500 },
	},

	'session: malformed JSON': releases({ cut: true, after: true }),
	'session: wrong types': releases(null, { session:
	    { shape: { agent: 7, resources: null, status: [] } } }),
	'session: wrong content type': releases(
	    { raw: '<html>', type: 'text/html' }),
	'session: truncated response': releases(
	    { raw: '{"id":"sesn_1","status":"idle"}', drop: 'body' }),
	'session: 100 MiB': releases({ after: true, pad: FEW }),
	'session: redirect': redirect('session', 301, releases),

	'heartbeat: malformed JSON': survives('heartbeat', { raw: '{' }),
	'heartbeat: wrong types': survives('heartbeat', { raw:
	    '{"last_heartbeat":5,"state":[],"ttl_seconds":"x"}' }),
	'heartbeat: redirect': redirect('heartbeat', 308),
	'heartbeat: no answer': survives('heartbeat', { drop: 'before' }),

	'list: malformed JSON': survives('list', { raw: '{"data":[' }),
	'list: wrong types': survives('list', { raw: '{"data":{"x":7}}' }),
	'list: truncated response': survives('list',
	    { after: true, drop: 'body' }),
	'list: redirect': redirect('list', 302),

	'stream: wrong content type': survives('stream',
	    { raw: '<html>', type: 'text/html' }),
	'stream: redirect': redirect('stream', 302),
	'stream: malformed JSON': hears((s) =>
	    s.one.raw(event('{"type":') + event('[]') + event('7'))),
	'stream: wrong types': hears((s) => s.one.raw(
	    event({ type: 'agent.tool_use', id: 7, name: [], input: 'x' }) +
	    event({ type: 'agent.tool_use', name: 'bash' }) +
	    event({ type: 7 }) +
	    event({ type: 'user.tool_result' }) +
	    event({ type: 'user.tool_confirmation', tool_use_id: {} }) +
	    event({ type: 'session.status_idle', stop_reason: 'x' }))),
	'stream: bytes that are not text': hears((s) => s.one.raw(
	    Buffer.from('data: \xff\xfe\0\x01\n\n\0\0\n\n: \xff\n', 'latin1'))),
	'stream: truncated response': hears(async (s) => {
		await s.one.raw('event: agent.tool_use\ndata: {"type":"agent.too');
		await s.drop('reset');
	}),
	'stream: 100 MiB event': hears((s) => s.one.raw(
	    event({ type: 'agent.message', text: 'x'.repeat(FEW) }))),
	'stream: endless line': hears(async (s) => {
		const block = Buffer.alloc(1 << 20, 'x');
		await s.one.raw('data: ');
		for (let i = 0; i < 64; i++)
			await s.one.raw(block);
		await s.one.raw('\n\n');
	}),
	'stream: endless event': hears(async (s) => {
		const block = Buffer.from('data: x\n'.repeat(1 << 17));
		for (let i = 0; i < 64; i++)
			await s.one.raw(block);
		await s.one.raw('\n\n');
	}),

	'send: wrong content type': survives('send',
	    { after: true, raw: '<html>', type: 'text/html' },
	    { want: { send: 1 } }),
	'send: response lost': survives('send',
	    { after: true, drop: 'before' }, { want: { send: 2 } }),
	'send: redirect': redirect('send', 307),

	'secret that is not base64': secret('%%%'),
	'secret that is not JSON': secret(Buffer.from('x').toString('base64')),
	'secret that is a list': secret(Buffer.from('[1]').toString('base64')),
	'secret with an empty token': secret(Buffer.from(
	    '{"sessions_token":""}').toString('base64')),
	'secret with a hostile base URL': {
		options: { no_work: true },
		async play(s) {
			s.item = s.enqueue({ secretMore: { api_base_url:
			    `http://127.0.0.1:${s.api.otherPort}` } });
			await s.ask('bash', { command: 'echo hello' });
			s.idle();
			await s.again();
		},
		want: { stop: 1, results: ['hello'] },
	},

	'hostile skill archives': {
		get options() {
			const skills = hostileSkills();
			return { skills, session: { agent: { skills:
			    Object.keys(skills).map((id) => ({ type: 'custom',
			        skill_id: id, version: '1' })) } } };
		},
		async play(s) {
			const listing = await s.ask('bash', { command:
			    'cd skills && find . -mindepth 1 | sort' });
			s.match('skills', listing, /^\.\/good\/SKILL\.md$/m);
			for (const word of ['passwd', 'zero', 'fifo', 'big'])
				if (listing.split('\n').some((line) =>
				    line.endsWith(word)))
					s.complain(`${word} in ${listing}`);
			s.idle();
			await s.again();
		},
		want: { stop: 1, send: 1, skill: 19 },
		check(s) {
			for (const dir of [s.workdir, `${s.workdir}/..`,
			    `${s.workdir}/../..`, '/tmp', '/'])
				s.want(`evil in ${dir}`,
				    s.find('adit-evil', dir, 0), undefined);
		},
	},
};
