// SPDX-License-Identifier: ISC
//
// answer-upstream.mjs ADDRESS PORT: answers every POST as an MCP server
// answers initialize.  Writes a line to descriptor 3 once it listens.

import http from 'node:http';
import fs from 'node:fs';

http.createServer((req, res) => {
	req.resume();
	res.writeHead(200, { 'Content-Type': 'application/json' });
	res.end(`${JSON.stringify({ jsonrpc: '2.0', id: 1, result: {
		protocolVersion: '2025-11-25', capabilities: {},
		serverInfo: { name: 'answer', version: '1' } } })}\n`);
}).listen(Number(process.argv[3]), process.argv[2], () => {
	fs.writeSync(3, '\n');
	fs.closeSync(3);
});
