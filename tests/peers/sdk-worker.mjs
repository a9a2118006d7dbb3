// SPDX-License-Identifier: ISC
//
// sdk-worker.mjs --base-url URL --environment-id ID --environment-key KEY
//     --workdir DIR [--max-idle-ms N]
//
// The official SDK's environment worker, until SIGTERM; what it throws is one
// line on standard error and exit status 1.

import { fail, load, options } from './peer.mjs';

const Anthropic = load('@anthropic-ai/sdk').default;

const o = options('sdk-worker', { 'base-url': null, 'environment-id': null,
	'environment-key': null, workdir: null, 'max-idle-ms': '400' });
const stop = new AbortController();
process.on('SIGTERM', () => stop.abort());

const client = new Anthropic({ baseURL: o['base-url'], apiKey: null,
	authToken: o['environment-key'] });
const worker = client.beta.environments.work.worker({
	environmentId: o['environment-id'],
	environmentKey: o['environment-key'],
	workdir: o.workdir, maxIdleMs: Number(o['max-idle-ms']),
});

try {
	await worker.run(stop.signal);
} catch (error) {
	if (!stop.signal.aborted)
		fail(1, 'sdk-worker', error.message);
}
