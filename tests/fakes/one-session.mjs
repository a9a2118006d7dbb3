// SPDX-License-Identifier: ISC
//
// one-session.mjs LOG [STEP...]: the least of the Managed Agents API: one item
// for one session, whose agent takes STEPs, each a JSON value: a string is
// a command for bash, an object an event as it is, a list [TOOL, INPUT] a call.
// Each step waits for the result of the one before, but an event does not.
// With REPEAT=N in the environment the item is offered N times; with REFUSE=N
// the first N results are answered with 503 and their times, in ms, go to
// LOG.refused; TTL=N is that of the lease, in seconds.  Its port goes
// to descriptor 9, requests to LOG, a line each.

import fs from 'node:fs';
import http from 'node:http';

const [log, ...words] = process.argv.slice(2);
const steps = words.map((w) => JSON.parse(w));
let refusals = Number(process.env.REFUSE ?? 0);
let offers = Number(process.env.REPEAT ?? 1), beats = 0, items = 0;
let history = [], streams = new Set(), waiting = null, left = [];

function emit(event) {
	event.id ??= `sevt_${history.length}`;
	history.push(event);
	for (const s of streams)
		s.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
}

function step() {
	while (waiting === null && left.length > 0) {
		let next = left.shift();

		if (typeof next === 'string')
			next = ['bash', { command: next }];
		if (Array.isArray(next)) {
			waiting = `call_${items}_${left.length}`;
			emit({ type: 'agent.tool_use', id: waiting,
				name: next[0], input: next[1] });
			// An event behind a call comes while it runs.
			if (left[0]?.type)
				setTimeout(() => emit(left.shift()), 500);
		} else {
			emit(next);
		}
	}
	if (waiting === null)
		emit({ type: 'session.status_idle',
			stop_reason: { type: 'end_turn' } });
}

function send(body) {
	for (const event of JSON.parse(body).events) {
		emit(event);
		if (event.tool_use_id === waiting)
			waiting = null;
	}
	setImmediate(() => waiting === null && step());
	return { data: [] };
}

function offer() {
	if (offers-- <= 0)
		return null;
	items++;
	left = [...steps];
	waiting = null;
	history = [];
	return { id: `work_${items}`, environment_id: 'env_1',
		data: { type: 'session', id: 'sesn_1' },
		secret: Buffer.from('{"sessions_token":"token"}')
			.toString('base64url') };
}

function stream(res) {
	res.writeHead(200, { 'content-type': 'text/event-stream' });
	res.flushHeaders();
	streams.add(res);
	res.on('close', () => streams.delete(res));
	setTimeout(step, 50);
}

function answer(req, body) {
	if (req.url.includes('/poll'))
		return offer();
	if (req.url.includes('/heartbeat'))
		return { last_heartbeat: `${++beats}`, lease_extended: true,
			state: 'active', ttl_seconds: Number(process.env.TTL ?? 2) };
	if (/\/events\?/.test(req.url))
		return { data: history, next_page: null };
	if (req.method === 'POST' && req.url.endsWith('/events'))
		return send(body);
	return { status: 'idle', agent: { skills: [] }, resources: [],
		metadata: { who: 'the session' } };
}

const server = http.createServer((req, res) => {
	let body = '';

	req.setEncoding('utf8');
	req.on('data', (d) => { body += d; });
	req.on('end', () => {
		fs.appendFileSync(log, `${req.method} ${req.url} ${body}\n`);
		if (req.url.endsWith('/events/stream'))
			return stream(res);
		if (req.method === 'POST' && req.url.endsWith('/events') &&
		    process.env.REFUSE) {
			fs.appendFileSync(`${log}.refused`,
				`${Math.round(performance.now())}\n`);
			if (refusals-- > 0)
				return res.writeHead(503).end();
		}
		res.writeHead(200, { 'content-type': 'application/json' })
			.end(JSON.stringify(answer(req, body)));
	});
});
server.listen(0, '127.0.0.1', () =>
	fs.writeSync(9, `${server.address().port}\n`));
