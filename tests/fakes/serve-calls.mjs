// SPDX-License-Identifier: ISC
//
// serve-calls.mjs CALLS POLICY COMMAND...: makes the calls of CALLS, a JSON
// list of [tool, input], in one session of COMMAND, which is `sandbox-exec
// --serve`; prints each result as a line {"is_error", "text"}.  POLICY is JSON.

import fs from 'node:fs';
import { serve } from './sandbox-session.mjs';

const [calls, policy, ...command] = process.argv.slice(2);
const server = await serve(command);
const session = server.session(JSON.parse(policy));
for (const [tool, input] of JSON.parse(fs.readFileSync(calls, 'utf8'))) {
	const { is_error, text } = await session.tool(tool, input);
	// An empty result is the caller's to word.
	console.log(JSON.stringify({ is_error, text: text || '(no output)' }));
}
await server.close();
