// SPDX-License-Identifier: ISC
//
// The fixture server itself, whatever carries it: its tools, prompts and
// resources with the names that the conformance suite asks for.

import { randomBytes } from 'node:crypto';
import { load } from './peer.mjs';
import { PNG, addTools, image, text } from './fixture-tools.mjs';

const {
	McpServer, ResourceTemplate, completable, createRequestStateCodec,
	inputRequired, acceptedContent,
} = load('@modelcontextprotocol/server');
const z = load('zod');

const STATIC_TEXT = 'This is the content of the static text resource.';

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

// changes: what tells clients that a list has changed.
export function build(changes) {
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
