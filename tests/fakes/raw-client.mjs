// SPDX-License-Identifier: ISC
//
// raw-client.mjs PORT|PATH CA SERVERNAME STEP...
//
// Does the steps (raw.mjs) on a TLS connection to a port on loopback, or on a
// stream of the hop behind the Unix socket PATH; SERVERNAME "-" for none.
// Writes what came, at most 64 KiB, to standard output, and "end: clean", "end: reset" or
// "end: open" to standard error; of a stream that was reset, also "reset:
// CODE/BLAME".  Exit status 0, or 1 when a step could not be done.

import fs from 'node:fs';
import net from 'node:net';
import tls from 'node:tls';
import { Duplex } from 'node:stream';
import { BLAME, CODE, Hop, TYPE, reason } from './frames.mjs';
import { Raw } from './raw.mjs';

const [where, ca, name, ...steps] = process.argv.slice(2);
const trace = '00112233445566778899aabbccddeeff';

// A stream of a hop as a socket.
class Stream extends Duplex {
	constructor(path) {
		super({ allowHalfOpen: true });
		const socket = net.connect(path);
		this.ready = new Promise((resolve) => {
			this.hop = new Hop(socket, socket, {
				hello: resolve,
				data: (_, bytes) => this.push(bytes),
				end: () => this.push(null),
				reset: (_, why) => {
					process.stderr.write(
					    `reset: ${why.code}/${why.blame}\n`);
					this.destroy(new Error('reset'));
				},
			});
		});
		socket.on('error', (e) => this.destroy(e));
		socket.on('end', () => this.destroy(new Error('hop ended')));
		this.hop.json(TYPE.HELLO, 0, { name: 'raw-client' });
		this.ready.then(() => this.hop.open(1, { kind: 'tls', sni: name,
		    peer: '192.0.2.1:5', trace }));
	}

	_read() {}

	_write(bytes, _, done) {
		this.ready.then(() => {
			this.hop.data(1, bytes);
			done();
		});
	}

	_final(done) {
		this.hop.end(1);
		done();
	}

	resetAndDestroy() {
		this.hop.send(TYPE.RESET, 1, reason(CODE.cancelled, BLAME.client));
		this.destroy();
	}
}

const carrier = where.includes('/') ? new Stream(where)
    : net.connect({ port: Number(where), host: '127.0.0.1', noDelay: true,
        allowHalfOpen: true });
const socket = tls.connect({ socket: carrier, ca: fs.readFileSync(ca),
    servername: name === '-' ? '' : name, ALPNProtocols: ['http/1.1'],
    checkServerIdentity: () => undefined });
const raw = new Raw(socket, carrier);
let status = 0;

carrier.on('error', () => raw.over('reset'));
try {
	await new Promise((resolve, reject) => {
		socket.once('secureConnect', resolve);
		socket.once('error', reject);
		carrier.once('error', reject);
	});
	await raw.run(steps);
} catch (e) {
	process.stderr.write(`raw-client: ${e.code ?? e.message}\n`);
	status = 1;
}
fs.writeSync(1, Buffer.from(raw.text.slice(0, 65536), 'latin1'));
fs.writeSync(2, `end: ${raw.ending || 'open'}\n`);
process.exit(status);
