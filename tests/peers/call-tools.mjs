// SPDX-License-Identifier: ISC
//
// call-tools.mjs --url URL [--connect HOST:PORT] --calls FILE
//
// Makes the calls of FILE, a JSON list of [tool, input], through the 1.x client
// of the MCP SDK; prints each result as a line {"is_error", "text"}.

import fs from 'node:fs';
import { dial } from './dial.mjs';
import { address, load, options } from './peer.mjs';

const { Client } = load('@modelcontextprotocol/sdk/client/index.js');
const { StreamableHTTPClientTransport } =
    load('@modelcontextprotocol/sdk/client/streamableHttp.js');

const tool = 'call-tools';
const o = options(tool, { url: null, connect: undefined, calls: null });
dial(o.connect && address(tool, o.connect));

const client = new Client({ name: tool, version: '1.0.0' });
await client.connect(new StreamableHTTPClientTransport(new URL(o.url)));
for (const [name, input] of JSON.parse(fs.readFileSync(o.calls, 'utf8'))) {
	const result = await client.callTool({ name, arguments: input });
	console.log(JSON.stringify({ is_error: result.isError ?? false,
	    text: result.content.map((b) => b.text ?? '').join('') }));
}
await client.close();
