// SPDX-License-Identifier: ISC
//
// All scenarios, by name: what both workers do alike, the bad input, and where
// ours is meant to be better.  A scenario has options (of the API and its first
// session), faults by route, play (what happens, until the end), want and check
// (what must have come out; play.mjs).

import { alike } from './alike.mjs';
import { bad } from './bad.mjs';
import { better } from './better.mjs';
import { mounted } from './memory.mjs';
import { secrets } from './secrets.mjs';

export const scenarios = { ...alike, ...bad, ...better,
	...mounted, ...secrets };
