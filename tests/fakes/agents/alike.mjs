// SPDX-License-Identifier: ISC
//
// What the official SDK's worker does, and ours with it.  Where the two are
// meant to differ, want says so by peer.

import { happy } from './happy.mjs';

// One call, its result, the end of the turn, until the worker asks again.
async function oneCall(s) {
	await s.ask('bash', { command: 'echo hello' });
	s.idle();
	await s.again();
}

const once = { send: 1, stop: 1, results: ['hello'] };

// A call under a permission, and what happens before the end.
function permission(word, then, want) {
	return {
		async play(s) {
			await s.attached();
			const id = s.bash('echo hello', { permission: word });
			s.requires(id);
			await then(s, id);
			await s.again();
		},
		want: { stop: 1, ...want },
	};
}

// How the event stream looks.
function written(sse, more = {}) {
	return {
		options: { session: { sse } },
		async play(s) {
			await s.attached();
			if (more.ping)
				await s.one.raw('event: ping\ndata: {}\n\n');
			await oneCall(s);
		},
		want: { ...once, stream: 1 },
	};
}

// An item that needs no tool.
async function stops(s) {
	await s.again();
}

const call = (id, command, more = {}) => ({ type: 'agent.tool_use', id,
	name: 'bash', input: { command }, ...more });
const result = (id, text) => ({ type: 'user.tool_result', tool_use_id: id,
	is_error: false, content: [{ type: 'text', text }] });
const ended = { type: 'session.status_idle',
	stop_reason: { type: 'end_turn' }, stop_details: null };

const always = (status, more = {}) => [{ status, always: true, ...more }];

