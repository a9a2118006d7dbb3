// SPDX-License-Identifier: ISC
//
// What every script here shares: packages from the directory that "run" names
// (they are never installed beside the scripts), options, and readiness.

import { createRequire } from 'node:module';
import { writeSync, closeSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

export const peersDir = process.env.PEERS_DIR;
if (peersDir === undefined) {
	console.error('PEERS_DIR: not set; start this through "run"');
	process.exit(2);
}
export const load = createRequire(join(peersDir, 'package.json'));

// Ends with one line on stderr, as all tools here do.
export function fail(status, ...words) {
	console.error(words.join(': '));
	process.exit(status);
}

// spec: option name -> default; a default of undefined makes it optional, a
// list makes it repeatable, null makes it required.
export function options(tool, spec) {
	const config = {};
	for (const [name, value] of Object.entries(spec)) {
		config[name] = { type: 'string' };
		if (Array.isArray(value))
			config[name].multiple = true;
	}
	let parsed;
	try {
		parsed = parseArgs({ options: config, allowPositionals: true });
	} catch (error) {
		fail(2, tool, error.message);
	}
	const values = { ...spec, ...parsed.values };
	for (const [name, value] of Object.entries(values))
		if (value === null)
			fail(2, tool, `--${name}`, 'missing');
	return { ...values, operands: parsed.positionals };
}

// HOST:PORT or [HOST]:PORT.
export function address(tool, text) {
	const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(text);
	if (match === null)
		fail(2, tool, text, 'not HOST:PORT');
	return { host: match[1] ?? match[2], port: Number(match[3]) };
}

// Tells the caller the real port: one line, on the descriptor it named or else
// on stdout.
export function ready(server, fd) {
	const line = `${server.address().port}\n`;
	if (fd === undefined) {
		process.stdout.write(line);
		return;
	}
	writeSync(Number(fd), line);
	closeSync(Number(fd));
}
