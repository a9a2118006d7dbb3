// SPDX-License-Identifier: ISC
//
// sandbox-tools.mjs --era 1|auto|pin|legacy [--timeout MS] COMMAND... -- [CASE...]
//
// The clients of the TypeScript SDK, unmodified, against "sandbox-exec --mcp"
// as COMMAND on their stdio transport: the 1.x client, or the 2.x client that
// finds out, is pinned to 2026-07-28, or knows legacy revisions only.  Prints
// TAP; exits 0 if every case passed.
//
// Cases: list files bash errors progress cancel queue text many

import { load } from './peer.mjs';
import { Watch, check, equal, run, within } from './tap.mjs';

const SOON_MS = 10000;
const args = process.argv.slice(2);
const era = args[args.indexOf('--era') + 1];
const rest = args.slice(args.indexOf('--era') + 2);
const end = rest.lastIndexOf('--');
const [command, ...options] = rest.slice(0, end);
const wanted = rest.slice(end + 1);

const { Client } = era === '1' ?
    load('@modelcontextprotocol/sdk/client/index.js') :
    load('@modelcontextprotocol/client');
const { StdioClientTransport } = era === '1' ?
    load('@modelcontextprotocol/sdk/client/stdio.js') :
    load('@modelcontextprotocol/client/stdio');

const modes = {
	auto: { versionNegotiation: { mode: 'auto' } },
	pin: { versionNegotiation: { mode: { pin: '2026-07-28' } } },
	legacy: { versionNegotiation: { mode: 'legacy' } },
};

async function withPeer(use) {
	const client = new Client({ name: 'sandbox-tools', version: '1.0.0' },
	    { capabilities: {}, ...modes[era] });
	const transport = new StdioClientTransport({ command, args: options });

	await client.connect(transport);
	const call = (name, input, more) => era === '1' ?
	    client.callTool({ name, arguments: input }, undefined, more) :
	    client.callTool({ name, arguments: input }, more);
	const text = async (name, input, more) => {
		const result = await call(name, input, more);
		check(!result.isError, `${name}: ${JSON.stringify(result)}`);
		return result.content[0].text;
	};
	try {
		await use({ client, call, text });
	} finally {
		await client.close();
	}
}

