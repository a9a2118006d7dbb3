// SPDX-License-Identifier: ISC
//
// What the API answers when something is wrong, and how sessions end.

import { always, call, once, oneCall, stops } from './turns.mjs';

export const faults = {
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
		options: { ttl: 2, lapse: false },
		async play(s) {
			await s.attached();
			await s.slow();
			s.api.faults.heartbeat = always(412);
			await s.requests('poll', 2);
		},
		want: { stop: 0, send: 0, runs: 1 },
	},

	'heartbeat repeated 500': {
		options: { ttl: 2, lapse: false },
		async play(s) {
			await s.attached();
			await s.slow();
			s.api.faults.heartbeat = always(500);
			await s.requests('poll', 2);
		},
		want: { stop: 0, send: 0 },
	},

	'heartbeat stopping': {
		options: { ttl: 2, lapse: false },
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
		options: { ttl: 2, lapse: false },
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
};
