// SPDX-License-Identifier: ISC
//
// The initiator of `sandbox-exec --serve`, adit-frame(5) SANDBOXES: sessions
// and the tool calls in them, over a child's standard input and output.

import { spawn } from 'node:child_process';
import { Hop } from './frames.mjs';

export class Serve {
	last = -1;
	streams = new Map(); // number -> {ready, data, resolve, reject}

	constructor(command) {
		this.child = spawn(command[0], command.slice(1),
		    { stdio: ['pipe', 'pipe', 'inherit'] });
		this.greeted = new Promise((resolve, reject) => {
			this.child.on('error', reject);
			this.child.on('exit', (code, signal) =>
			    reject(new Error(`ended: ${code ?? signal}`)));
			this.hop = new Hop(this.child.stdout, this.child.stdin, {
				hello: resolve,
				data: (n, bytes) => this.streams.get(n)?.data?.push(bytes),
				end: (n) => this.ended(n),
				reset: (n, reason) => this.failed(n, reason),
			});
		});
		this.greeted.catch(() => {});
		// EVENT frames are not in Hop: it takes what it does not know.
		const frame = this.hop.frame.bind(this.hop);
		this.hop.frame = (type, n, payload) => type === 0x14
		    ? this.event(n, JSON.parse(payload)) : frame(type, n, payload);
		this.hop.json(1, 0, { name: 'test', version: '1', limits: {
		    window: 262144, connection_window: 67108864 } });
	}

	event(n, event) {
		const stream = this.streams.get(n);
		if (event.type === 'ready')
			stream?.ready(event);
		else if (stream)
			stream.event = event;
	}

	ended(n) {
		const stream = this.streams.get(n);
		this.streams.delete(n);
		this.hop.streams.delete(n);
		stream?.resolve({ ...stream.event,
		    text: Buffer.concat(stream.data).toString() });
	}

	failed(n, reason) {
		const error = new Error(`reset: ${JSON.stringify(reason)}`);
		this.streams.get(n)?.reject(error);
		this.streams.delete(n);
	}

	async open(meta) {
		await this.greeted;
		const n = this.last += 2;
		const stream = { data: [] };
		stream.done = new Promise((resolve, reject) =>
		    Object.assign(stream, { resolve, reject }));
		stream.done.catch(() => {});
		this.streams.set(n, stream);
		this.hop.open(n, meta);
		return { n, stream };
	}

	// Resolves to the session's number once its sandbox is there.
	async session(policy) {
		const { n, stream } = await this.open({ kind: 'session', policy });
		const up = new Promise((resolve) => { stream.ready = resolve; });
		this.ready = await Promise.race([up, stream.done.then(() => {
			throw new Error('the session ended');
		})]);
		return n;
	}

	end(session) {
		this.hop.end(session);
		return this.streams.get(session)?.done;
	}

	// {text, is_error, ...}
	async call(session, tool, input) {
		this.child.stdin.cork();
		const { n, stream } = await this.open({ kind: 'tool', session, tool });
		this.hop.data(n, Buffer.from(JSON.stringify(input)));
		this.hop.end(n);
		this.child.stdin.uncork();
		return stream.done;
	}

	close() {
		this.child.stdin.end();
		return new Promise((resolve) => this.child.on('exit', resolve));
	}
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
