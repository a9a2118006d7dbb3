# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # set by helpers.bash, for the tests

# Frames and captures for the tests of frame-dump.

DUMP=$BIN/frame-dump
VECTORS=$ROOT/tests/vectors

# unhex FILE: the bytes of a file of hexadecimal digits and # comments.
unhex()
{
	sed 's/#.*//' "$1" | xxd -r -p
}

# tap OPTION... -- COMMAND...: a tap that may not hang.
tap()
{
	timeout --foreground 60 "$DUMP" "$@"
}

# make_session sets SESSION to a capture with a frame of every type.
make_session()
{
	SESSION=$T/session.cap
	unhex "$VECTORS/session.hex" >"$SESSION"
}

# frame TYPE STREAM HEX: one frame; TYPE in hexadecimal.
frame()
{
	printf '%s000000%08x%08x%s' "$1" "$2" $((${#3} / 2)) "$3" | xxd -r -p
}

preamble()
{
	printf 'adit\r\n\001\001'
}

# data_frames COUNT LENGTH: so many DATA frames of zeros on stream 2, COUNT
# a power of two.
data_frames()
{
	local f=$T/frames.tmp n

	{
		printf '1100000000000002%08x' "$2" | xxd -r -p
		head -c "$2" /dev/zero
	} >"$f"
	for ((n = 1; n < $1; n *= 2)); do
		cat "$f" "$f" >"$f.twice"
		mv "$f.twice" "$f"
	done
	cat "$f"
}

# make_hop COUNT LENGTH: $T/hop, one direction of a hop with such frames.
make_hop()
{
	{
		preamble
		data_frames "$1" "$2"
	} >"$T/hop"
}

# count_dropped FILE: the sum of what its lines say was dropped.
count_dropped()
{
	awk '{ for (i = 1; i <= NF; i++)
		if (sub(/^dropped=/, "", $i)) n += $i }
		END { print n + 0 }' "$1"
}
