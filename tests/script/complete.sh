#!/bin/sh
# Completion: the scripts are valid, and bash really completes with one. Prints TAP.
set -u
cd "$(dirname "$0")/../.." || exit 2
program=${TOWPATH_BIN:-./towpath}
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT
rc=0
say() {
	if [ "$1" -eq 0 ]; then
		echo "ok - $2"
	else
		echo "not ok - $2"
		rc=1
	fi
}
for shell in bash zsh fish; do
	"$program" completion $shell > "$tmp/$shell"
	say $? "a script for $shell"
	if command -v $shell > /dev/null 2>&1; then
		HOME=$tmp $shell -n "$tmp/$shell"
		say $? "$shell takes it"
	else
		echo "ok - $shell takes it # SKIP no $shell"
	fi
done
# A program that answers like ours would, and says how it was asked.
cat > "$tmp/towpath" << 'END'
#!/bin/sh
echo "$*" >> "$(dirname "$0")/asked"
case "$*" in
*"__complete service") printf 'web\nworker\n' ;;
*"__complete env") printf 'dev\nprod\n' ;;
esac
END
chmod +x "$tmp/towpath"
complete_bash() {
	bash --norc -c '
		. "$1/bash"
		program=$1/towpath
		shift
		COMP_WORDS=("$program" "$@")
		COMP_CWORD=$#
		_towpath
		printf "%s " "${COMPREPLY[@]}"
	' bash "$tmp" "$@"
}
expect() {
	want=$1
	shift
	got=$(complete_bash "$@")
	[ "$got" = "$want" ] || echo "# wanted '$want', got '$got'"
	[ "$got" = "$want" ]
	say $? "bash: towpath $*"
}
expect "promote promote-set " prom
expect "web worker " promote ""
expect "web " promote we
expect "dev prod " promote web --to ""
expect "prod " promote web --to p
expect "--to " promote web --t
expect "verify checkpoint export " audit ""
touch "$tmp/one.sql" "$tmp/two.sql"
expect "$tmp/one.sql " migrations lint "$tmp/on"
expect "$tmp/two.sql " migrations lint "$tmp/one.sql" "$tmp/tw"
expect "--tool " migrations lint --to
expect "verify " audit v
expect "bash " completion ba
expect "web worker " -c some.yaml promote ""
grep -q -e '-c some.yaml __complete service' "$tmp/asked"
say $? "the config file is passed on"
got=$(complete_bash __)
[ "$got" = " " ] || [ -z "$got" ]
say $? "internal commands stay hidden"
if command -v zsh > /dev/null 2>&1; then
	got=$(HOME=$tmp zsh -f -c '
		compdef() { : }
		compadd() { shift; print -n -- "$* " }
		. "$1/zsh"
		words=("$1/towpath" promote web --to "")
		CURRENT=5
		_towpath
	' zsh "$tmp")
	[ "$got" = "dev prod " ] || echo "# got '$got'"
	[ "$got" = "dev prod " ]
	say $? "zsh: towpath promote web --to"
fi
if command -v fish > /dev/null 2>&1; then
	got=$(HOME=$tmp XDG_CONFIG_HOME=$tmp PATH="$tmp:$PATH" fish --no-config -c "source $tmp/fish; complete -C 'towpath promote web --to '" | cut -f1 | sort | tr '\n' ' ')
	[ "$got" = "dev prod " ] || echo "# got '$got'"
	[ "$got" = "dev prod " ]
	say $? "fish: towpath promote web --to"
fi
exit $rc
