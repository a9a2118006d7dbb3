// SPDX-License-Identifier: ISC
// The local side of tunnel-up, as a child on stdin and stdout or, with the
// argument listen=PATH, behind a Unix socket: each stream is an echo.  What
// it knows of its environment goes to standard error.
//
//   die-on=WORD   exits with status 9 when a stream says WORD
//   hello=no      never says HELLO
//   streams=N     takes so many streams at once
//   status=N      ends with this status before anything else
//   heed=hangup   says when SIGHUP comes
import net from 'node:net';
import { BLAME, CODE, Hop, TYPE, reason } from './frames.mjs';

const opts = Object.fromEntries(process.argv.slice(2).map((a) => [
	a.slice(0, a.indexOf('=')), a.slice(a.indexOf('=') + 1)]));

const limits = opts.streams ? { streams: Number(opts.streams) } : {};

function serve(input, output) {
	const hop = new Hop(input, output, {
		hello: () => {
			if (opts.hello !== 'no')
				hop.json(TYPE.HELLO, 0, { name: 'fake-proxy',
					limits });
		},
		open: (stream, json) =>
			console.error(`open ${stream} ${JSON.stringify(json)}`),
		data: (stream, bytes) => {
			const text = bytes.toString();

			if (opts['die-on'] && text.includes(opts['die-on']))
				process.exit(9);
			if (text.startsWith('reset'))
				hop.send(TYPE.RESET, stream, reason(CODE.denied,
					BLAME.upstream, 'as you wish'));
			else
				hop.data(stream, bytes);
		},
		end: (stream) => hop.end(stream),
		goaway: (why) => console.error(`goaway ${why.code}`),
		reset: (stream, why) => console.error(
			`reset ${stream} ${why.code}/${why.blame} ${why.text}`),
	});
	return hop;
}

if (opts.status) {
	process.exitCode = Number(opts.status);
} else if (opts.listen) {
	net.createServer((socket) => {
		socket.on('error', () => {});
		serve(socket, socket);
	}).listen(opts.listen);
} else {
	if (opts.heed === 'hangup')
		process.on('SIGHUP', () => console.error('hangup'));
	console.error(`pid ${process.pid}`);
	serve(process.stdin, process.stdout);
	process.stdin.on('end', () => {
		console.error('end of file');
		process.exit(0);
	});
}
