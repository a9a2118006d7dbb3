# SPDX-License-Identifier: ISC
# Prints functions that are longer than LONG lines (main: LONG_MAIN) or nested
# deeper than DEEP, and files longer than FILE lines.  It relies on the style:
# a function's braces stand alone in the first column.

FNR == 1 {
	if (last != "" && lines > FILE)
		print last ": " lines " lines"
	last = FILENAME
	inside = 0
	title = ""
}
{ lines = FNR }
!inside && /^[a-zA-Z_].*\(/ { title = $0 }
/^\{/ && title != "" {
	inside = 1
	begin = FNR
	depth = deepest = 0
	next
}
inside && /^\}/ {
	body = FNR - begin - 1
	name = title
	sub(/\(.*/, "", name)
	if (body > (name == "main" ? LONG_MAIN : LONG))
		print FILENAME ":" begin ": " name ": " body " lines"
	if (deepest > DEEP)
		print FILENAME ":" begin ": " name ": nested " deepest " deep"
	inside = 0
	title = ""
}
inside {
	code = $0
	gsub(/'(\\.|[^'])'|"(\\.|[^"])*"/, "", code)
	depth += gsub(/\{/, "{", code) - gsub(/\}/, "}", code)
	if (depth > deepest)
		deepest = depth
}
END {
	if (last != "" && lines > FILE)
		print last ": " lines " lines"
}
