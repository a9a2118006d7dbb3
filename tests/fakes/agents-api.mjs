// SPDX-License-Identifier: ISC
//
// agents-api.mjs --scenario NAME --log FILE [--ready-fd N] [--peer NAME]
//     [--workdir DIR]
// agents-api.mjs --steps FILE.json ...
// agents-api.mjs --list
//
// The Managed Agents API as an environment worker sees it, on loopback: the
// work queue with its leases, sessions with their history and event stream,
// skills, memory stores.  A scenario (agents/scenarios.mjs) is what the agent
// says and what goes wrong; --steps takes one as data: {"options": {...},
// "steps": [["call", "bash", {"command": "true"}], ["turn"], ["idle"]],
// "want": {"send": 1}}, each step a method of agents/play.mjs.
//
// The ready line is "PORT KEY ENVIRONMENT OTHER": OTHER is the port of a second
// listener that nobody has a reason to call.  The log has one JSON line per
// request, {"over": true} when the scenario has come to its end, and
// {"mark": ...} on the way.  SIGTERM ends it: it then prints what differs from
// what the scenario wants, and exits 1 if anything does.

import fs from 'node:fs';
import http from 'node:http';
import { parseArgs } from 'node:util';
import { Api } from './agents/api.mjs';
import { Play, verdict } from './agents/play.mjs';
import { scenarios } from './agents/scenarios.mjs';

const { values } = parseArgs({ options: {
	scenario: { type: 'string' },
	steps: { type: 'string' },
	list: { type: 'boolean' },
	log: { type: 'string', default: '/dev/null' },
	'ready-fd': { type: 'string', default: '1' },
	peer: { type: 'string', default: 'worker' },
	workdir: { type: 'string', default: '.' },
} });

function fail(text) {
	console.error(`agents-api: ${text}`);
	process.exit(2);
}

function fromSteps(file) {
	const { options = {}, steps, want = {} } =
	    JSON.parse(fs.readFileSync(file, 'utf8'));
	return {
		options, want,
		async play(s) {
			for (const [verb, ...args] of steps)
				await s[verb](...args);
		},
	};
}

function listen(server) {
	return new Promise((resolve) => server.listen(0, '127.0.0.1', () =>
	    resolve(server.address().port)));
}

if (values.list) {
	console.log(Object.keys(scenarios).join('\n'));
	process.exit(0);
}
if (!values.steps && !scenarios[values.scenario])
	fail(`${values.scenario}: no such scenario`);
// What is large is made here, once.
const scenario = { ...(values.steps ? fromSteps(values.steps)
    : scenarios[values.scenario]) };

const api = new Api(fs.openSync(values.log, 'a'), scenario.options);
const other = http.createServer((req, res) => {
	api.strangers.push(`${req.method} ${req.url}`);
	res.writeHead(200, { 'content-type': 'application/json' }).end('null');
});
const server = http.createServer({ noDelay: true },
    (req, res) => api.serve(req, res));
server.requestTimeout = 0;
api.port = await listen(server);
api.otherPort = await listen(other);
const play = new Play(api, values);

process.on('SIGTERM', () => {
	const complaints = verdict(play, scenario);
	for (const line of complaints)
		console.log(line);
	process.exit(complaints.length > 0 ? 1 : 0);
});
fs.writeSync(Number(values['ready-fd']),
    `${api.port} ${api.key} ${api.environment} ${api.otherPort}\n`);
if (values['ready-fd'] !== '1')
	fs.closeSync(Number(values['ready-fd']));
try {
	play.prepare(scenario);
	await scenario.play(play);
	api.write({ over: true });
} catch (e) {
	play.complain(e.stack);
	api.write({ over: true, error: e.message });
}
