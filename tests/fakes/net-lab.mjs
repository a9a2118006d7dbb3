// SPDX-License-Identifier: ISC
//
// net-lab.mjs --ready-fd N KEY CERT: the servers of a network of the test's
// own, on every address: HTTP on 80 and 8080, HTTPS on 443 and 8443, a greeting
// and an echo over TCP on 5432, UDP on 53 and 4433.  Each connection, request
// and datagram is a line of standard output.

import dgram from 'node:dgram';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';

const [, readyFd, keyFile, certFile] = process.argv.slice(2);
const tls = {
	key: fs.readFileSync(keyFile),
	cert: fs.readFileSync(certFile),
};
let left = 0;

const say = (...words) => fs.writeSync(1, `${words.join(' ')}\n`);
const plain = (ip) => ip.replace(/^::ffff:/, '');

function answer(req, res) {
	let bytes = 0;
	const socket = req.socket;
	req.on('data', (d) => { bytes += d.length; });
	req.on('end', () => {
		say('request', req.method, req.headers.host, req.url);
		if (req.url.startsWith('/bytes/')) {
			res.end(Buffer.alloc(Number(req.url.slice(7)), 'x'));
			return;
		}
		res.end(`${socket.encrypted ? `sni=${socket.servername} ` : ''}` +
		    `host=${req.headers.host} url=${req.url} ` +
		    `connection=${req.headers.connection} ` +
		    `proxy=${req.headers['proxy-authorization']} ` +
		    `to=${plain(socket.localAddress)} bytes=${bytes}\n`);
	});
}

function listen(server, port, event = 'connection') {
	left++;
	server.on(event, (s) => {
		s.on('error', () => {});
		say('connection', plain(s.localAddress), port);
	});
	server.listen(port, '::', ready);
}

function ready() {
	if (--left === 0)
		fs.writeSync(Number(readyFd), 'ready\n');
}

listen(http.createServer(answer), 80);
listen(http.createServer(answer), 8080);
listen(https.createServer(tls, answer), 443);
listen(https.createServer(tls, answer), 8443);
listen(net.createServer((s) => {
	s.write(`hello from ${plain(s.localAddress)}\n`);
	s.pipe(s);
}), 5432);
for (const port of [53, 4433]) {
	left++;
	const udp = dgram.createSocket('udp6');
	udp.on('message', () => say('datagram', port));
	udp.bind(port, '::', ready);
}
