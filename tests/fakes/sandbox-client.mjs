// SPDX-License-Identifier: ISC
// A client of sandbox-exec --serve for the tests: runs the JavaScript in the
// file that it is given with these in scope:
//
//   serve(args)  starts the server on a pipe; resolves to a hop
//   dial(path)   a hop to one that listens
//   say(...)     prints a line, what is no string as JSON
//   count(text)  how many processes have it in their command line
//   until(f)     waits until f() is true
//   sleep(ms)
//
// A hop has session(policy), exec(open, input) and command(open), a session
// tool(name, input), bash(command, more), exec(argv, more, input) and
// open(tool); see below.

import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import { Hop, TYPE, reason, CODE, BLAME } from './frames.mjs';

const bin = `${process.env.BIN}/sandbox-exec`;
const AsyncFunction = (async () => {}).constructor;

function say(...values) {
	console.log(values.map((v) => typeof v === 'string' ? v :
		JSON.stringify(v)).join(' '));
}

// Answers to events in the order in which they were asked for.
class Stream {
	constructor(client, json) {
		this.client = client;
		this.id = client.next;
		client.next += 2;
		this.out = [Buffer.alloc(0), Buffer.alloc(0)];
		this.events = [];
		this.closed = new Promise((resolve) => { this.close = resolve; });
		client.streams.set(this.id, this);
		client.hop.open(this.id, json);
	}

	data(bytes) {
		this.client.hop.data(this.id, Buffer.from(bytes));
	}

	end() {
		this.client.hop.end(this.id);
	}

	reset() {
		this.client.streams.delete(this.id);
		this.client.hop.send(TYPE.RESET, this.id,
			reason(CODE.cancelled, BLAME.client));
		this.client.hop.streams.delete(this.id);
	}

	text(channel = 0) {
		return this.out[channel].toString();
	}

	event(type) {
		return this.events.find((e) => e.type === type);
	}

	async until(type) {
		while (this.event(type) === undefined && !this.over)
			await new Promise((resolve) => { this.wake = resolve; });
		return this.event(type) ?? this.over;
	}
}

class Session extends Stream {
	// Resolves to {text, live, ...the event} or to the reset.
	async tool(tool, input, { live = false, raw } = {}) {
		const t = new Stream(this.client,
			{ kind: 'tool', session: this.id, tool, live });

		t.data(raw ?? JSON.stringify(input));
		t.end();
		return Client.result(t);
	}

	open(tool, live = false) {
		return new Stream(this.client,
			{ kind: 'tool', session: this.id, tool, live });
	}

	async bash(command, more) {
		return this.tool('bash', { command, ...more });
	}

	exec(argv, more = {}, input) {
		return this.client.exec({ argv, session: this.id, ...more },
			input);
	}
}

class Client {
	constructor(input, output) {
		this.next = 1;
		this.streams = new Map();
		this.grant = true;
		this.ready = new Promise((resolve) => {
			this.hop = new Hop(input, output, {
				hello: (json) => { this.hello = json; resolve(); },
				data: (id, bytes, channel) =>
					this.data(id, bytes, channel),
				event: (id, json) => this.event(id, json),
				end: (id) => this.over(id, 'end'),
				reset: (id, why) => this.over(id, why),
				goaway: (why) => { this.gone = why; },
			});
			this.hop.json(TYPE.HELLO, 0, { name: 'test' });
		});
	}

	data(id, bytes, channel) {
		const s = this.streams.get(id);

		if (s === undefined)
			return;
		s.count = (s.count ?? 0) + bytes.length;
		if (s.discard !== true)
			s.out[channel] = Buffer.concat([s.out[channel], bytes]);
		s.onData?.(bytes, channel);
	}

	event(id, json) {
		const s = this.streams.get(id);

		if (s === undefined)
			return;
		s.events.push(json);
		s.wake?.();
	}

	over(id, how) {
		const s = this.streams.get(id);

		if (s === undefined)
			return;
		s.over = how;
		s.wake?.();
		s.close(how);
	}

	session(policy) {
		return new Session(this, { kind: 'session', policy });
	}

	command(open) {
		return new Stream(this, { kind: 'exec', ...open });
	}

	// Resolves to {out, err, ...the event} or to the reset.
	async exec(open, input) {
		const s = this.command(open);

		if (input !== undefined)
			s.data(input);
		s.end();
		await s.closed;
		return s.event('exit') === undefined ? { reset: s.over } :
			{ out: s.text(0), err: s.text(1), ...s.event('exit') };
	}

	static async result(t) {
		await t.closed;
		return t.event('result') === undefined ? { reset: t.over } :
			{ text: t.text(0), live: t.text(1),
			...t.event('result') };
	}
}

let child;

async function serve(args = []) {
	child = spawn(bin, [...args, '--serve'], {
		stdio: ['pipe', 'pipe', 'inherit'],
	});
	const client = new Client(child.stdout, child.stdin);

	client.child = child;
	client.exited = new Promise((resolve) => child.on('exit',
		(status, signal) => resolve(status ?? signal)));
	child.stdin.on('error', () => {});
	await client.ready;
	return client;
}

async function dial(path) {
	const socket = net.connect(path);
	const client = new Client(socket, socket);

	client.socket = socket;
	client.down = new Promise((resolve) => socket.on('close', resolve));
	socket.on('error', () => {});
	await client.ready;
	return client;
}

function sleep(ms) {
	return new Promise((resolve) => setTimeout(resolve, ms));
}

function count(text) {
	try {
		return Number(execFileSync('pgrep', ['-fc', '--', text]));
	} catch {
		return 0;
	}
}

async function until(f) {
	const end = Date.now() + 20000;

	while (!await f()) {
		if (Date.now() > end)
			throw new Error(`never: ${f}`);
		await sleep(20);
	}
}

const scope = { serve, dial, say, sleep, count, until, Client, Stream, fs };

await new AsyncFunction(...Object.keys(scope),
	fs.readFileSync(process.argv[2], 'utf8'))(...Object.values(scope));
if (child !== undefined) {
	child.stdin.end();
	if (child.exitCode === null && child.signalCode === null)
		await new Promise((resolve) => child.on('exit', resolve));
}
process.exit(0);
