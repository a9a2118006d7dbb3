// SPDX-License-Identifier: ISC
//
// client-v2.mjs --url URL [--connect HOST:PORT] [--timeout MS] [CASE...|all]
//
// The 2.x client of the TypeScript SDK, unmodified and pinned to the stateless
// revision 2026-07-28, against fixture-server.  Prints TAP; exits 0 if every
// case passed.  --connect dials that address whatever the URL says;
// NODE_EXTRA_CA_CERTS names the CA of an https URL.
//
// Cases: discover list call large progress parallel cancel cancel-quiet input
// listen

import { address, load, options } from './peer.mjs';
import { Watch, check, equal, run, within } from './tap.mjs';
import { dial } from './dial.mjs';
import * as steps from './steps.mjs';

const { Client, StreamableHTTPClientTransport } =
    load('@modelcontextprotocol/client');

const REVISION = '2026-07-28';

const tool = 'client-v2';
const opt = options(tool, {
	url: null, connect: undefined, timeout: '20000',
});
dial(opt.connect && address(tool, opt.connect));

async function withPeer(use) {
	const client = new Client({ name: tool, version: '1.0.0' }, {
		capabilities: { elicitation: {} },
		versionNegotiation: { mode: { pin: REVISION } },
	});
	client.setRequestHandler('elicitation/create', () =>
	    ({ action: 'accept', content: { name: 'Ada' } }));
	const transport = new StreamableHTTPClientTransport(new URL(opt.url));
	await client.connect(transport);
	const call = async (name, args, options) => {
		const result = await client.callTool(
		    { name, arguments: args }, options);
		check(!result.isError, `${name}: ${JSON.stringify(result)}`);
		return result.content[0].text;
	};
	await use({ client, transport, call });
	await client.close();
}

// A subscription is one long POST; closing it must reach the server.
async function listen({ client, call }) {
	let count = 0;
	const watch = new Watch();
	const changed = 'notifications/tools/list_changed';
	client.setNotificationHandler(changed, () => {
		count++;
		watch.changed();
	});
	const before = await call('adit_listeners', {});
	const stream = await within(steps.SOON_MS,
	    client.listen({ toolsListChanged: true }), 'no acknowledgement');
	equal(stream.honoredFilter.toolsListChanged, true, 'filter');
	for (let round = 1; round <= 3; round++) {
		await call('test_trigger_tool_change', {});
		await within(steps.SOON_MS, watch.until(() => count >= round),
		    `notification ${round} did not arrive`);
	}
	await call('test_trigger_prompt_change', {});
	equal(count, 3, 'notifications');
	await stream.close();
	equal(await stream.closed, 'local', 'the stream ended');
	const until = Date.now() + steps.SOON_MS;
	while (await call('adit_listeners', {}) !== before)
		check(Date.now() < until, 'the server still has the stream');
}

const cases = {
	discover: () => withPeer(async ({ client, transport }) => {
		equal(client.getNegotiatedProtocolVersion(), REVISION,
		    'revision');
		equal(client.getServerVersion()?.name, 'adit-fixture',
		    'server');
		check(client.getDiscoverResult().supportedVersions
		    .includes(REVISION), 'not offered');
		equal(transport.sessionId, undefined, 'session');
	}),
	list: () => withPeer(async ({ client }) => {
		const { tools } = await client.listTools();
		check(tools.some(t => t.name === 'adit_echo'), 'no echo tool');
		check((await client.listPrompts()).prompts.length > 0,
		    'no prompts');
		check((await client.listResources()).resources.length > 0,
		    'no resources');
	}),
	call: () => withPeer(async ({ client, call }) => {
		const message = 'grüße, 世界';
		equal(await call('adit_echo', { message }), message, 'echo');
		// The argument also goes out as a header, encoded.
		await client.listTools();
		equal(await call('test_headers', { region: message }),
		    `region ${message}`, 'mirrored argument');
	}),
	large: () => withPeer(({ call }) => steps.largeEcho(call, 'adit_echo')),
	progress: () => withPeer(({ call }) => steps.progress(call)),
	parallel: () => withPeer(({ call }) => steps.parallel(call)),
	cancel: () => withPeer(({ call }) => steps.cancel(call, false)),
	'cancel-quiet': () => withPeer(({ call }) => steps.cancel(call, true)),
	input: () => withPeer(async ({ call }) => equal(
	    await call('test_input_required_result_elicitation', {}),
	    'Hello, Ada!', 'result after a second round')),
	listen: () => withPeer(listen),
};

process.exit(await run(cases, opt.operands, Number(opt.timeout)));
