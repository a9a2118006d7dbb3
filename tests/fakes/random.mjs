// SPDX-License-Identifier: ISC
//
// Numbers that look random and are the same for the same seed (mulberry32).
export class Random {
	constructor(seed) {
		this.state = seed >>> 0;
	}

	/* A whole number below n. */
	below(n) {
		this.state = (this.state + 0x6d2b79f5) >>> 0;
		let t = this.state;
		t = Math.imul(t ^ (t >>> 15), t | 1);
		t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
		return ((t ^ (t >>> 14)) >>> 0) % n;
	}

	chance(percent) {
		return this.below(100) < percent;
	}

	of(list) {
		return list[this.below(list.length)];
	}

	bytes(n) {
		return Buffer.from(Array.from({ length: n }, () => this.below(256)));
	}
}
