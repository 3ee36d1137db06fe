#!/bin/sh
# The manual against the tables.
exec sh "$(dirname "$0")/../docs.sh"
