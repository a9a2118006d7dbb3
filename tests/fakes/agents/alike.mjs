// SPDX-License-Identifier: ISC
//
// What the official SDK's worker does, and ours with it.  Where the two are
// meant to differ, want says so by peer.

import { calls } from './calls.mjs';
import { faults } from './faults.mjs';
import { memory } from './memory.mjs';
import { tools } from './tools.mjs';

export const alike = { ...calls, ...faults, ...memory,
	...tools };
