// SPDX-License-Identifier: ISC
//
// everything.mjs [--port 0] [--ready-fd N]
//
// Runs @modelcontextprotocol/server-everything, unmodified, as a Streamable
// HTTP server on loopback at /mcp (plain HTTP, session-based revisions).  That
// package takes only a fixed port and does not tell when it listens; this adds
// both.

import http from 'node:http';
import { pathToFileURL } from 'node:url';
import { dirname, join } from 'node:path';
import { load, options, ready } from './peer.mjs';

const opt = options('everything', { port: '0', 'ready-fd': undefined });

const listen = http.Server.prototype.listen;
http.Server.prototype.listen = function (port, ...rest) {
	this.once('listening', () => ready(this, opt['ready-fd']));
	return listen.call(this, Number(port), '127.0.0.1', ...rest);
};

// Its log would mix with our data.
console.log = () => {};
console.error = () => {};
process.env.PORT = opt.port;
const manifest = load.resolve(
    '@modelcontextprotocol/server-everything/package.json');
await import(pathToFileURL(join(dirname(manifest),
    'dist/transports/streamableHttp.js')));
