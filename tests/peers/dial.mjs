// SPDX-License-Identifier: ISC
//
// Sends the connections of an unmodified client to another address, and lets
// a test cut them.  fetch() in Node takes tls.connect and net.connect from the
// module objects, so replacing them there leaves SNI, the certificate check
// and the Host header as the URL has them.

import net from 'node:net';
import tls from 'node:tls';

const open = new Set();

function replace(module, target) {
	const connect = module.connect;
	module.connect = (options, ...rest) => {
		const there = target === undefined ? {} :
		    { host: target.host, port: target.port };
		const socket = connect({ ...options, ...there }, ...rest);
		open.add(socket);
		socket.once('close', () => open.delete(socket));
		return socket;
	};
}

// target: {host, port}, or undefined to dial what the URL says.
export function dial(target) {
	replace(net, target);
	replace(tls, target);
}

// Breaks every connection without a TLS close_notify, as a lost network would.
// Returns how many there were.
export function cut() {
	const sockets = [...open];
	for (const socket of sockets)
		socket.destroy();
	return sockets.length;
}
