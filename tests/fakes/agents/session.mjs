// SPDX-License-Identifier: ISC
//
// One session: its history, its open event streams, the results it accepts.

import { error, ok } from './api.mjs';

const ANSWERS = {
	'user.tool_result': ['tool_use_id', 'agent.tool_use'],
	'user.custom_tool_result': ['custom_tool_use_id', 'agent.custom_tool_use'],
};

// How an event stream is written.  eol, bom, comments, chunk (bytes per write),
// name (in place of the type in "event:"; null: no such line), split (the JSON
// over several data lines), tail (bytes behind each event).
const SSE = { eol: '\n', bom: false, comments: false, chunk: 0,
	name: undefined, split: false, tail: '' };

function frame(event, form) {
	const lines = [];
	if (form.comments)
		lines.push(': a comment', 'id: 7', 'retry: 1');
	if (form.name !== null)
		lines.push(`event: ${form.name ?? event.type}`);
	const json = JSON.stringify(event, null, form.split ? 1 : 0);
	lines.push(...json.split('\n').map((line) => `data: ${line}`), '', '');
	return lines.join(form.eol) + form.tail;
}

class Sink {
	queue = Promise.resolve();

	constructor(res, form) {
		this.res = res;
		this.form = form;
		res.writeHead(200, { 'content-type': form.type ?? 'text/event-stream',
		    'cache-control': 'no-cache' });
		res.flushHeaders();
		if (form.bom)
			this.write(Buffer.from('\ufeff'));
		if (form.comments)
			this.write(`: hello${form.eol}${form.eol}`);
	}

	write(bytes) {
		const data = Buffer.from(bytes);
		const { chunk } = this.form;
		this.queue = this.queue.then(async () => {
			const step = chunk || data.length;
			for (let i = 0; i < data.length && !this.res.destroyed; i += step) {
				this.res.write(data.subarray(i, i + step));
				if (chunk)
					await new Promise(setImmediate);
			}
		});
		return this.queue;
	}

	event(event) {
		this.write(frame(event, this.form));
	}

	async end(how) {
		await this.queue;
		if (how === 'end')
			this.res.end();
		else
			this.res.socket?.destroy();
	}
}

export class Session {
	events = [];
	sinks = new Set();
	calls = new Map(); // id -> {event, result}
	results = [];      // accepted events
	streams = 0;
	serial = 0;

	// duplicates: a second result of one call is "refuse"d or "accept"ed.
	// nul: a text may hold NUL.
	constructor(api, id, { agent, resources = [], status = 'running',
	    metadata = {}, sse = {}, duplicates = 'refuse', shape = {},
	    nul = false } = {}) {
		Object.assign(this, { api, id, status, metadata, duplicates, shape,
		    resources, nul });
		this.agent = { id: 'agent_1', name: 'standin', skills: [], ...agent };
		this.sse = { ...SSE, ...sse };
	}

	describe() {
		return {
			id: this.id, type: 'session', status: this.status,
			environment_id: this.api.environment, agent: this.agent,
			resources: this.resources, metadata: this.metadata,
			title: null, vault_ids: [], created_at: new Date().toISOString(),
			updated_at: new Date().toISOString(), ...this.shape,
		};
	}

	attach(req, res) {
		const sink = new Sink(res, this.sse);
		this.streams++;
		this.sinks.add(sink);
		res.on('close', () => {
			this.sinks.delete(sink);
			this.api.changed();
		});
	}

	list({ limit = '1000', page, order = 'asc' }) {
		const size = Math.min(Number(limit), this.api.options.page ?? 1000);
		const from = Number(page ?? 0);
		if (!(size >= 1) || !(from >= 0))
			return error(400, `limit ${limit}, page ${page}`);
		const all = order === 'desc' ? [...this.events].reverse()
		    : this.events;
		const end = from + size;
		return ok({ data: all.slice(from, end),
		    next_page: end < all.length ? String(end) : null });
	}

	refused(event, at) {
		const [field, kind] = ANSWERS[event?.type] ?? [];
		if (!field)
			return `events.${at}.type: ${event?.type}`;
		const call = this.calls.get(event[field]);
		if (!call || call.event.type !== kind)
			return `events.${at}.${field}: no such call ${event[field]}`;
		if (call.result && this.duplicates === 'refuse')
			return `events.${at}.${field}: already answered`;
		if (!Array.isArray(event.content) || event.content.length === 0)
			return `events.${at}.content: minimum length is 1`;
		if (event.is_error !== undefined &&
		    typeof event.is_error !== 'boolean')
			return `events.${at}.is_error: not a boolean`;
		for (const [i, block] of event.content.entries()) {
			if (block.type === 'text' && !block.text?.length)
				return `events.${at}.content.${i}.text: ` +
				    'minimum string length is 1';
			if (!this.nul && /\0/.test(block.text ?? ''))
				return `events.${at}.content.${i}.text: NUL`;
		}
		return null;
	}

	send(body) {
		if (this.status === 'terminated')
			return error(400,
			    `Cannot send events to archived session: ${this.id}`);
		if (!Array.isArray(body?.events) || body.events.length === 0)
			return error(400, 'events: minimum length is 1');
		for (const [at, event] of body.events.entries()) {
			const text = this.refused(event, at);
			if (text)
				return error(400, text);
		}
		const data = body.events.map((event) => this.accept(event));
		return ok({ data });
	}

	accept(event) {
		const call = this.calls.get(event[ANSWERS[event.type][0]]);
		call.result ??= event;
		this.results.push(event);
		return this.emit({ ...event });
	}

	// Into the history and on all open streams.  how: "history" or "live" for
	// only one of them.
	emit(event, how) {
		event = { id: `sevt_${++this.serial}`,
		    processed_at: new Date().toISOString(), ...event };
		if (/^agent\.(custom_)?tool_use$/.test(event.type))
			this.calls.set(event.id,
			    this.calls.get(event.id) ?? { event });
		if (how !== 'live')
			this.events.push(event);
		if (how !== 'history')
			for (const sink of this.sinks)
				sink.event(event);
		this.api.changed();
		return event;
	}

	// Bytes on all open streams, as they are.
	raw(bytes) {
		return Promise.all([...this.sinks].map((s) => s.write(bytes)));
	}

	drop(how) {
		return Promise.all([...this.sinks].map((s) => s.end(how)));
	}
}
