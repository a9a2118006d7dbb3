// SPDX-License-Identifier: ISC
//
// hostile-frames.mjs key=value...: the other end of links, that plays with
// frames at random: right ones, wrong ones, right ones at the wrong time, and
// none where some are waited for.
//
//   role=edge       listens; cert= and key= are its certificate
//   role=connector  dials edge=HOST:PORT again and again, with ca= and token=
//   role=relay      does so with path=, of mcp-proxy --listen
//   seed=           which game
//   acts=N          after so many it ends all links, and does no more
//   ready-fd=       gets "link=PORT" or "up=1"
//
// Standard output has "done" once all is over, with how many links there were.
import fs from 'node:fs';
import net from 'node:net';
import tls from 'node:tls';
import { CODE, Hop, TYPE, reason } from './frames.mjs';
import { Random } from './random.mjs';

const opts = Object.fromEntries(process.argv.slice(2).map((a) => [
	a.slice(0, a.indexOf('=')), a.slice(a.indexOf('=') + 1)]));
const isEdge = opts.role === 'edge';
const links = new Set();
let left = Number(opts.acts), begun = 0, made = 0, server = null;

const weird = (random) => random.of([{}, [], 'text', 7, null, { kind: 'tls' },
	{ kind: 'exec', argv: ['true'] }, { kind: 7 },
	{ kind: 'tls', sni: 'x'.repeat(9000), peer: '\u0007' },
	{ kind: 'tls', trace: 'z', peer: 'p'.repeat(300) },
	{ type: 'exit', status: 0 }, { limits: { streams: -1 } }]);

// Each link plays by numbers of its own.
class Game extends Hop {
	constructor(socket, on) {
		super(socket, socket, on);
		this.socket = socket;
		this.random = new Random(Number(opts.seed) * 7919 + begun++);
		this.next = isEdge ? 2 : 1;
		this.known = [];	// streams, open or not any more
		this.stingy = this.random.chance(30);
		this.echoes = this.random.chance(50);
	}

	stream() {
		return this.random.chance(90) && this.known.length > 0
		    ? this.random.of(this.known.slice(-50)) : this.random.below(100);
	}

	/* What a frame may hold of its credit, or a little more. */
	sendData(stream) {
		const s = this.streams.get(stream);
		/* Below 0 after a little more. */
		const most = Math.max(0, Math.min(s?.credit ?? 0, this.credit,
		    16384));
		const len = this.random.chance(99) ? this.random.below(most + 1)
		    : this.random.of([most + 1, 65536]);

		if (len === 0)
			return;
		if (s !== undefined)
			s.credit -= len;
		this.credit -= len;
		this.send(TYPE.DATA, stream, Buffer.alloc(len, 'd'));
	}

	openOne() {
		const stream = this.next;

		this.next += this.random.of([2, 2, 2, 2, 200]);
		this.known.push(stream);
		this.open(stream, this.random.chance(90) ? { kind: 'tls',
			sni: 'docs.bad.example', peer: '10.0.0.1:5',
			trace: stream.toString(16).padStart(32, '0') } : weird(this.random));
	}

	/* What no link survives, or should not. */
	breakRules() {
		this.random.of([
			() => this.send(this.random.of([0, 7, 0x1f, 0x20, 0x7f]), 0),
			() => this.send(TYPE.DATA, this.stream(), Buffer.alloc(70000)),
			() => this.send(TYPE.OPEN, this.next + 1,
			    Buffer.from('{}')),
			() => this.send(TYPE.OPEN, this.stream(), Buffer.from('{}')),
			() => this.send(TYPE.OPEN, this.next, Buffer.from('{"a":')),
			() => this.send(TYPE.WINDOW, this.stream(),
			    Buffer.from('ffffffff', 'hex')),
			() => this.window(this.random.of([0, this.stream()]), 0),
			() => this.json(TYPE.HELLO, 0, { name: 'again' }),
			() => this.socket.write(this.random.bytes(this.random.below(200))),
			() => this.send(TYPE.GOAWAY, 0, reason(this.random.of([
				CODE.draining, CODE.limit, CODE.internal, CODE.replaced,
				999]), this.random.below(20), 'x'.repeat(this.random.of([0, 512,
				513])))),
			() => this.socket.destroy(),
			() => this.socket.end(),
			() => {
				for (let n = 0; n < 100; n++)
					this.send(TYPE.PING, 0, this.random.bytes(8));
			},
		])();
	}

