# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # set here or by the helpers

# For tests of sandbox-exec --serve: a client whose doings are JavaScript; see
# tests/fakes/sandbox-client.mjs.

# A number that no file of tests running at the same time makes and removes.
SX_USER=64123

setup_file_serve()
{
	setup_file_sandbox
	cp "$ROOT"/tests/fakes/{sandbox-client,sandbox-session,frames}.mjs "$SX_DIR/"
	printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$SX_DIR/refuse" \
		"$SX_DIR/sandbox-exec" >"$SX_DIR/without"
	mkdir "$SX_DIR/lower"
	mv "$SX_DIR/without" "$SX_DIR/lower/sandbox-exec"
	chmod -R a+rX "$SX_DIR"
	chmod a+x "$SX_DIR/lower/sandbox-exec"
}

# client: runs the JavaScript on its own standard input; $output is what that
# said, $stderr what the server did.  LOWER=1: where there are no namespaces.
# In it W is the working directory, which options shows and runs in.
client()
{
	local dir=$SX_DIR file

	[[ ! ${LOWER-} ]] || dir=$SX_DIR/lower
	file=$(mktemp "$SX_DIR/w.XXXXXX")
	{
		echo "const W = '$W', options = ['--rw', W, '--workdir', W];"
		cat
	} >"$file"
	chmod a+r "$file"
	run_tool "${STATUS:-0}" "${AS[@]}" env "BIN=$dir" timeout -k 5 \
		"${LIMIT:-60}" node "$SX_DIR/sandbox-client.mjs" "$file"
}

# says TEXT: what the client has to have said.
says()
{
	eq "$output" "$1"
}
