// SPDX-License-Identifier: ISC
//
// agents-battery.mjs BATTERY ATTACK: writes the steps (agents-api.mjs) that
// make the attempts of the sandbox's battery from inside tool calls: those of
// its tables that need nothing prepared.  ATTACK, the program of tests/attacks,
// gets there as a skill.

import fs from 'node:fs';

const TESTS = /^@test "(escape|leak: the kernel"|leak: devices|files: the host|network: kinds|network: none)/;
const [battery, attack] = process.argv.slice(2);

function rows(text) {
	const found = [];
	let wanted = false, table = false;
	for (const line of text.split('\n')) {
		if (line.startsWith('@test'))
			wanted = TESTS.test(line);
		if (/^\tEND$/.test(line))
			table = false;
		const at = line.lastIndexOf(' -> ');
		if (wanted && table && at > 0 && !line.startsWith('\t#')) {
			const [name, ...rest] = line.slice(1, at).split(': ');
			found.push({ name, command: rest.join(': '),
			    want: line.slice(at + 4) });
		}
		if (/^\tattempts <<-'END'/.test(line))
			table = true;
	}
	return found;
}

const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;

const attempts = rows(fs.readFileSync(battery, 'utf8')).map((row) =>
    ['expect', 'bash', { command: `out=$(PATH=$HERE:$PATH sh -c ${
    quote(row.command)} </dev/null 2>/dev/null); s=$?
out=\${out##*$'\\n'}
[ $s -le 128 ] || out="killed by $((s - 128))"
echo "\${out:-status $s}"` }, row.want, row.name]);

console.log(JSON.stringify({
	options: {
		ttl: 30,
		skills: { skill_1: { name: 'attacks', members: [
			{ name: 'attack', mode: 0o755, file: attack },
			{ name: 'SKILL.md', data: 'x' }] } },
		session: { agent: { skills: [{ type: 'custom',
		    skill_id: 'skill_1', version: '1' }] } },
	},
	steps: [
		['attached'],
		['expect', 'bash', { command:
		    'HERE=$PWD/skills/attacks; test -x $HERE/attack && echo yes' },
		    'yes'],
		...attempts,
		['idle'],
		['again'],
	],
	want: { send: attempts.length + 1, stop: 1 },
}));
