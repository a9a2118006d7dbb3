// SPDX-License-Identifier: ISC
//
// many-clients.mjs --connect HOST:PORT --name SNI --ca FILE --count N
//
// Opens N TLS connections, keeps all of them, and makes a request on each once
// all are open, then a second one, then closes.  Prints {"opened","first",
// "second"}: how many got a 200 with their own path in the answer.

import tls from 'node:tls';
import fs from 'node:fs';
import { parseArgs } from 'node:util';

const { values: opt } = parseArgs({ options: {
	connect: { type: 'string' }, name: { type: 'string' },
	ca: { type: 'string' }, count: { type: 'string' },
} });
const [host, port] = opt.connect.split(':');
const context = tls.createSecureContext({ ca: fs.readFileSync(opt.ca) });
const count = Number(opt.count);

function connect() {
	return new Promise((resolve, reject) => {
		const socket = tls.connect({ host, port: Number(port),
		    servername: opt.name, secureContext: context },
		    () => resolve(socket));
		socket.once('error', reject);
	});
}

// Sends a GET of path and resolves to whether the answer is about it.
function ask(socket, path) {
	return new Promise((resolve) => {
		let text = '';
		const done = (ok) => {
			socket.removeAllListeners();
			socket.on('error', () => {});
			resolve(ok);
		};
		socket.on('data', (d) => {
			text += d;
			if (text.includes('}'))
				done(text.startsWith('HTTP/1.1 200 ') &&
				    text.includes(`"${path}"`));
		});
		socket.on('close', () => done(false));
		socket.on('error', () => done(false));
		socket.write(`GET ${path} HTTP/1.1\r\nHost: ${opt.name}\r\n\r\n`);
	});
}

async function round(sockets, prefix) {
	const answers = await Promise.all(sockets.map(
	    (s, i) => ask(s, `/${prefix}/${i}`)));
	return answers.filter(Boolean).length;
}

const sockets = [];
for (let i = 0; i < count; i += 50)
	sockets.push(...await Promise.all(Array.from(
	    { length: Math.min(50, count - i) }, connect)));
const first = await round(sockets, 'first');
const second = await round(sockets, 'second');
for (const s of sockets)
	s.end();
console.log(JSON.stringify({ opened: sockets.length, first, second }));
