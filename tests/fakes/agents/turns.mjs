// SPDX-License-Identifier: ISC
//
// What many scenarios have in common.

// One call, its result, the end of the turn, until the worker asks again.
export async function oneCall(s) {
	await s.ask('bash', { command: 'echo hello' });
	s.idle();
	await s.again();
}

export const once = { send: 1, stop: 1, results: ['hello'] };

// An item that needs no tool.
export const stops = (s) => s.again();

// Events of a history.
export const call = (id, command, more = {}) => ({ type: 'agent.tool_use', id,
	name: 'bash', input: { command }, ...more });

export const result = (id, text) => ({ type: 'user.tool_result',
	tool_use_id: id, is_error: false, content: [{ type: 'text', text }] });

export const ended = { type: 'session.status_idle',
	stop_reason: { type: 'end_turn' }, stop_details: null };

// A fault that stays.
export const always = (status, more = {}) =>
    [{ status, always: true, ...more }];
