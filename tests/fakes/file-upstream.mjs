// SPDX-License-Identifier: ISC
//
// file-upstream.mjs [--ready-fd N] FILE
//
// An HTTP server on loopback that answers each request with the bytes that
// FILE has then, head and all, and ends the connection; or resets it when
// FILE.reset exists.  What it was asked is in FILE.got.

import fs from 'node:fs';
import net from 'node:net';

const args = process.argv.slice(2);
const readyFd = args[0] === '--ready-fd' ? Number(args.splice(0, 2)[1]) : 1;
const file = args[0];

// Whether the head and as much of a body as it announces have come.
function isWhole(text) {
	const end = text.indexOf('\r\n\r\n');
	const length = /\r\nContent-Length: *(\d+)/i.exec(text)?.[1] ?? '0';
	return end >= 0 && text.length >= end + 4 + Number(length);
}

const server = net.createServer({ allowHalfOpen: true }, (socket) => {
	let got = '';
	socket.on('error', () => {});
	socket.on('data', (d) => {
		got += d.toString('latin1');
		if (!isWhole(got))
			return;
		fs.writeFileSync(`${file}.got`, got, 'latin1');
		const bytes = fs.readFileSync(file);
		if (fs.existsSync(`${file}.reset`))
			socket.write(bytes, () => setTimeout(() =>
			    socket.resetAndDestroy(), 100));
		else
			socket.end(bytes);
	});
});
server.listen(0, '127.0.0.1', () => {
	fs.writeSync(readyFd, `${server.address().port}\n`);
	fs.closeSync(readyFd);
});
