// SPDX-License-Identifier: ISC
//
// What a scenario is written with: the agent that calls tools and waits for
// results, the operator's hand on the work queue, and what must come out.

import fs from 'node:fs';
import path from 'node:path';

const SEARCH_DEPTH = 4;

export class Play {
	complaints = [];
	serial = 0;
	pending = [];

	constructor(api, { peer, workdir }) {
		Object.assign(this, { api, peer, workdir });
	}

	prepare({ options = {}, faults = {} }) {
		Object.assign(this.api.faults, structuredClone(faults));
		for (const [id, memories] of Object.entries(options.stores ?? {}))
			this.api.addStore(id, memories);
		if (options.no_session)
			return;
		this.on(this.api.addSession('sesn_1', options.session));
		for (const event of options.history ?? [])
			this.one.emit({ ...event }, 'history');
		if (!options.no_work)
			this.item = this.enqueue(options.item);
	}

	// Which session the verbs are about.
	on(session) {
		this.one = session;
		return session;
	}

	enqueue(item = {}) {
		return this.api.queue.add({ session: this.one?.id, ...item });
	}

	// --- the agent
	say(type, fields = {}, how) {
		return this.one.emit({ type, ...fields }, how);
	}

	// more: kind "custom", permission, thread, id, how (Session.emit), aside:
	// turn() does not wait for it.
	call(name, input, { kind, permission, thread, id, how, aside } = {}) {
		const event = this.say(
		    kind === 'custom' ? 'agent.custom_tool_use' : 'agent.tool_use', {
			id: id ?? `sevt_call_${++this.serial}`, name, input,
			...(permission ? { evaluated_permission: permission } : {}),
			...(thread ? { session_thread_id: thread } : {}),
		}, how);
		if (!aside)
			this.pending.push(event.id);
		return event.id;
	}

	bash(command, more) {
		return this.call('bash', { command }, more);
	}

	requires(...ids) {
		this.say('session.status_idle', { stop_reason:
		    { type: 'requires_action',
		      event_ids: ids.length ? ids : this.pending } });
	}

	result(id) {
		return this.one.calls.get(id)?.result;
	}

	answered(...ids) {
		return this.api.until(() => ids.every((id) => this.result(id)));
	}

	// The end of a batch of calls: until all of them are answered.
	async turn() {
		const ids = this.pending;
		this.pending = [];
		this.requires(...ids);
		await this.answered(...ids);
		this.say('session.status_running');
	}

	async ask(name, input, more) {
		const id = this.call(name, input, more);
		await this.turn();
		return this.text(id);
	}

	// A call whose result has a last line that matches all of the pattern.
	async expect(name, input, pattern, what = JSON.stringify(input)) {
		const text = await this.ask(name, input) ?? '';
		this.match(what, text.replace(/\n+$/, '').split('\n').at(-1),
		    new RegExp(`^(?:${pattern})$`));
	}

	text(id) {
		return this.result(id)?.content.map((b) => b.text ?? '').join('');
	}

	idle(type = 'end_turn') {
		this.pending = [];
		this.say('session.status_idle', { stop_reason: { type },
		    stop_details: null });
	}

	confirm(id, result) {
		this.say('user.tool_confirmation', { tool_use_id: id, result });
	}

	terminate() {
		this.one.status = 'terminated';
		this.say('session.status_terminated');
	}

	drop(how) {
		return this.one.drop(how);
	}

	// --- waiting
	until(holds) {
		return this.api.until(holds);
	}

	requests(route, count = 1) {
		return this.until(() => this.api.count(route) >= count);
	}

	attached(streams = 1) {
		return this.until(() => this.one.streams >= streams &&
		    this.one.sinks.size > 0 &&
		    this.api.count('list') >= streams);
	}

	stopped(item = this.item) {
		return this.until(() => item.state === 'stopped');
	}

	// Until the worker asks for work again.
	async again(item = this.item) {
		await this.stopped(item);
		const polls = this.api.count('poll');
		const last = this.api.requests.findLast((r) => r.route === 'stop');
		await this.until(() => this.api.count('poll') > polls ||
		    this.api.requests.some((r) => r.route === 'poll' &&
		    r.n > last.n));
	}

	delay(ms) {
		return new Promise((resolve) => setTimeout(resolve, ms));
	}

	// A file of that name anywhere in the workspaces; waits for it.
	find(name, dir = this.workdir, depth = SEARCH_DEPTH) {
		let names;
		try {
			names = fs.readdirSync(dir, { withFileTypes: true });
		} catch {
			return undefined;
		}
		if (names.some((e) => e.name === name))
			return path.join(dir, name);
		for (const e of names) {
			const found = e.isDirectory() && depth > 0
			    ? this.find(name, path.join(dir, e.name), depth - 1)
			    : undefined;
			if (found)
				return found;
		}
		return undefined;
	}

	async file(name) {
		let found;
		while (!(found = this.find(name)))
			await this.delay(10);
		return found;
	}

	// A call that says "started" and ends once go() was called.
	async slow(more) {
		const id = this.bash('echo run >>runs; touch started; ' +
		    'while [ ! -e go ]; do sleep 0.02; done; echo done', more);
		await this.file('started');
		return id;
	}

	async go(started = 'started') {
		const dir = path.dirname(await this.file(started));
		fs.writeFileSync(path.join(dir, 'go'), '');
	}

	mark(text) {
		this.api.write({ mark: text });
	}

	// --- the verdict
	complain(text) {
		this.complaints.push(text);
	}

	want(what, got, wanted) {
		const [a, b] = [JSON.stringify(got), JSON.stringify(wanted)];
		if (a !== b)
			this.complain(`${what}: got ${a}, want ${b}`);
	}

	match(what, got, regex) {
		if (!regex.test(got ?? ''))
			this.complain(`${what}: got ${JSON.stringify(got)}, ` +
			    `want ${regex}`);
	}

	// How often slow() ran.
	runs() {
		const file = this.find('runs');
		return file ? fs.readFileSync(file, 'utf8').split('\n').length - 1
		    : 0;
	}
}

// A scenario's want: route -> how many requests, "results" -> the accepted
// texts, "runs", or for one peer only {sdk: {...}, worker: {...}}.  Its check
// looks at the rest.
export function verdict(play, { want = {}, check, violations = [] }) {
	const { api } = play;
	const wants = { ...want, ...want[play.peer] };
	for (const [what, wanted] of Object.entries(wants)) {
		if (what === 'sdk' || what === 'worker')
			continue;
		const got = what === 'results'
		    ? play.one.results.map((r) => r.content[0].text)
		    : what === 'runs' ? play.runs() : api.count(what);
		play.want(what, got, wanted);
	}
	check?.(play);
	play.want('calls of a stranger', api.strangers, []);
	for (const text of api.violations)
		if (!violations.some((regex) => regex.test(text)))
			play.complain(`violation: ${text}`);
	return play.complaints;
}
