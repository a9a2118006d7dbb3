// SPDX-License-Identifier: ISC
// An edge that does as it is told: node fake-edge.mjs key=value...
//
//   cert= key=      its certificate
//   token=          the file with the token that it accepts, default: any
//   port=           of the link listener, default 0
//   ready-fd=       a descriptor that gets "link=PORT agent=PORT control=PORT"
//   mode=           accept (default), silent (TLS, then nothing), tcp (not
//                   even TLS), garbage, goaway:CODE
//   client-ca=      asks for a client certificate of this CA
//
// Each connection to the agent port becomes a stream of the newest link.  A
// line sent to the control port is a command: goaway CODE, mute or
// drop, for all links, or goaway-newest CODE.  Standard output has one JSON line per event.
import fs from 'node:fs';
import net from 'node:net';
import tls from 'node:tls';
import { BLAME, CODE, Hop, TYPE, reason } from './frames.mjs';

const opts = Object.fromEntries(process.argv.slice(2).map((a) => [
	a.slice(0, a.indexOf('=')), a.slice(a.indexOf('=') + 1)]));
const mode = opts.mode ?? 'accept';
const token = opts.token && fs.readFileSync(opts.token, 'utf8').trim();
const links = new Set();
let newest = null;
let links_made = 0;

function log(event) {
	fs.writeSync(1, `${JSON.stringify(event)}\n`);
}

function goaway(link, code) {
	link.hop.send(TYPE.GOAWAY, 0, reason(CODE[code], BLAME.edge,
		'says the fake edge'));
	if (code !== 'draining')
		link.socket.end();
}

function accept(link) {
	link.accepted = true;
	newest = link;
	link.hop.json(TYPE.HELLO, 0, {
		name: 'fake-edge', version: '0', domain: 'fake.tunnel.example' });
	log({ event: 'up', link: link.id, ...link.hello });
}

function judge(link, shown) {
	if (mode.startsWith('goaway:'))
		goaway(link, mode.slice('goaway:'.length));
	else if (token && shown !== token)
		goaway(link, 'unauthorized');
	else if (mode === 'accept')
		accept(link);
}

function agentOf(link, stream) {
	return link.agents.get(stream);
}

function closeAgent(link, stream) {
	const a = link.agents.get(stream);

	if (a !== undefined && a.ended && a.finished)
		link.agents.delete(stream);
}

function newHop(link) {
	return new Hop(link.socket, link.socket, {
		hello: (json) => {
			link.hello = { instance: json.instance,
				generation: json.generation };
			if (!token && !mode.startsWith('goaway:') ||
			    link.socket.getPeerCertificate?.()?.subject)
				judge(link, token);
		},
		auth: (shown) => {
			if (!link.accepted)
				judge(link, shown);
		},
		goaway: (why) => log({ event: 'goaway', link: link.id, ...why }),
		data: (stream, bytes) =>
			agentOf(link, stream)?.socket.write(bytes),
		end: (stream) => {
			const a = agentOf(link, stream);

			if (a === undefined)
				return;
			a.socket.end();
			a.ended = true;
			closeAgent(link, stream);
		},
		reset: (stream, why) => {
			log({ event: 'reset', stream, ...why });
			agentOf(link, stream)?.socket.destroy();
			link.agents.delete(stream);
		},
	});
}

function onLink(socket) {
	const link = { id: ++links_made, socket, agents: new Map(), next: 2 };

	log({ event: 'connected', link: link.id });
	links.add(link);
	socket.on('error', () => {});
	socket.on('close', () => {
		links.delete(link);
		log({ event: 'closed', link: link.id });
		for (const a of link.agents.values())
			a.socket.destroy();
	});
	if (mode === 'silent' || mode === 'tcp')
		return;
	if (mode === 'garbage') {
		socket.write('HTTP/1.1 400 Bad Request\r\n\r\n');
		return;
	}
	link.hop = newHop(link);
}

function onAgent(socket) {
	const link = newest;

	if (link === null) { // no connector yet
		socket.resetAndDestroy();
		return;
	}
	const stream = link.next;
	const agent = { socket, ended: false, finished: false };

	link.next += 2;
	link.agents.set(stream, agent);
	link.hop.open(stream, { kind: 'tls', sni: 'docs.fake.tunnel.example',
		peer: `${socket.remoteAddress}:${socket.remotePort}`,
		trace: stream.toString(16).padStart(32, '0') });
	socket.on('data', (bytes) => link.hop.data(stream, bytes));
	socket.on('end', () => {
		link.hop.end(stream);
		agent.finished = true;
		closeAgent(link, stream);
	});
	socket.on('error', () => {});
}

function command(line) {
	const [verb, argument] = line.trim().split(' ');

	if (verb === 'goaway-newest')
		goaway(newest, argument);
	for (const link of links) {
		if (verb === 'goaway')
			goaway(link, argument);
		else if (verb === 'mute')
			link.hop.mute = true;
		else if (verb === 'drop')
			link.socket.destroy();
	}
}

function onControl(socket) {
	socket.on('data', (bytes) => {
		command(bytes.toString());
		socket.end('done\n');
	});
}

function listen(server, port) {
	return new Promise((resolve) => server.listen(port, '127.0.0.1',
		() => resolve(server.address().port)));
}

const linkServer = mode === 'tcp' ? net.createServer(onLink)
	: tls.createServer({
		cert: fs.readFileSync(opts.cert),
		key: fs.readFileSync(opts.key),
		minVersion: 'TLSv1.3', ALPNProtocols: ['adit/1'],
		...(opts['client-ca'] && { requestCert: true,
			ca: fs.readFileSync(opts['client-ca']) }),
	}, onLink);
linkServer.on('tlsClientError', (e) =>
	log({ event: 'tls-error', text: e.message }));
const ports = [await listen(linkServer, Number(opts.port ?? 0)),
	await listen(net.createServer({ allowHalfOpen: true }, onAgent), 0),
	await listen(net.createServer(onControl), 0)];
fs.writeSync(Number(opts['ready-fd']),
	`link=${ports[0]} agent=${ports[1]} control=${ports[2]}\n`);
fs.closeSync(Number(opts['ready-fd']));
