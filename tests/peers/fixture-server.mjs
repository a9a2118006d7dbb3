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
import { randomBytes, randomUUID } from 'node:crypto';
import { fail, load, options, ready } from './peer.mjs';
import { PNG, addTools, bus, image, text } from './fixture-tools.mjs';

const {
	McpServer, ResourceTemplate, WebStandardStreamableHTTPServerTransport,
	completable, createMcpHandler, createRequestStateCodec, inputRequired,
	acceptedContent, isLegacyRequest, localhostAllowedHostnames,
	localhostAllowedOrigins,
} = load('@modelcontextprotocol/server');
const { hostHeaderValidation, originValidation, toNodeHandler } =
    load('@modelcontextprotocol/node');
const z = load('zod');

const STATIC_TEXT = 'This is the content of the static text resource.';
const RETRY_MS = 100;	// what a client waits before it resumes a stream

const tool = 'fixture-server';
const opt = options(tool, {
	host: '127.0.0.1', port: '0', 'ready-fd': undefined, 'allow-host': [],
});

const codec = createRequestStateCodec({ key: randomBytes(32) });

function addResources(mcp) {
	const add = (name, uri, mimeType, contents) => mcp.registerResource(
	    name, uri, { description: `Resource ${name}`, mimeType }, contents);

	add('static-text', 'test://static-text', 'text/plain', uri => ({
		contents: [{
			uri: uri.href, mimeType: 'text/plain',
			text: STATIC_TEXT,
		}],
	}));
	add('static-binary', 'test://static-binary', 'image/png', uri => ({
		contents: [{ uri: uri.href, mimeType: 'image/png', blob: PNG }],
	}));
	add('watched', 'test://watched-resource', 'text/plain', uri => ({
		contents: [{
			uri: uri.href, mimeType: 'text/plain', text: 'watched',
		}],
	}));
	add('template', new ResourceTemplate('test://template/{id}/data',
	    { list: undefined }), 'application/json', (uri, { id }) => ({
		contents: [{
			uri: uri.href, mimeType: 'application/json',
			text: JSON.stringify({
				id, templateTest: true,
				data: `Data for ID: ${id}`,
			}),
		}],
	}));
}

const user = content => ({ role: 'user', content });

function addPrompts(mcp) {
	const add = (name, argsSchema, get) => mcp.registerPrompt(
	    name, { description: `Prompt ${name}`, argsSchema }, get);
	const word = name => completable(z.string().describe(name), typed =>
	    ['paris', 'park', 'party'].filter(w => w.startsWith(typed)));

	add('test_simple_prompt', undefined, () => ({
		messages: [user(text('This is a simple prompt for testing.'))],
	}));
	add('test_prompt_with_arguments', z.object({
		arg1: word('First test argument'),
		arg2: word('Second test argument'),
	}), ({ arg1, arg2 }) => ({
		messages: [user(text(
		    `Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`))],
	}));
	add('test_prompt_with_embedded_resource', z.object({
		resourceUri: z.string().describe('URI of the resource'),
	}), ({ resourceUri }) => ({
		messages: [user({
			type: 'resource',
			resource: {
				uri: resourceUri, mimeType: 'text/plain',
				text: 'Embedded resource content for testing.',
			},
		}), user(text('Please process the embedded resource above.'))],
	}));
	add('test_prompt_with_image', undefined, () => ({
		messages: [
			user(image),
			user(text('Please analyze the image above.')),
		],
	}));
	add('test_input_required_result_prompt', undefined, ctx => {
		const { inputResponses } = ctx.mcpReq;
		const context = acceptedContent(inputResponses, 'user_context');
		if (context !== undefined)
			return {
				messages: [user(text(`In ${context.context}`))],
			};
		return inputRequired({ inputRequests: {
			user_context: inputRequired.elicit({
				message: 'What context should the prompt use?',
				requestedSchema: z.object({
					context: z.string(),
				}),
			}),
		} });
	});
}

function build(changes) {
	const mcp = new McpServer({ name: 'adit-fixture', version: '1.0.0' }, {
		capabilities: {
			tools: { listChanged: true },
			prompts: { listChanged: true },
			resources: { listChanged: true, subscribe: true },
			logging: {},
			completions: {},
		},
		requestState: { verify: codec.verify },
	});
	addTools(mcp, codec, changes(mcp));
	addResources(mcp);
	addPrompts(mcp);
	return mcp;
}

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
