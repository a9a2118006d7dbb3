// SPDX-License-Identifier: ISC
//
// client-v1.mjs --url URL [--connect HOST:PORT] [--timeout MS] [CASE...|all]
//
// The 1.x client of the TypeScript SDK, unmodified, against fixture-server or
// server-everything (told apart by the name they give).  Prints TAP; exits 0
// if every case passed.  --connect dials that address whatever the URL says;
// NODE_EXTRA_CA_CERTS names the CA of an https URL.
//
// Cases: initialize list call large progress parallel cancel cancel-quiet
// notify resume delete

import { address, load, options } from './peer.mjs';
import { Skip, Watch, check, equal, run, within } from './tap.mjs';
import { cut, dial } from './dial.mjs';
import * as steps from './steps.mjs';

const { Client } = load('@modelcontextprotocol/sdk/client/index.js');
const { StreamableHTTPClientTransport } =
    load('@modelcontextprotocol/sdk/client/streamableHttp.js');
const { LoggingMessageNotificationSchema, ToolListChangedNotificationSchema } =
    load('@modelcontextprotocol/sdk/types.js');

const tool = 'client-v1';
const opt = options(tool, {
	url: null, connect: undefined, timeout: '20000',
});
dial(opt.connect && address(tool, opt.connect));

// A client in its own session.  gets: the GET requests that were answered, so
// that a case can wait until the server has a stream to send on.
class Peer {
	gets = [];
	watch = new Watch();

	async open(reconnect_ms) {
		this.transport = new StreamableHTTPClientTransport(
		    new URL(opt.url), {
			fetch: (url, init) => this.fetch(url, init),
			reconnectionOptions: {
				initialReconnectionDelay: reconnect_ms ?? 100,
				maxReconnectionDelay: reconnect_ms ?? 1000,
				reconnectionDelayGrowFactor: 1.5,
				maxRetries: 20,
			},
		});
		this.client = new Client({ name: tool, version: '1.0.0' });
		await this.client.connect(this.transport);
		this.everything =
		    this.client.getServerVersion().name !== 'adit-fixture';
		return this;
	}

	async fetch(url, init) {
		const response = await fetch(url, init);
		if (init.method === 'GET' && response.ok) {
			this.gets.push(init.headers.get('last-event-id'));
			this.watch.changed();
		}
		return response;
	}

	got(holds, text) {
		return within(steps.SOON_MS, this.watch.until(() =>
		    this.gets.some(holds)), text);
	}

	call = async (name, args, options) => {
		const result = await this.client.callTool(
		    { name, arguments: args }, undefined, options);
		check(!result.isError, `${name}: ${JSON.stringify(result)}`);
		return result.content[0].text;
	};

	get echo() {
		return this.everything ? 'echo' : 'adit_echo';
	}

	async close() {
		await this.transport.terminateSession();
		await this.client.close();
	}
}

async function withPeer(use, reconnect_ms) {
	const peer = await new Peer().open(reconnect_ms);
	await use(peer);
	await peer.close();
}

// A request outside the client, for what the client would not send.
function raw(method, session) {
	return fetch(opt.url, {
		method,
		headers: {
			'content-type': 'application/json',
			accept: 'application/json, text/event-stream',
			'mcp-session-id': session,
			'mcp-protocol-version': '2025-11-25',
		},
		body: method === 'POST' ? JSON.stringify(
		    { jsonrpc: '2.0', id: 1, method: 'ping' }) : undefined,
	});
}

// server-everything has no lock step, so here the clock must do: its events,
// 150 ms apart, may not arrive together.
async function progressByClock(peer) {
	const at = [];
	const count = 5;
	await peer.call('trigger-long-running-operation',
	    { duration: count * 0.15, steps: count },
	    { onprogress: () => at.push(Date.now()) });
	at.push(Date.now());
	equal(at.length, count + 1, 'events');
	const spread_ms = at[count - 1] - at[0];
	check(spread_ms >= 300, `all arrived within ${spread_ms} ms`);
}

async function cancelAndGoOn(peer) {
	const abort = new AbortController();
	const call = peer.call('trigger-long-running-operation',
	    { duration: 1, steps: 4 },
	    { signal: abort.signal, onprogress: () => abort.abort('enough') });
	const outcome = await call.then(() => 'a result', () => 'an error');
	equal(outcome, 'an error', 'the cancelled call gave');
	equal(await peer.call('echo', { message: 'after' }), 'Echo: after',
	    'echo');
}

