#!/bin/sh
# The unit of the executor: as systemd reads it, with what hardens it, calling a command and options that exist.
set -u
cd "$(dirname "$0")/../.." || exit 2
unit=config/systemd/towpath-executor.service
program=${TOWPATH_BIN:-./towpath}
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT
n=0

verdict() {
	n=$((n + 1))
	if [ -z "$2" ]; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		printf '%s\n' "$2" | sed 's/^/# /'
	fi
}

if command -v systemd-analyze > /dev/null 2>&1; then
	sed "s|/usr/local/bin/towpath|$(readlink -f "$program")|" $unit > "$tmp/towpath-executor.service"
	verdict "systemd has nothing to say about the unit" \
		"$(systemd-analyze verify --man=no "$tmp/towpath-executor.service" 2>&1 | grep -F towpath-executor)"
else
	n=$((n + 1))
	echo "ok $n - systemd has nothing to say about the unit # SKIP no systemd-analyze"
fi
verdict "what hardens it is there" "$(for line in Type=notify KillMode=process NoNewPrivileges=yes ProtectSystem=strict \
	ProtectHome=yes PrivateTmp=yes PrivateDevices=yes CapabilityBoundingSet= RestrictNamespaces=yes UMask=0077 \
	SystemCallFilter=@system-service 'ExecReload=/bin/kill -HUP $MAINPID'; do
	grep -qxF "$line" $unit || echo "no $line"
done)"
words=$(sed -n 's/^ExecStart=[^ ]* -c [^ ]* //p' $unit)
(umask 077 && cat config/examples/minimal.yaml > "$tmp/towpath.yaml")
# shellcheck disable=SC2086 # words of a command
said=$(TOWPATH_STATE=$tmp "$program" -c "$tmp/towpath.yaml" $words 2>&1)
verdict "its words are understood" "$(echo "$said" | grep -q "executor: solo" || echo "$said")"
make -s -n install DESTDIR="$tmp/root" PREFIX=/opt/t 2> /dev/null | grep -q 'lib/systemd/system/towpath-executor.service'
verdict "make install brings it" "$([ $? -eq 0 ] || echo "it does not")"
echo "1..$n"
