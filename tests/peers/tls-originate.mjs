// SPDX-License-Identifier: ISC
//
// tls-originate.mjs --connect HOST:PORT --servername NAME --ca FILE
//     [--port 0] [--ready-fd N]
//
// Plain TCP in on loopback, TLS out with the given server name, bytes
// untouched both ways.  The conformance suite speaks plain HTTP in some of its
// scenarios whatever the URL says; this gives it an http:// URL.

import net from 'node:net';
import tls from 'node:tls';
import { readFileSync } from 'node:fs';
import { address, fail, options, ready } from './peer.mjs';

const tool = 'tls-originate';
const opt = options(tool, {
	connect: null, servername: null, ca: null, port: '0',
	'ready-fd': undefined,
});
const target = address(tool, opt.connect);
let ca;
try {
	ca = readFileSync(opt.ca);
} catch (error) {
	fail(2, tool, opt.ca, error.message);
}

// A half close crosses; an abort on one side aborts the other.
function splice(from, to) {
	from.on('error', () => to.destroy());
	from.on('close', hadError => {
		if (hadError || !from.readableEnded)
			to.destroy();
	});
	from.pipe(to);
}

const server = net.createServer({ allowHalfOpen: true }, plain => {
	const secure = tls.connect({
		...target, ca, servername: opt.servername, allowHalfOpen: true,
		ALPNProtocols: ['http/1.1'],
	});
	plain.setNoDelay(true);
	secure.setNoDelay(true);
	secure.on('error', error => {
		console.error(`${tool}: ${opt.connect}: ${error.message}`);
		plain.resetAndDestroy();
	});
	splice(plain, secure);
	splice(secure, plain);
});
server.on('error', error => fail(1, tool, `port ${opt.port}`, error.message));
server.listen(Number(opt.port), '127.0.0.1', () =>
    ready(server, opt['ready-fd']));
