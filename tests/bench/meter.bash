# SPDX-License-Identifier: ISC
# shellcheck shell=bash

# Reads what processes have used from /proc.  Results come back in variables
# named at the top of each function: a command substitution would fork and be
# measured itself.

# family PID... sets FAMILY to these processes and all their descendants.
family()
{
	local pid file children

	FAMILY=("$@")
	for ((i = 0; i < ${#FAMILY[@]}; i++)); do
		pid=${FAMILY[i]}
		for file in "/proc/$pid/task"/*/children; do
			children=
			read -r children 2>/dev/null <"$file"
			# shellcheck disable=SC2206
			FAMILY+=($children)
		done
	done
}

# cpu_ticks PID... sets TICKS to the user and system time of these processes,
# their descendants, and the descendants already waited for.
cpu_ticks()
{
	local pid text field

	TICKS=0
	family "$@"
	for pid in "${FAMILY[@]}"; do
		text=
		read -r text 2>/dev/null <"/proc/$pid/stat" || continue
		# The name in parentheses may hold spaces; state follows it.
		read -r -a field <<<"${text##*) }"
		((TICKS += field[11] + field[12] + field[13] + field[14]))
	done
}

# machine_ticks sets TICKS to the time this machine's processors were busy.
machine_ticks()
{
	local user nice system idle iowait irq softirq

	read -r _ user nice system idle iowait irq softirq _ </proc/stat
	((TICKS = user + nice + system + irq + softirq, idle + iowait))
}

# memory_kib PID... sets RSS_KIB and PSS_KIB to the sums over these processes
# and their descendants.
memory_kib()
{
	local pid name kib

	RSS_KIB=0 PSS_KIB=0
	family "$@"
	for pid in "${FAMILY[@]}"; do
		[[ -r /proc/$pid/smaps_rollup ]] || continue
		while read -r name kib _; do
			case $name in
			Rss:) ((RSS_KIB += kib)) ;;
			Pss:) ((PSS_KIB += kib)) ;;
			esac
		done <"/proc/$pid/smaps_rollup"
	done
}
