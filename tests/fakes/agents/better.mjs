// SPDX-License-Identifier: ISC
//
// Where our worker is meant to do better than the official one.

import fs from 'node:fs';
import { once, oneCall } from './turns.mjs';

export const better = {
	'events without a name': {
		options: { session: { sse: { name: null } } },
		async play(s) {
			await s.attached();
			await oneCall(s);
		},
		want: { ...once, stream: 1 },
	},

	'CR and nothing behind it': {
		options: { session: { sse: { eol: '\r' } } },
		async play(s) {
			await s.attached();
			await oneCall(s);
		},
		want: { ...once, stream: 1 },
	},

	// Offered again at once: not more often than an idle worker asks.
	'ack 404 again and again': {
		options: { reclaim: 1 },
		faults: { ack: [{ status: 404, always: true }] },
		async play(s) {
			await s.requests('ack');
			await s.delay(3000);
		},
		want: { stop: 0, session: 0 },
		check(s) {
			if (s.api.count('ack') > 4)
				s.complain(`${s.api.count('ack')} times in 3 s`);
		},
	},

	// The server forgets each stop of an item that nobody can serve.
	'an item offered again and again': {
		faults: { session: [{ status: 404, always: true }] },
		async play(s) {
			for (let n = 1; n <= 6; n++) {
				await s.requests('stop', n);
				Object.assign(s.item, { state: 'queued', last: null,
				    beat: null, acked: null, offered: null });
				s.api.changed();
			}
		},
		check(s) {
			if (s.api.count('session') > 3)
				s.complain(`served ${s.api.count('session')} times`);
		},
	},

	'several sessions at once': {
		options: { no_work: true },
		async play(s) {
			const one = s.one;
			const two = s.on(s.api.addSession('sesn_2'));
			const items = [one, two].map((session) => s.enqueue(
			    { session: session.id }));
			await s.until(() => one.sinks.size > 0 && two.sinks.size > 0);
			const ids = [];
			for (const session of [one, two]) {
				s.on(session);
				ids.push(s.bash('ls; touch mine; sleep 3; echo ' +
				    session.id));
			}
			await s.until(() => one.calls.get(ids[0]).result &&
			    two.calls.get(ids[1]).result);
			s.want('first', one.results[0].content[0].text, 'sesn_1');
			s.want('second', two.results[0].content[0].text, 'sesn_2');
			for (const session of [one, two]) {
				s.on(session);
				s.idle();
			}
			await Promise.all(items.map((item) => s.stopped(item)));
		},
		want: { ack: 2, stop: 2, send: 2 },
		check(s) {
			const sends = s.api.requests.filter((r) => r.route === 'send');
			if (Math.abs(sends[0]?.ms - sends[1]?.ms) > 2800)
				s.complain('one after the other');
		},
	},

	'skills with the environment key': {
		options: {
			skills_want_key: true, lax: true,
			skills: { skill_1: { name: 'one',
			    members: [{ name: 'SKILL.md', data: 'text' }] } },
			session: { agent: { skills: [{ type: 'custom',
			    skill_id: 'skill_1', version: '3' }] } },
		},
		async play(s) {
			s.match('skill', await s.ask('read',
			    { file_path: 'skills/one/SKILL.md' }), /^text$/);
			s.idle();
			await s.again();
		},
		want: { send: 1, stop: 1 },
	},

	// The history has a result for a call whose POST had no clear answer.
	'send refused after a lost response': {
		faults: { send: [{ after: true, drop: 'before' }] },
		async play(s) {
			await s.attached();
			await s.ask('bash', { command: 'echo run >>runs; echo hello' });
			await s.requests('send', 2);
			await s.drop('reset');
			await s.attached(2);
			await s.delay(300);
			s.idle();
			await s.again();
		},
		want: { stop: 1, runs: 1, results: ['hello'] },
	},

	// The test kills the poller alone, and all that it started goes with it;
	// a call without a result is run again by the next worker.
	'the poller killed': {
		options: { ttl: 3 },
		async play(s) {
			await s.attached();
			const id = await s.slow();
			s.mark('kill');
			await s.until(() => s.item.offers >= 2);
			await s.attached(2);
			await s.go();
			await s.answered(id);
			s.idle();
			await s.again();
		},
		want: { stop: 1, runs: 2, results: ['done'] },
	},

	// The test kills the worker at the marks.
	'killed mid-tool': {
		options: { ttl: 3 },
		async play(s) {
			await s.attached();
			await s.ask('bash', { command: 'echo run >>runs; echo one' });
			const id = s.bash('touch second; while [ ! -e go ]; do ' +
			    'sleep 0.02; done; echo two');
			await s.file('second');
			s.mark('kill');
			await s.until(() => s.item.offers >= 2);
			await s.attached(2);
			await s.go('second');
			await s.answered(id);
			s.idle();
			await s.again();
		},
		want: { stop: 1, runs: 1, results: ['one', 'two'] },
	},

	'killed between a result and its answer': {
		options: { ttl: 3 },
		faults: { send: [{ after: true, delay: 60000 }] },
		async play(s) {
			await s.attached();
			const id = s.bash('echo run >>runs; echo one');
			await s.answered(id);
			s.mark('kill');
			await s.until(() => s.item.offers >= 2);
			await s.attached(2);
			await s.ask('bash', { command: 'echo two' });
			s.idle();
			await s.again();
		},
		want: { stop: 1, runs: 1, results: ['one', 'two'] },
	},

	// The test stops the first worker's processes at the first mark, starts a
	// second worker, and lets the first go on at the second mark.
	'a worker that slept': {
		options: { ttl: 4 },
		async play(s) {
			await s.attached();
			// The second one's directory has no such file.
			const held = `${s.workdir}/held`;
			fs.writeFileSync(held, '');
			const id = s.bash('touch started; while [ -e held ]; do ' +
			    'sleep 0.02; done; echo done');
			await s.file('started');
			s.mark('sleep');
			await s.answered(id);
			fs.unlinkSync(held);
			s.mark('wake');
			await s.until(() => s.api.requests.some((r) =>
			    r.route === 'heartbeat' && r.status === 412));
			await s.delay(1500);
			s.idle();
			await s.stopped();
		},
		want: { ack: 2, stop: 1, results: ['done'] },
	},

	// Without progress the lease is given up, and left to others.
	'a call that never ends': {
		options: { ttl: 2, lapse: false },
		async play(s) {
			await s.attached();
			s.bash('echo run >>runs; sleep 1000');
			await s.requests('poll', 2);
			const beats = s.api.count('heartbeat');
			await s.delay(2200);
			s.want('beats', s.api.count('heartbeat'), beats);
		},
		want: { stop: 0, runs: 1 },
	},

	'nothing more to do': {
		async play(s) {
			await s.ask('bash', { command: 'echo hello' });
			s.idle();
			await s.again();
		},
		want: { ...once, poll: 2 },
	},

	// The test makes the wall clock jump at the mark.
	'clock jumps': {
		async play(s) {
			await s.attached();
			const id = await s.slow();
			s.mark('jump');
			await s.delay(3000);
			s.want('state', s.item.state, 'active');
			await s.go();
			await s.answered(id);
			s.idle();
			await s.again();
		},
		want: { send: 1, stop: 1, runs: 1, results: ['done'], list: 1 },
	},

	// For --on-work: what the script does is the test's affair.
	'an item for a script': {
		async play(s) {
			await s.requests('stop');
			await s.requests('poll', s.api.count('poll') + 1);
		},
		want: { ack: 1, heartbeat: 0, session: 0, stop: 1 },
		check(s) {
			const { body } = s.api.requests.find((r) => r.route === 'stop');
			s.want('force', body?.force ?? false, false);
			s.want('state', s.item.state, 'stopping');
		},
	},

	'an item that a script runs': {
		play: oneCall,
		want: { ack: 1, session: 1, send: 1, stop: 2,
		    results: ['hello'] },
		check(s) {
			s.want('who stopped', s.api.requests.filter((r) =>
			    r.route === 'stop').map((r) => r.body?.force ?? false),
			    [true, false]);
		},
	},

	'a check for a script': {
		options: { item: { type: 'healthcheck', session: undefined } },
		async play(s) {
			await s.requests('poll', 2);
		},
		want: { session: 0 },
	},

	'an item for a script that stays': {
		play: (s) => s.requests('ack'),
		want: { ack: 1 },
	},

	// What `sandbox-worker hook` does for one delivery.
	'drained by a webhook': {
		async play(s) {
			await s.ask('bash', { command: 'echo hello' });
			s.idle();
			await s.stopped();
			await s.requests('poll', 2);
		},
		want: once,
		check(s) {
			for (const { query } of s.api.requests.filter((r) =>
			    r.route === 'poll')) {
				s.want('block_ms', query.block_ms, undefined);
				s.want('reclaim_older_than_ms',
				    query.reclaim_older_than_ms, '2000');
			}
		},
	},

	// What came before a command's end is not lost, and an error of syntax is
	// told at once.
	'what a command said': {
		async play(s) {
			await s.attached();
			// Its time has that of the shell's start in it.
			await s.ask('bash', { command: 'true' });
			for (const [command, want, more] of [
				['echo partial; sleep 9', /timed out after 200ms[^]*partial/,
				    { timeout_ms: 200 }],
				['echo last; exit 3', /session terminated[^]*last/],
				['echo "unterminated', /unexpected EOF/],
				[')', /syntax error/],
				['if', /syntax error/],
				['echo fine', /^fine$/],
			])
				s.match(command, await s.ask('bash',
				    { command, ...more }), want);
			s.idle();
			await s.again();
		},
		want: { send: 7, stop: 1 },
	},
};
