// SPDX-License-Identifier: ISC
//
// bench-tools.mjs --sandbox-exec PATH --dir DIR [--rounds N] [--calls N]
//     [--files N] [--idle N]
//
// Measures tool calls from one Node process: of `sandbox-exec --serve` and
// --mcp, of the official SDK's tools in this process, with ripgrep and
// ("sdk-js") without, and of a bwrap started for each call.  All of them in
// turn in each round.  The processor time is that of the peer: of this process
// where the tools are in it, and not where it only asks.  Prints samples for
// report.awk.

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { Mcp, serve } from '../fakes/sandbox-session.mjs';
import { load, options } from './peer.mjs';

const { betaAgentToolset20260401 } =
    load('@anthropic-ai/sdk/tools/agent-toolset/node');

const o = options('bench-tools', { 'sandbox-exec': null, dir: null,
	rounds: '5', calls: '100', files: '20000', idle: '30' });
const [rounds, calls, files, idle] =
    [o.rounds, o.calls, o.files, o.idle].map(Number);
const tree = path.join(o.dir, 'tree');
const small = path.join(o.dir, 'small');

const INPUTS = {
	tool_bash: ['bash', { command: 'true' }],
	tool_read: ['read', { file_path: 'small' }],
	tool_grep: ['grep', { pattern: 'needle_[0-9]+_', path: 'tree' }],
};
// One call of bwrap says what the tool would do.
const COMMANDS = {
	tool_bash: ['/bin/bash', '--noprofile', '--norc', '-c', 'true'],
	tool_read: ['/bin/cat', small],
	tool_grep: ['/bin/grep', '-rnE', 'needle_[0-9]+_', tree],
};

function prepare() {
	fs.mkdirSync(tree, { recursive: true });
	fs.writeFileSync(small, 'x'.repeat(63).concat('\n').repeat(64));
	const text = 'int main(void) { return 0; } /* nothing here */\n'
	    .repeat(20);
	for (let i = 0; i < files; i++) {
		const dir = path.join(tree, String(i % 100));
		if (i < 100)
			fs.mkdirSync(dir, { recursive: true });
		fs.writeFileSync(path.join(dir, `f${i}.c`),
		    i % 1000 === 0 ? `${text}needle_${i}_\n` : text);
	}
}

const quick = (command) => new Promise((resolve, reject) => {
	const child = spawn(command[0], command.slice(1),
	    { stdio: ['ignore', 'pipe', 'inherit'] });
	let text = '';
	child.stdout.on('data', (part) => { text += part; });
	child.on('error', reject);
	child.on('close', () => resolve({ text }));
});

const served = [o['sandbox-exec'], '--serve', '--rw', o.dir,
    '--workdir', o.dir];
const inMcp = [o['sandbox-exec'], '--mcp', '--rw', o.dir, '--workdir', o.dir];

class ServePeer {
	async start() {
		this.server = await serve(served);
		this.session = this.server.session({});
	}
	call(name) { return this.session.tool(...INPUTS[name]); }
	close() { return this.server.close(); }
	async oneSession() {
		const session = this.server.session({});
		await session.tool(...INPUTS.tool_bash);
		session.end();
	}
	pids() { return [this.server.child.pid]; }
}

class McpPeer {
	async start() {
		this.mcp = new Mcp(inMcp);
		await this.mcp.start();
	}
	call(name) { return this.mcp.call(...INPUTS[name]); }
	close() { return this.mcp.close(); }
	async oneSession() {
		const mcp = new McpPeer();
		await mcp.start();
		await mcp.call('tool_bash');
		await mcp.close();
	}
	pids() { return [this.mcp.child.pid]; }
}

class SdkPeer {
	constructor(ripgrep) {
		this.ripgrep = ripgrep;
	}
	async start() {
		const all = betaAgentToolset20260401({ workdir: o.dir });
		this.all = all;
		this.tools = Object.fromEntries(all.map((t) => [t.name, t]));
	}
	async call(name) {
		const [tool, input] = INPUTS[name];
		const PATH = process.env.PATH;
		if (!this.ripgrep)
			process.env.PATH = '/nonexistent';
		const text = this.tools[tool].run(input,
		    { signal: AbortSignal.timeout(60000) });
		process.env.PATH = PATH;
		return { text: await text };
	}
	async close() {
		for (const tool of this.all)
			await tool.close?.();
	}
	pids() { return [process.pid]; }
	async oneSession() {
		const one = new SdkPeer(true);
		await one.start();
		await one.call('tool_bash');
		await one.close();
	}
}

class BwrapPeer {
	start() {}
	close() {}
	call(name) {
		return quick(['bwrap', '--unshare-all', '--cap-drop', 'ALL',
		    '--new-session', '--die-with-parent', '--ro-bind', '/', '/',
		    '--bind', o.dir, o.dir, '--dev', '/dev', '--proc', '/proc',
		    '--chdir', o.dir, ...COMMANDS[name]]);
	}
	oneSession() { return this.call('tool_bash'); }
	pids() { return [process.pid]; }
}

