// SPDX-License-Identifier: ISC
//
// stdio-server.mjs [WORD...]: an MCP server on standard input and output,
// without any package, that also does what no server should.
//
// Words:  exit=N       ends at once
//         deaf         reads nothing
//         stubborn     stays when its input ends, and on SIGTERM
//         silent       answers no initialize
//         old=VERSION  the revision that it speaks
//         modern       speaks 2026-07-28 instead
//         lax          and takes requests of any revision
//         once=FILE    ends at once if FILE exists, and makes it
//         held=FILE    tells there how many calls it holds
//         slow=MS      answers initialize so late
//         lists=A,B    has these tools in its list
//
// Tools, by name: echo, pid, env, cwd, hold (until release of the same key),
// release, steps (progress, once more at a release, an answer at the next),
// crash, garbage, twice (two answers), foreign (an answer to another number),
// late (an answer after a notification that it was cancelled), flood
// (count notifications), endless (a line without end), large (count bytes),
// ask (a request to the client), changed (a list has changed), log (a message
// to the client), progress, err (a line on standard error), close (its
// output), shut (its input), hang (no answer), child (leaves a process behind),
// long (an answer of count bytes; with method, a request), asks (count requests
// to the client), stray (leaves a process behind that has left its session), say
// (lines, in which ID is the number of the call), last (the same, and it ends).

import { createInterface } from 'node:readline';
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, existsSync, writeFileSync, writeSync } from 'node:fs';

const words = new Map(process.argv.slice(2).map(w => {
	const at = w.indexOf('=');
	return at < 0 ? [w, ''] : [w.slice(0, at), w.slice(at + 1)];
}));

function put(text) {
	for (let at = 0; at < text.length;) {
		try {
			at += writeSync(1, text.subarray(at));
		} catch (error) {
			if (error.code !== 'EAGAIN')
				throw error;
		}
	}
}

const raw = text => put(Buffer.from(text));
const send = message => raw(JSON.stringify({ jsonrpc: '2.0', ...message }) +
    '\n');
const note = (method, params) => send({ method, params });

const held = new Map();
const asked = new Map();
let count = 0;

const text = (id, string) => send({ id, result: {
	...(words.has('modern') && { resultType: 'complete' }),
	content: [{ type: 'text', text: string }],
} });

const tools = {
	echo: (id, { message }) => text(id, message),
	pid: id => text(id, String(process.pid)),
	env: id => text(id, JSON.stringify(process.env)),
	cwd: id => text(id, process.cwd()),
	hold: (id, { key }) => {
		held.set(key, id);
		writeSync(2, `holding ${key}\n`);
		if (words.has('held'))
			writeFileSync(words.get('held'), `${held.size}\n`);
	},
	steps: (id, { key }, meta) => {
		const step = progress => note('notifications/progress',
		    { progressToken: meta.progressToken, progress });
		step(1);
		held.set(key, () => {
			step(2);
			held.set(key, id);
		});
	},
	release: (id, { key }) => {
		const other = held.get(key);
		if (typeof other === 'function')
			other();
		else if (other !== undefined)
			text(other, `held ${key}`);
		text(id, other === undefined ? 'none' : 'released');
	},
	crash: () => process.exit(3),
	garbage: id => {
		raw('this is no JSON\n{"jsonrpc":"2.0"}\n[]\n42\n\n');
		put(Buffer.from([0x22, 0xc3, 0x0a]));	// half a character
		text(id, 'after');
	},
	twice: id => {
		text(id, 'first');
		text(id, 'second');
	},
	foreign: id => {
		text(id + 1000, 'not yours');
		text(String(id), 'a string');
		text(-1, 'negative');
		text(id, 'yours');
	},
	flood: (id, { count }) => {
		for (let i = 0; i < count; i++)
			note('notifications/message',
			    { level: 'info', data: 'x'.repeat(1000) });
		text(id, 'flooded');
	},
	endless: () => {
		for (;;)
			raw('x'.repeat(65536));
	},
	large: (id, { count }) => text(id, 'y'.repeat(count)),
	ask: (id, args, meta) => {
		const own = args.id ?? `ask-${++count}`;
		asked.set(own, reply => text(id, JSON.stringify(reply)));
		send({ id: own, method: 'sampling/createMessage',
			params: { messages: [], maxTokens: 1 } });
	},
	changed: id => {
		note('notifications/tools/list_changed');
		text(id, 'changed');
	},
	log: (id, { data }) => {
		note('notifications/message', { level: 'info', data });
		text(id, 'logged');
	},
	progress: (id, { count }, meta) => {
		for (let i = 1; i <= count; i++)
			note('notifications/progress',
			    { progressToken: meta?.progressToken, progress: i });
		text(id, `token ${typeof meta?.progressToken}`);
	},
	err: (id, { line }) => {
		writeSync(2, line + '\n');
		text(id, 'said');
	},
	close: () => closeSync(1),
	shut: id => {
		text(id, 'shut');
		closeSync(0);
		setInterval(() => {}, 1000);
	},
	long: (id, { count, method, first }) => {
		const filler = 'z'.repeat(count);
		if (method)
			send({ id, method, params: { filler } });
		else if (first)
			send({ id, result: { filler } });
		else
			raw(`{"result":{"id":0,"a":["${filler}\\"",{"id":1}]},` +
			    `"jsonrpc":"2.0","id":${id}}\n`);
		if (method)
			text(id, 'asked');
	},
	asks: (id, { count }) => {
		let refused = 0, left = count;
		for (let i = 0; i < count; i++)
			asked.set(`many-${i}`, reply => {
				refused += reply.code !== undefined;
				if (--left === 0)
					text(id, `${refused} refused`);
			});
		for (let i = 0; i < count; i++)
			send({ id: `many-${i}`, method: 'roots/list' });
	},
	say: (id, { lines }) => {
		for (const line of lines)
			raw(`${line.replaceAll('ID', id)}\n`);
	},
	last: (id, args) => {
		tools.say(id, args);
		process.exit(0);
	},
	hang: () => writeSync(2, 'hanging\n'),
	child: id => {
		const child = spawn('sleep', ['1000'], { stdio: 'inherit' });
		text(id, String(child.pid));
	},
	stray: (id, { orphan }) => {
		if (orphan) {
			text(id, execFileSync('setsid', ['sh', '-c',
			    'sleep 1000 >/dev/null 2>&1 & echo $!'],
			    { encoding: 'utf8' }).trim());
			return;
		}
		const child = spawn('sleep', ['1000'],
		    { stdio: 'ignore', detached: true });
		child.unref();
		text(id, String(child.pid));
	},
};

