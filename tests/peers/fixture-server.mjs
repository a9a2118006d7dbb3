// SPDX-License-Identifier: ISC
//
// fixture-server.mjs [--host 127.0.0.1] [--port 0] [--ready-fd N]
//     [--allow-host NAME]...
//
// An MCP server on the 2.x packages of the TypeScript SDK: plain HTTP, /mcp,
// 2026-07-28 without sessions and 2025-11-25 and older with sessions and
// resumable streams.  Its tools, prompts and resources carry the names that
// the conformance suite asks for.  Host and Origin must be local or one of
// --allow-host: a proxy forwards the name its client used.

import http from 'node:http';
import { randomUUID } from 'node:crypto';
import { fail, load, options, ready } from './peer.mjs';
import { bus } from './fixture-tools.mjs';
import { build } from './fixture-content.mjs';

const {
	WebStandardStreamableHTTPServerTransport, createMcpHandler,
	isLegacyRequest, localhostAllowedHostnames, localhostAllowedOrigins,
} = load('@modelcontextprotocol/server');
const { hostHeaderValidation, originValidation, toNodeHandler } =
    load('@modelcontextprotocol/node');

const RETRY_MS = 100;	// what a client waits before it resumes a stream

const tool = 'fixture-server';
const opt = options(tool, {
	host: '127.0.0.1', port: '0', 'ready-fd': undefined, 'allow-host': [],
});

/* 2026-07-28: one instance of the server for each request. */

const modern = createMcpHandler(() => build(() => ({
	tools: () => modern.notify.toolsChanged(),
	prompts: () => modern.notify.promptsChanged(),
})), { legacy: 'reject', bus });

/* 2025-11-25 and older: one instance for each session. */

// Keeps what a session sent, so that a broken stream can be resumed.
class Events {
	sent = [];

	async storeEvent(stream, message) {
		this.sent.push({ stream, message });
		return String(this.sent.length);
	}

	async getStreamIdForEventId(id) {
		return this.sent[Number(id) - 1]?.stream;
	}

	async replayEventsAfter(id, { send }) {
		const stream = await this.getStreamIdForEventId(id);
		for (let i = Number(id); i < this.sent.length; i++)
			if (this.sent[i].stream === stream)
				await send(String(i + 1), this.sent[i].message);
		return stream;
	}
}

const sessions = new Map();

async function open() {
	const mcp = build(self => ({
		tools: () => self.sendToolListChanged(),
		prompts: () => self.sendPromptListChanged(),
	}));
	for (const method of ['resources/subscribe', 'resources/unsubscribe'])
		mcp.server.setRequestHandler(method, () => ({}));
	const transport = new WebStandardStreamableHTTPServerTransport({
		sessionIdGenerator: randomUUID,
		eventStore: new Events(),
		retryInterval: RETRY_MS,
		onsessioninitialized: id => sessions.set(id, transport),
		onsessionclosed: id => sessions.delete(id),
	});
	await mcp.connect(transport);
	return transport;
}

function refuse(status, message) {
	return Response.json({
		jsonrpc: '2.0', id: null, error: { code: -32000, message },
	}, { status });
}

async function legacy(request) {
	const id = request.headers.get('mcp-session-id');
	if (id !== null && !sessions.has(id))
		return refuse(404, 'Session not found');
	const transport = sessions.get(id) ?? await open();
	return transport.handleRequest(request);
}

const handler = toNodeHandler({
	fetch: async request => {
		if (new URL(request.url).pathname !== '/mcp')
			return refuse(404, 'Not found');
		if (await isLegacyRequest(request))
			return legacy(request);
		return modern.fetch(request);
	},
});

const hostIsAllowed = hostHeaderValidation(
    [...localhostAllowedHostnames(), ...opt['allow-host']]);
const originIsAllowed = originValidation(
    [...localhostAllowedOrigins(), ...opt['allow-host']]);

// toNodeHandler leaves the head of a stream unsent until its first event; a
// GET stream may have none for long, and its client waits for the head.
function flushHead(response) {
	const writeHead = response.writeHead;
	response.writeHead = (...head) => {
		writeHead.apply(response, head);
		response.flushHeaders();
		return response;
	};
}

const server = http.createServer((request, response) => {
	if (request.method === 'GET')
		flushHead(response);
	if (hostIsAllowed(request, response) &&
	    originIsAllowed(request, response))
		handler(request, response);
});
server.on('error', error => fail(1, tool, `port ${opt.port}`, error.message));
server.listen(Number(opt.port), opt.host, () =>
    ready(server, opt['ready-fd']));
