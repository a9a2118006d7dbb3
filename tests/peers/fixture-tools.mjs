// SPDX-License-Identifier: ISC
//
// The tools of the fixture server: the ones the conformance suite asks for by
// name, and a few of our own (adit_*) that let a client and the server move in
// lock step, so that a test of streaming or cancelling needs no clock.

import { load } from './peer.mjs';
import { Watch } from './tap.mjs';

const {
	InMemoryServerEventBus, acceptedContent, fromJsonSchema, inputRequired,
	inputResponse,
} = load('@modelcontextprotocol/server');

const STEP_MS = 50;	// the pause the suite wants between notifications

// One red pixel, and 0 samples of sound.
export const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4' +
    '2mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==';
const WAV = 'UklGRiQAAABXQVZFZm10IBAAAAABAAEARKwAAIhYAQACABAAZGF0YQAAAAA=';

export const text = string => ({ type: 'text', text: string });
export const image = { type: 'image', data: PNG, mimeType: 'image/png' };
const result = (...content) => ({ content });

const object = (properties = {}, required = []) =>
    ({ type: 'object', properties, required });
const string = (more = {}) => ({ type: 'string', ...more });

const pause = ms => new Promise(resolve => setTimeout(resolve, ms));

function progress(ctx, done, total) {
	const token = ctx.mcpReq._meta?.progressToken;
	if (token === undefined)
		return Promise.resolve();
	return ctx.mcpReq.notify({
		method: 'notifications/progress',
		params: { progressToken: token, progress: done, total },
	});
}

// Capabilities come with each request since 2026-07-28, from initialize before.
function capabilities(mcp, ctx) {
	return ctx.mcpReq.envelope?.[
	    'io.modelcontextprotocol/clientCapabilities'] ??
	    mcp.server.getClientCapabilities() ?? {};
}

/* Plain content. */

function addContent(add) {
	add('test_simple_text', 'Returns a line of text', () =>
	    result(text('This is a simple text response for testing.')));
	add('test_image_content', 'Returns an image', () => result(image));
	add('test_audio_content', 'Returns a sound', () =>
	    result({ type: 'audio', data: WAV, mimeType: 'audio/wav' }));
	add('test_embedded_resource', 'Returns a resource', () => result({
		type: 'resource',
		resource: {
			uri: 'test://embedded-resource',
			mimeType: 'text/plain',
			text: 'This is an embedded resource content.',
		},
	}));
	add('test_multiple_content_types', 'Returns three kinds', () => result(
	    text('Multiple content types test:'), image, {
		type: 'resource',
		resource: {
			uri: 'test://mixed-content-resource',
			mimeType: 'application/json',
			text: '{"test":"data","value":123}',
		},
	}));
	add('test_error_handling', 'Always fails', () => {
		throw new Error(
		    'This tool intentionally returns an error for testing');
	});
}

/* Notifications during a call. */

function addNotifying(add) {
	add('test_tool_with_logging', 'Logs three lines', async (_, ctx) => {
		await ctx.mcpReq.log('info', 'Tool execution started');
		await pause(STEP_MS);
		await ctx.mcpReq.log('info', 'Tool processing data');
		await pause(STEP_MS);
		await ctx.mcpReq.log('info', 'Tool execution completed');
		return result(text('Logged three lines.'));
	});
	add('test_logging_tool', 'Logs one line', async (_, ctx) => {
		await ctx.mcpReq.log('info', 'One line');
		return result(text('Logged one line.'));
	});
	add('test_tool_with_progress', 'Reports progress', async (_, ctx) => {
		for (const done of [0, 50, 100]) {
			await progress(ctx, done, 100);
			await pause(STEP_MS);
		}
		return result(text('Done.'));
	});
	add('test_reconnection', 'Ends its stream early', async (_, ctx) => {
		ctx.http?.closeSSE?.();
		await pause(2 * STEP_MS);
		return result(text('Sent after the stream was closed.'));
	});
}

/* Requests from server to client, before 2026-07-28. */