const cancelled = [];

const methods = {
	initialize: (id, params) => words.has('silent') || setTimeout(() => send(
	    { id, result: {
		protocolVersion: words.get('old') ?? params.protocolVersion,
		capabilities: {
			tools: { listChanged: true }, logging: {},
			resources: { subscribe: true, listChanged: true },
		},
		serverInfo: { name: 'fake', version: '1' },
	} }), words.get('slow') ?? 0),
	'server/discover': id => words.has('modern') ? send({ id, result: {
		resultType: 'complete', supportedVersions: ['2026-07-28'],
		capabilities: { tools: {} },
		serverInfo: { name: 'fake', version: '1' }, ttlMs: 0,
		cacheScope: 'private',
	} }) : send({ id, error: { code: -32601, message: 'no such method' } }),
	ping: id => send({ id, result: {} }),
	'tools/list': id => send({ id, result: { tools: words.get('lists')
	    ?.split(',').map(name => ({ name })) ?? [] } }),
	'tools/call': (id, { name, arguments: args = {}, _meta }) =>
	    tools[name](id, args, _meta),
	'fake/cancelled': id => text(id, JSON.stringify(cancelled)),
};

function take(line) {
	const m = JSON.parse(line);
	if (m.method === undefined) {
		asked.get(m.id)?.(m.result ?? m.error);
		return;
	}
	if (m.id === undefined) {
		if (m.method === 'notifications/cancelled')
			cancelled.push(m.params.requestId);
		return;
	}
	const asks = m.params?._meta?.[
	    'io.modelcontextprotocol/protocolVersion'];
	if (words.has('modern') && !words.has('lax') &&
	    asks !== '2026-07-28') {
		send({ id: m.id, error: { code: -32022, message: 'no',
			data: { supported: ['2026-07-28'], requested: asks } } });
		return;
	}
	const method = methods[m.method];
	if (method === undefined)
		send({ id: m.id, error: { code: -32601, message: m.method } });
	else
		method(m.id, m.params ?? {});
}

if (words.has('once')) {
	if (existsSync(words.get('once')))
		process.exit(1);
	writeFileSync(words.get('once'), '');
}
if (words.has('exit'))
	process.exit(Number(words.get('exit')));
if (words.has('stubborn')) {
	process.on('SIGTERM', () => {});
	setInterval(() => {}, 1000);
}
if (words.has('deaf'))
	setInterval(() => {}, 1000);
else
	createInterface({ input: process.stdin }).on('line', take);
