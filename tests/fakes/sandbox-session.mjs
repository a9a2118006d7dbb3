// SPDX-License-Identifier: ISC
//
// The initiator of `sandbox-exec --serve`, adit-frame(5) SANDBOXES, and a
// client of `sandbox-exec --mcp`.

import { spawn } from 'node:child_process';
import net from 'node:net';
import { Hop, TYPE, reason, CODE, BLAME } from './frames.mjs';

// Answers to events in the order in which they were asked for.
export class Stream {
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

export class Session extends Stream {
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

export class Client {
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

	// Ends the server that was started, in good order.
	close() {
		this.child.stdin.end();
		return this.exited;
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

// Starts the server on a pipe.
export async function serve(command) {
	const child = spawn(command[0], command.slice(1), {
		stdio: ['pipe', 'pipe', 'inherit'],
	});
	const client = new Client(child.stdout, child.stdin);

	client.child = child;
	client.exited = new Promise((resolve, reject) => {
		child.on('exit', (status, signal) => resolve(status ?? signal));
		child.on('error', reject);
	});
	child.stdin.on('error', () => {});
	await Promise.race([client.ready, client.exited.then((how) => {
		throw new Error(`the server ended: ${how}`);
	})]);
	return client;
}

// A hop to one that listens.
export async function dial(path) {
	const socket = net.connect(path);
	const client = new Client(socket, socket);

	client.socket = socket;
	client.down = new Promise((resolve) => socket.on('close', resolve));
	socket.on('error', () => {});
	await client.ready;
	return client;
}

// An MCP server on a child's standard input and output.
export class Mcp {
	last = 0;
	calls = new Map();
	rest = '';

	constructor(command) {
		this.child = spawn(command[0], command.slice(1),
		    { stdio: ['pipe', 'pipe', 'inherit'] });
		this.child.stdout.setEncoding('utf8');
		this.child.stdout.on('data', (text) => this.take(text));
		this.child.on('exit', () => {
			for (const call of this.calls.values())
				call.reject(new Error('the server ended'));
		});
	}

	take(text) {
		const lines = (this.rest + text).split('\n');
		this.rest = lines.pop();
		for (const line of lines) {
			const message = JSON.parse(line);
			const call = this.calls.get(message.id);
			this.calls.delete(message.id);
			if (message.error)
				call?.reject(new Error(message.error.message));
			else
				call?.resolve(message.result);
		}
	}

	send(message) {
		this.child.stdin.write(
		    `${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
	}

	request(method, params) {
		const id = ++this.last;
		return new Promise((resolve, reject) => {
			this.calls.set(id, { resolve, reject });
			this.send({ id, method, params });
		});
	}

	async start() {
		await this.request('initialize', { protocolVersion: '2025-11-25',
		    capabilities: {}, clientInfo: { name: 'test', version: '1' } });
		this.send({ method: 'notifications/initialized' });
	}

	async call(tool, input) {
		const result = await this.request('tools/call',
		    { name: tool, arguments: input });
		return { is_error: result.isError ?? false,
		    text: result.content.map((b) => b.text ?? '').join('') };
	}

	close() {
		this.child.stdin.end();
		return new Promise((resolve) => this.child.on('exit', resolve));
	}
}