function answer(reply) {
	return result(text(`Elicitation completed: action=${reply.action}, ` +
	    `content=${JSON.stringify(reply.content ?? {})}`));
}

const enumeration = {
	untitledSingle: string({ enum: ['option1', 'option2', 'option3'] }),
	titledSingle: string({ oneOf: [
		{ const: 'value1', title: 'First Option' },
		{ const: 'value2', title: 'Second Option' },
		{ const: 'value3', title: 'Third Option' },
	] }),
	legacyEnum: string({
		enum: ['opt1', 'opt2', 'opt3'],
		enumNames: ['Option One', 'Option Two', 'Option Three'],
	}),
	untitledMulti: {
		type: 'array',
		items: string({ enum: ['option1', 'option2', 'option3'] }),
	},
	titledMulti: {
		type: 'array',
		items: { anyOf: [
			{ const: 'value1', title: 'First Choice' },
			{ const: 'value2', title: 'Second Choice' },
			{ const: 'value3', title: 'Third Choice' },
		] },
	},
};

// A question on the stream of the call that asks it.  By default it goes to the
// session's GET stream, which the suite's client opens at the same time as it
// makes the call, on another connection: which comes first is not determined.
function onOwnStream(ctx) {
	return { relatedRequestId: ctx.mcpReq.id };
}

function addAsking(add) {
	add('test_sampling', 'Asks the client for a model answer', async (
	    { prompt }, ctx) => {
		const reply = await ctx.mcpReq.requestSampling({
			messages: [{ role: 'user', content: text(prompt) }],
			maxTokens: 100,
		}, onOwnStream(ctx));
		return result(text(`LLM response: ${reply.content.text}`));
	}, object({ prompt: string() }, ['prompt']));

	add('test_elicitation', 'Asks the user', async ({ message }, ctx) => {
		const reply = await ctx.mcpReq.elicitInput({
			message,
			requestedSchema: object({
				username: string({ description: 'Name' }),
				email: string({ description: 'Address' }),
			}, ['username', 'email']),
		}, onOwnStream(ctx));
		return result(text(`User response: action: ${reply.action}, ` +
		    `content: ${JSON.stringify(reply.content ?? {})}`));
	}, object({ message: string() }, ['message']));

	add('test_elicitation_sep1034_defaults', 'Asks with defaults', async (
	    _, ctx) => answer(await ctx.mcpReq.elicitInput({
		message: 'Please check these values',
		requestedSchema: object({
			name: string({ default: 'John Doe' }),
			age: { type: 'integer', default: 30 },
			score: { type: 'number', default: 95.5 },
			status: string({
				enum: ['active', 'inactive', 'pending'],
				default: 'active',
			}),
			verified: { type: 'boolean', default: true },
		}),
	}, onOwnStream(ctx))));

	add('test_elicitation_sep1330_enums', 'Asks with choices', async (
	    _, ctx) => answer(await ctx.mcpReq.elicitInput({
		message: 'Please choose',
		requestedSchema: object(enumeration),
	}, onOwnStream(ctx))));
}

/* The same since 2026-07-28: the call returns what it needs, and is retried. */

const ask = {
	name: () => inputRequired.elicit({
		message: 'What is your name?',
		requestedSchema: object({ name: string() }, ['name']),
	}),
	color: () => inputRequired.elicit({
		message: 'What is your favorite color?',
		requestedSchema: object({ color: string() }, ['color']),
	}),
	confirm: () => inputRequired.elicit({
		message: 'Please confirm',
		requestedSchema: object({ ok: { type: 'boolean' } }, ['ok']),
	}),
	sample: (question, maxTokens) => inputRequired.createMessage({
		messages: [{ role: 'user', content: text(question) }],
		maxTokens,
	}),
};

function sampled(responses, key) {
	const view = inputResponse(responses, key);
	return view.kind === 'sampling' ? view.result.content.text : undefined;
}

function listed(responses, key) {
	const view = inputResponse(responses, key);
	return view.kind === 'roots' ?
	    view.roots.map(root => root.uri).join(' ') : undefined;
}

