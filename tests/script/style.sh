#!/bin/sh
exec sh "$(dirname "$0")/../style.sh"
