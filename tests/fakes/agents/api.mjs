// SPDX-License-Identifier: ISC
//
// Routes, who may call them with what, faults, and the log of requests.

import fs from 'node:fs';
import { Queue } from './queue.mjs';
import { Session } from './session.mjs';
import { MemoryStore, Skills } from './stores.mjs';

const VERSIONS = ['2026-10-21', '2023-06-01'];
const AGENTS = 'managed-agents-2026-04-01';
const MEMORY = 'agent-memory-2026-07-22';
const BODY_MAX = 8 << 20;

// beta: one of these must be in anthropic-beta.  who: "key" is the environment
// key alone; "item" the item's own token, or the key where an item has none;
// "token" the token alone.
const ROUTES = {
	poll: { beta: [AGENTS], who: 'key' },
	ack: { beta: [AGENTS], who: 'key' },
	stats: { beta: [AGENTS], who: 'key' },
	work: { beta: [AGENTS], who: 'key' },
	heartbeat: { beta: [AGENTS], who: 'item' },
	stop: { beta: [AGENTS], who: 'either' },
	session: { beta: [AGENTS], who: 'item' },
	list: { beta: [AGENTS], who: 'item' },
	send: { beta: [AGENTS], who: 'item' },
	stream: { beta: [AGENTS], who: 'item' },
	skill: { who: 'skill' },
	skill_content: { who: 'skill' },
	memories: { beta: [AGENTS, MEMORY], who: 'token' },
	memory: { beta: [AGENTS, MEMORY], who: 'token' },
	memory_create: { beta: [AGENTS, MEMORY], who: 'token' },
	memory_update: { beta: [AGENTS, MEMORY], who: 'token' },
	memory_delete: { beta: [AGENTS, MEMORY], who: 'token' },
};

const ERROR_TYPES = {
	400: 'invalid_request_error', 401: 'authentication_error',
	403: 'permission_error', 404: 'not_found_error',
	409: 'conflict_error', 412: 'invalid_request_error',
	413: 'request_too_large', 429: 'rate_limit_error',
	500: 'api_error', 529: 'overloaded_error',
};

export function error(status, message, details, type) {
	return { status, body: {
		type: 'error',
		error: { type: type ?? ERROR_TYPES[status] ?? 'api_error', message,
		    ...(details ? { details } : {}) },
		request_id: 'req_standin',
	} };
}

export const ok = (body) => ({ status: 200, body });

// route(method, segments) -> [name, argument...]
function route(method, [version, top, a, sub, b, leaf, ...rest]) {
	if (version !== 'v1' || rest.length > 0)
		return [];
	const is = (m, ...path) => method === m && path.every((word, i) =>
	    word === [top, sub, b, leaf][i] || (word === '*' &&
	    [top, sub, b, leaf][i] !== undefined)) &&
	    [top, sub, b, leaf].slice(path.length).every((w) => w === undefined);
	if (is('GET', 'environments', 'work', 'poll'))
		return ['poll', a];
	if (is('GET', 'environments', 'work', 'stats'))
		return ['stats', a];
	if (is('GET', 'environments', 'work'))
		return ['work', a];
	for (const verb of ['ack', 'heartbeat', 'stop'])
		if (is('POST', 'environments', 'work', '*', verb))
			return [verb, a, b];
	if (is('GET', 'sessions'))
		return ['session', a];
	if (is('GET', 'sessions', 'events'))
		return ['list', a];
	if (is('POST', 'sessions', 'events'))
		return ['send', a];
	if (is('GET', 'sessions', 'events', 'stream'))
		return ['stream', a];
	if (is('GET', 'skills', 'versions', '*', 'content'))
		return ['skill_content', a, b];
	if (is('GET', 'skills', 'versions', '*'))
		return ['skill', a, b];
	if (is('GET', 'memory_stores', 'memories'))
		return ['memories', a];
	if (is('POST', 'memory_stores', 'memories'))
		return ['memory_create', a];
	const one = { GET: 'memory', POST: 'memory_update',
	    DELETE: 'memory_delete' }[method];
	if (one && is(method, 'memory_stores', 'memories', '*'))
		return [one, a, b];
	return [];
}

export class Api {
	key = 'sk-ant-oat01-the-environment-key';
	environment = 'env_standin';
	requests = [];
	strangers = []; // what called the second listener
	violations = [];
	sessions = new Map();
	stores = new Map();
	faults = {}; // route -> list, one taken per request; null: none
	waiters = new Set();

	constructor(log, options = {}) {
		this.logFd = log;
		this.options = options;
		this.queue = new Queue(this, options);
		this.skills = new Skills(options.skills ?? {});
	}

	write(entry) {
		fs.writeSync(this.logFd, `${JSON.stringify(entry)}\n`);
	}