const peers = {
	serve: new ServePeer(), mcp: new McpPeer(), sdk: new SdkPeer(true),
	'sdk-js': new SdkPeer(false), bwrap: new BwrapPeer(),
};

const median = (list) => list.sort((a, b) => a - b)[list.length >> 1];
const micro = () => Number(process.hrtime.bigint() / 1000n);

function record(round, metric, peer, value, unit) {
	console.log([round, metric, peer, value, unit].join('\t'));
}

async function timed(round, metric, name, count) {
	const times = [];
	const before = cpu(peers[name].pids());
	for (let i = 0; i < count; i++) {
		const start = micro();
		await peers[name].call(metric);
		times.push(micro() - start);
	}
	record(round, metric, name, median(times), 'us');
	record(round, `${metric}_cpu`, name, Math.round(
	    (cpu(peers[name].pids()) - before) / count), 'us/op');
}

// The processes below these, themselves included.
function* family(pids) {
	for (const pid of pids) {
		yield pid;
		try {
			for (const task of fs.readdirSync(`/proc/${pid}/task`))
				yield* family(fs.readFileSync(
				    `/proc/${pid}/task/${task}/children`, 'utf8')
				    .split(' ').filter((word) => word !== ''));
		} catch {
			// It ended.
		}
	}
}

// Microseconds that they and the processes they have collected ran for.
function cpu(pids) {
	let sum = 0;
	for (const pid of family(pids)) {
		try {
			for (const task of fs.readdirSync(`/proc/${pid}/task`))
				sum += Number(fs.readFileSync(`/proc/${pid}/task/${
				    task}/schedstat`, 'utf8').split(' ')[0]) / 1000;
			const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8')
			    .replace(/^.*\) /s, '').split(' ');
			sum += (Number(stat[13]) + Number(stat[14])) * 10000;
		} catch {
			// It ended.
		}
	}
	return sum;
}

// What they hold, divided by whom they share it with.
function pss(pids) {
	let kib = 0;
	for (const pid of family(pids)) {
		try {
			const text = fs.readFileSync(`/proc/${pid}/smaps_rollup`,
			    'utf8');
			kib += Number(/^Pss:\s*(\d+)/m.exec(text)?.[1] ?? 0);
		} catch {
			// It ended.
		}
	}
	return kib;
}

async function idleServe(round) {
	const server = await serve(served);
	await server.session({}).until('ready');
	const before = pss([server.child.pid]);
	for (let i = 0; i < idle; i++)
		await server.session({}).tool(...INPUTS.tool_bash);
	record(round, 'session_pss', 'serve',
	    ((pss([server.child.pid]) - before) / idle / 1024).toFixed(3), 'MiB');
	await server.close();
}

// The SDK has a process of Node for each session.
async function idleSdk(round) {
	const child = spawn(process.execPath, ['--input-type=module', '-e', `
		import { createRequire } from 'node:module';
		const load = createRequire('${process.env.PEERS_DIR}/package.json');
		const { betaAgentToolset20260401 } =
		    load('@anthropic-ai/sdk/tools/agent-toolset/node');
		load('@anthropic-ai/sdk');
		const [bash] = betaAgentToolset20260401({ workdir: '.' });
		await bash.run({ command: 'true' }, {});
		console.log('ready');
		process.stdin.resume();`], { stdio: ['pipe', 'pipe', 'inherit'] });
	await new Promise((resolve) => child.stdout.once('data', resolve));
	record(round, 'session_pss', 'sdk',
	    (pss([child.pid]) / 1024).toFixed(3), 'MiB');
	child.kill();
}

prepare();
const found = {};
for (const [name, peer] of Object.entries(peers)) {
	await peer.start();
	found[name] = (await peer.call('tool_grep')).text.split('\n')
	    .filter((line) => line.includes('needle')).length;
	await peer.call('tool_bash');
}
if (new Set(Object.values(found)).size !== 1)
	throw new Error(`not the same lines: ${JSON.stringify(found)}`);
for (let round = 1; round <= rounds; round++) {
	for (const metric of Object.keys(INPUTS))
		for (const name of Object.keys(peers))
			await timed(round, metric, name,
			    metric === 'tool_grep' ? 2 : calls);
	for (const [name, peer] of Object.entries(peers)) {
		if (name === 'sdk-js')
			continue;
		const count = Math.max(5, calls / 5);
		const start = micro();
		for (let i = 0; i < count; i++)
			await peer.oneSession();
		record(round, 'session_new', name,
		    (count / (micro() - start) * 1e6).toFixed(1), '/s');
	}
	await idleServe(round);
	await idleSdk(round);
}
for (const peer of Object.values(peers))
	await peer.close();
