// SPDX-License-Identifier: ISC
//
// agents-golden.mjs LOG LOG: two workers made the same requests in the same
// scenario: method, path, query keys and JSON bodies.  Prints the difference
// and exits 1.  How often one asks for work, beats, or repeats a request that
// failed is no difference, nor is the order of downloads, nor U+FFFD for NUL.

import fs from 'node:fs';

const UNORDERED = /^(skill|memor)/;
const TIMED = new Set(['poll', 'heartbeat']);

function canonical(value) {
	if (Array.isArray(value))
		return value.map(canonical);
	if (value !== null && typeof value === 'object')
		return Object.fromEntries(Object.keys(value).sort()
		    .map((key) => [key, canonical(value[key])]));
	return value;
}

function requests(file) {
	const lines = fs.readFileSync(file, 'utf8').split('\n')
	    .filter((line) => line !== '').map((line) => JSON.parse(line));
	return lines.filter((entry) => entry.route).sort((a, b) => a.n - b.n);
}

// What `pwd` printed: where this worker's workspace is.
function workdir(list) {
	const texts = list.filter((r) => r.route === 'send')
	    .map((r) => r.body?.events?.[0]?.content?.[0]?.text);
	return texts.find((text) => /^\/[^\n]*$/.test(text ?? ''));
}

function shape(file) {
	const list = requests(file);
	const dir = workdir(list);
	const parts = { timed: new Set(), unordered: new Set(), ordered: [] };
	for (const r of list) {
		let line = [r.method, r.path, Object.keys(r.query).sort().join('&'),
		    r.auth, JSON.stringify(canonical(r.body)) ?? ''].join(' ')
		    .replaceAll('\\u0000', '\ufffd');
		if (dir && dir !== '/')
			line = line.replaceAll(dir, 'WORKDIR');
		if (TIMED.has(r.route))
			parts.timed.add(line);
		else if (UNORDERED.test(r.route))
			parts.unordered.add(line);
		else if (parts.ordered.at(-1) !== line)
			parts.ordered.push(line);
	}
	return [...[...parts.timed].sort(), ...[...parts.unordered].sort(),
	    ...parts.ordered];
}

const [a, b] = process.argv.slice(2, 4).map(shape);
let status = a.length === 0 ? 1 : 0;
for (let i = 0; i < Math.max(a.length, b.length); i++)
	if (a[i] !== b[i]) {
		console.log(`- ${a[i] ?? ''}\n+ ${b[i] ?? ''}`);
		status = 1;
	}
process.exit(status);
