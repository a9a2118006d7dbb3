// SPDX-License-Identifier: ISC
//
// Many calls of each tool.  What they answer is not written down here: ours has
// to say what the official one says in the same run.

const big = 'x'.repeat(1000).concat('\n').repeat(300);

const bash = (command, more) => ['bash', { command, ...more }];
const read = (file_path, view_range) =>
    ['read', view_range ? { file_path, view_range } : { file_path }];
const write = (file_path, content) => ['write', { file_path, content }];
const edit = (file_path, old_string, new_string, replace_all) =>
    ['edit', { file_path, old_string, new_string,
        ...(replace_all === undefined ? {} : { replace_all }) }];
const glob = (pattern, path) => ['glob', path ? { pattern, path } : { pattern }];
const grep = (pattern, path) => ['grep', path ? { pattern, path } : { pattern }];

const SHELL = [
	bash('pwd'),
	bash('echo out; echo err >&2'),
	bash('false'),
	bash('(exit 42)'),
	bash('echo text; (exit 3)'),
	bash('true'),
	bash('printf "\\n\\n  lead"'),
	bash('printf "trail\\n\\n\\n"'),
	bash('printf "a\\r\\nb\\r"'),
	bash('printf "\\033[31mred\\033[0m \\033]0;title\\007 \\033[2K"'),
	bash('printf "\\377\\376 \\303 \\303\\251 \\360\\237\\230"'),
	bash('cat; echo eof'),
	bash('read x; echo "<$x>"'),
	bash('cat <<E\nhere\nE'),
	bash('echo a # comment'),
	bash('echo a;'),
	bash('f() { echo "f $1"; }; v=1; export w=2; cd /tmp; set -o pipefail'),
	bash('f x; echo $v $w $PWD; false | true; echo $?; cd "$OLDPWD"'),
	bash('sleep 100 & echo bg'),
	// The official one does not notice the end of a shell whose jobs go on.
	bash('jobs | wc -l; kill %1; wait'),
	bash('echo $0 $-; test -t 0; echo $?; test -t 1; echo $?'),
	bash('echo "$PS1|$PS2|$TERM"'),
	bash('set -e; false'),
	bash('echo after'),
	bash('exit 3'),
	bash('kill -9 $$'),
	bash('sleep 9', { timeout_ms: 150 }),
	bash('echo gone; echo $v', { restart: true }),
	['bash', { restart: true }],
	['bash', {}],
	['bash', { command: '' }],
	bash('exec 3>&1; echo three >&3'),
	bash('head -c 102000 /dev/zero | tr "\\0" x'),
	bash('printf "__ANT_CMD_x_DONE__0\\n"'),
	bash('command_that_is_not_there 2>&1 | sed "s/line [0-9]*: //"'),
	bash('trap "echo bye" EXIT; echo trapped'),
	bash('trap - EXIT; unset v; exec 2>/dev/null; echo ${v?is not set}'),
	bash('ulimit -f 0; echo x >limited'),
	['bash', { restart: true }],
];

