// SPDX-License-Identifier: ISC
//
// stdio-servers.mjs --url URL [--connect HOST:PORT] --client CLIENT
//     filesystem DIR | memory | fixture
//
// Uses a public stdio server, unmodified, as an agent would: v1 is the 1.x
// client of the TypeScript SDK; legacy, auto and pin the 2.x one, whose era is
// that.  Prints the revision that was agreed on.  Exits 0 if all was right.

import { address, fail, load, options } from './peer.mjs';
import { check, equal } from './tap.mjs';
import { dial } from './dial.mjs';

const tool = 'stdio-servers';
const opt = options(tool, {
	url: null, connect: undefined, client: null,
});
dial(opt.connect && address(tool, opt.connect));

async function connectV1() {
	const { Client } = load('@modelcontextprotocol/sdk/client/index.js');
	const { StreamableHTTPClientTransport } =
	    load('@modelcontextprotocol/sdk/client/streamableHttp.js');
	const transport = new StreamableHTTPClientTransport(new URL(opt.url));
	const client = new Client({ name: tool, version: '1.0.0' });
	await client.connect(transport);
	return { client, transport, version: transport.protocolVersion,
		call: (name, args) =>
		    client.callTool({ name, arguments: args }) };
}

async function connectV2(mode) {
	const { Client, StreamableHTTPClientTransport } =
	    load('@modelcontextprotocol/client');
	const client = new Client({ name: tool, version: '1.0.0' },
	    { versionNegotiation: { mode } });
	const transport = new StreamableHTTPClientTransport(new URL(opt.url));
	await client.connect(transport);
	return { client, transport,
		version: client.getNegotiatedProtocolVersion(),
		call: (name, args) =>
		    client.callTool({ name, arguments: args }) };
}

const modes = { legacy: 'legacy', auto: 'auto', pin: { pin: '2026-07-28' } };
const text = result => {
	check(!result.isError, JSON.stringify(result));
	return result.content[0].text;
};

const servers = {
	async filesystem({ client, call }, dir) {
		const content = 'Grüße\n'.repeat(10000);
		const { tools } = await client.listTools();
		check(tools.some(t => t.name === 'read_text_file'), 'no tool');
		text(await call('write_file', { path: `${dir}/a`, content }));
		equal(text(await call('read_text_file', { path: `${dir}/a` })),
		    content, 'what was written');
		const outside = await call('read_text_file',
		    { path: '/etc/passwd' });
		check(outside.isError, 'the server reads anything');
	},
	async memory({ call }) {
		text(await call('create_entities', { entities: [{
			name: 'adit', entityType: 'tool',
			observations: ['bridges'],
		}] }));
		check(text(await call('read_graph', {})).includes('bridges'),
		    'it has forgotten');
	},
	async fixture({ call }) {
		equal(text(await call('adit_echo', { message: 'm' })), 'm',
		    'echo');
	},
};

const peer = opt.client === 'v1' ? await connectV1() :
    await connectV2(modes[opt.client] ?? fail(2, tool, opt.client));
const [server, ...args] = opt.operands;
await servers[server](peer, ...args);
console.log(peer.version);
await peer.transport.terminateSession?.();
await peer.client.close();
