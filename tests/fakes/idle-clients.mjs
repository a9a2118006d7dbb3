// SPDX-License-Identifier: ISC
//
// idle-clients.mjs PORT CA HOST N: opens N TLS connections to loopback, writes
// "open N" when all have shaken hands, and holds them until it is ended.

import fs from 'node:fs';
import tls from 'node:tls';

const [port, ca, host, n] = process.argv.slice(2);
const secureContext = tls.createSecureContext({ ca: fs.readFileSync(ca) });

function connect() {
	return new Promise((resolve, reject) => {
		tls.connect({ port: Number(port), host: '127.0.0.1',
		    servername: host, secureContext }, resolve).on('error', reject);
	});
}

for (let i = 0; i < Number(n); i++)
	await connect();
console.log(`open ${n}`);
