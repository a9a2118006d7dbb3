// SPDX-License-Identifier: ISC
//
// many-requests.mjs PORT CA HOST REQUESTS CONNECTIONS: GETs over TLS to
// loopback, 16 connections at a time, each closed after its share.

import fs from 'node:fs';
import https from 'node:https';

const [port, ca, host, requests, connections] = process.argv.slice(2);
const share = Math.ceil(Number(requests) / Number(connections));
const trust = fs.readFileSync(ca);
let left = Number(connections);

function get(agent) {
	return new Promise((resolve, reject) => {
		https.get({ agent, port: Number(port), host: '127.0.0.1',
		    servername: host, headers: { host }, ca: trust },
		(res) => {
			res.resume();
			res.on('end', () => res.statusCode === 200 ? resolve()
			    : reject(new Error(`status ${res.statusCode}`)));
		}).on('error', reject);
	});
}

async function worker() {
	while (left-- > 0) {
		const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
		for (let i = 0; i < share; i++)
			await get(agent);
		agent.destroy();
	}
}

await Promise.all(Array.from({ length: 16 }, worker));
