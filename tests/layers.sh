#!/bin/sh
# Who may include whom, no library in a project header, what core/ must not do, calls that are banned. TAP.
set -u
cd "$(dirname "$0")/.." || exit 2
bad=0
n=0

check() {
	n=$((n + 1))
	if [ -z "$2" ]; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		echo "$2" | sed 's/^/# /'
		bad=1
	fi
}

sources() {
	find "$@" -name '*.[ch]' 2>/dev/null | LC_ALL=C sort
}

# FOLDER may include the project headers that match PATTERN (an awk regular expression), nothing else.
may_include() {
	folder=$1 pattern=$2
	# shellcheck disable=SC2046
	set -- $(sources "$folder")
	[ $# -eq 0 ] && return
	found=$(awk -v folder="$folder" -v pattern="^($pattern)" '
		/^#[ \t]*include[ \t]*"/ {
			split($0, part, "\"")
			if (part[2] !~ pattern && FILENAME != "cli/main.c")
				print FILENAME ":" FNR ": " part[2]
		}' "$@")
	check "$folder includes only what it may" "$found"
}

may_include core 'core/|baked\.h'
may_include io 'core/|io/'
may_include config 'core/|config/|io/file\.h|io/proc\.h'
may_include themes 'core/|themes/|config/yaml\.h'
may_include engine 'core/|io/|config/|engine/'
may_include backends 'core/|io/|backends/|config/secret_option\.h'
may_include tui 'core/|themes/|config/|tui/|io/loop\.h|engine/(app|request|planner|commands|presence)\.h'
may_include demo 'core/|io/|config/|demo/'
may_include cli 'core/|io/|config/|themes/|engine/|tui/|cli/'

# A driver knows its own port, shared pieces and drivers.h, never the folder of another port.
found=
for f in $(sources backends); do
	port=$(echo "$f" | cut -d/ -f2)
	case $port in *.[ch]) continue ;; esac
	hit=$(awk -v port="$port" '/^#[ \t]*include[ \t]*"backends\// {
		split($0, part, "\""); k = split(part[2], dir, "/")
		if (k > 2 && dir[2] != port) print FILENAME ":" FNR ": " part[2] }' "$f")
	[ -n "$hit" ] && found="$found$hit
"
done
check "no driver includes another port's folder" "$found"

found=$(sources core io engine config themes backends tui cli | grep -v '^cli/main\.c$' |
	grep -v '^backends/' | xargs grep -nE '#[[:space:]]*include[[:space:]]*"(backends/drivers|demo/)' 2>/dev/null)
check "only cli/main.c sees drivers.h and demo/" "$found"

# Library headers stay inside .c files.
libs='uv|curl|jansson|libpq|postgres|git2|pcre2|ncurses|curses|term|sqlite3|libfyaml|expat|utf8proc|openssl|microhttpd|vterm'
found=$(sources core io engine config themes backends tui demo cli | grep '\.h$' |
	xargs grep -nE "#[[:space:]]*include[[:space:]]*<($libs)[^>]*>" 2>/dev/null | grep -v '^io/loop\.h:.*<uv\.h>')
check "no project header includes a library's header" "$found"

# Comments and strings are taken out before a word counts as a call.
code() {
	awk '
	{
		line = $0; out = ""
		while (line != "") {
			if (comment) {
				at = index(line, "*/")
				if (at == 0) { line = ""; break }
				line = substr(line, at + 2); comment = 0; continue
			}
			c = substr(line, 1, 1)
			if (c == "/" && substr(line, 2, 1) == "*") { comment = 1; line = substr(line, 3); continue }
			if (c == "/" && substr(line, 2, 1) == "/") { line = ""; break }
			if (c == "\"" || c == "\047") {
				q = c; line = substr(line, 2); out = out q
				while (line != "" && substr(line, 1, 1) != q)
					line = substr(line, substr(line, 1, 1) == "\\" ? 3 : 2)
				line = substr(line, 2); out = out q; continue
			}
			out = out c; line = substr(line, 2)
		}
		print FILENAME ":" FNR ":" out
	}' "$@"
}

calls() {
	words=$1
	shift
	# shellcheck disable=SC2046
	set -- $(sources "$@")
	[ $# -eq 0 ] && return
	code "$@" | grep -E "(^|[^A-Za-z0-9_.>])($words)[[:space:]]*\("
}

banned='strcpy|strcat|sprintf|vsprintf|strncpy|strtok|strtok_r|atoi|atol|atof|system|popen|gets|localtime|gmtime|ctime|asctime|alloca|rand|srand|tmpnam|mktemp|tempnam|setjmp|longjmp'
check "no banned call" "$(calls "$banned" core io engine config themes backends tui demo cli tests)"

# core/ is pure: no files, processes, sockets, clock, environment, output, threads.
io='fopen|open|openat|read|write|close|printf|fprintf|puts|putchar|perror|stat|lstat|unlink|rename|mkdir|opendir|fork|execv|execvp|kill|socket|connect|time|clock_gettime|gettimeofday|getenv|setenv|secure_getenv|getpid|sleep|usleep|nanosleep|poll|select|pthread_create'
check "core/ neither reads, writes, waits nor asks the clock" "$(calls "$io" core)"

found=$(sources core | xargs grep -nE '^static[[:space:]]+[A-Za-z_].*(=|;)' 2>/dev/null |
	grep -vE 'const|\(|static_assert|_Thread_local')
check "core/ keeps no mutable statics" "$found"

found=$(sources core io engine config themes backends tui demo cli | xargs grep -nE '^typedef[[:space:]]+(struct|union|enum)' 2>/dev/null)
check "no typedef of a struct" "$found"

echo "1..$n"
exit $bad