// Tools whose question has one part: name, question, how to read the reply.
const oneQuestion = [
	['test_input_required_result_elicitation', 'user_name', ask.name,
	    (responses, key) => {
		const name = acceptedContent(responses, key)?.name;
		return typeof name === 'string' ? `Hello, ${name}!` : undefined;
	}],
	['test_input_required_result_sampling', 'capital_question',
	    () => ask.sample('What is the capital of France?', 100), sampled],
	['test_input_required_result_list_roots', 'client_roots',
	    () => inputRequired.listRoots(), listed],
];

function addRounds(add, codec) {
	for (const [name, key, question, read] of oneQuestion) {
		add(name, `Needs ${key} from the client`, (_, ctx) => {
			const reply = read(ctx.mcpReq.inputResponses, key);
			if (reply !== undefined)
				return result(text(reply));
			return inputRequired({
				inputRequests: { [key]: question() },
			});
		});
	}

	for (const [name, done] of [
		['test_input_required_result_request_state', 'state-ok'],
		['test_input_required_result_tampered_state', 'untampered'],
	]) {
		add(name, 'Carries a signed state', async (_, ctx) => {
			const state = ctx.mcpReq.requestState();
			const replies = ctx.mcpReq.inputResponses;
			if (state?.tool === name &&
			    acceptedContent(replies, 'confirm') !== undefined)
				return result(text(done));
			return inputRequired({
				inputRequests: { confirm: ask.confirm() },
				requestState: await codec.mint({ tool: name }),
			});
		});
	}

	add('test_input_required_result_multiple_inputs', 'Needs three things',
	    async (_, ctx) => {
		const replies = ctx.mcpReq.inputResponses;
		const name = acceptedContent(replies, 'user_name')?.name;
		const greeting = sampled(replies, 'greeting');
		const roots = listed(replies, 'client_roots');
		if (name && greeting && roots !== undefined)
			return result(text(`${greeting} ${name} ${roots}`));
		return inputRequired({
			inputRequests: {
				user_name: ask.name(),
				greeting: ask.sample('Generate a greeting', 50),
				client_roots: inputRequired.listRoots(),
			},
			requestState: await codec.mint({ round: 1 }),
		});
	});

	add('test_input_required_result_multi_round', 'Needs three rounds',
	    async (_, ctx) => {
		const replies = ctx.mcpReq.inputResponses;
		const state = ctx.mcpReq.requestState();
		const color = acceptedContent(replies, 'step2')?.color;
		if (state?.round === 2 && color)
			return result(text(`${state.name} likes ${color}`));
		const name = acceptedContent(replies, 'step1')?.name;
		if (state?.round === 1 && name)
			return inputRequired({
				inputRequests: { step2: ask.color() },
				requestState: await codec.mint(
				    { round: 2, name }),
			});
		return inputRequired({
			inputRequests: { step1: ask.name() },
			requestState: await codec.mint({ round: 1 }),
		});
	});
}

/* What depends on the client's capabilities. */

function addCapabilities(add, mcp) {
	add('test_input_required_result_capabilities', 'Asks what is allowed',
	    (_, ctx) => {
		const can = capabilities(mcp, ctx);
		const inputRequests = {};
		if (can.sampling)
			inputRequests.question = ask.sample('A word', 50);
		if (can.elicitation)
			inputRequests.user_name = ask.name();
		if (Object.keys(inputRequests).length === 0 ||
		    ctx.mcpReq.inputResponses !== undefined)
			return result(text('Nothing more to ask.'));
		return inputRequired({ inputRequests });
	});
	// The SDK refuses to ask a client that did not declare sampling.
	add('test_missing_capability', 'Needs sampling', (_, ctx) => {
		const word = sampled(ctx.mcpReq.inputResponses, 'question');
		if (word !== undefined)
			return result(text(word));
		return inputRequired({
			inputRequests: { question: ask.sample('A word', 50) },
		});
	});
	add('test_streaming_elicitation', 'Asks after a note', async (
	    _, ctx) => {
		await progress(ctx, 0, 1);
		if (ctx.mcpReq.inputResponses !== undefined)
			return result(text('Answered.'));
		return inputRequired({
			inputRequests: { user_name: ask.name() },
		});
	});
}

