// SPDX-License-Identifier: ISC
//
// Runs a list of steps on a socket, for fakes that must send exactly given
// bytes and notice exactly how the other end closes:
//
//   send=TEXT     sends it; \r \n \t \0 \xNN and \\ are escapes
//   bytes=N       sends N bytes "x" and waits until they were taken
//   expect=REGEX  waits until what came since the last expect matches
//   count=N       waits until N more bytes came
//   wait=MS       waits that long
//   file=PATH     waits until that file is there and not empty
//   beat=PATH TEXT  sends TEXT again and again until that file is there
//   touch=PATH    makes such a file
//   pause         reads no more until the next expect or hold
//   end           ends our direction cleanly
//   reset         resets the connection
//   hold          waits until the other end closes
//
// What came is kept in .text (Latin-1), how it ended in .ending: "clean",
// "reset" or "" so far.

import fs from 'node:fs';

const escapes = { r: '\r', n: '\n', t: '\t', 0: '\0', '\\': '\\' };

export function unescape(text) {
	return text.replace(/\\(x([0-9a-fA-F]{2})|.)/g, (_, c, hex) =>
	    hex ? String.fromCharCode(parseInt(hex, 16)) : escapes[c] ?? c);
}

function sleep(ms) {
	return new Promise((resolve) => setTimeout(resolve, ms));
}

function isWritten(path) {
	return fs.statSync(path, { throwIfNoEntry: false })?.size > 0;
}

export class Raw {
	constructor(socket, tcp = socket) {
		this.socket = socket;
		this.tcp = tcp;
		this.text = '';
		this.seen = 0;
		this.ending = '';
		this.waiter = () => {};
		socket.on('data', (d) => {
			this.text += d.toString('latin1');
			this.waiter();
		});
		socket.on('drain', () => this.waiter());
		socket.on('end', () => this.over('clean'));
		socket.on('close', () => this.over('clean'));
		socket.on('error', () => this.over('reset'));
	}

	over(how) {
		this.ending ||= how;
		this.waiter();
	}

	async until(ready) {
		while (!ready())
			await new Promise((resolve) => { this.waiter = resolve; });
	}

	async bytes(n) {
		const block = Buffer.alloc(65536, 'x');
		while (n > 0 && !this.ending) {
			const part = block.subarray(0, Math.min(n, block.length));
			n -= part.length;
			this.socket.write(part);
			await this.until(() => this.ending ||
			    this.socket.writableLength < block.length);
		}
	}

	async step(text) {
		const at = text.indexOf('=');
		const name = at < 0 ? text : text.slice(0, at);
		const value = at < 0 ? '' : text.slice(at + 1);
		switch (name) {
		case 'send':
			this.socket.write(Buffer.from(unescape(value), 'latin1'));
			break;
		case 'bytes':
			await this.bytes(Number(value));
			break;
		case 'expect': {
			const regex = new RegExp(value, 's');
			this.socket.resume();
			await this.until(() => this.ending ||
			    regex.test(this.text.slice(this.seen)));
			const match = regex.exec(this.text.slice(this.seen));
			if (!match)
				throw new Error(`${this.ending} before ${value}`);
			this.seen += match.index + match[0].length;
			break;
		}
		case 'count':
			this.seen += Number(value);
			await this.until(() => this.ending ||
			    this.text.length >= this.seen);
			if (this.text.length < this.seen)
				throw new Error(`only ${this.text.length} bytes`);
			break;
		case 'wait':
			await sleep(Number(value));
			break;
		case 'file':
			while (!this.ending && !isWritten(value))
				await sleep(5);
			break;
		case 'beat': {
			const [path, ...rest] = value.split(' ');
			while (!this.ending && !isWritten(path)) {
				await this.step(`send=${rest.join(' ')}`);
				await sleep(20);
			}
			break;
		}
		case 'touch':
			fs.writeFileSync(value, '\n');
			break;
		case 'pause':
			this.socket.pause();
			break;
		case 'end':
			this.socket.end();
			break;
		case 'reset':
			this.tcp.resetAndDestroy();
			this.ending ||= 'ours';
			break;
		case 'hold':
			this.socket.resume();
			await this.until(() => this.ending);
			break;
		default:
			throw new Error(`unknown step ${text}`);
		}
	}

	async run(steps) {
		for (const step of steps)
			await this.step(step);
	}
}