	act() {
		this.random.of([
			() => this.openOne(), () => this.openOne(),
			() => this.sendData(this.stream()),
			() => this.sendData(this.stream()),
			() => this.sendData(this.stream()),
			() => this.streams.has(this.stream()) &&
			    this.send(TYPE.END, this.stream()),
			() => this.send(TYPE.RESET, this.stream(), reason(
			    this.random.below(20), this.random.below(15), 't')),
			() => this.window(this.stream(), this.random.of([1, 100, 65536])),
			() => this.window(0, this.random.of([1, 65536])),
			() => this.send(TYPE.PING, 0, this.random.bytes(8)),
			() => this.send(TYPE.PONG, 0, this.random.bytes(8)),
			() => this.json(TYPE.EVENT, this.random.of([0, this.stream()]),
			    weird(this.random)),
			() => this.send(0x80 + this.random.below(128), this.random.below(9),
			    Buffer.alloc(this.random.below(3000))),
			() => {
				for (let n = this.random.below(100); n > 0; n--)
					this.openOne();
			},
			() => {
				this.socket.pause();
				setTimeout(() => this.socket.resume(),
				    this.random.below(500));
			},
			() => this.random.chance(20) && this.breakRules(),
		])();
	}
}

function play(hop) {
	if (hop.socket.destroyed || left <= 0)
		return;
	for (let n = hop.random.below(20); n > 0 && left-- > 0 &&
	    hop.socket.writable; n--)
		hop.act();
	setTimeout(() => play(hop), hop.random.below(10));
}

function start(socket) {
	const hop = new Game(socket, {
		hello: () => {
			if (isEdge)
				hop.json(TYPE.HELLO, 0, { name: 'hostile',
					domain: 'bad.example', limits: {
					streams: hop.random.of([0, 1, 1024, 65536]),
					window: hop.random.of([1024, 65536, 16777216]),
					connection_window: hop.random.of([16777216,
						4294967295]) } });
			if (made++ === 0)
				ready();
			play(hop);
		},
		open: (stream) => hop.known.push(stream),
		data: (stream, bytes) => hop.echoes && hop.data(stream, bytes),
		end: (stream) => hop.echoes && hop.end(stream),
	});

	links.add(hop);
	socket.on('error', () => {});
	socket.on('close', () => links.delete(hop));
	if (!isEdge)
		hop.json(TYPE.HELLO, 0, { name: 'hostile', version: '0',
			limits: { streams: hop.random.of([1, 100, 65536]) } });
	if (opts.role === 'connector')
		hop.send(TYPE.AUTH, 0, Buffer.from(
		    fs.readFileSync(opts.token, 'utf8').trim()));
}

let announced = false;

function ready() {
	if (announced)
		return;
	announced = true;
	fs.writeSync(Number(opts['ready-fd']), isEdge
	    ? `link=${server.address().port}\n` : 'up=1\n');
	fs.closeSync(Number(opts['ready-fd']));
}

function dial() {
	const [host, port] = opts.edge?.split(':') ?? [];

	if (left <= 0)
		return;
	const socket = opts.role === 'relay' ? net.connect(opts.path)
	    : tls.connect({ host, port, ca: fs.readFileSync(opts.ca),
		ALPNProtocols: ['adit/1'] });
	socket.on(opts.role === 'relay' ? 'connect' : 'secureConnect',
	    () => start(socket));
	socket.on('error', () => {});
	socket.on('close', () => setTimeout(dial, 20));
}

if (isEdge) {
	server = tls.createServer({ cert: fs.readFileSync(opts.cert),
		key: fs.readFileSync(opts.key), minVersion: 'TLSv1.3',
		ALPNProtocols: ['adit/1'] }, (socket) => left <= 0
	    ? socket.destroy() : start(socket));
	server.listen(0, '127.0.0.1', ready);
} else {
	for (let n = 0; n < 3; n++)
		dial();
}

const over = setInterval(() => {
	if (left > 0)
		return;
	clearInterval(over);
	for (const hop of links)
		hop.socket.destroy();
	server?.close();
	console.log(`done links=${made}`);
	setTimeout(() => process.exit(0), 100);
}, 50);
