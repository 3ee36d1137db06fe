#!/usr/bin/env python3
"""Shape of the code: lengths of files and functions, how much is static, what is longest.

figures.py ROOT FOLDER...   Standard library only; reads the C files of those folders, functions by their closing
brace in the first column.
"""
import os
import re
import sys

LONG_FUNCTION, LONG_FILE = 100, 700
FUNCTION = re.compile(r"^(?P<static>static\s+)?(?:inline\s+|const\s+)*[A-Za-z_][\w\s\*]*?\b(?P<name>[A-Za-z_]\w*)\(")


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))] if values else 0


def files_of(root, folder, ending):
    for place, _, names in os.walk(os.path.join(root, folder)):
        yield from (os.path.join(place, n) for n in sorted(names) if n.endswith(ending))


def functions_of(lines):
    """Yields name, lines, is static, parameters."""
    head, start = None, 0
    for number, line in enumerate(lines, 1):
        if line[:1] not in ("", " ", "\t", "#", "/", "*", "{", "}"):
            found = FUNCTION.match(line)
            if found and not line.rstrip().endswith(";"):
                head, start = found, number
                if line.rstrip().endswith("}"):      # on one line
                    yield head["name"], 1, bool(head["static"]), line.split(")")[0].count(",") + 1
                    head = None
            elif line.rstrip().endswith((";", "=")) or "=" in line:
                head = None
        elif line.startswith("}") and head:
            signature = "".join(lines[start - 1:number]).split(")")[0]
            yield head["name"], number - start + 1, bool(head["static"]), signature.count(",") + 1
            head = None


def main():
    root, folders = sys.argv[1], sys.argv[2:]
    every, long_files, totals = [], [], [0, 0, 0]
    print(f"{'folder':<10} {'.c':>4} {'.h':>4} {'lines':>7} {'median':>7} {'max':>5}  {'functions':>9} {'median':>6} "
          f"{'p90':>4} {'max':>4} {'> 60':>6} {'static':>7}")
    for folder in folders:
        lengths, functions = [], []
        headers = len(list(files_of(root, folder, ".h")))
        for path in files_of(root, folder, ".c"):
            with open(path, encoding="utf-8", errors="replace") as f:
                lines = f.readlines()
            lengths.append(len(lines))
            name = os.path.relpath(path, root)
            functions += [(n, where, static, params, name) for where, n, static, params in functions_of(lines)]
            if len(lines) > LONG_FILE:
                long_files.append((len(lines), name))
        sizes = [f[0] for f in functions]
        share = sum(f[2] for f in functions) / max(1, len(functions))
        print(f"{folder:<10} {len(lengths):>4} {headers:>4} {sum(lengths):>7} {quantile(lengths, .5):>7} "
              f"{max(lengths, default=0):>5}  {len(functions):>9} {quantile(sizes, .5):>6} {quantile(sizes, .9):>4} "
              f"{max(sizes, default=0):>4} {sum(s > 60 for s in sizes) / max(1, len(sizes)):>6.1%} {share:>7.0%}")
        every += functions
        totals = [totals[0] + len(lengths), totals[1] + headers, totals[2] + sum(lengths)]
    sizes = [f[0] for f in every]
    print(f"{'all':<10} {totals[0]:>4} {totals[1]:>4} {totals[2]:>7} {'':>7} {'':>5}  {len(every):>9} {quantile(sizes, .5):>6} "
          f"{quantile(sizes, .9):>4} {max(sizes, default=0):>4} {sum(s > 60 for s in sizes) / max(1, len(sizes)):>6.1%} "
          f"{sum(f[2] for f in every) / max(1, len(every)):>7.0%}")
    print(f"more than 6 parameters: {sum(f[3] > 6 for f in every) / max(1, len(every)):.1%} of the functions")
    print(f"functions over {LONG_FUNCTION} lines:" + ("" if any(s > LONG_FUNCTION for s in sizes) else " none"))
    for n, where, _, _, name in sorted(every, reverse=True):
        if n > LONG_FUNCTION:
            print(f"  {n:>4}  {name}  {where}")
    print(f"files over {LONG_FILE} lines:" + ("" if long_files else " none"))
    for n, name in sorted(long_files, reverse=True):
        print(f"  {n:>4}  {name}")


main()
