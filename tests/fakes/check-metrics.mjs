// SPDX-License-Identifier: ISC
//
// check-metrics.mjs: reads metrics from standard input and says what is wrong
// with them, as promtool would: the text format of Prometheus 0.0.4, each
// family once with its HELP, its TYPE and then its samples, each once; counters,
// and nothing else, end in _total.  Exits with 1 if something is.

import fs from 'node:fs';

const text = fs.readFileSync(0, 'utf8');
const sample =
	/^([a-zA-Z_:][\w:]*)(\{(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)*\})? (\d+(?:\.\d+)?)$/;
const families = new Set(), samples = new Set();
let problems = 0, family = null, type = null, count = 1;

function problem(line, what) {
	console.log(`${what}: ${line}`);
	problems++;
}

function begin(line, name) {
	if (count === 0)
		problem(line, 'the family before has no samples');
	if (families.has(name))
		problem(line, 'a family twice');
	families.add(name);
	[family, type, count] = [name, null, 0];
}

function take(line) {
	const help = /^# HELP ([a-zA-Z_:][\w:]*) \S.*$/.exec(line);
	const kind = /^# TYPE (\S+) (counter|gauge)$/.exec(line);
	const found = sample.exec(line);

	if (help) {
		begin(line, help[1]);
	} else if (kind) {
		if (kind[1] !== family || type !== null || count !== 0)
			problem(line, 'a TYPE out of place');
		type = kind[2];
		if (family?.endsWith('_total') !== (type === 'counter'))
			problem(line, 'a name of another type');
	} else if (!found || found[1] !== family || type === null) {
		problem(line, 'no sample of this family');
	} else {
		if (samples.has(found[1] + (found[2] ?? '')))
			problem(line, 'a sample twice');
		samples.add(found[1] + (found[2] ?? ''));
		count++;
	}
}

if (!text.endsWith('\n'))
	problem('', 'no newline at the end');
text.split('\n').slice(0, -1).forEach(take);
if (count === 0)
	problem('', 'the last family has no samples');
process.exit(problems === 0 ? 0 : 1);
