// SPDX-License-Identifier: ISC
//
// Runs named cases one after the other and prints TAP.

export function check(condition, text) {
	if (!condition)
		throw new Error(text);
}

export function equal(got, wanted, text) {
	const [a, b] = [JSON.stringify(got), JSON.stringify(wanted)];
	check(a === b, `${text}: got ${a}, wanted ${b}`);
}

// Rejects with text unless promise settles within ms.
export function within(ms, promise, text) {
	let timer;
	const late = new Promise((_, reject) => {
		timer = setTimeout(() => reject(new Error(text)), ms);
	});
	return Promise.race([promise, late]).finally(() =>
	    clearTimeout(timer));
}

// A condition that turns true when something else happens: until(f) resolves
// once f() holds, looked at again after every changed().
export class Watch {
	waiters = new Set();

	changed() {
		for (const wake of [...this.waiters])
			wake();
	}

	until(holds) {
		return new Promise(resolve => {
			const wake = () => {
				if (!holds())
					return;
				this.waiters.delete(wake);
				resolve();
			};
			this.waiters.add(wake);
			wake();
		});
	}
}

export class Skip extends Error {}

function comment(text) {
	return String(text).split('\n').map(line => `# ${line}\n`).join('');
}

// cases: name -> async function.  Returns the exit status.
export async function run(cases, wanted, limit_ms) {
	const all = wanted.length === 0 || wanted[0] === 'all';
	const names = all ? Object.keys(cases) : wanted;
	let status = 0;

	console.log(`1..${names.length}`);
	for (const [index, name] of names.entries()) {
		const n = index + 1;
		const start = Date.now();
		try {
			check(Object.hasOwn(cases, name), 'no such case');
			await within(limit_ms, cases[name](),
			    `no end within ${limit_ms} ms`);
			console.log(`ok ${n} - ${name}` +
			    ` # ${Date.now() - start} ms`);
		} catch (error) {
			if (error instanceof Skip) {
				console.log(`ok ${n} - ${name} # SKIP ` +
				    error.message);
				continue;
			}
			status = 1;
			console.log(`not ok ${n} - ${name}`);
			process.stdout.write(comment(error.stack ?? error));
		}
	}
	return status;
}
