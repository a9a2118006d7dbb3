// SPDX-License-Identifier: ISC
//
// net-lab.mjs --ready-fd N KEY CERT: the servers of a network of the test's
// own, on every address: HTTP on 80 and 8080, HTTPS on 443 and 8443, a greeting
// and an echo over TCP on 5432, what a line asks for on 5433, nothing on 5434,
// UDP on 53 and 4433.  Each connection, request and datagram is a line of
// standard output.

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
		if (req.url.startsWith('/wait')) {
			res.on('close', () => say('gone', req.url));
			return;
		}
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

// The numbers from 1 to 1048576, 16 bytes each, again and again.
const LINES = 4096;
const chunks = [];

function chunk(at) {
	const i = at % 256;
	if (!chunks[i]) {
		const lines = Array.from({ length: LINES }, (_, n) =>
			`${String(i * LINES + n + 1).padStart(15, '0')}\n`);
		chunks[i] = Buffer.from(lines.join(''));
	}
	return chunks[i];
}

// "send CHUNKS TAG" and "reset CHUNKS TAG" send so many times 64 KiB and then
// end or break off; said is what went when no more does ("settled TAG CHUNKS"),
// and how the other side ended ("over TAG BYTES HOW").
function obey(s) {
	let head = '', tag = '', bytes = 0, sent = 0, seen = -1;
	let watch = setInterval(() => {
		if (tag && sent === seen)
			settle();
		seen = sent;
	}, 200);
	const settle = () => {
		if (watch)
			say('settled', tag, sent);
		clearInterval(watch);
		watch = null;
	};
	const finish = (how) => {
		clearInterval(watch);
		if (tag)
			say('over', tag, bytes, how);
		tag = '';
	};
	const send = (verb, left) => {
		if (left > 0 && !s.destroyed) {
			s.write(chunk(sent), () => {
				sent++;
				send(verb, left - 1);
			});
			return;
		}
		settle();
		if (verb === 'reset')
			s.resetAndDestroy();
		else
			s.end();
	};
	s.on('data', (d) => {
		bytes += d.length;
		if (tag)
			return;
		head += d.toString('latin1');
		const at = head.indexOf('\n');
		if (at < 0)
			return;
		const [verb, count, name] = head.slice(0, at).split(' ');
		bytes = head.length - at - 1;
		tag = name;
		send(verb, Number(count));
	});
	s.on('end', () => finish('end'));
	s.on('error', (e) => finish(e.code));
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
listen(net.createServer({ allowHalfOpen: true }, obey), 5433);
listen(net.createServer({ allowHalfOpen: true }, (s) => s.resume()), 5434);
for (const port of [53, 4433]) {
	left++;
	const udp = dgram.createSocket('udp6');
	udp.on('message', () => say('datagram', port));
	udp.bind(port, '::', ready);
}