export const alike = {
	happy,

	'ask then confirmation allow': permission('ask', async (s, id) => {
		await s.delay(150);
		s.want('results before the verdict', s.one.results, []);
		s.confirm(id, 'allow');
		await s.answered(id);
		s.idle();
	}, once),

	'ask then deny': permission('ask', async (s, id) => {
		s.confirm(id, 'deny');
		s.idle();
	}, { send: 0 }),

	'server deny': permission('deny', (s) => s.idle(), { send: 0 }),

	'unknown permission': permission('perhaps', async (s) => {
		await s.delay(200);
		s.terminate();
	}, { send: 0 }),

	'confirmation before the call': {
		async play(s) {
			await s.attached();
			s.confirm('sevt_call_1', 'allow');
			await s.ask('bash', { command: 'echo hello' },
			    { permission: 'ask' });
			s.idle();
			await s.again();
		},
		want: once,
	},

	'no permission field': {
		async play(s) {
			await s.attached();
			await oneCall(s);
		},
		want: { ...once, stream: 1, list: 1, ack: 1, session: 1 },
	},

	'unregistered web_search': {
		async play(s) {
			await s.attached();
			s.call('web_search', { query: 'x' });
			s.idle();
			await s.again();
		},
		want: { send: 0, stop: 1 },
	},

	'custom tool': {
		async play(s) {
			await s.attached();
			s.call('lookup', { key: 'x' }, { kind: 'custom' });
			s.say('agent.mcp_tool_use', { name: 'bash',
			    mcp_server_name: 'x', input: { command: 'echo no' } });
			s.idle();
			await s.again();
		},
		want: { send: 0, stop: 1 },
	},

	'batch of calls': {
		async play(s) {
			await s.attached();
			for (const n of [1, 2, 3])
				s.bash(`echo ${n} >>order; cat order`);
			await s.turn();
			s.idle();
			await s.again();
		},
		want: { send: 3, stop: 1, results: ['1', '1\n2', '1\n2\n3'] },
	},

	'SSE dropped mid-tool': {
		async play(s) {
			await s.attached();
			const id = await s.slow();
			await s.drop('reset');
			await s.go();
			await s.answered(id);
			await s.attached(2);
			s.idle();
			await s.again();
		},
		want: { send: 1, stop: 1, stream: 2, runs: 1, results: ['done'] },
	},

	'SSE clean end': {
		async play(s) {
			await s.attached();
			await s.drop('end');
			await s.attached(2);
			await oneCall(s);
		},
		want: { ...once, stream: 2 },
	},

	'event: error': {
		async play(s) {
			await s.attached();
			await s.one.raw('event: error\ndata: {"type":"error",' +
			    '"error":{"type":"overloaded_error","message":"no"}}\n\n');
			await s.requests('stream', 2);
			await s.attached(2);
			await oneCall(s);
		},
		want: { ...once, stream: 2 },
	},

	'stream 404': {
		faults: { stream: always(404) },
		play: stops,
		want: { send: 0, stop: 1, stream: 1 },
	},

	'stream 500 then OK': {
		faults: { stream: [{ status: 500 }, { status: 500 }] },
		async play(s) {
			await s.attached();
			await oneCall(s);
		},
		want: once,
	},

	'list 500': {
		options: { history: [call('sevt_call_1', 'echo old')] },
		faults: { list: [500, 500, 500].map((status) => ({ status })) },
		async play(s) {
			await s.requests('list', 3);
			if (s.peer === 'worker')
				await s.answered('sevt_call_1');
			await s.ask('bash', { command: 'echo new' },
			    { id: 'sevt_call_2' });
			s.idle();
			await s.again();
		},
		// The SDK lists no more, and so never runs the old call.
		want: { stop: 1, sdk: { results: ['new'], list: 3 },
		    worker: { results: ['old', 'new'] } },
	},

	'send 400': {
		faults: { send: [{ status: 400 }] },
		async play(s) {
			await s.attached();
			s.bash('echo lost', { aside: true });
			await s.requests('send');
			await s.ask('bash', { command: 'echo hello' });
			s.idle();
			await s.again();
		},
		want: { stop: 1, send: 2, results: ['hello'] },
	},

	'send 503': {
		options: { ttl: 30 },
		faults: { send: [503, 503, 503, 503].map((status) => ({ status })) },
		async play(s) {
			await s.attached();
			await oneCall(s);
		},
		want: { stop: 1, results: ['hello'], runs: 0, send: 5 },
	},

	'heartbeat 412': {
		options: { lapse: false },
		async play(s) {
			await s.attached();
			await s.slow();
			s.api.faults.heartbeat = always(412);
			await s.requests('poll', 2);
		},
		want: { stop: 0, send: 0, runs: 1 },
	},

	'heartbeat repeated 500': {
		options: { lapse: false },
		async play(s) {
			await s.attached();
			await s.slow();
			s.api.faults.heartbeat = always(500);
			await s.requests('poll', 2);
		},
		want: { stop: 0, send: 0 },
	},

	'heartbeat stopping': {
		async play(s) {
			await s.attached();
			await s.slow();
			s.item.state = 'stopping';
			await s.again();
			await s.delay(200);
		},
		want: { stop: 1, runs: 1, sdk: { send: 0 } },
	},

	'heartbeat 404': {
		async play(s) {
			await s.attached();
			await s.slow();
			s.api.faults.heartbeat = always(404);
			await s.again();
		},
		want: { stop: 1, runs: 1, sdk: { send: 0 } },
	},

	'heartbeat stopping at once': {
		async play(s) {
			await s.requests('ack');
			s.item.state = 'stopping';
			await s.again();
		},
		want: { send: 0, stop: 1 },
	},

	'poll 204': {
		faults: { poll: [{ status: 204 }] },
		play: oneCall,
		want: once,
	},

	'poll 200 empty': {
		faults: { poll: [{ raw: '', type: 'application/json' }] },
		play: oneCall,
		want: once,
	},

	'poll 200 null': {
		faults: { poll: [{ raw: 'null' }] },
		play: oneCall,
		want: once,
	},

	'poll 401': {
		faults: { poll: always(401) },
		play: (s) => s.requests('poll'),
		want: { poll: 1, ack: 0 },
	},

	'poll 404': {
		faults: { poll: always(404) },
		play: (s) => s.requests('poll'),
		want: { poll: 1, ack: 0 },
	},

	'poll 500': {
		faults: { poll: [{ status: 500 }, { status: 500 },
		    { status: 500 }] },
		play: oneCall,
		want: once,
	},

	'poll 429 with retry-after': {
		faults: { poll: [{ status: 429, headers: { 'retry-after': '1' } }] },
		play: oneCall,
		want: once,
		check(s) {
			const [a, b] = s.api.requests.filter((r) =>
			    r.route === 'poll').map((r) => r.ms);
			if (b - a < 990)
				s.complain(`asked again after ${b - a} ms`);
		},
	},

	'ack 404': {
		faults: { ack: [{ status: 404 }] },
		async play(s) {
			await s.requests('ack');
			s.item.state = 'stopped';
			await s.requests('poll', 2);
		},
		want: { ack: 1, stop: 0, session: 0, heartbeat: 0 },
	},

	'healthcheck item': {
		options: { item: { type: 'healthcheck', session: undefined } },
		play: stops,
		want: { stop: 1, session: 0, stream: 0 },
	},

	'terminated session': {
		options: { session: { status: 'terminated' },
		    history: [call('sevt_call_1', 'echo run >>runs')] },
		play: stops,
		want: { stop: 1, session: 1, stream: 0, send: 0, runs: 0 },
	},

	'session 404': {
		faults: { session: always(404) },
		play: stops,
		want: { stop: 1, session: 1, stream: 0 },
	},

	'no secret': {
		options: { item: { secret: null } },
		play: oneCall,
		want: once,
		check(s) {
			s.want('credentials', [...new Set(s.api.requests.map((r) =>
			    r.auth))], ['key']);
		},
	},

	'no secret + memory store': {
		options: { item: { secret: null }, stores: { ms_1: {} },
		    session: { resources: [{ type: 'memory_store',
		      memory_store_id: 'ms_1', access: 'read_write',
		      name: 'notes' }] } },
		play: stops,
		want: { stop: 1, stream: 0, memories: 0 },
	},

	// The test sends the signal at the mark.
	'abort mid-tool': {
		async play(s) {
			await s.attached();
			await s.slow();
			s.mark('abort');
			await s.stopped();
		},
		want: { stop: 1, runs: 1, sdk: { send: 0 }, worker: { send: 1 } },
		check(s) {
			if (s.peer === 'worker')
				s.want('is_error', s.one.results[0]?.is_error, true);
		},
	},

	'interrupt mid-tool': {
		async play(s) {
			await s.attached();
			const id = await s.slow();
			s.say('user.interrupt');
			if (s.peer === 'sdk') {
				await s.delay(300);
				s.want('results', s.one.results, []);
				await s.go();
			}
			await s.answered(id);
			s.idle();
			await s.again();
		},
		want: { stop: 1, send: 1, runs: 1, sdk: { results: ['done'] } },
		check(s) {
			s.want('is_error', s.one.results[0]?.is_error,
			    s.peer === 'worker');
		},
	},

	'result already in history': {
		options: { history: [call('sevt_call_1', 'echo run >>runs'),
		    result('sevt_call_1', 'x'), ended] },
		play: stops,
		want: { send: 0, stop: 1, runs: 0 },
	},

	'3-page history': {
		options: { page: 2, history: [
			{ type: 'user.message', content: [] },
			call('sevt_call_1', 'echo run >>runs'),
			result('sevt_call_1', 'x'),
			{ type: 'agent.message', content: [] },
			call('sevt_call_2', 'echo hello'),
		] },
		async play(s) {
			await s.answered('sevt_call_2');
			s.idle();
			await s.again();
		},
		want: { ...once, list: 3, runs: 0 },
	},

	"terminated thread's call": {
		options: { history: [
			{ type: 'session.thread_status_terminated',
			  session_thread_id: 'sthr_1' },
			call('sevt_call_1', 'echo run >>runs',
			    { session_thread_id: 'sthr_1' }),
		] },
		async play(s) {
			await s.attached();
			s.bash('echo run >>runs', { thread: 'sthr_1',
			    id: 'sevt_call_2', aside: true });
			await s.ask('bash', { command: 'echo hello' },
			    { thread: 'sthr_2', id: 'sevt_call_3' });
			s.idle();
			await s.again();
		},
		want: { ...once, runs: 0 },
	},

	"terminated thread's held call": {
		async play(s) {
			await s.attached();
			const id = s.bash('echo run >>runs',
			    { thread: 'sthr_1', permission: 'ask' });
			await s.delay(100);
			s.say('session.thread_status_terminated',
			    { session_thread_id: 'sthr_1' });
			s.confirm(id, 'allow');
			s.idle();
			await s.again();
		},
		want: { send: 0, stop: 1, runs: 0 },
	},

	'permanent requires_action': {
		async play(s) {
			await s.attached();
			s.call('lookup', {}, { kind: 'custom' });
			s.requires();
			await s.delay(2000);
			s.want('stops', s.api.count('stop'), 0);
			s.want('streams that are open', s.one.sinks.size, 1);
			s.terminate();
			await s.again();
		},
		want: { send: 0, stop: 1 },
	},

	'session.deleted': {
		async play(s) {
			await s.attached();
			s.say('session.deleted');
			await s.again();
		},
		want: { send: 0, stop: 1 },
	},

	'duplicate and late events': {
		async play(s) {
			await s.attached();
			const id = s.bash('echo run >>runs; echo hello');
			await s.answered(id);
			const { event } = s.one.calls.get(id);
			s.say(event.type, event, 'live');
			s.say('user.tool_result', { tool_use_id: 'sevt_call_2' },
			    'live');
			// Its result came before it.
			s.bash('echo run >>runs', { id: 'sevt_call_2',
			    how: 'live' });
			s.say('agent.something_new', { x: [1, { y: null }] });
			s.idle();
			await s.again();
		},
		want: { ...once, runs: 1 },
	},

	'nothing to say': {
		// The SDK passes NUL on.
		options: { session: { nul: true } },
		async play(s) {
			await s.attached();
			await s.ask('bash', { command: 'true' });
			await s.ask('bash', { command: 'printf "a\\377b\\000c"' });
			await s.ask('bash', { command: 'exit 3' });
			s.idle();
			await s.again();
		},
		want: { stop: 1 },
		check(s) {
			const [empty, bytes] = s.one.results;
			s.want('empty', empty?.content[0].text, '(no output)');
			s.match('bytes', bytes?.content[0].text, s.peer === 'sdk'
			    ? /^a\ufffdb\0c$/ : /^a\ufffdb[^\0]c$/);
		},
	},

	'large output': {
		async play(s) {
			await s.attached();
			await s.ask('bash', { command:
			    'head -c 3000000 /dev/zero | tr "\\0" x; echo end' });
			await s.ask('bash', { command:
			    'for i in $(seq 60000); do echo é$i; done' });
			s.idle();
			await s.again();
		},
		want: { send: 2, stop: 1 },
		check(s) {
			for (const r of s.one.results)
				s.match('text', r.content[0].text.slice(0, 20),
				    /^\[output truncated\]\n/);
		},
	},

	'wrong types in the input': {
		async play(s) {
			await s.attached();
			s.call('read', { file_path: 'none', view_range: [] });
			s.call('write', { file_path: 'x/y', content: '\ud800é' });
			s.call('bash', { command: 'cat x/y', timeout_ms: 1e5,
			    more: { x: [] } });
			await s.turn();
			s.idle();
			await s.again();
		},
		want: { send: 3, stop: 1 },
	},

	'the next turn': {
		async play(s) {
			await s.attached();
			await s.ask('bash', { command: 'echo one >kept; cat kept' });
			s.idle();
			await s.again();
			const item = s.enqueue();
			await s.ask('bash', { command: 'cat kept' });
			s.idle();
			await s.again(item);
		},
		want: { send: 2, stop: 2, stream: 2, results: ['one', 'one'] },
	},

	'CRLF': written({ eol: '\r\n' }),
	// The SDK sees the end of a line when the next one begins.
	'CR': written({ eol: '\r', tail: ':\r' }),
	'a byte at a time': written({ chunk: 1, eol: '\r\n', comments: true }),
	'comments and a BOM': written({ bom: true, comments: true }),
	'several data lines': written({ split: true }),
	'event: message': written({ name: 'message' }),
	'pings': written({}, { ping: true }),
};
