// SPDX-License-Identifier: ISC
//
// stream-upstream.mjs [--ready-fd N]: an HTTP server on loopback for tests of
// the whole path.  It writes its port to the descriptor once it listens.
//
//   POST /hash        {"sha256","bytes"} of the body, as it streams in
//   GET  /bytes?n=N   N bytes of AES-128-CTR over zeroes with a zero key
//   GET  /sse         (or POST) an event "tick" per line that POST /tick gets, for ever
//   POST /tick        sends one event to every open /sse; answers their count
//   GET  /open        {"count"} of open /sse responses
//   other             {"path","host"}

import http from 'node:http';
import fs from 'node:fs';
import { createCipheriv, createHash } from 'node:crypto';
import { pipeline, Readable } from 'node:stream';

const at = process.argv.indexOf('--ready-fd');
const readyFd = at < 0 ? 1 : Number(process.argv[at + 1]);
const open = new Set();

function json(res, value) {
	const body = JSON.stringify(value);
	res.writeHead(200, { 'Content-Type': 'application/json',
	    'Content-Length': Buffer.byteLength(body) });
	res.end(body);
}

function hash(req, res) {
	const sum = createHash('sha256');
	let bytes = 0;
	req.on('data', (d) => { sum.update(d); bytes += d.length; });
	req.on('end', () => json(res, { sha256: sum.digest('hex'), bytes }));
}

function bytes(res, total) {
	const zero = Buffer.alloc(65536);
	let left = total;
	const source = new Readable({
		read() {
			const n = Math.min(left, zero.length);
			left -= n;
			this.push(n === 0 ? null : zero.subarray(0, n));
		},
	});
	res.writeHead(200, { 'Content-Length': total });
	pipeline(source, createCipheriv('aes-128-ctr', Buffer.alloc(16),
	    Buffer.alloc(16)), res, () => {});
}

function sse(res) {
	res.writeHead(200, { 'Content-Type': 'text/event-stream' });
	res.flushHeaders();
	open.add(res);
	res.on('close', () => open.delete(res));
}

function tick(res) {
	for (const stream of open)
		stream.write('data: tick\n\n');
	json(res, { count: open.size });
}

const server = http.createServer((req, res) => {
	const url = new URL(req.url, 'http://upstream');
	switch (`${req.method} ${url.pathname}`) {
	case 'POST /hash':
		return hash(req, res);
	case 'GET /bytes':
		return bytes(res, Number(url.searchParams.get('n')));
	case 'GET /sse':
	case 'POST /sse':
		return sse(res);
	case 'POST /tick':
		req.resume();
		return tick(res);
	case 'GET /open':
		return json(res, { count: open.size });
	default:
		req.resume();
		return json(res, { path: req.url, host: req.headers.host });
	}
});
server.listen(0, '127.0.0.1', () => {
	fs.writeSync(readyFd, `${server.address().port}\n`);
	if (readyFd !== 1)
		fs.closeSync(readyFd);
});
