#!/bin/sh
# The recorded states against what the tools themselves said of them.
cd "$(dirname "$0")/../.." || exit 2
exec python3 tests/tool_words.py
