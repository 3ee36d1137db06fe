#!/bin/sh
exec sh "$(dirname "$0")/../headers.sh"
