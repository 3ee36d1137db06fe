#!/bin/sh
# Writes the C table of the files named: their bytes travel inside the program.
set -eu
printf '#include "core/baked.h"\n\n'
i=0
for f; do
	printf 'static const unsigned char file_%d[] = {\n' "$i"
	od -An -v -tx1 "$f" | sed 's/ *\([0-9a-f][0-9a-f]\)/0x\1,/g'
	printf '0};\n'
	i=$((i + 1))
done
printf 'const struct baked baked_files[] = {\n'
i=0
for f; do
	x=false
	[ -x "$f" ] && x=true
	printf '\t{"%s", file_%d, sizeof(file_%d) - 1, %s},\n' "$f" "$i" "$i" "$x"
	i=$((i + 1))
done
printf '\t{0, 0, 0, false},\n};\n'
