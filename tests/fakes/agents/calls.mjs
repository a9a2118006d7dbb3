// SPDX-License-Identifier: ISC
//
// Which calls are run, and what an event stream may look like.

import { happy } from './happy.mjs';
import { call, ended, once, oneCall, result, stops } from './turns.mjs';

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

export const calls = {
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
			// The official one counts its own mark at the end, too.
			for (const { content: [{ text }] } of s.one.results) {
				s.match('text', text.slice(0, 20),
				    /^\[output truncated\]\n/);
				const length = text.split('\n').slice(1)
				    .join('\n').length;
				if (length > 102400 || length < 102300)
					s.complain(`length ${length}`);
			}
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
