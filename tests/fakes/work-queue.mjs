// SPDX-License-Identifier: ISC
//
// work-queue.mjs LOG [STATUS]: the work queue of one environment on loopback.
// POST /add ID puts a session's item into it; LOG gets one line per request of
// a worker.  With STATUS every poll is answered with that.  Writes its port to
// descriptor 9 when it listens.

import fs from 'node:fs';
import http from 'node:http';

const [log, status] = process.argv.slice(2);
const queue = [];

function item(id, state) {
	return {
		id, type: 'work', environment_id: 'env_1', state,
		data: { type: 'session', id: `sesn_${id}` },
		secret: Buffer.from(JSON.stringify({ sessions_token: 't' }))
			.toString('base64url'),
	};
}

function answer(res, code, value) {
	res.writeHead(code, { 'content-type': 'application/json' });
	res.end(value === undefined ? '' : JSON.stringify(value));
}

function serve(req, res) {
	const { pathname } = new URL(req.url, 'http://h');

	if (pathname.startsWith('/add/')) {
		queue.push(pathname.slice(5));
		answer(res, 200, queue.length);
		return;
	}
	fs.appendFileSync(log, `${req.method} ${req.url}\n`);
	if (pathname.endsWith('/poll')) {
		const id = queue.shift();

		if (status)
			answer(res, Number(status), { type: 'error', error: {
				type: 'authentication_error', message: 'no' } });
		else
			answer(res, 200, id ? item(id, 'queued') : null);
	} else if (pathname.endsWith('/ack')) {
		answer(res, 200, item(pathname.split('/').at(-2), 'starting'));
	} else {
		res.writeHead(204).end();
	}
}

const server = http.createServer(serve);

server.listen(0, '127.0.0.1', () => {
	fs.writeSync(9, `${server.address().port}\n`);
	fs.closeSync(9);
});