	// Looks again at what waits in until().
	changed() {
		for (const look of [...this.waiters])
			look();
	}

	until(holds) {
		return new Promise((resolve) => {
			const look = () => {
				if (!holds())
					return;
				this.waiters.delete(look);
				resolve();
			};
			this.waiters.add(look);
			look();
		});
	}

	addSession(id, options = {}) {
		const session = new Session(this, id, options);
		this.sessions.set(id, session);
		return session;
	}

	addStore(id, memories = {}) {
		const store = new MemoryStore(id, memories);
		this.stores.set(id, store);
		return store;
	}

	count(...names) {
		return this.requests.filter((r) => names.includes(r.route)).length;
	}

	async serve(req, res) {
		const url = new URL(req.url, 'http://standin');
		const [name, ...args] = route(req.method,
		    url.pathname.slice(1).split('/').map(decodeURIComponent));
		const entry = {
			n: this.requests.length + 1, ms: Math.round(performance.now()),
			route: name ?? 'none', method: req.method, path: url.pathname,
			query: Object.fromEntries(url.searchParams),
			worker: req.headers['anthropic-worker-id'],
		};
		// How many of its kind are under way with it.
		entry.at_once = 1 + this.requests.filter((r) =>
		    !r.closed && r.method === entry.method &&
		    r.route.startsWith('memory') &&
		    entry.route.startsWith('memory')).length;
		this.requests.push(entry);
		res.on('close', () => { entry.closed = true; this.changed(); });
		const body = await this.read(req);
		entry.body = body.value;
		const who = (req.headers.authorization ?? '').replace(/^Bearer /, '');
		entry.auth = who === this.key ? 'key'
		    : this.queue.byToken(who) ? 'token' : 'unknown';
		const refused = name === undefined
		    ? error(404, `no route ${req.method} ${url.pathname}`)
		    : this.admit(name, args, req, body, entry);
		if (refused && !this.options.lax)
			this.violations.push(`${req.method} ${req.url}: ` +
			    refused.body.error.message);
		await this.answer(req, res, { name, args, entry, refused });
	}

	async answer(req, res, { name, args, entry, refused }) {
		const fault = refused ? null : this.takeFault(name);
		const reply = refused ?? (fault?.after ? null : fault?.reply) ??
		    await this[name](entry, req, res, ...args);
		if (fault?.delay)
			await new Promise((r) => setTimeout(r, fault.delay));
		entry.fault = fault ? true : undefined;
		entry.status = fault?.status ?? reply.status;
		this.write(entry);
		if (reply.sse)
			reply.session.attach(req, res);
		else
			send(res, reply, fault ?? {});
		this.changed();
	}

	// A fault with "always" stays; one with "after" comes on top of what the
	// route does; one that only says how the answer is sent, too.
	takeFault(name) {
		const list = this.faults[name] ?? [];
		const fault = list[0]?.always ? list[0] : list.shift();
		if (!fault)
			return null;
		if (fault.status !== undefined && fault.status >= 400)
			return { reply: { ...error(fault.status, `fault on ${name}`,
			    fault.details, fault.kind), headers: fault.headers }, ...fault };
		if (fault.status !== undefined || fault.raw !== undefined ||
		    fault.drop)
			return { reply: { status: fault.status ?? 200,
			    headers: fault.headers }, ...fault };
		return fault;
	}

	async read(req) {
		const parts = [];
		let size = 0;
		for await (const part of req) {
			size += part.length;
			if (size <= BODY_MAX)
				parts.push(part);
		}
		const text = Buffer.concat(parts).toString();
		if (text === '')
			return { size, value: undefined };
		try {
			return { size, value: JSON.parse(text) };
		} catch {
			return { size, bad: true, value: text };
		}
	}

	admit(name, args, req, body, entry) {
		const { beta, who } = ROUTES[name];
		const h = req.headers;
		const betas = (h['anthropic-beta'] ?? '').split(/\s*,\s*/);
		const item = this.queue.forRoute(name, args);
		const may = {
			key: entry.auth === 'key',
			token: entry.auth === 'token',
			either: entry.auth !== 'unknown',
			item: entry.auth === (item?.token ? 'token' : 'key'),
			skill: entry.auth === 'key' || (entry.auth === 'token' &&
			    !this.options.skills_want_key),
		}[who];
		if (h['x-api-key'] !== undefined)
			return error(400, 'x-api-key from a worker');
		if (!may)
			return error(entry.auth === 'unknown' ? 401 : 403,
			    `${name} with ${entry.auth}`);
		if (!VERSIONS.includes(h['anthropic-version']))
			return error(400, `anthropic-version ${h['anthropic-version']}`);
		if (beta && !beta.some((b) => betas.includes(b)))
			return error(400, `anthropic-beta ${h['anthropic-beta']}`);
		if (!h['user-agent'])
			return error(400, 'no user-agent');
		return headersRefused(name, req, body);
	}

