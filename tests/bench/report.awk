# SPDX-License-Identifier: ISC

# Reads `aims` and then the samples of a run (round, metric, peer, value, unit,
# separated by tabs), prints the tables to stdout and, to the file named by
# `json`, the same for machines.  `facts` holds "name=value" lines about the
# machine for that file.

BEGIN { OFS = "\t" }

/^(#|$)/ { next }

FILENAME == ARGV[1] {
	aim[++aims] = $0
	next
}

FILENAME == facts {
	cut = index($0, "=")
	fact[++fact_count] = quote(substr($0, 1, cut - 1)) ": " \
		quote(substr($0, cut + 1))
	next
}

{
	split($0, f, "\t")
	metric = f[2]; peer = f[3]
	if (!(metric in unit)) {
		metrics[++metric_count] = metric
		unit[metric] = f[5]
	}
	if (!(peer in seen)) {
		seen[peer] = 1
		peers[++peer_count] = peer
	}
	if (metric != "foreign")
		member[group_of(metric), peer] = measured[group_of(metric)] = 1
	value[metric, peer, f[1]] = f[4]
	list[metric, peer] = list[metric, peer] " " f[4]
	if (f[1] > rounds)
		rounds = f[1]
}

END {
	group_print("tunnel")
	group_print("proxy")
	group_print("sandbox")
	group_print("tools")
	if ("foreign" in unit)
		foreign_print()
	aims_print()
	json_print()
}

function quote(text)
{
	gsub(/[\\"]/, "\\\\&", text)
	return "\"" text "\""
}

# The median of a blank-separated list, "" of an empty one.
function median(text,    v, n, i, j, t)
{
	n = split(text, v, " ")
	for (i = 2; i <= n; i++) {
		t = v[i] + 0
		for (j = i - 1; j > 0 && v[j] + 0 > t; j--)
			v[j + 1] = v[j]
		v[j + 1] = t
	}
	if (n == 0)
		return ""
	return n % 2 ? v[(n + 1) / 2] + 0 : (v[n / 2] + v[n / 2 + 1]) / 2
}

function show(x)
{
	if (x == "")
		return "-"
	return sprintf(x >= 100 || x == int(x) ? "%.0f" : "%.2f", x)
}

function group_of(metric)
{
	if (metric ~ /^box_/)
		return "sandbox"
	if (metric ~ /^(tool|session)_/)
		return "tools"
	return metric ~ /^(c[0-9]+|sse)(_|$)/ ? "proxy" : "tunnel"
}

function row_print(group, name, of_unit, metric,    p, line)
{
	line = sprintf("%-11s %-9s", name, of_unit)
	for (p = 1; p <= peer_count; p++)
		if ((group, peers[p]) in member)
			line = line sprintf(" %10s", metric == "" ? peers[p] : \
				show(median(list[metric, peers[p]])))
	print line
}

function group_print(group,    i, m, any)
{
	for (i = 1; i <= peer_count; i++)
		any += (group, peers[i]) in member
	if (any == 0)
		return
	row_print(group, group, "unit", "")
	for (i = 1; i <= metric_count; i++) {
		m = metrics[i]
		if (m != "foreign" && group_of(m) == group)
			row_print(group, m, unit[m], m)
	}
	print ""
}

function foreign_print(    p, all)
{
	for (p = 1; p <= peer_count; p++)
		all = all list["foreign", peers[p]]
	if (all == "")
		return
	printf "cores used by anything else, median over all runs: %s\n\n",
		show(median(all))
}

# Ratios are taken within a round, where both ran next to each other.
function ratio(m, peer, ref_m, ref,    r, text)
{
	for (r = 1; r <= rounds; r++)
		if (((m, peer, r) in value) && value[ref_m, ref, r] > 0)
			text = text " " value[m, peer, r] / value[ref_m, ref, r]
	return median(text)
}

function aims_print(    i, n, f, x, met, verdict, what)
{
	printf "%-40s %9s  %-9s %s\n", "aim", "measured", "wanted", ""
	for (i = 1; i <= aims; i++) {
		n = split(aim[i], f, /[ \t]+/)
		if (!(group_of(f[1]) in measured))
			continue
		what = f[1] " of " f[2]
		if (n == 4)
			x = median(list[f[1], f[2]])
		else {
			x = ratio(f[1], f[2], n > 5 ? f[6] : f[1], f[5])
			what = what " / " (n > 5 ? f[6] " of " : "") f[5]
		}
		met = f[3] == ">=" ? x >= f[4] : x <= f[4]
		verdict = x == "" ? "not measured" : met ? "reached" : "missed"
		printf "%-40s %9s  %-2s %-6s %s\n", what, show(x), f[3], f[4],
			verdict
		aim_json[++aims_shown] = sprintf("{\"aim\": %s, \"op\": \"%s\", " \
			"\"wanted\": %s, \"measured\": %s, \"result\": \"%s\"}",
			quote(what), f[3], f[4], x == "" ? "null" : x, verdict)
	}
}

function samples_json(m, p,    v, n, i, text)
{
	n = split(list[m, p], v, " ")
	for (i = 1; i <= n; i++)
		text = text (i > 1 ? ", " : "") v[i]
	return sprintf("%s: {\"median\": %s, \"samples\": [%s]}",
		quote(p), median(list[m, p]), text)
}

function json_print(    i, p, m, first)
{
	print "{" >json
	for (i = 1; i <= fact_count; i++)
		print "  " fact[i] "," >json
	print "  \"metrics\": {" >json
	for (i = 1; i <= metric_count; i++) {
		m = metrics[i]
		printf "    %s: {\"unit\": %s", quote(m), quote(unit[m]) >json
		for (p = 1; p <= peer_count; p++)
			if ((m, peers[p]) in list)
				printf ",\n      %s",
					samples_json(m, peers[p]) >json
		print "}" (i < metric_count ? "," : "") >json
	}
	print "  },\n  \"aims\": [" >json
	for (i = 1; i <= aims_shown; i++)
		print "    " aim_json[i] (i < aims_shown ? "," : "") >json
	print "  ]\n}" >json
}
