// SPDX-License-Identifier: ISC
//
// Work items and their leases.  An item that was offered and not acknowledged
// for a while, or whose lease lapsed, is offered again.

import { error, ok } from './api.mjs';

const RECLAIM_MS = 5000;
const BLOCK_MAX = 999;

const now = () => Date.now();
const stamp = (ms) => ms === null ? null : new Date(ms).toISOString();

export class Queue {
	items = [];
	polled = []; // {worker, ms}

	// ttl: of a lease, in seconds.  lapse: whether a lease can.  reclaim:
	// after how many ms an item that was not acknowledged is offered again.
	constructor(api, options) {
		this.api = api;
		this.mayLapse = options.lapse ?? true;
		this.reclaim = options.reclaim ?? RECLAIM_MS;
		this.ttl = options.ttl ?? 10;
	}

	// secret: undefined makes a good one, null none, a string is taken as it is.
	add({ type = 'session', session, secret, secretMore, id } = {}) {
		const n = this.items.length + 1;
		const item = {
			id: id ?? `work_${n}`, type, session, state: 'queued',
			token: secret === undefined ? `sk-ant-req-item-${n}` : null,
			created: now(), acked: null, started: null, beat: null,
			last: null, stopRequested: null, stopped: null,
			offered: null, offers: 0, ttl: this.ttl, beats: 0,
		};
		item.secret = secret !== undefined ? secret
		    : Buffer.from(JSON.stringify({ sessions_token: item.token,
		        ...secretMore })).toString('base64url');
		this.items.push(item);
		this.api.changed();
		return item;
	}

	byToken(token) {
		return this.items.find((item) => item.token === token);
	}

	// The item that a request is about: named in the path, or the last one of
	// the session in the path.
	forRoute(name, [a, b]) {
		if (name === 'heartbeat' || name === 'stop')
			return this.items.find((item) => item.id === b);
		return this.items.findLast((item) => item.session === a);
	}

	describe(item, secret = null) {
		return {
			id: item.id, type: 'work', environment_id: this.api.environment,
			data: { type: item.type, id: item.session ?? 'check_1' },
			state: item.state, created_at: stamp(item.created),
			acknowledged_at: stamp(item.acked),
			started_at: stamp(item.started),
			latest_heartbeat_at: stamp(item.beat),
			stop_requested_at: stamp(item.stopRequested),
			stopped_at: stamp(item.stopped), metadata: {}, secret,
		};
	}

	lapse() {
		for (const item of this.items) {
			const alive = Math.max(item.beat ?? 0, item.acked ?? 0);
			if (this.mayLapse &&
			    ['starting', 'active'].includes(item.state) &&
			    now() - alive > item.ttl * 1000)
				Object.assign(item, { state: 'queued', last: null,
				    beat: null, offered: null, lapsed: true });
		}
	}

	next(reclaim) {
		this.lapse();
		return this.items.find((item) => item.state === 'queued' &&
		    (item.offered === null || now() - item.offered > reclaim));
	}

	async poll(entry, res, environment) {
		const { block_ms, reclaim_older_than_ms } = entry.query;
		if (environment !== this.api.environment)
			return error(404, `no environment ${environment}`);
		const block = Number(block_ms ?? 0);
		if (block_ms !== undefined && !(block >= 1 && block <= BLOCK_MAX))
			return error(400, `block_ms ${block_ms}`);
		this.polled.push({ worker: entry.worker, ms: now() });
		this.api.changed();
		const item = await this.offer(res, block,
		    Number(reclaim_older_than_ms ?? this.reclaim));
		if (item === null)
			return ok(null);
		item.offered = now();
		item.offers++;
		return ok({ ...this.describe(item, item.secret),
		    ...this.api.options.work });
	}

	async offer(res, block, reclaim) {
		const end = now() + block;
		let item;
		while (!(item = this.next(reclaim)) && now() < end &&
		    !res.destroyed)
			await new Promise((resolve) => {
				const timer = setTimeout(resolve,
				    Math.min(50, Math.max(1, end - now())));
				this.api.until(() => this.next(reclaim)).then(() => {
					clearTimeout(timer);
					resolve();
				});
			});
		return res.destroyed ? null : item ?? null;
	}

	find(environment, id) {
		return environment === this.api.environment
		    ? this.items.find((item) => item.id === id) : undefined;
	}

	ack(environment, id) {
		const item = this.find(environment, id);
		if (!item || item.offered === null)
			return error(404, `no work ${id}`);
		if (item.state !== 'queued')
			return error(409, `${id} is ${item.state}`);
		Object.assign(item, { state: 'starting', acked: now() });
		return ok(this.describe(item));
	}

	heartbeat(environment, id, { expected_last_heartbeat: expected }) {
		const item = this.find(environment, id);
		if (!item)
			return error(404, `no work ${id}`);
		this.lapse();
		const over = item.state === 'stopping' || item.state === 'stopped';
		const actual = item.last ?? 'NO_HEARTBEAT';
		if (!over && (item.state === 'queued' || expected !== actual))
			return error(412, 'Heartbeat precondition failed: expected ' +
			    `${expected}, actual was ${item.last ?? 'NULL'}`,
			    { error_code: 'heartbeat_precondition_failed',
			      error_visibility: 'user_facing',
			      current_state: { state: item.state,
			        last_heartbeat: item.last,
			        lease_updated_at: stamp(item.beat),
			        lease_extended: false, ttl_seconds: item.ttl } });
		if (!over) {
			item.beat = now();
			item.started ??= now();
			item.state = 'active';
			item.last = stamp(item.beat).replace(/(\d{3})Z$/, (_, ms) =>
			    `${ms}${String(++item.beats).padStart(3, '0')}Z`);
		}
		return ok({ type: 'work_heartbeat',
		    last_heartbeat: item.last ?? stamp(now()),
		    lease_extended: !over, state: item.state,
		    ttl_seconds: item.ttl });
	}

	stop(environment, id, body) {
		const item = this.find(environment, id);
		if (!item)
			return error(404, `no work ${id}`);
		if (item.state === 'stopped' ||
		    (item.state === 'stopping' && !body?.force))
			return error(409, `${id} is ${item.state}`);
		item.stopRequested ??= now();
		item.state = body?.force ? 'stopped' : 'stopping';
		if (body?.force)
			item.stopped = now();
		return { status: 204 };
	}

	stats(environment) {
		if (environment !== this.api.environment)
			return error(404, `no environment ${environment}`);
		const waiting = this.items.filter((i) => i.state === 'queued');
		const recent = this.polled.filter((p) => now() - p.ms < 30000);
		return ok({ type: 'work_queue_stats', depth: waiting.length,
		    pending: waiting.filter((i) => i.offered !== null).length,
		    oldest_queued_at: stamp(waiting[0]?.created ?? null),
		    workers_polling: new Set(recent.map((p) => p.worker)).size });
	}

	list(environment) {
		return environment === this.api.environment
		    ? ok({ data: this.items.map((i) => this.describe(i)),
		        next_page: null })
		    : error(404, `no environment ${environment}`);
	}
}