	// --- the work queue
	poll(entry, req, res, environment) {
		return this.queue.poll(entry, res, environment);
	}
	ack(entry, req, res, environment, id) {
		return this.queue.ack(environment, id);
	}
	heartbeat(entry, req, res, environment, id) {
		return this.queue.heartbeat(environment, id, entry.query);
	}
	stop(entry, req, res, environment, id) {
		return this.queue.stop(environment, id, entry.body);
	}
	stats(entry, req, res, environment) {
		return this.queue.stats(environment);
	}
	work(entry, req, res, environment) {
		return this.queue.list(environment);
	}

	// --- sessions
	onSession(id, what) {
		const session = this.sessions.get(id);
		return session ? what(session) : error(404, `no session ${id}`);
	}
	session(entry, req, res, id) {
		return this.onSession(id, (s) => ok(s.describe()));
	}
	list(entry, req, res, id) {
		return this.onSession(id, (s) => s.list(entry.query));
	}
	send(entry, req, res, id) {
		return this.onSession(id, (s) => s.send(entry.body));
	}
	stream(entry, req, res, id) {
		return this.onSession(id, (session) =>
		    ({ status: 200, sse: true, session }));
	}

	// --- skills and memory stores
	skill(entry, req, res, id, version) {
		return this.skills.version(id, version);
	}
	skill_content(entry, req, res, id, version) {
		return this.skills.content(id, version);
	}
	onStore(id, what) {
		const store = this.stores.get(id);
		return store ? what(store) : error(404, `no store ${id}`);
	}
	memories(entry, req, res, id) {
		return this.onStore(id, (m) => m.list(entry.query));
	}
	memory(entry, req, res, id, memory) {
		return this.onStore(id, (m) => m.get(memory, entry.query));
	}
	memory_create(entry, req, res, id) {
		return this.onStore(id, (m) => m.create(entry.body));
	}
	memory_update(entry, req, res, id, memory) {
		return this.onStore(id, (m) => m.update(memory, entry.body));
	}
	memory_delete(entry, req, res, id, memory) {
		return this.onStore(id, (m) => m.remove(memory, entry.query));
	}
}

function headersRefused(name, req, body) {
	const h = req.headers;
	const accept = name === 'skill_content' ? /binary|octet|\*/ : /json/;
	if (!accept.test(h.accept ?? ''))
		return error(400, `accept ${h.accept}`);
	if (body.bad)
		return error(400, 'the body is not JSON');
	if (body.size > 0 !== (h['content-type'] !== undefined))
		return error(400, `content-type ${h['content-type']} with ` +
		    `${body.size} bytes`);
	if (body.size > 0 && !/^application\/json\b/.test(h['content-type']))
		return error(400, `content-type ${h['content-type']}`);
	if (req.method === 'POST' && body.size === 0 &&
	    h['content-length'] !== '0')
		return error(400, 'a POST without content-length: 0');
	if (name === 'poll' && !h['anthropic-worker-id'])
		return error(400, 'no Anthropic-Worker-ID');
	return null;
}

// fault: raw (bytes of the body), type, cut (the JSON ends half-way), pad (so
// many blanks behind it), drop "before" (no answer at all), "headers" or "body"
// (the connection ends there), location.
function send(res, reply, fault) {
	if (fault.drop === 'before') {
		res.socket.destroy();
		return;
	}
	let body = fault.raw !== undefined ? Buffer.from(fault.raw, 'latin1')
	    : Buffer.isBuffer(reply.body) ? reply.body
	    : reply.body === undefined || reply.status === 204 ? Buffer.alloc(0)
	    : Buffer.from(JSON.stringify(reply.body));
	if (fault.cut)
		body = body.subarray(0, body.length >> 1);
	if (fault.pad)
		body = Buffer.concat([body, Buffer.alloc(fault.pad, ' ')]);
	const headers = { 'request-id': 'req_standin', ...reply.headers,
	    ...fault.headers };
	const type = fault.type ?? reply.type ?? 'application/json';
	if (body.length > 0 || fault.type)
		headers['content-type'] = type;
	if (fault.location)
		headers.location = fault.location;
	headers['content-length'] = body.length;
	res.writeHead(fault.status ?? reply.status, headers);
	if (!fault.drop) {
		res.end(body);
		return;
	}
	res.flushHeaders();
	if (fault.drop === 'body')
		res.write(body.subarray(0, body.length >> 1));
	setTimeout(() => res.socket?.destroy(), 20);
}
