// SPDX-License-Identifier: ISC
// A client of sandbox-exec --serve for the tests: runs the JavaScript in the
// file that it is given with these in scope:
//
//   serve(args)  starts the server on a pipe; resolves to a hop
//   dial(path)   a hop to one that listens
//   say(...)     prints a line, what is no string as JSON
//   count(text)  how many processes have it in their command line
//   until(f)     waits until f() is true
//   sleep(ms)
//   fs, execFileSync and execSync are Node's
//
// A hop has session(policy), exec(open, input) and command(open), a session
// tool(name, input), bash(command, more), exec(argv, more, input) and
// open(tool); see sandbox-session.mjs.

import { execFileSync, execSync } from 'node:child_process';
import fs from 'node:fs';
import { Client, Stream, dial, serve as start } from './sandbox-session.mjs';

const bin = `${process.env.BIN}/sandbox-exec`;
const AsyncFunction = (async () => {}).constructor;

function say(...values) {
	console.log(values.map((v) => typeof v === 'string' ? v :
		JSON.stringify(v)).join(' '));
}

let child;

async function serve(args = []) {
	const client = await start([bin, ...args, '--serve']);

	child = client.child;
	return client;
}

function sleep(ms) {
	return new Promise((resolve) => setTimeout(resolve, ms));
}

function count(text) {
	try {
		return Number(execFileSync('pgrep', ['-fc', '--', text]));
	} catch (e) {
		if (e.status !== 1) // nobody
			throw e;
		return 0;
	}
}

async function until(f) {
	const end = Date.now() + 20000;

	while (!await f()) {
		if (Date.now() > end)
			throw new Error(`never: ${f}`);
		await sleep(20);
	}
}

const scope = { serve, dial, say, sleep, count, until, Client, Stream, fs,
	execFileSync, execSync };

await new AsyncFunction(...Object.keys(scope),
	fs.readFileSync(process.argv[2], 'utf8'))(...Object.values(scope));
if (child !== undefined && child.exitCode === null &&
    child.signalCode === null) {
	child.stdin.end();
	await new Promise((resolve) => child.on('exit', resolve));
	if (child.exitCode !== 0)
		throw new Error(`the server ended with ${child.exitCode ??
		    child.signalCode}`);
}
process.exit(0);