const cases = {
	async list({ client }) {
		const { tools } = await client.listTools();

		equal(tools.map(tool => tool.name),
		    ['bash', 'read', 'write', 'edit', 'glob', 'grep'], 'tools');
		for (const tool of tools) {
			equal(tool.inputSchema.type, 'object', tool.name);
			check(tool.description.length > 20, tool.name);
			equal(typeof tool.annotations.readOnlyHint, 'boolean',
			    tool.name);
		}
		equal(tools[1].annotations.readOnlyHint, true, 'read');
		equal(tools[0].annotations.destructiveHint, true, 'bash');
		equal(client.getServerVersion().name, 'sandbox-exec', 'name');
	},

	async files({ text }) {
		equal(await text('write', { file_path: 'd/f.txt',
		    content: 'one\ntwo\n' }), 'wrote 8 bytes to d/f.txt',
		    'write');
		equal(await text('read', { file_path: 'd/f.txt',
		    view_range: [2, 2] }), 'two', 'read');
		equal(await text('edit', { file_path: 'd/f.txt',
		    old_string: 'two', new_string: '2' }),
		    'edited d/f.txt (1 replacement(s))', 'edit');
		const path = await text('glob', { pattern: 'd/*.txt' });
		check(path.endsWith('/d/f.txt'), `glob: ${path}`);
		equal((await text('grep', { pattern: '^\\d$' })).trimEnd(),
		    `${path}:2:2`, 'grep');
	},

	async bash({ text, call }) {
		equal(await text('bash', { command: 'cd /; x=7' }),
		    '(no output)', 'empty');
		equal(await text('bash', { command: 'echo $PWD $x' }), '/ 7',
		    'state stays');
		const failed = await call('bash', { command: 'echo no; exit 3',
		});
		equal(failed.isError, true, 'exit');
		const slow = await call('bash', { command: 'sleep 60',
			timeout_ms: 300 });
		equal(slow.isError, true, 'timeout');
		check(slow.content[0].text.startsWith(
		    'bash: bash command timed out after 300ms'),
		    slow.content[0].text);
		equal(await text('bash', { command: 'echo again' }), 'again',
		    'a new shell');
	},

	// What a tool cannot do is a result, what a request is not an error.
	async errors({ client, call, text }) {
		const outside = await call('read', { file_path: '/etc/shadow' });
		equal(outside, { ...outside, isError: true, content: [{
			type: 'text', text: 'path "/etc/shadow" is outside ' +
			    'the session\'s working directory' },
		] }, 'outside');
		const missing = await call('read', {});
		equal(missing.content[0].text, 'read: file_path is required',
		    'required');
		const unknown = await call('web_search', {}).catch(e => e);
		equal(unknown.code, -32602, 'unknown tool');
		const prompts = await client.request({ method: 'prompts/list',
			params: {} }, undefined).catch(e => e);
		check(prompts instanceof Error, 'prompts');
		equal(await text('bash', { command: 'echo on' }), 'on',
		    'it goes on');
	},

	async progress({ text }) {
		const seen = [];
		const out = await text('bash', { command: 'for i in 1 2 3 4; ' +
		    'do echo step $i; sleep 0.6; done' }, {
			onprogress: p => seen.push(p),
		});
		equal(out, 'step 1\nstep 2\nstep 3\nstep 4', 'output');
		check(seen.length >= 2, `${seen.length} notifications`);
		for (const [i, p] of seen.entries()) {
			check(i === 0 || p.progress > seen[i - 1].progress,
			    'it grows');
			check(/^step \d$/.test(p.message), p.message);
		}
	},

	async cancel({ call, text }) {
		const abort = new AbortController();
		const watch = new Watch();
		let started = false;
		const running = call('bash', { command:
		    'echo started; touch here; sleep 300; touch there' }, {
			signal: abort.signal,
			onprogress: () => { started = true; watch.changed(); },
		}).catch(e => e);

		await within(SOON_MS, watch.until(() => started), 'no start');
		abort.abort();
		check(await running instanceof Error, 'the call ends');
		equal(await within(SOON_MS, text('bash', { command:
		    'ls *here; pgrep -x sleep; true' }), 'it was not killed'),
		    'here', 'killed');
	},

	// Calls wait for each other; pings do not.
	async queue({ client, text }) {
		const order = [];
		const slow = text('bash', { command: 'sleep 1; echo slow' })
		    .then(t => order.push(t));
		const fast = text('bash', { command: 'echo fast' })
		    .then(t => order.push(t));

		if (era === '1' || era === 'legacy') {
			await client.ping();
			equal(order, [], 'a ping does not wait');
		} else {
			await client.listTools();
		}
		await Promise.all([slow, fast]);
		equal(order, ['slow', 'fast'], 'order');
	},

	async text({ text }) {
		equal(await text('bash', { command:
		    'printf "\\xff\\0\\e[31mred\\e[0m \\"\\\\ \\xc3\\xa9"' }),
		    '\ufffd\0red "\\ \u00e9', 'characters');
		const large = await text('bash', { command:
		    'head -c 300000 /dev/zero | tr "\\0" x' });
		check(large.startsWith('[output truncated]\n'), 'cut');
		equal(large.length, 102400 + 19, 'length');
	},

	async many({ text }) {
		const calls = [];

		for (let i = 0; i < 60; i++)
			calls.push(text('bash', { command: `echo ${i}` }));
		equal(await Promise.all(calls),
		    calls.map((_, i) => String(i)), 'answers');
	},
};

const bound = Object.fromEntries(Object.entries(cases).map(([name, use]) =>
    [name, () => withPeer(use)]));

process.exit(await run(bound, wanted, 30000));
