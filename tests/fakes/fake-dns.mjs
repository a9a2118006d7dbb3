// SPDX-License-Identifier: ISC
//
// fake-dns.mjs [--ready-fd N] [--port N] NAME=ANSWER[;ANSWER...]...: a DNS server on
// loopback, over UDP and TCP on one port, that changes its mind.  It writes
// its port to the descriptor once it listens, and "query NAME TYPE" to its
// standard output for each question.
//
// The first question for a name and a type gets its first ANSWER, the second
// the second; the last is repeated.  An ANSWER is a list of addresses with
// commas, of which those of the question's family are given; or nxdomain,
// servfail, drop (no answer at all), or "tcp:" and a list, which over UDP is
// truncated to nothing.  Other names do not exist.

import dgram from 'node:dgram';
import fs from 'node:fs';
import net from 'node:net';

const HEADER = 12;
const TYPES = { 1: 'A', 28: 'AAAA' };
const RCODES = { servfail: 2, nxdomain: 3 };

const args = process.argv.slice(2);
let readyFd = 1;
if (args[0] === '--ready-fd')
	readyFd = Number(args.splice(0, 2)[1]);
let wanted = 0;
if (args[0] === '--port')
	wanted = Number(args.splice(0, 2)[1]);
const names = new Map(args.map((a) => {
	const at = a.indexOf('=');
	return [a.slice(0, at), a.slice(at + 1).split(';')];
}));
const asked = new Map();

function readName(query) {
	const labels = [];
	let at = HEADER;
	while (query[at] !== 0) {
		labels.push(query.toString('latin1', at + 1,
		    at + 1 + query[at]));
		at += 1 + query[at];
	}
	return [labels.join('.').toLowerCase(), at + 1];
}

function addressBytes(ip) {
	if (net.isIPv4(ip))
		return Buffer.from(ip.split('.').map(Number));
	const [head, tail = ''] = ip.split('::');
	const words = (s) => s === '' ? [] : s.split(':');
	const fill = 8 - words(head).length - words(tail).length;
	return Buffer.from([...words(head),
		...Array(ip.includes('::') ? fill : 0).fill('0'),
		...words(tail)].map((w) => w.padStart(4, '0')).join(''), 'hex');
}

function record(type, ip) {
	const data = addressBytes(ip);
	const r = Buffer.alloc(12);
	r.writeUInt16BE(0xc000 | HEADER, 0);
	r.writeUInt16BE(type, 2);
	r.writeUInt16BE(1, 4);
	r.writeUInt16BE(data.length, 10);
	return Buffer.concat([r, data]);
}

function nextAnswer(name, type) {
	const answers = names.get(name) ?? ['nxdomain'];
	const key = `${name} ${TYPES[type] ?? type}`;
	const n = asked.get(key) ?? 0;
	console.log(`query ${key}`);
	asked.set(key, n + 1);
	return answers[Math.min(n, answers.length - 1)];
}

// The response to a query; null for none.
function respond(query, overTcp) {
	const [name, end] = readName(query);
	const type = query.readUInt16BE(end);
	let answer = nextAnswer(name, type);
	let records = [];
	let truncated = 0;
	if (answer === 'drop')
		return null;
	if (answer.startsWith('tcp:')) {
		truncated = overTcp ? 0 : 0x0200;
		answer = truncated ? '' : answer.slice(4);
		// The same question comes again, over TCP.
		if (truncated)
			asked.set(`${name} ${TYPES[type]}`,
			    asked.get(`${name} ${TYPES[type]}`) - 1);
	}
	if (!(answer in RCODES) && answer !== '') {
		records = answer.split(',')
		    .filter((ip) => net.isIPv6(ip) === (type === 28))
		    .map((ip) => record(type, ip));
	}
	const head = Buffer.from(query.subarray(0, end + 4));
	head.writeUInt16BE(0x8580 | truncated | (RCODES[answer] ?? 0), 2);
	head.writeUInt16BE(records.length, 6);
	head.writeUInt16BE(0, 10);
	return Buffer.concat([head, ...records]);
}

function serveTcp(socket) {
	let got = Buffer.alloc(0);
	socket.on('error', () => {});
	socket.on('data', (d) => {
		got = Buffer.concat([got, d]);
		while (got.length >= 2 &&
		    got.length >= 2 + got.readUInt16BE(0)) {
			const len = got.readUInt16BE(0);
			const out = respond(got.subarray(2, 2 + len), true);
			got = got.subarray(2 + len);
			if (out === null)
				continue;
			const prefix = Buffer.alloc(2);
			prefix.writeUInt16BE(out.length);
			socket.write(Buffer.concat([prefix, out]));
		}
	});
}

// UDP gets a port that TCP has; another program may have it already.
function listen() {
	const tcp = net.createServer(serveTcp);
	tcp.listen(wanted, '127.0.0.1', () => {
		const { port } = tcp.address();
		const udp = dgram.createSocket('udp4');
		udp.on('message', (query, from) => {
			const out = respond(query, false);
			if (out !== null)
				udp.send(out, from.port, from.address);
		});
		udp.once('error', () => tcp.close(listen));
		udp.bind(port, '127.0.0.1', () => {
			fs.writeSync(readyFd, `${port}\n`);
			if (readyFd !== 1)
				fs.closeSync(readyFd);
		});
	});
}

listen();
