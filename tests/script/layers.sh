#!/bin/sh
exec sh "$(dirname "$0")/../layers.sh"
