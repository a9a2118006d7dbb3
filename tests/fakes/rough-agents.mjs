// SPDX-License-Identifier: ISC
//
// rough-agents.mjs PORT CA DOMAIN SEED COUNT ROUTE...: agents that ask the
// routes, which are hostile, for whatever MCP has, leave when they like, and in
// between ask the route "good".  A request that neither ends nor is left in
// time, a wrong answer of "good", an answer of a command or of a judged route
// that is not JSON, or, of a command, not with the id that was asked, is told,
// and makes the status 1.  What came is counted.

import fs from 'node:fs';
import https from 'node:https';
import { Random } from './random.mjs';

const [port, ca, domain, seed, count, ...routes] = process.argv.slice(2);
const LIMIT_MS = 20000;
const trust = fs.readFileSync(ca);
const agent = new https.Agent({ keepAlive: true, maxSockets: 20 });
const sessions = new Map(routes.map((r) => [r, []]));
const tally = new Map();
let failures = 0;

function complain(...words) {
	failures++;
	console.log(...words);
}

/* Resolves with { status, headers, body }, or null when it broke off or
 * was left. */
function ask(route, method, path, headers, body, leave_ms) {
	return new Promise((resolve) => {
		const host = `${route}.${domain}`;
		let over = false;
		const late = setTimeout(() => {
			complain('no end:', route, method, body);
			request.destroy();
		}, LIMIT_MS);
		const end = (value) => {
			if (over)
				return;
			over = true;
			const word = `${route} ${value?.status ?? 'broken off'}`;
			tally.set(word, (tally.get(word) ?? 0) + 1);
			clearTimeout(late);
			resolve(value);
		};
		/* A kept connection may be closed by who waits too long just
		 * when the next request is sent. */
		const request = https.request({ port, host: '127.0.0.1',
			agent: route === 'good' ? false : agent,
			servername: host, ca: trust, method, path,
			headers: { host, ...headers } }, (response) => {
			let text = '';
			response.setEncoding('utf8');
			response.on('data', (d) => (text += d));
			response.on('end', () => end({ status: response.statusCode,
				headers: response.headers, body: text }));
			response.on('error', () => end(null));
			response.on('close', () => end(null));
		});
		request.on('error', () => end(null));
		request.on('close', () => end(null));
		if (leave_ms !== undefined)
			setTimeout(() => request.destroy(), leave_ms);
		request.end(body);
	});
}

const accept = { accept: 'application/json, text/event-stream',
	'content-type': 'application/json' };
const modern = { ...accept, 'mcp-protocol-version': '2026-07-28' };
const meta = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28',
	'io.modelcontextprotocol/clientCapabilities': {} };

const rpc = (id, method, params) => JSON.stringify({ jsonrpc: '2.0', id,
	method, params });

const leaving = (random) => random.chance(25) ? random.below(300) : undefined;

async function begin(random, route) {
	const answer = await ask(route, 'POST', '/mcp', accept,
	    rpc(0, 'initialize', { protocolVersion: random.of(['2025-03-26',
		'2025-11-25']), capabilities: {},
	    clientInfo: { name: 'rough', version: '1' } }), leaving(random));
	const sid = answer?.headers['mcp-session-id'];

	if (sid)
		sessions.get(route).push(sid);
}

/* The data of the events, as a client takes them together: an event without
 * data is none, and one with the name endpoint may be no message. */
function event_texts(body) {
	const texts = [];

	for (const event of body.replace(/^\ufeff/, '')
	    .replace(/\r\n?/g, '\n').split(/\n\n+/)) {
		const lines = event.split('\n');
		const data = lines.filter((l) => /^data(:|$)/.test(l))
		    .map((l) => l.replace(/^data:? ?/, '')).join('\n');
		const name = lines.filter((l) => l.startsWith('event')).at(-1);
		if (data !== '' && name !== 'event: endpoint')
			texts.push(data);
	}
	return texts;
}

