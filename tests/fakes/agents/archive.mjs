// SPDX-License-Identifier: ISC
//
// Makes zip and tar archives, well-formed and hostile.  A member is {name,
// data, mode, type, link}: type is "file", "dir", "symlink", "hardlink",
// "fifo", "char".

import zlib from 'node:zlib';

const MODES = { file: 0o100000, dir: 0o040000, symlink: 0o120000,
	fifo: 0o010000, char: 0o020000, hardlink: 0o100000 };
const TAR_TYPES = { file: '0', hardlink: '1', symlink: '2', char: '3',
	dir: '5', fifo: '6' };

const bytes = (data) => Buffer.from(data ?? '');

function normal(member) {
	const type = member.type ?? (member.name.endsWith('/') ? 'dir' : 'file');
	return { ...member, type,
	    mode: member.mode ?? (type === 'dir' ? 0o755 : 0o644),
	    data: type === 'symlink' ? bytes(member.link) : bytes(member.data) };
}

// gzip's header has 10 bytes, its trailer the CRC, which zlib alone does not
// give in every Node 20.
function pack(data) {
	const gz = zlib.gzipSync(data, { level: 1 });
	return { deflated: gz.subarray(10, -8), crc: gz.readUInt32LE(gz.length - 8) };
}

function zipHeader(m, packed, crc, offset) {
	const name = bytes(m.name);
	const head = Buffer.alloc(26);
	head.writeUInt16LE(20, 0);
	head.writeUInt16LE(0x800, 2); // UTF-8 names
	head.writeUInt16LE(m.store ? 0 : 8, 4);
	head.writeUInt16LE(0, 6);
	head.writeUInt16LE(0x5b21, 8); // a date
	head.writeUInt32LE(m.crc ?? crc, 10);
	head.writeUInt32LE(packed.length, 14);
	head.writeUInt32LE(m.size ?? m.data.length, 18);
	head.writeUInt16LE(name.length, 22);
	const local = Buffer.concat([Buffer.from('PK\x03\x04'), head, name]);
	const tail = Buffer.alloc(14);
	tail.writeUInt32LE(((MODES[m.type] | m.mode) << 16) >>> 0, 6);
	tail.writeUInt32LE(offset, 10);
	const central = Buffer.concat([Buffer.from('PK\x01\x02\x14\x03', 'latin1'),
	    head, tail, name]);
	return { local, central };
}

export function zip(members) {
	const body = [];
	const central = [];
	let offset = 0;
	for (const m of members.map(normal)) {
		const { deflated, crc } = pack(m.data);
		const packed = m.store ? m.data : deflated;
		const head = zipHeader(m, packed, crc, offset);
		body.push(head.local, packed);
		central.push(head.central);
		offset += head.local.length + packed.length;
	}
	const size = central.reduce((n, part) => n + part.length, 0);
	const end = Buffer.alloc(22);
	end.write('PK\x05\x06', 'latin1');
	end.writeUInt16LE(members.length & 0xffff, 8);
	end.writeUInt16LE(members.length & 0xffff, 10);
	end.writeUInt32LE(size, 12);
	end.writeUInt32LE(offset, 16);
	return Buffer.concat([...body, ...central, end]);
}

export function tar(members, { gzip = true } = {}) {
	const parts = [];
	for (const m of members.map(normal)) {
		const data = m.type === 'file' ? m.data : Buffer.alloc(0);
		const head = Buffer.alloc(512);
		head.write(m.name, 0, 100);
		head.write(m.mode.toString(8).padStart(7, '0'), 100);
		head.write('0000000', 108);
		head.write('0000000', 116);
		head.write(data.length.toString(8).padStart(11, '0'), 124);
		head.write('14720000000', 136);
		head.write('        ', 148);
		head.write(TAR_TYPES[m.type], 156);
		head.write(m.link ?? '', 157, 100);
		head.write('ustar\x0000', 257, 'latin1');
		let sum = 0;
		for (let i = 0; i < head.length; i++)
			sum += head[i];
		head.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
		parts.push(head, data, Buffer.alloc(-data.length & 511));
	}
	parts.push(Buffer.alloc(1024));
	const all = Buffer.concat(parts);
	return gzip ? zlib.gzipSync(all) : all;
}
