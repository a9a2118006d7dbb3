// SPDX-License-Identifier: ISC
//
// conformance.mjs --url URL --revision 2025-11-25|2026-07-28 --list FILE
//     [--timeout MS] [--work DIR]
//
// Runs the MCP conformance suite's server scenarios of one revision against
// URL and writes FILE: one line "scenario check name status" for each check,
// sorted, so that two runs can be compared with diff.  What the suite marks
// INFO is left out: it counts events, not verdicts.  Exits 0 if everything the
// revision requires passed, 1 if not, 4 if the suite gave no results.  The
// suite's own output goes to a new directory in DIR, or is not kept.
//
// For a tunnel, URL is http://127.0.0.1:PORT/mcp of a TLS originator.  A proxy
// that routes by Host then needs routes for 127.0.0.1 and for evil.example.com
// (the name dns-rebinding-protection forges) to the same upstream.

import { spawn } from 'node:child_process';
import {
	existsSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync,
	writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fail, load, options } from './peer.mjs';

const tool = 'conformance';
const opt = options(tool, {
	url: null, revision: null, list: null, timeout: '15000',
	work: undefined,
});

function suite() {
	const name = '@modelcontextprotocol/conformance';
	for (const dir of load.resolve.paths(name)) {
		const file = join(dir, name, 'dist', 'index.js');
		if (existsSync(file))
			return file;
	}
	return fail(4, tool, name, 'not installed');
}

function start(out) {
	const log = openSync(join(out, 'log'), 'w');
	const child = spawn(process.execPath, [
		suite(), 'server', '--url', opt.url,
		'--requirements', opt.revision, '--timeout', opt.timeout,
		'-o', out,
	], { stdio: ['ignore', log, log] });
	for (const signal of ['SIGTERM', 'SIGINT'])
		process.on(signal, () => child.kill(signal));
	return new Promise(resolve => child.on('exit', code =>
	    resolve(code ?? 1)));
}

// The suite names a result directory server-SCENARIO-TIMESTAMP.
function lines(out) {
	const stamp = /^server-(.*)-\d{4}-\d\d-\d\dT[\d-]+Z$/;
	const found = [];
	for (const name of readdirSync(out)) {
		const scenario = stamp.exec(name)?.[1];
		if (scenario === undefined)
			continue;
		const file = join(out, name, 'checks.json');
		for (const check of JSON.parse(readFileSync(file, 'utf8')))
			if (check.status !== 'INFO')
				found.push(`${scenario} ${check.id} ` +
				    `${check.name} ${check.status}`);
	}
	return found.sort();
}

const out = mkdtempSync(join(opt.work ?? tmpdir(), 'conformance-'));
const status = await start(out);
const found = lines(out);
const log = readFileSync(join(out, 'log'), 'utf8').trim().split('\n');
if (opt.work === undefined)
	rmSync(out, { recursive: true });
if (found.length === 0)
	fail(4, tool, opt.url, 'the suite gave no results', log.at(-1));
writeFileSync(opt.list, found.join('\n') + '\n');
process.exit(status === 0 ? 0 : 1);