/* Of a command, whose answers go only to who asked, and of what is judged. */
function check(route, id, answer) {
	const type = answer?.headers['content-type'] ?? '';
	const texts = type.startsWith('text/event-stream')
	    ? event_texts(answer.body)
	    : [answer?.body].filter((text) => text !== '');

	if (answer?.status !== 200 || route === 'unix')
		return;
	for (const text of texts) {
		try {
			for (const m of [JSON.parse(text)].flat())
				if (!route.startsWith('unix') &&
				    m.method === undefined && m.id !== id)
					complain('not its answer:', route, id, text);
		} catch {
			complain('not JSON:', route, id,
			    JSON.stringify(text.slice(0, 200)));
		}
	}
}

async function call(random, route) {
	const known = sessions.get(route);
	const sid = known.length > 0 && random.chance(95) ? random.of(known)
	    : 'nothing';
	const id = random.of([random.below(1000), `s${random.below(1000)}`]);
	const session = { ...accept, 'mcp-session-id': sid };
	const answer = await ask(route, 'POST', '/mcp', session, rpc(id,
	    random.of(['tools/call', 'tools/list', 'ping', 'no/such']),
	    { name: 't', arguments: {}, _meta: { progressToken: id } }),
	    leaving(random));

	check(route, id, answer);
	if (answer?.status === 404)
		sessions.set(route, known.filter((s) => s !== sid));
}

async function other(random, route) {
	const sid = random.of([...sessions.get(route), 'nothing']);
	const session = { ...accept, 'mcp-session-id': sid };
	const id = random.below(1000);

	await random.of([
		() => ask(route, 'GET', '/mcp', { accept: 'text/event-stream',
			'mcp-session-id': sid, ...(random.chance(50) &&
			{ 'last-event-id': String(random.below(50)) }) },
		    undefined, random.below(400)),
		() => ask(route, 'DELETE', '/mcp', { 'mcp-session-id': sid }),
		() => ask(route, 'POST', '/mcp', session, `[${rpc(1, 'ping')},` +
		    `${rpc(2, 'tools/call', { name: 't' })}]`, leaving(random)),
		() => ask(route, 'POST', '/mcp', session, JSON.stringify({
			jsonrpc: '2.0', id: random.below(20), result: {} })),
		() => ask(route, 'POST', '/mcp', session, JSON.stringify({
			jsonrpc: '2.0', method: 'notifications/cancelled',
			params: { requestId: random.below(1000) } })),
		() => ask(route, 'HEAD', '/', {}, undefined, leaving(random)),
		async () => check(route, id, await ask(route, 'POST', '/mcp',
		    { ...modern, 'mcp-method': 'tools/call', 'mcp-name': 't' },
		    rpc(id, 'tools/call', { name: 't', _meta: meta }),
		    leaving(random))),
		() => ask(route, 'POST', '/mcp', { ...modern,
			'mcp-method': 'subscriptions/listen' },
		    rpc(id, 'subscriptions/listen', { notifications: {},
			_meta: meta }), random.below(400)),
	])();
}

async function good(random) {
	const path = `/good/${random.below(1e6)}`;
	const answer = await ask('good', 'GET', path, {});

	if (answer?.status !== 200 || !answer.body.includes(path))
		complain('good:', answer?.status, answer?.body);
}

let left = Number(count);

/* More than were wanted, if they were too few for each route. */
function goes_on() {
	return --left >= 0 || (left > -10 * count &&
	    routes.some((r) => !tally.has(`${r} 200`)));
}

/* Each by numbers of its own, whoever comes first. */
async function worker(n) {
	const random = new Random(Number(seed) * 7919 + n);

	while (goes_on()) {
		const route = random.of(routes);
		if (left % 10 === 0)
			await good(random);
		else if (sessions.get(route).length < 2 && random.chance(30))
			await begin(random, route);
		else
			await (random.chance(65) ? call(random, route)
			    : other(random, route));
	}
}

await Promise.all(Array.from({ length: 12 }, (_, n) => worker(n)));
await good(new Random(Number(seed)));
agent.destroy();
for (const route of routes)
	if (!tally.has(`${route} 200`))
		complain('nothing came of', route);
for (const [word, n] of [...tally].sort())
	console.log(`# ${word}: ${n}`);
process.exitCode = failures === 0 ? 0 : 1;