const FILES = [
	bash('mkdir -p d/e ro; printf "one\\ntwo\\nthree" >d/a.txt; ' +
	    'printf "" >d/empty; printf "a\\0b\\r\\nc\\377\\n" >d/odd; ' +
	    'ln -s a.txt d/link; ln -s ../../out d/away; ln -s nowhere d/dead; ' +
	    'ln -s loop d/loop; mkfifo d/fifo; ln -s / d/root; ' +
	    'printf "1\\n2\\n3\\n4\\n" >d/lines'),
	write('d/big', big),
	read('d/a.txt'), read('d/empty'), read('d/odd'), read('d/link'),
	read('d/away'), read('d/dead'), read('d/loop'), read('d/fifo'),
	read('d'), read('d/root/etc/passwd'), read('nothing'), read(''),
	read('d/a.txt/x'), read('../x'), read('/etc/passwd'),
	read('d/../d/a.txt'), read('x'.repeat(300)),
	read('d/a.txt', [1, 1]), read('d/a.txt', [2, 3]),
	read('d/a.txt', [3, 2]), read('d/a.txt', [0, 1]),
	read('d/a.txt', [-5, -1]), read('d/a.txt', [9, 10]),
	read('d/a.txt', [2]), read('d/a.txt', [1, 2, 3]), read('d/a.txt', []),
	read('d/lines', [4, 4]), read('d/lines', [4, 5]), read('d/lines', [5, 5]),
	read('d/lines', [1, 0]), read('d/empty', [1, 1]),
	read('d/big'), read('d/big', [300, 300]), read('d/big', [1, 299]),
	bash('head -c 262144 /dev/zero | tr "\\0" z >d/exact; ' +
	    '(cat d/exact; echo z) >d/over'),
	read('d/over'), read('d/over', [1, 1]),
	write('d/new/deep/f', 'text é'), read('d/new/deep/f'),
	write('d/a.txt', 'replaced\n'), read('d/a.txt'),
	write('d/link', 'through'), bash('cat d/a.txt; readlink d/link'),
	write('d', 'x'), write('d/a.txt/x', 'x'), write('', 'x'),
	write('../x', 'x'), write('/etc/x', 'x'), write('d/dead', 'alive'),
	['write', { file_path: 'd/none' }], write('d/away', 'x'),
	bash('cat d/nowhere; stat -c "%a %s" d/new/deep/f d/none; ' +
	    'chmod 751 d/a.txt'),
	write('d/a.txt', 'kept mode'), bash('stat -c %a d/a.txt; ls -A d/new/deep'),
	write('d/t', 'aXbXc aXbXc\n'), edit('d/t', 'X', '-'),
	edit('d/t', 'X', '-', true), read('d/t'), edit('d/t', 'a-b', '$&\\1'),
	edit('d/t', 'a-b-c a', 'first $& '), read('d/t'),
	edit('d/t', '', 'x'), edit('d/t', 'not there', 'x'), edit('', 'a', 'b'),
	edit('d', 'a', 'b'), edit('nothing', 'a', 'b'), edit('d/over', 'z', 'y'),
	edit('d/fifo', 'a', 'b'), edit('../x', 'a', 'b'), edit('/etc/passwd', 'r', 's'),
	write('d/o', 'aaaa'), edit('d/o', 'aa', 'b'), edit('d/o', 'aa', 'b', true),
	read('d/o'), edit('d/o', 'bb', ''), read('d/o'),
];

const SEARCH = [
	bash('mkdir -p s/.hid s/.git s/node_modules s/sub; cd s; ' +
	    'echo needle here >one.c; echo "no such" >two.c; ' +
	    'echo needle >.hidden.c; echo needle >.hid/x.c; ' +
	    'echo needle >.git/x.c; echo needle >node_modules/x.c; ' +
	    'ln -s one.c alias.c; ln -s / up; printf "needle\\0" >bin; ' +
	    'for i in 1 2 3; do echo "line $i" >sub/$i.h; ' +
	    'touch -d 2020-01-0$i sub/$i.h; done; ' +
	    'touch -d 2021-01-01 two.c; cd ..'),
	glob('s/*.c'), glob('*.c', 's'), glob('**/*.h', 's'), glob('sub/*', 's'),
	glob('sub/[12].h', 's'), glob('sub/{1,3}.h', 's'), glob('sub/?.h', 's'),
	glob('.hidden.c', 's'), glob('s/.hid/*.c'), glob('s/up/etc/passwd'),
	glob('s/node_modules/*'), glob('node_modules/x.c', 's'),
	glob('*', 'none'), glob('*.none'), glob(''), glob('/etc/*'),
	glob('../*'), glob('a/../b'), glob('{a,../b}'), glob('*', '/etc'),
	glob('*', '..'), glob('**/x.c', 's'),
	glob('[', 's'), glob('sub', 's'),
	grep('line 2', 's'), grep('no such', 's/two.c'), grep('needle here', 's'),
	grep('^line [0-9]$', 's/sub/3.h'), grep('no match at all'),
	grep(''), grep('x', '/etc'), grep('x', '..'),
	grep('needle', 's/bin'), grep('NEEDLE', 's/one.c'),
	grep('needle\\b', 's/one.c'), grep('h.re', 's/one.c'),
];

function texts(steps) {
	return {
		options: { ttl: 30, session: { nul: true } },
		async play(s) {
			await s.attached();
			for (const [name, input] of steps)
				await s.ask(name, input);
			s.idle();
			await s.again();
		},
		want: { send: steps.length, stop: 1 },
	};
}

export const tools = {
	'the texts of bash': texts([bash('pwd'), ...SHELL]),
	'the texts of read, write and edit': texts([bash('pwd'), ...FILES]),
	'the texts of glob and grep': texts([bash('pwd'), ...SEARCH]),
};
