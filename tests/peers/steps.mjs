// SPDX-License-Identifier: ISC
//
// What the clients of both generations do with the fixture server's lock-step
// tools.  call(name, arguments, options) returns the text of the tool's result.

import { randomUUID } from 'node:crypto';
import { Watch, check, equal, within } from './tap.mjs';

// Well above any honest pause, far below a client's own time limit.
export const SOON_MS = 8000;

export const LARGE = 1 << 20;

// A run of adit_lockstep: the server sends step k + 1 only after this side has
// seen step k and released it, so anything that holds an event back stops it.
export class Run {
	seen = [];
	watch = new Watch();

	constructor(call, steps) {
		this.call = call;
		this.key = randomUUID();
		this.steps = steps;
	}

	start(options = {}, more = {}) {
		this.done = this.call('adit_lockstep',
		    { key: this.key, steps: this.steps, ...more }, {
			...options,
			onprogress: ({ progress }) => {
				this.seen.push(progress);
				this.watch.changed();
			},
		});
		// Whoever awaits done gets the reason too.
		this.done.catch(() => {});
	}

	saw(step) {
		return within(SOON_MS,
		    this.watch.until(() => this.seen.includes(step)),
		    `step ${step} did not arrive; seen: ${this.seen}`);
	}

	release(step) {
		return this.call('adit_release', { key: this.key, step });
	}

	state(state) {
		return within(SOON_MS,
		    this.call('adit_state', { key: this.key, state }),
		    `the server did not reach the state '${state}'`);
	}

	async finish() {
		const text = await within(SOON_MS, this.done, 'no result');
		equal(text, `${this.key} complete`, 'result');
		equal(this.seen, Array.from({ length: this.steps },
		    (_, i) => i + 1), 'steps');
	}
}

export async function largeEcho(call, tool) {
	const message = 'é0123456789abcd'.repeat(LARGE / 16);
	const text = await call(tool, { message });
	// server-everything puts a word before it.
	check(text.endsWith(message), 'the text came back changed');
}

export async function progress(call) {
	const run = new Run(call, 5);
	run.start();
	for (let step = 1; step <= run.steps; step++) {
		await run.saw(step);
		await run.release(step);
	}
	await run.finish();
}

// Streams that are open at the same time, and end in the other order.
export async function parallel(call) {
	const runs = Array.from({ length: 8 }, () => new Run(call, 2));
	for (const run of runs)
		run.start();
	for (const run of runs)
		await run.saw(1);
	for (const run of runs.reverse()) {
		await run.release(2);
		await run.finish();
	}
}

// quiet: the server has sent nothing at all when the client gives up.
export async function cancel(call, quiet) {
	const run = new Run(call, 2);
	const abort = new AbortController();
	run.start({ signal: abort.signal }, { quiet });
	await (quiet ? run.state('running') : run.saw(1));
	abort.abort('enough');
	const outcome = await within(SOON_MS,
	    run.done.then(() => 'a result', () => 'an error'), 'no outcome');
	equal(outcome, 'an error', 'the cancelled call gave');
	equal(await run.state('aborted'), 'aborted', 'the server saw');
}
