// SPDX-License-Identifier: ISC
//
// raw-upstream.mjs --ready-fd N [--tls CERT KEY] --dir DIR STEP... [-- STEP...]
//
// A server on loopback that does the first list of steps (raw.mjs) on its
// first connection and so on; the last list is for all further ones.  The
// bytes that connection N sent are in DIR/N, and standard output has the lines
// "N open" and "N clean" or "N reset" as they happen.

import fs from 'node:fs';
import net from 'node:net';
import tls from 'node:tls';
import { Raw } from './raw.mjs';

const args = process.argv.slice(2);
const options = { readyFd: 1, dir: '.', tls: null };
const lists = [[]];

while (args.length > 0) {
	const arg = args.shift();
	if (arg === '--ready-fd')
		options.readyFd = Number(args.shift());
	else if (arg === '--dir')
		options.dir = args.shift();
	else if (arg === '--tls')
		options.tls = { cert: fs.readFileSync(args.shift()),
		    key: fs.readFileSync(args.shift()) };
	else if (arg === '--')
		lists.push([]);
	else
		lists[lists.length - 1].push(arg);
}

let count = 0;

function log(line) {
	fs.writeSync(1, `${line}\n`);
}

async function serve(socket) {
	const n = ++count;
	const file = `${options.dir}/${n}`;
	const raw = new Raw(socket);
	fs.writeFileSync(file, '');
	log(`${n} open`);
	socket.on('data', (d) => fs.appendFileSync(file, d));
	const over = () => {
		if (raw.logged || !raw.ending)
			return;
		raw.logged = true;
		log(`${n} ${raw.ending}`);
	};
	for (const event of ['end', 'close', 'error'])
		socket.on(event, over);
	try {
		await raw.run(lists[Math.min(n, lists.length) - 1]);
	} catch (e) {
		log(`${n} failed: ${e.message}`);
	}
}

const server = options.tls
    ? tls.createServer({ ...options.tls, allowHalfOpen: true }, serve)
    : net.createServer({ allowHalfOpen: true, noDelay: true }, serve);
server.on('tlsClientError', (e) => log(`tls ${e.code}`));
server.listen(0, '127.0.0.1', () => {
	fs.writeSync(options.readyFd, `${server.address().port}\n`);
	fs.closeSync(options.readyFd);
});
