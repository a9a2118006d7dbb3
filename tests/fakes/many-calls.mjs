// SPDX-License-Identifier: ISC
//
// many-calls.mjs PORT CA HOST SESSIONS CALLS: so many sessions at one endpoint,
// each with the same ids 0 to CALLS - 1 at once; every answer must be the one
// to the call that it is for.  Half the ids are strings.

import { readFileSync } from 'node:fs';
import https from 'node:https';

const [port, ca, host, sessions, calls] = process.argv.slice(2);
const agent = new https.Agent({ keepAlive: true, maxSockets: 64,
	ca: readFileSync(ca) });

function post(message, session) {
	return new Promise((resolve, reject) => {
		const request = https.request({
			agent, host: '127.0.0.1', port, servername: host,
			method: 'POST', path: '/mcp', headers: {
				host, 'content-type': 'application/json',
				accept: 'application/json, text/event-stream',
				...(session && { 'mcp-session-id': session }),
			},
		}, response => {
			let body = '';
			response.setEncoding('utf8');
			response.on('data', part => body += part);
			response.on('end', () => resolve({ response, body }));
			response.on('error', reject);
		});
		request.on('error', reject);
		request.end(JSON.stringify({ jsonrpc: '2.0', ...message }));
	});
}

async function open(n) {
	const { response } = await post({ id: 1, method: 'initialize', params: {
		protocolVersion: '2025-11-25', capabilities: {},
		clientInfo: { name: `c${n}`, version: '1' },
	} });
	return response.headers['mcp-session-id'];
}

const ids = await Promise.all(Array.from({ length: Number(sessions) },
    (_, n) => open(n)));
let wrong = 0;
await Promise.all(ids.flatMap((session, n) =>
    Array.from({ length: Number(calls) }, async (_, i) => {
	const id = i % 2 === 0 ? i : `${i}`;
	const message = `${n}/${i}/${'z'.repeat(i % 300)}`;
	const { response, body } = await post({ id, method: 'tools/call',
		params: { name: 'echo', arguments: { message } } }, session);
	const text = body.startsWith('data: ') ? body.slice(6) : body;
	const answer = JSON.parse(text);
	if (response.statusCode !== 200 || answer.id !== id ||
	    answer.result?.content[0].text !== message) {
		wrong++;
		console.log(`${n}/${i}: ${response.statusCode} ${body}`);
	}
})));
agent.destroy();
console.log(`${ids.length * Number(calls)} calls, ${wrong} wrong`);
process.exit(wrong === 0 ? 0 : 1);
