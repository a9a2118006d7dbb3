#!/bin/sh
# SPDX-License-Identifier: ISC
#
# install.sh DIR: puts the pinned npm packages of this directory into
# DIR/node_modules and a link to their own Node 22 at DIR/node.  Does nothing
# when DIR already holds exactly these packages.  Prints nothing on success,
# one line on failure.  Needs npm, any version from 9 on.

set -u

fail()
{
	echo "install.sh: $*" >&2
	exit 1
}

[ $# -eq 1 ] || { echo "usage: install.sh DIR" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd) || exit 1
mkdir -p "$1" || exit 1
dir=$(cd "$1" && pwd) || exit 1

case $(uname -m) in
x86_64)	arch=x64 ;;
aarch64) arch=arm64 ;;
*)	fail "$(uname -m): no Node 22 package for this machine" ;;
esac

# Two test files may ask at the same time; the second waits, then finds the
# work done.
exec 9>"$dir/.lock"
flock 9

stamp=$(cd "$here" && sha256sum package.json package-lock.json .npmrc) ||
	fail "$here: cannot read the lock file"
if [ -x "$dir/node" ] && [ "$stamp" = "$(cat "$dir/stamp" 2>/dev/null)" ]
then
	exit 0
fi

command -v npm >/dev/null || fail "npm: not found (Debian package npm)"
rm -f "$dir/stamp" "$dir/node"
cp "$here/package.json" "$here/package-lock.json" "$here/.npmrc" "$dir/" ||
	fail "$dir: cannot copy the lock file"
if ! (cd "$dir" && npm ci --prefer-offline) >"$dir/npm.log" 2>&1 9>&-
then
	reason=$(grep -m1 'reason:\|sha512' "$dir/npm.log" ||
	    tail -n1 "$dir/npm.log")
	fail "npm ci: $reason (log in $dir/npm.log)"
fi
ln -s "node_modules/node-linux-$arch/bin/node" "$dir/node"
"$dir/node" --version >/dev/null 2>&1 || fail "$dir/node: does not run"
echo "$stamp" >"$dir/stamp"
