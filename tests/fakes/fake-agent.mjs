// SPDX-License-Identifier: ISC
// An agent that sends a ClientHello as it is told: node fake-agent.mjs
// key=value...
//
//   connect=HOST:PORT
//   name=           the server name; none: no such extension
//   hex=            these bytes instead of a ClientHello
//   record=N        the ClientHello in records of N bytes
//   chunk=N         sent N bytes at a time
//   part=N          only the first N bytes of it, then nothing more
//   bytes=N         random bytes that follow it
//   end=            half (default): ends its direction once all has come
//                   back; at-once: as soon as all is sent; reset: resets when
//                   the first bytes come; again: sends one byte more when
//                   they come, and does not end; none
//   read=no         does not read before SIGUSR2 comes
//   count=N         so many connections at once
//   spread=N        from so many loopback addresses in turn, 127.1.0.1 and on
//   ready-fd=       gets "open=N" once all have got bytes back
//
// Prints, for each connection that ends, one JSON line: how many bytes it
// sent and received, whether those are the same, the alert that came, and how
// it ended (fin, reset).
import crypto from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';

const opts = Object.fromEntries(process.argv.slice(2).map((a) => [
	a.slice(0, a.indexOf('=')), a.slice(a.indexOf('=') + 1)]));
const [host, port] = opts.connect.split(':');
const total = Number(opts.count ?? 1);
let answered = 0;

function vector(lenBytes, ...parts) {
	const body = Buffer.concat(parts);
	const len = Buffer.alloc(4);

	len.writeUInt32BE(body.length);
	return Buffer.concat([len.subarray(4 - lenBytes), body]);
}

function extension(type, body) {
	const head = Buffer.alloc(2);

	head.writeUInt16BE(type);
	return Buffer.concat([head, vector(2, body)]);
}

function hello() {
	const name = Buffer.from(opts.name ?? '');
	const extensions = [extension(43, Buffer.from('020304', 'hex'))];

	if (opts.name !== undefined)
		extensions.unshift(extension(0, vector(2, Buffer.from([0]),
			vector(2, name))));
	return Buffer.concat([Buffer.from([1]), vector(3,
		Buffer.from('0303', 'hex'), crypto.randomBytes(32),
		vector(1, crypto.randomBytes(32)),
		vector(2, Buffer.from('1301', 'hex')),
		vector(1, Buffer.from([0])), vector(2, ...extensions))]);
}

function records(message) {
	const len = Number(opts.record ?? 16384);
	const out = [];

	for (let at = 0; at < message.length; at += len)
		out.push(Buffer.from('160301', 'hex'),
			vector(2, message.subarray(at, at + len)));
	return Buffer.concat(out);
}

function toSend() {
	const head = opts.hex !== undefined ? Buffer.from(opts.hex, 'hex')
		: records(hello());

	if (opts.part !== undefined)
		return head.subarray(0, Number(opts.part));
	return Buffer.concat([head,
		crypto.randomBytes(Number(opts.bytes ?? 0))]);
}

async function send(socket, bytes) {
	const len = Number(opts.chunk ?? bytes.length);

	for (let at = 0; at < bytes.length; at += len) {
		const more = socket.write(bytes.subarray(at, at + len));

		await new Promise((resolve) => more ? setImmediate(resolve)
			: socket.once('drain', resolve));
	}
	if (opts.end === 'at-once')
		socket.end();
}

function tellReady() {
	if (++answered !== total || opts['ready-fd'] === undefined)
		return;
	fs.writeSync(Number(opts['ready-fd']), `open=${total}\n`);
	fs.closeSync(Number(opts['ready-fd']));
}

function run(i) {
	const socket = net.connect({ host, port: Number(port),
		...(opts.spread && {
			localAddress: `127.1.0.${1 + i % Number(opts.spread)}` }),
		allowHalfOpen: opts.end === 'at-once', noDelay: true });
	const bytes = toSend();
	const back = [];
	let received = 0;
	let end = 'fin';

	const read = () => socket.on('data', (b) => {
		if (received === 0)
			tellReady();
		received += b.length;
		back.push(b);
		if (opts.end === 'reset')
			socket.resetAndDestroy();
		else if (opts.end === 'again' && back.length === 1)
			socket.write('x');
		else if (received >= bytes.length &&
		    (opts.end ?? 'half') === 'half')
			socket.end();
	});

	if (opts.read === 'no') {
		const alive = setInterval(() => {}, 1 << 30);

		process.once('SIGUSR2', () => {
			clearInterval(alive);
			read();
		});
	} else {
		read();
	}
	socket.on('error', (e) => {
		end = e.code === 'ECONNRESET' ? 'reset' : e.code;
	});
	socket.on('end', () => socket.end());
	socket.on('close', () => {
		const all = Buffer.concat(back);
		const alert = all.length === 7 && all[0] === 21 ? all[6] : null;

		fs.writeSync(1, `${JSON.stringify({ sent: bytes.length,
			received, same: all.equals(bytes), alert, end })}\n`);
	});
	socket.on('connect', () => send(socket, bytes).catch(() => {}));
}

for (let i = 0; i < total; i++)
	run(i);