/* Schemas and headers. */

const schema2020 = {
	$schema: 'https://json-schema.org/draft/2020-12/schema',
	type: 'object',
	$defs: {
		address: {
			$anchor: 'addressDef',
			type: 'object',
			properties: { street: string(), city: string() },
		},
	},
	properties: {
		name: string(),
		address: { $ref: '#/$defs/address' },
		contactMethod: string({ enum: ['phone', 'email'] }),
		phone: string(),
		email: string(),
	},
	allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }],
	if: {
		properties: { contactMethod: { const: 'phone' } },
		required: ['contactMethod'],
	},
	then: { required: ['phone'] },
	else: { required: ['email'] },
	additionalProperties: false,
};

function addSchemas(add) {
	add('json_schema_2020_12_tool', 'Has a JSON Schema 2020-12',
	    args => result(text(JSON.stringify(args))), schema2020);
	add('test_headers', 'Mirrors an argument in a header',
	    ({ region }) => result(text(`region ${region}`)),
	    object({ region: string({ 'x-mcp-header': 'Region' }) },
	    ['region']));
}

/* Ours.  A key names one run of adit_lockstep. */

const runs = new Map();
export const bus = new InMemoryServerEventBus();
const watch = new Watch();

function find(key) {
	if (!runs.has(key))
		runs.set(key, { released: 0, state: 'unknown' });
	return runs.get(key);
}

function become(entry, state) {
	entry.state = state;
	watch.changed();
}

async function lockstep({ key, steps, quiet }, ctx) {
	const entry = find(key);
	const signal = ctx.mcpReq.signal;
	signal.addEventListener('abort', () => become(entry, 'aborted'));
	become(entry, 'running');
	for (let step = 1; step <= steps; step++) {
		if (!quiet)
			await progress(ctx, step, steps);
		await watch.until(() =>
		    entry.released >= step || signal.aborted);
		if (signal.aborted)
			throw new Error('aborted');
	}
	become(entry, 'complete');
	return result(text(`${key} complete`));
}

function addOwn(add) {
	const key = string();
	const integer = { type: 'integer', minimum: 0 };
	add('adit_echo', 'Returns its argument',
	    ({ message }) => result(text(message)),
	    object({ message: string() }, ['message']));
	add('adit_lockstep', 'Reports a step, then waits for its release',
	    lockstep, object({
		key, steps: integer, quiet: { type: 'boolean' },
	}, ['key', 'steps']));
	add('adit_release', 'Releases the steps up to this one',
	    ({ key: name, step }) => {
		find(name).released = step;
		watch.changed();
		return result(text('released'));
	}, object({ key, step: integer }, ['key', 'step']));
	add('adit_state', 'Tells when a run has reached a state',
	    async ({ key: name, state }, ctx) => {
		const entry = find(name);
		await watch.until(() => entry.state === state ||
		    ctx.mcpReq.signal.aborted);
		return result(text(entry.state));
	}, object({ key, state: string() }, ['key', 'state']));
	add('adit_listeners', 'Counts the open subscription streams',
	    () => result(text(String(bus.listenerCount))));
}

// changes: what the caller does when a list is said to have changed.
export function addTools(mcp, codec, changes) {
	const add = (name, description, call, inputSchema = object()) =>
	    mcp.registerTool(name, {
		description, inputSchema: fromJsonSchema(inputSchema),
	    }, call);

	addContent(add);
	addNotifying(add);
	addAsking(add);
	addRounds(add, codec);
	addCapabilities(add, mcp);
	addSchemas(add);
	addOwn(add);
	add('test_trigger_tool_change', 'Says the tools changed', () => {
		changes.tools();
		return result(text('said'));
	});
	add('test_trigger_prompt_change', 'Says the prompts changed', () => {
		changes.prompts();
		return result(text('said'));
	});
}