// Notifications nobody asked for in a call, on the long-lived GET stream.
async function notify(peer) {
	let count = 0;
	const watch = new Watch();
	const [schema, trigger] = peer.everything ?
	    [LoggingMessageNotificationSchema, 'toggle-simulated-logging'] :
	    [ToolListChangedNotificationSchema, 'test_trigger_tool_change'];

	peer.client.setNotificationHandler(schema, () => {
		count++;
		watch.changed();
	});
	await peer.got(() => true, 'no GET stream');
	// server-everything repeats itself every 5 s, which must not help.
	const [rounds, soon_ms] = peer.everything ?
	    [1, 3000] : [3, steps.SOON_MS];
	for (let round = 1; round <= rounds; round++) {
		await peer.call(trigger, {});
		await within(soon_ms, watch.until(() => count >= round),
		    `notification ${round} did not arrive`);
	}
	if (peer.everything)
		await peer.call(trigger, {});
	equal(count, rounds, 'notifications');
	equal(peer.gets, [null], 'GET streams');
}

// The connection is lost between two events; the client resumes by itself.
async function resume(peer) {
	const it = new steps.Run(peer.call, 4);
	await peer.got(() => true, 'no GET stream');
	it.start();
	await it.saw(1);
	await it.release(1);
	await it.saw(2);
	check(cut() > 0, 'no connection to cut');
	await it.release(2);
	await it.saw(3);
	await peer.got(id => id !== null, 'no GET with Last-Event-ID');
	await it.release(4);
	await it.finish();
}

// server-everything cannot send live events on a resumed stream (it takes the
// event's id for the stream's), so it has to be resumed after its last event.
async function resumeAfterEnd(peer) {
	const seen = [];
	const text = await within(steps.SOON_MS, peer.call(
	    'trigger-long-running-operation', { duration: 0.8, steps: 4 }, {
		onprogress: ({ progress }) => {
			seen.push(progress);
			if (progress === 1)
				cut();
		},
	}), 'no result');
	check(text.startsWith('Long running operation completed'), text);
	equal(seen, [1, 2, 3, 4], 'events');
	check(peer.gets.some(id => id !== null), 'no GET with Last-Event-ID');
}

const cases = {
	initialize: () => withPeer(async peer => {
		equal(peer.transport.protocolVersion, '2025-11-25', 'revision');
		check(/^[\x21-\x7e]+$/.test(peer.transport.sessionId),
		    'no session id');
		await peer.client.ping();
	}),
	list: () => withPeer(async peer => {
		const { tools } = await peer.client.listTools();
		check(tools.some(t => t.name === peer.echo), 'no echo tool');
		check((await peer.client.listPrompts()).prompts.length > 0,
		    'no prompts');
		check((await peer.client.listResources()).resources.length > 0,
		    'no resources');
	}),
	call: () => withPeer(async peer => {
		const message = 'grüße, 世界';
		check((await peer.call(peer.echo, { message }))
		    .endsWith(message), 'the text came back changed');
	}),
	large: () => withPeer(peer => steps.largeEcho(peer.call, peer.echo)),
	progress: () => withPeer(peer => peer.everything ?
	    progressByClock(peer) : steps.progress(peer.call)),
	parallel: () => withPeer(peer => {
		if (peer.everything)
			throw new Skip('needs the fixture server');
		return steps.parallel(peer.call);
	}),
	cancel: () => withPeer(peer => peer.everything ?
	    cancelAndGoOn(peer) : steps.cancel(peer.call, false)),
	'cancel-quiet': () => withPeer(peer => {
		if (peer.everything)
			throw new Skip('needs the fixture server');
		return steps.cancel(peer.call, true);
	}),
	notify: () => withPeer(notify),
	resume: () => withPeer(peer => peer.everything ?
	    resumeAfterEnd(peer) : resume(peer), 2000),
	delete: () => withPeer(async peer => {
		const session = peer.transport.sessionId;
		await peer.call(peer.echo, { message: 'still here' });
		await peer.close();
		const gone = peer.everything ? 400 : 404;
		for (const method of ['POST', 'GET'])
			equal((await raw(method, session)).status, gone,
			    `${method} in an ended session`);
	}),
};

process.exit(await run(cases, opt.operands, Number(opt.timeout)));
