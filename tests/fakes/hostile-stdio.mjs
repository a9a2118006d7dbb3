// SPDX-License-Identifier: ISC
//
// hostile-stdio.mjs SEED FILE [modern]: an MCP server on standard input and
// output that answers each message with a few of the worst things that a server
// can say or do.  Which ones follows from SEED and from how many of its kind
// there have been, for each of which FILE has a byte.

import { createInterface } from 'node:readline';
import { closeSync, fstatSync, openSync, writeSync } from 'node:fs';
import { Random } from './random.mjs';

const LIMIT = 65536;	// message_size of its routes
const [seed, file, era] = process.argv.slice(2);
const random = new Random(Number(seed) * 7919 + turn());
const modern = era === 'modern';
const seen = [0, 1, 2];

function turn() {
	const fd = openSync(file, 'a');

	writeSync(fd, '.');
	const { size } = fstatSync(fd);
	closeSync(fd);
	return size;
}

function put(text, fd = 1) {
	const bytes = Buffer.isBuffer(text) ? text : Buffer.from(text);
	for (let at = 0; at < bytes.length;) {
		try {
			at += writeSync(fd, bytes.subarray(at));
		} catch (error) {
			if (error.code !== 'EAGAIN')
				process.exit(0);
		}
	}
}

const line = text => put(`${text}\n`);
const send = message => line(JSON.stringify({ jsonrpc: '2.0', ...message }));

function id(own) {
	return random.of([own, own, random.of(seen), own + 1, own + 1000, -1,
		String(own), `${own}.0`, null, 4294967295, 4294967296, 2 ** 53,
		{}, [own], true, 'x'.repeat(random.of([1024, 1025]))]);
}

function value() {
	return random.of([{}, { content: [] }, null, [], 'text', 7, true,
		{ tools: [{ name: 'a' }, { name: 'a', Name: 'b' }, {}, 7] },
		{ tools: {} }, { resultType: 'complete' }, { id: 1, result: {} },
		{ _meta: { 'io.modelcontextprotocol/subscriptionId': seen[0] } },
		{ protocolVersion: 7 }, { content: [{ type: 'text',
			text: '\u2028\u0085\u0000\ud800' }] }]);
}

function garbage() {
	return random.of([() => random.bytes(random.below(300)),
		() => '\0', () => '\ufeff{}', () => '{"jsonrpc":"2.0","id":1,',
		() => `${'['.repeat(random.of([63, 64, 65, 20000]))}`,
		() => '{"a":1,"a":2}', () => '{"id":1,"id":2,"result":{}}',
		() => '{"jsonrpc":"2.0","id":1,"result":{},"error":{}}',
		() => '{"jsonrpc":"2.0","method":"\\ud800"}', () => '\r', () => '',
		() => '{"jsonrpc":"2.0","id":1e0,"result":{}}',
		() => '{"jsonrpc":"2.0","id":01,"result":{}}', () => '"\\u12"',
		() => 'x'.repeat(random.of([LIMIT - 1, LIMIT, LIMIT + 1])),
		() => 'data: {}', () => 'null', () => '[]', () => '[[]]'])();
}

function long(own) {
	const size = random.of([LIMIT - 1, LIMIT, LIMIT + 1, 3 * LIMIT]);
	const text = JSON.stringify({ jsonrpc: '2.0', id: own, result: { a: '' } });
	return text.replace('"a":""', `"a":"${'z'.repeat(size - text.length)}"`);
}

function message(own, token) {
	return random.of([
		() => ({ id: id(own), result: value() }),
		() => ({ id: id(own), result: value() }),
		() => ({ id: own, error: random.of([{ code: 1, message: 'no' }, 7,
			null, { code: '1' }, { code: -32022, data: value() }]) }),
		() => ({ method: 'notifications/progress', params: { progress: 1,
			progressToken: random.of([token ?? own, id(own)]) } }),
		() => ({ method: 'notifications/cancelled',
			params: { requestId: id(own) } }),
		() => ({ id: id(own), method: random.of(['ping', 'roots/list',
			'sampling/createMessage', 'initialize', 'no/such']) }),
		() => ({ method: random.of(['notifications/tools/list_changed',
			'notifications/message', 'notifications/x']),
		    params: value() }),
		() => ({ method: 'notifications/subscriptions/acknowledged',
			params: { _meta: { 'io.modelcontextprotocol/subscriptionId':
			    id(own) } } }),
	])();
}

function act(own, token) {
	random.of([
		() => send(message(own, token)), () => send(message(own, token)),
		() => send(message(own, token)), () => send(message(own, token)),
		() => send({ id: own, result: { content: [] } }),
		() => send({ id: own, result: { content: [] } }),
		() => line(JSON.stringify(Array.from({ length: random.of([0, 1, 3,
			64, 65]) }, () => ({ jsonrpc: '2.0', ...message(own) })))),
		() => line(garbage()), () => put(garbage()),
		() => line(long(own)),
		() => {
			for (let i = 0; i < 300; i++)
				send(message(own, token));
		},
		() => put('e'.repeat(random.below(2000)) +
		    random.of(['', '\n', '\x1b[2J\n']), 2),
		() => random.chance(20) && put('w'.repeat(8 * LIMIT + 100)),
		() => random.chance(10) && process.exit(random.below(3)),
		() => random.chance(10) && closeSync(random.of([0, 1, 2])),
		() => random.chance(5) && process.kill(process.pid, 'SIGSTOP'),
	])();
}

function take(text) {
	const m = JSON.parse(text);
	const token = m.params?._meta?.progressToken;

	if (m.id !== undefined)
		seen[random.below(3)] = m.id;
	if (m.method === 'initialize' && random.chance(85)) {
		send({ id: m.id, result: { capabilities: { tools: {} },
			serverInfo: { name: 'hostile', version: '1' },
			protocolVersion: m.params.protocolVersion } });
		return;
	}
	if (m.method === 'server/discover' && modern && random.chance(90)) {
		send({ id: m.id, result: { resultType: 'complete',
			supportedVersions: ['2026-07-28'], capabilities: {} } });
		return;
	}
	if (m.id !== undefined && random.chance(40))
		send({ id: m.id, result: { content: [],
			...(modern && { resultType: 'complete' }) } });
	for (let n = random.below(4); n > 0; n--)
		act(m.id ?? seen[0], token);
}

createInterface({ input: process.stdin }).on('line', take)
    .on('error', () => {});
process.stdin.on('error', () => {});
