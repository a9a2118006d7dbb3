// SPDX-License-Identifier: ISC
// A forward proxy: node fake-forward-proxy.mjs key=value...
//
//   ready-fd=  a descriptor that gets "port=PORT"
//   user=      "name:password" that it asks for, default none
//   refuse=    yes: answers every request with a refusal
//   host=      maps every destination host to this one
//
// One port serves HTTP CONNECT, SOCKS4a and SOCKS5, told apart by the first
// byte.  Standard output has one line per destination.
import fs from 'node:fs';
import net from 'node:net';

const opts = Object.fromEntries(process.argv.slice(2).map((a) => [
	a.slice(0, a.indexOf('=')), a.slice(a.indexOf('=') + 1)]));

class Reader {
	constructor(socket) {
		this.socket = socket;
		this.bytes = Buffer.alloc(0);
		this.ended = false;
		socket.on('data', (b) => {
			this.bytes = Buffer.concat([this.bytes, b]);
			this.wake?.();
		});
		socket.on('close', () => {
			this.ended = true;
			this.wake?.();
		});
	}

	async until(found) {
		for (;;) {
			const n = found(this.bytes);

			if (n > 0) {
				const out = this.bytes.subarray(0, n);

				this.bytes = this.bytes.subarray(n);
				return out;
			}
			if (this.ended)
				throw new Error('closed');
			await new Promise((resolve) => { this.wake = resolve; });
		}
	}

	take(n) {
		return this.until((b) => (b.length >= n ? n : 0));
	}
}

function splice(socket, reader, kind, host, port, onOpen, onError) {
	fs.writeSync(1, `${kind} ${host}:${port}\n`);
	const up = net.connect(port, opts.host ?? host, () => {
		onOpen();
		socket.removeAllListeners('data');
		up.write(reader.bytes);
		socket.pipe(up);
		up.pipe(socket);
	});
	up.on('error', () => {
		onError();
		socket.end();
	});
	socket.on('close', () => up.destroy());
}

async function http(socket, reader) {
	for (;;) {
		const head = (await reader.until((b) => {
			const at = b.indexOf('\r\n\r\n');

			return at < 0 ? 0 : at + 4;
		})).toString();
		const [, host, port] = /^CONNECT \[?(.*?)\]?:(\d+) /.exec(head);
		const shown = /\r\nProxy-Authorization: Basic (\S+)/i.exec(head);
		const user = shown && Buffer.from(shown[1], 'base64').toString();

		if (opts.refuse) {
			socket.end('HTTP/1.1 403 Forbidden\r\n' +
				'Content-Length: 0\r\n\r\n');
			return;
		}
		if (opts.user && user !== opts.user) {
			socket.write('HTTP/1.1 407 Who are you\r\n' +
				'Proxy-Authenticate: Basic realm="test"\r\n' +
				'Content-Length: 0\r\n\r\n');
			continue;
		}
		splice(socket, reader, 'http', host, Number(port),
			() => socket.write('HTTP/1.1 200 OK\r\n\r\n'),
			() => socket.write('HTTP/1.1 502 Bad Gateway\r\n\r\n'));
		return;
	}
}

async function socks4(socket, reader) {
	const head = await reader.take(8);
	const nul = (b) => b.indexOf(0) + 1;

	await reader.until(nul);
	const host = (await reader.until(nul)).toString().slice(0, -1);
	const answer = (code) => Buffer.from([0, code, 0, 0, 0, 0, 0, 0]);

	if (opts.refuse) {
		socket.end(answer(91));
		return;
	}
	splice(socket, reader, 'socks4a', host, head.readUInt16BE(2),
		() => socket.write(answer(90)), () => socket.write(answer(91)));
}

async function socks5Auth(socket, reader) {
	const [, len] = await reader.take(2);
	const name = (await reader.take(len)).toString();
	const [plen] = await reader.take(1);
	const password = (await reader.take(plen)).toString();
	const good = `${name}:${password}` === opts.user;

	socket.write(Buffer.from([1, good ? 0 : 1]));
	return good;
}

async function socks5(socket, reader) {
	const [, methods] = await reader.take(2);

	await reader.take(methods);
	socket.write(Buffer.from([5, opts.user ? 2 : 0]));
	if (opts.user && !await socks5Auth(socket, reader)) {
		socket.end();
		return;
	}
	const head = await reader.take(4);
	const [len] = head[3] === 3 ? await reader.take(1) : [4];
	const raw = await reader.take(len);
	const host = head[3] === 3 ? raw.toString() : [...raw].join('.');
	const port = (await reader.take(2)).readUInt16BE(0);
	const answer = (code) => Buffer.from([5, code, 0, 1, 0, 0, 0, 0, 0, 0]);

	if (opts.refuse) {
		socket.end(answer(2));
		return;
	}
	splice(socket, reader, head[3] === 3 ? 'socks5h' : 'socks5', host, port,
		() => socket.write(answer(0)), () => socket.write(answer(5)));
}

const server = net.createServer();
server.on('connection', (socket) => {
	const reader = new Reader(socket);

	socket.on('error', () => {});
	socket.once('data', (first) => {
		const serve = first[0] === 5 ? socks5 : first[0] === 4 ? socks4
			: http;

		serve(socket, reader).catch(() => socket.destroy());
	});
});
server.listen(0, '127.0.0.1', () => {
	fs.writeSync(Number(opts['ready-fd']),
		`port=${server.address().port}\n`);
	fs.closeSync(Number(opts['ready-fd']));
});
