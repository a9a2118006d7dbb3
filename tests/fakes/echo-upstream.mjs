// SPDX-License-Identifier: ISC
//
// echo-upstream.mjs --ready-fd N --dir DIR [--socket PATH]: an MCP server by
// HTTP that answers every request with what it asked for.  What request N was
// goes to DIR/N.head, its header lines as they came, and DIR/N.body.  On a port
// of the loopback, which goes to the descriptor, or on a Unix socket.

import fs from 'node:fs';
import http from 'node:http';
import { parseArgs } from 'node:util';

const { values: opt } = parseArgs({ options: {
	'ready-fd': { type: 'string' }, dir: { type: 'string' },
	socket: { type: 'string' },
} });
let count = 0;

function answer(m) {
	return m.id === undefined || m.method === undefined ? []
	    : [{ jsonrpc: '2.0', id: m.id, result: { got: m.method } }];
}

function head(req) {
	let text = `${req.method} ${req.url}\n`;

	for (let i = 0; i < req.rawHeaders.length; i += 2)
		text += `${req.rawHeaders[i]}: ${req.rawHeaders[i + 1]}\n`;
	return text;
}

function reply(req, res, body) {
	const n = ++count;
	const m = body.length === 0 ? [] : JSON.parse(body);
	const all = Array.isArray(m) ? m.flatMap(answer) : answer(m);

	fs.writeFileSync(`${opt.dir}/${n}.head`, head(req));
	fs.writeFileSync(`${opt.dir}/${n}.body`, body);
	if (all.length === 0) {
		res.writeHead(202).end();
		return;
	}
	res.writeHead(200, { 'Content-Type': 'application/json' });
	res.end(JSON.stringify(Array.isArray(m) ? all : all[0]));
}

const server = http.createServer((req, res) => {
	const parts = [];

	req.on('data', (d) => parts.push(d));
	req.on('end', () => reply(req, res, Buffer.concat(parts)));
});

server.listen(opt.socket ?? { host: '127.0.0.1', port: 0 }, () => {
	const fd = Number(opt['ready-fd']);

	fs.writeSync(fd, `${server.address().port ?? 'ready'}\n`);
	fs.closeSync(fd);
});
