// SPDX-License-Identifier: ISC
// A connector that does as it is told: node fake-connector.mjs key=value...
//
//   edge=HOST:PORT  of the edge's connector listener; from= own address
//   ca=             the edge's authority; alpn= another protocol than adit/1
//   token=          the file with its token; none: it sends no AUTH
//   cert= key=      a client certificate
//   instance= generation= streams=   of its HELLO
//   mode=           what it does with streams:
//                     echo (default)       sends all back
//                     hold                 neither answers nor gives credit
//                     reset:CODE:BLAME     resets on OPEN
//                     break:CODE:BLAME     answers the first bytes with one
//                                          byte, the next with a reset
//                     source:N             sends N zero bytes and ends
//   hello=          other JSON than a HELLO's; no: it says nothing after TLS
//   ready-fd=       gets "control=PORT" once the edge has accepted it, or has
//                   refused it
//
// A line sent to the control port is a command: mute (answers nothing any
// more), drop (resets the connection), goaway CODE, raw HEX, open.  Standard
// output has one JSON line per event.
import fs from 'node:fs';
import net from 'node:net';
import tls from 'node:tls';
import { BLAME, CODE, Hop, TYPE, reason } from './frames.mjs';

const opts = Object.fromEntries(process.argv.slice(2).map((a) => [
	a.slice(0, a.indexOf('=')), a.slice(a.indexOf('=') + 1)]));
const [mode, ...modeArgs] = (opts.mode ?? 'echo').split(':');
const colon = opts.edge.lastIndexOf(':');
let hop = null;
let server = null;
const answered = new Set();

function log(event) {
	fs.writeSync(1, `${JSON.stringify(event)}\n`);
}

class HoldingHop extends Hop {
	received(stream, payload) {
		if (mode !== 'hold')
			return super.received(stream, payload);
		this.held = (this.held ?? 0) + payload.length;
		return log({ event: 'held', stream, bytes: this.held });
	}
}

function resetStream(stream) {
	hop.send(TYPE.RESET, stream, reason(CODE[modeArgs[0]],
		BLAME[modeArgs[1]], 'says the fake connector'));
	hop.streams.delete(stream);
}

function onOpen(stream, json) {
	log({ event: 'open', stream, ...json });
	if (mode === 'reset')
		resetStream(stream);
	if (mode === 'source') {
		hop.data(stream, Buffer.alloc(Number(modeArgs[0])));
		hop.end(stream);
	}
}

function onData(stream, bytes) {
	if (mode === 'echo')
		hop.data(stream, bytes);
	if (mode !== 'break')
		return;
	if (answered.has(stream))
		resetStream(stream);
	else
		hop.data(stream, bytes.subarray(0, 1));
	answered.add(stream);
}

function onEnd(stream) {
	log({ event: 'end', stream });
	if (mode === 'echo' || mode === 'hold')
		hop.end(stream);
}

function command(line) {
	const [verb, argument] = line.trim().split(' ');

	if (verb === 'mute')
		hop.mute = true;
	else if (verb === 'drop')
		socket.resetAndDestroy?.() ?? socket.destroy();
	else if (verb === 'goaway')
		hop.send(TYPE.GOAWAY, 0, reason(CODE[argument],
			BLAME.connector, 'says the fake connector'));
	else if (verb === 'raw')
		socket.write(Buffer.from(argument, 'hex'));
	else if (verb === 'open')
		hop.open(1, { kind: 'tls' });
}

function ready() {
	if (server !== null || opts['ready-fd'] === undefined)
		return;
	server = net.createServer((control) => {
		control.on('error', () => {});
		control.on('data', (bytes) => {
			command(bytes.toString());
			control.end('done\n');
		});
	});

	server.listen(0, '127.0.0.1', () => {
		const fd = Number(opts['ready-fd']);

		fs.writeSync(fd, `control=${server.address().port}\n`);
		fs.closeSync(fd);
		if (socket.destroyed)
			server.unref();
	});
}

function greet() {
	if (opts.hello) {
		hop.send(TYPE.HELLO, 0, Buffer.from(opts.hello));
		return;
	}
	hop.json(TYPE.HELLO, 0, {
		name: 'fake-connector', version: '0',
		...(opts.instance && { instance: opts.instance }),
		...(opts.generation && { generation: Number(opts.generation) }),
		limits: { streams: Number(opts.streams ?? 1024) },
	});
	if (opts.token)
		hop.send(TYPE.AUTH, 0,
			Buffer.from(fs.readFileSync(opts.token, 'utf8').trim()));
}

const socket = tls.connect({
	host: opts.edge.slice(0, colon), port: Number(opts.edge.slice(colon + 1)),
	...(opts.from && { localAddress: opts.from }),
	ca: fs.readFileSync(opts.ca), ALPNProtocols: [opts.alpn ?? 'adit/1'],
	...(opts.cert && { cert: fs.readFileSync(opts.cert),
		key: fs.readFileSync(opts.key) }),
}, () => {
	log({ event: 'tls' });
	hop = new HoldingHop(socket, socket, {
		hello: (json) => {
			log({ event: 'up', name: json.name, domain: json.domain });
			ready();
		},
		goaway: (why) => log({ event: 'goaway', ...why }),
		open: onOpen, data: onData, end: onEnd,
		reset: (stream, why) => log({ event: 'reset', stream, ...why }),
	});
	if (opts.hello !== 'no')
		greet();
});
socket.on('error', (e) => log({ event: 'error', text: e.message }));
socket.on('close', () => {
	log({ event: 'closed' });
	ready();
	server?.unref();
});
