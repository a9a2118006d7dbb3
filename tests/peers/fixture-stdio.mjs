// SPDX-License-Identifier: ISC
//
// fixture-stdio.mjs [legacy]
//
// The fixture server on standard input and output, in the revision that its
// client begins with; legacy: only those with sessions, as the 1.x SDK is.

import { load } from './peer.mjs';
import { build } from './fixture-content.mjs';

const { StdioServerTransport, serveStdio } =
    load('@modelcontextprotocol/server/stdio');

function make() {
	const mcp = build(self => ({
		tools: () => self.sendToolListChanged(),
		prompts: () => self.sendPromptListChanged(),
	}));
	return mcp;
}

function withSubscriptions(mcp) {
	for (const method of ['resources/subscribe', 'resources/unsubscribe'])
		mcp.server.setRequestHandler(method, () => ({}));
	return mcp;
}

if (process.argv[2] === 'legacy')
	await withSubscriptions(make()).connect(new StdioServerTransport());
else
	serveStdio(({ era }) => era === 'modern' ? make()
	    : withSubscriptions(make()));
