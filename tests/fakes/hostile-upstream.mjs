// SPDX-License-Identifier: ISC
//
// hostile-upstream.mjs PATH SEED --ready-fd N: a server on a Unix socket that
// answers what it takes for a request with a random piece of HTTP, events and
// JSON-RPC, whole, broken or in bits.

import fs from 'node:fs';
import net from 'node:net';
import { Random } from './random.mjs';

const [path, seed] = process.argv.slice(2);
const message = (random) => random.of([
	'{"jsonrpc":"2.0","id":1,"result":{"content":[]}}',
	'{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a"},{"name":1}]}}',
	'{"jsonrpc":"2.0","id":1,"id":2,"result":{}}',
	'{"jsonrpc":"2.0","method":"notifications/message","params":{}}',
	'{"jsonrpc":"2.0","id":9,"method":"roots/list"}',
	'[{"jsonrpc":"2.0","id":1,"result":{}}]', '[]', 'null', '', '{', '\0',
	'{"error":{"code":1}}', `[${'['.repeat(100)}`, '\ufeff{}',
	`{"jsonrpc":"2.0","id":1,"result":{"a":"${'y'.repeat(random.below(90000))}"}}`,
]);

const event = (random) => random.of(['data: ', 'data:', 'id: 1\ndata: ',
	'event: message\ndata: ', 'event: endpoint\ndata: ', ': ', 'retry: 5\n',
	'data', '\ufeffdata: ', 'id: \0\ndata: ', 'data: {}\ndata: ', 'x: ',
]) + message(random) + random.of(['\n\n', '\r\n\r\n', '\r\r', '\n', '', '\r\n\n']);

const status = (random) => random.chance(60) ? 'HTTP/1.1 200 OK' : random.of([
	'HTTP/1.0 200 OK', 'HTTP/1.1 202 Accepted',
	'HTTP/1.1 204 No Content', 'HTTP/1.1 304 x', 'HTTP/1.1 404 Not Found',
	'HTTP/1.1 500 x', 'HTTP/1.1 100 Continue', 'HTTP/1.1 103 Early Hints',
	'HTTP/1.1 101 Switching Protocols', 'HTTP/1.1 99 x', 'HTTP/1.1 1000 x',
	'HTTP/2 200', 'HTTP/1.1  200', 'ICY 200 OK', 'HTTP/1.1 200']);

const header = (random) => random.of([
	'Content-Type: application/json', 'Content-Type: text/event-stream',
	'Content-Type: application/json; charset=utf-16', 'Content-Type:',
	'Content-Encoding: gzip', 'Connection: close', 'Connection: keep-alive',
	'Connection: Content-Length', 'Keep-Alive: timeout=0',
	'Keep-Alive: timeout=99999999999999999999', 'Upgrade: websocket',
	'Mcp-Session-Id: abc', 'Adit-Error: denied; blame=policy', 'A b: c',
	' folded: x', 'X:\x01', `X: ${'h'.repeat(random.of([100, 70000]))}`,
	'Trailer: x', 'Set-Cookie: a=b']);

function chunks(random, body) {
	let out = '';

	for (let at = 0; at < body.length;) {
		const n = 1 + random.below(2000);
		const part = body.slice(at, at + n);
		at += n;
		out += random.chance(97) ? `${part.length.toString(16)}` +
		    `${random.chance(10) ? ';x=y' : ''}\r\n${part}\r\n`
		    : random.of([`${n.toString(16)}\r\n${part}`, '-1\r\n',
			'ffffffffffffffffffff\r\n', '0x5\r\nhello\r\n', '\r\n',
			`5;${'e'.repeat(300)}\r\nhello\r\n`, '5\nhello\n']);
	}
	return out + random.of(['0\r\n\r\n', '0\r\n\r\n', '0\r\n\r\n', '',
		'0\r\nX: y\r\n\r\n', `0\r\nX: ${'t'.repeat(9000)}\r\n\r\n`, '0\r\n']);
}

function response(random) {
	let head = '', body = random.chance(50) ? message(random) : '';

	if (random.chance(5))
		return random.bytes(random.below(500)).toString('latin1');
	while (random.chance(15))
		head += `HTTP/1.1 ${random.of([100, 102, 103])} x\r\n\r\n`;
	head += `${status(random)}\r\n`;
	if (body === '')
		for (let n = random.below(6); n > 0; n--)
			body += event(random);
	if (random.chance(80))
		head += `Content-Type: ${random.of(['application/json',
			'text/event-stream'])}\r\n`;
	for (let n = random.chance(25) ? random.below(4) : 0; n > 0; n--)
		head += `${header(random)}\r\n`;
	body = Buffer.from(body).toString('latin1');
	switch (random.below(8)) {
	case 0: case 1: case 2:
		return `${head}Content-Length: ${body.length}\r\n\r\n${body}`;
	case 3: case 4:
		return `${head}Transfer-Encoding: chunked\r\n\r\n${chunks(random, body)}`;
	case 5:
		return `${head}\r\n${body}`;
	case 6:
		return `${head}Content-Length: ${random.of([body.length + 1,
			body.length - 1, '5, 5', '+5', '99999999999999999999', '',
			'0x5'])}\r\n\r\n${body}`;
	default:
		return `${head}Content-Length: 5\r\nTransfer-Encoding: ` +
		    `${random.of(['chunked', 'gzip, chunked', 'identity'])}` +
		    `\r\n\r\n${chunks(random, body)}`;
	}
}

function write(random, socket, bytes, then) {
	const n = random.chance(60) ? bytes.length : 1 + random.below(3000);

	socket.write(bytes.subarray(0, n), () => n < bytes.length
	    ? setTimeout(() => write(random, socket, bytes.subarray(n), then), 1)
	    : then());
}

let connections = 0;

/* Each connection plays by numbers of its own. */
function serve(socket) {
	const random = new Random(Number(seed) * 7919 + connections++);

	socket.on('error', () => {});
	if (random.chance(3))
		socket.end(response(random), 'latin1');	// before anything was asked
	socket.on('data', () => {
		if (random.chance(5))
			socket.destroy();
		if (random.chance(5))
			socket.pause();
		if (random.chance(10) || socket.destroyed)
			return;
		write(random, socket, Buffer.from(response(random), 'latin1'), () =>
		    random.of([() => {}, () => {}, () => socket.end(),
			() => socket.destroy(),
			() => socket.write(response(random), 'latin1')])());
	});
	socket.on('end', () => random.chance(80) && socket.end());
}

net.createServer({ allowHalfOpen: true }, serve).listen(path, () => {
	fs.writeSync(9, 'up\n');
	fs.closeSync(9);
});
