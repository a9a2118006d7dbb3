// SPDX-License-Identifier: ISC
// adit-frame(5) for the fakes: a second implementation, written from the
// manual page, so that the tests do not only compare the C code with itself.
// It grants credit at once, unless stingy, and keeps to the peer's.

export const TYPE = {
	HELLO: 1, AUTH: 2, PING: 3, PONG: 4, GOAWAY: 5, WINDOW: 6,
	OPEN: 0x10, DATA: 0x11, END: 0x12, RESET: 0x13, EVENT: 0x14,
};

export const CODE = {
	cancelled: 1, aborted: 2, refused: 3, unreachable: 4, timeout: 5,
	limit: 6, protocol: 7, internal: 8, draining: 9, unauthorized: 10,
	revoked: 11, replaced: 12, 'no-route': 13, 'no-link': 14, denied: 15,
};

export const BLAME = {
	client: 1, edge: 2, link: 3, connector: 4, proxy: 5, policy: 6,
	dns: 7, connect: 8, tls: 9, upstream: 10, sandbox: 11,
};

const PREAMBLE = Buffer.from('616469740d0a0101', 'hex');
const HEADER_LEN = 12;
const FRAME_MAX = 16384;

export function nameOf(table, value) {
	return Object.keys(table).find((k) => table[k] === value) ??
		String(value);
}

export function reason(code, blame, text = '') {
	const head = Buffer.alloc(4);

	head.writeUInt16BE(code, 0);
	head[2] = blame;
	return Buffer.concat([head, Buffer.from(text)]);
}

export function parseReason(payload) {
	return {
		code: nameOf(CODE, payload.readUInt16BE(0)),
		blame: nameOf(BLAME, payload[2]),
		text: payload.subarray(4).toString(),
	};
}

// One end of a hop.  input and output are streams of node; on has functions
// named like the frames: hello(json), auth(token), goaway(reason, last),
// open(stream, json), data(stream, bytes, channel), end(stream),
// event(stream, json), reset(stream, reason).
export class Hop {
	constructor(input, output, on) {
		this.output = output;
		this.on = on;
		this.pending = Buffer.alloc(0);
		this.greeted = false;
		this.credit = 0;
		this.streams = new Map();
		this.waiting = [];
		this.mute = false;
		output.write(PREAMBLE);
		input.on('data', (bytes) => this.take(bytes));
	}

	send(type, stream, payload = Buffer.alloc(0)) {
		const head = Buffer.alloc(HEADER_LEN);

		head[0] = type;
		head.writeUInt32BE(stream, 4);
		head.writeUInt32BE(payload.length, 8);
		this.output.write(Buffer.concat([head, payload]));
	}

	json(type, stream, value) {
		this.send(type, stream, Buffer.from(JSON.stringify(value)));
	}

	window(stream, credit) {
		const payload = Buffer.alloc(4);

		payload.writeUInt32BE(credit);
		this.send(TYPE.WINDOW, stream, payload);
	}

	open(stream, json) {
		this.streams.set(stream, { credit: this.first });
		this.json(TYPE.OPEN, stream, json);
	}

	data(stream, bytes) {
		for (let at = 0; at < bytes.length; at += FRAME_MAX)
			this.waiting.push([TYPE.DATA, stream,
				bytes.subarray(at, at + FRAME_MAX)]);
		this.flush();
	}

	end(stream) {
		this.waiting.push([TYPE.END, stream, Buffer.alloc(0)]);
		this.flush();
	}

	// Sends in order what the credit allows; one stream may hold up others
	// here, which the tests of the C code do elsewhere.
	flush() {
		while (this.waiting.length !== 0) {
			const [type, stream, payload] = this.waiting[0];
			const s = this.streams.get(stream);

			if (s !== undefined) {
				if (payload.length > s.credit ||
				    payload.length > this.credit)
					return;
				s.credit -= payload.length;
				this.credit -= payload.length;
				this.send(type, stream, payload);
			}
			this.waiting.shift();
		}
	}

	take(bytes) {
		this.pending = Buffer.concat([this.pending, bytes]);
		if (!this.greeted) {
			if (this.pending.length < PREAMBLE.length)
				return;
			if (!this.pending.subarray(0, PREAMBLE.length)
				.equals(PREAMBLE))
				throw new Error('bad preamble');
			this.pending = this.pending.subarray(PREAMBLE.length);
			this.greeted = true;
		}
		while (this.pending.length >= HEADER_LEN) {
			const len = this.pending.readUInt32BE(8);
			const whole = HEADER_LEN + len;

			if (this.pending.length < whole)
				return;
			this.frame(this.pending[0],
				this.pending.readUInt32BE(4),
				this.pending.subarray(HEADER_LEN, whole),
				this.pending.readUInt16BE(2));
			this.pending = this.pending.subarray(whole);
		}
	}

	hello(json) {
		const limits = json.limits ?? {};

		this.first = limits.window ?? 65536;
		this.credit = limits.connection_window ?? 67108864;
		this.on.hello?.(json);
	}

	grant(stream, more) {
		const s = this.streams.get(stream);

		if (stream === 0)
			this.credit += more;
		else if (s !== undefined)
			s.credit += more;
		this.flush();
	}

	received(stream, payload, channel) {
		if (!this.streams.has(stream))
			return;
		if (this.stingy !== true) {
			this.window(stream, payload.length);
			this.window(0, payload.length);
		}
		this.on.data?.(stream, payload, channel);
	}

	opened(stream, payload) {
		let json;

		try {
			json = JSON.parse(payload);
		} catch {
			this.send(TYPE.RESET, stream, reason(CODE.protocol,
				BLAME.connector, 'OPEN: no JSON'));
			return;
		}
		this.streams.set(stream, { credit: this.first });
		this.on.open?.(stream, json);
	}

	frame(type, stream, payload, channel) {
		if (this.mute)
			return;
		switch (type) {
		case TYPE.HELLO: return this.hello(JSON.parse(payload));
		case TYPE.AUTH: return this.on.auth?.(payload.toString());
		case TYPE.PING: return this.send(TYPE.PONG, 0, payload);
		case TYPE.GOAWAY:
			return this.on.goaway?.(parseReason(payload), stream);
		case TYPE.WINDOW:
			return this.grant(stream, payload.readUInt32BE(0));
		case TYPE.OPEN: return this.opened(stream, payload);
		case TYPE.DATA: return this.received(stream, payload, channel);
		case TYPE.EVENT:
			return this.on.event?.(stream, JSON.parse(payload));
		case TYPE.END: return this.on.end?.(stream);
		case TYPE.RESET:
			this.streams.delete(stream);
			return this.on.reset?.(stream, parseReason(payload));
		default: return undefined;
		}
	}
}
