#include "config/complete.h"

#include <stdio.h>
#include <string.h>

const char *completion_type(enum arg_type t)
{
	switch (t) {
	case ARG_SERVICE: return "service";
	case ARG_ENV: return "env";
	case ARG_RELEASE: return "release";
	case ARG_ROLLOUT: return "rollout";
	case ARG_PLAN: return "plan";
	case ARG_SUITE: return "suite";
	case ARG_SET: return "set";
	case ARG_REVISION:
	case ARG_MIGRATION:
	case ARG_WORD:
	case ARG_REST:
	case ARG_FILES:
	case ARG_DURATION:
	case ARG_INT:
	case ARG_FLAG:
	case ARG_FILTER:
	case ARG_CONFIRM: return NULL;
	}
	return NULL;
}

static bool is_shown(const struct command *c) { return (c->flags & COMMAND_HIDDEN) == 0; }

/* Single quotes for every shell served: ' is closed, escaped, opened again. Fish alone knows \' inside. */
static void add_quoted(struct str *out, const char *s)
{
	str_addc(out, '\'');
	for (; *s != '\0'; s++) {
		if (*s == '\'')
			str_add(out, "'\\''");
		else if (*s != '\n')
			str_addc(out, *s);
	}
	str_addc(out, '\'');
}

/* The words of one argument: "=a b c" for fixed ones, "@type" for those of the setup, "config" for files, "-" none. */
static void add_values(struct str *out, const struct arg_desc *a)
{
	const char *type = completion_type(a->type);

	if (a->choices != NULL) {
		str_addc(out, '=');
		for (int i = 0; a->choices[i] != NULL; i++)
			str_addf(out, "%s%s", i > 0 ? " " : "", a->choices[i]);
	} else if (type != NULL) {
		str_addf(out, "@%s", type);
	} else if (a->type == ARG_FILES) {
		str_add(out, "config");
	} else {
		str_addc(out, '-');
	}
}

/* "promote" -> its options, what each takes, and its places; the same text serves bash and zsh. */
static void add_cases(command_list list, struct str *out)
{
	str_add(out, "_towpath_spec() {\n\topts='' places=()\n\tcase $1 in\n");
	for (; *list != NULL; list++) {
		const struct command *c = *list;

		if (!is_shown(c))
			continue;
		str_add(out, "\t");
		add_quoted(out, c->name);
		str_add(out, ")\n\t\topts='");
		for (const struct arg_desc *a = c->args; a != NULL && a->name != NULL; a++)
			if (a->option)
				str_addf(out, "--%s ", a->name);
		str_add(out, "'\n\t\tplaces=(");
		for (const struct arg_desc *a = c->args; a != NULL && a->name != NULL; a++) {
			if (a->option)
				continue;
			str_add(out, " '");
			add_values(out, a);
			str_add(out, "'");
		}
		str_add(out, " )\n\t\t;;\n");
	}
	str_add(out, "\tesac\n}\n_towpath_takes() {\n\ttakes=''\n\tcase \"$1 $2\" in\n");
}

static void add_option_cases(command_list list, struct str *out)
{
	for (; *list != NULL; list++) {
		const struct command *c = *list;

		if (!is_shown(c))
			continue;
		for (const struct arg_desc *a = c->args; a != NULL && a->name != NULL; a++) {
			if (!a->option || a->type == ARG_FLAG)
				continue;
			str_addf(out, "\t'%s --%s'", c->name, a->name);
			if (a->letter != 0)
				str_addf(out, " | '%s -%c'", c->name, a->letter);
			str_add(out, ") takes='");
			add_values(out, a);
			str_add(out, "' ;;\n");
		}
	}
	str_add(out, "\tesac\n}\n");
}

/* First words, each once; then the second words of those that have them. */
static void add_names(command_list list, struct str *out)
{
	const char *last = "";

	str_add(out, "_towpath_names='");
	for (command_list l = list; *l != NULL; l++) {
		size_t n = strcspn((*l)->name, " ");

		if (!is_shown(*l) || (strncmp(last, (*l)->name, n) == 0 && last[n] == ' '))
			continue;
		last = (*l)->name;
		str_addn(out, last, n);
		str_addc(out, ' ');
	}
	str_add(out, "'\n_towpath_second() {\n\tcase $1 in\n");
	for (command_list l = list; *l != NULL; l++) {
		size_t n = strcspn((*l)->name, " ");
		bool first = true;

		if (!is_shown(*l) || (*l)->name[n] == '\0')
			continue;
		for (command_list k = list; k != l; k++)
			if (strncmp((*k)->name, (*l)->name, n + 1) == 0)
				first = false;
		if (!first)
			continue;
		str_addf(out, "\t%.*s) printf '%%s' '", (int)n, (*l)->name);
		for (command_list k = l; *k != NULL; k++)
			if (is_shown(*k) && strncmp((*k)->name, (*l)->name, n + 1) == 0)
				str_addf(out, "%s ", (*k)->name + n + 1);
		str_add(out, "' ;;\n");
	}
	str_add(out, "\tesac\n}\n");
}

/* Walks the words before the cursor: the command, how many places are filled, whether an option waits for a value. */
static const char walk[] =
    "_towpath_walk() {\n"
    "\tlocal w second pending=''\n"
    "\tcmd='' filled=0 takes='' config=()\n"
    "\twhile [ $# -gt 0 ]; do\n"
    "\t\tw=$1\n"
    "\t\tshift\n"
    "\t\tif [ -n \"$pending\" ]; then\n"
    "\t\t\t[ \"$pending\" = config ] && config=(-c \"$w\")\n"
    "\t\t\tpending=''\n"
    "\t\t\tcontinue\n"
    "\t\tfi\n"
    "\t\tcase $w in\n"
    "\t\t-c | --config) pending=config ;;\n"
    "\t\t-*)\n"
    "\t\t\t_towpath_takes \"$cmd\" \"$w\"\n"
    "\t\t\t[ -n \"$takes\" ] && pending=$takes\n"
    "\t\t\t;;\n"
    "\t\t*)\n"
    "\t\t\tsecond=$(_towpath_second \"$cmd\")\n"
    "\t\t\tif [ -z \"$cmd\" ]; then\n"
    "\t\t\t\tcmd=$w\n"
    "\t\t\telif [ $filled -eq 0 ] && case \" $second \" in *\" $w \"*) true ;; *) false ;; esac; then\n"
    "\t\t\t\tcmd=\"$cmd $w\"\n"
    "\t\t\telse\n"
    "\t\t\t\tfilled=$((filled + 1))\n"
    "\t\t\tfi\n"
    "\t\t\t;;\n"
    "\t\tesac\n"
    "\tdone\n"
    "\ttakes=$pending\n"
    "}\n"
    "# The words that may stand here, one a line. $1: the program, $2: the word so far.\n"
    "_towpath_words() {\n"
    "\tlocal opts takes cmd filled second place w\n"
    "\tlocal -a places config\n"
    "\tlocal program=$1 cur=$2\n"
    "\tshift 2\n"
    "\t_towpath_walk \"$@\"\n"
    "\tif [ \"$takes\" = config ]; then\n"
    "\t\treturn 1\n"
    "\telif [ -n \"$takes\" ]; then\n"
    "\t\tplace=$takes\n"
    "\telif [ -z \"$cmd\" ]; then\n"
    "\t\tplace=\"=$_towpath_names -c --json --plain --help --version\"\n"
    "\telse\n"
    "\t\t_towpath_spec \"$cmd\"\n"
    "\t\tsecond=$(_towpath_second \"$cmd\")\n"
    "\t\tplace='-'\n"
    "\t\tset -- \"${places[@]}\"\n"
    "\t\tif [ \"$filled\" -lt $# ]; then\n"
    "\t\t\tshift \"$filled\"\n"
    "\t\t\tplace=$1\n"
    "\t\telif [ \"${places[*]}\" = config ]; then\n"
    "\t\t\tplace=config\n"
    "\t\tfi\n"
    "\t\tcase $cur in\n"
    "\t\t-*) place=\"=$opts --json --plain --help\" ;;\n"
    "\t\t*) [ -n \"$second\" ] && [ \"$filled\" -eq 0 ] && place=\"=$second\" ;;\n"
    "\t\tesac\n"
    "\tfi\n"
    "\tcase $place in\n"
    "\tconfig) return 1 ;;\n"
    "\t'='*) printf '%s\\n' ${=place#=} ;;\n"
    "\t'@'*) \"$program\" \"${config[@]}\" __complete \"${place#@}\" 2>/dev/null ;;\n"
    "\tesac\n"
    "}\n";

static void add_walk(struct str *out, bool zsh)
{
	const char *split = strstr(walk, "${=place#=}");

	str_addn(out, walk, (size_t)(split - walk));
	/* bash splits an unquoted word by itself, zsh when told to. */
	str_add(out, zsh ? "${=place#=}" : "${place#=}");
	str_add(out, split + strlen("${=place#=}"));
}

static void script_bash(command_list list, struct str *out)
{
	str_add(out, "# Completion of towpath for bash, made by: towpath completion bash\n");
	add_names(list, out);
	add_cases(list, out);
	add_option_cases(list, out);
	add_walk(out, false);
	str_add(out, "_towpath() {\n"
	             "\tlocal cur=${COMP_WORDS[COMP_CWORD]} words\n"
	             "\tCOMPREPLY=()\n"
	             "\tif words=$(_towpath_words \"${COMP_WORDS[0]}\" \"$cur\" "
	             "\"${COMP_WORDS[@]:1:COMP_CWORD-1}\"); then\n"
	             "\t\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
	             "\telse\n"
	             "\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
	             "\tfi\n"
	             "}\n"
	             "complete -F _towpath towpath\n");
}

static void script_zsh(command_list list, struct str *out)
{
	str_add(out, "#compdef towpath\n# Completion of towpath for zsh, made by: towpath completion zsh\n");
	add_names(list, out);
	add_cases(list, out);
	add_option_cases(list, out);
	add_walk(out, true);
	str_add(out, "_towpath() {\n"
	             "\tlocal found\n"
	             "\tif found=$(_towpath_words \"$words[1]\" \"$words[CURRENT]\" "
	             "\"${(@)words[2,CURRENT-1]}\"); then\n"
	             "\t\tcompadd -- ${(f)found}\n"
	             "\telse\n"
	             "\t\t_files\n"
	             "\tfi\n"
	             "}\n"
	             "if [ \"$funcstack[1]\" = _towpath ]; then\n"
	             "\t_towpath \"$@\"\n"
	             "else\n"
	             "\tcompdef _towpath towpath\n"
	             "fi\n");
}

static void fish_condition(struct str *out, const struct command *c)
{
	size_t n = strcspn(c->name, " ");

	str_addf(out, "'__fish_seen_subcommand_from %.*s", (int)n, c->name);
	if (c->name[n] == ' ')
		str_addf(out, "; and __fish_seen_subcommand_from %s", c->name + n + 1);
	str_addc(out, '\'');
}

static void fish_values(struct str *out, const struct arg_desc *a)
{
	const char *type = completion_type(a->type);

	if (a->choices != NULL) {
		str_add(out, " -a '");
		for (int i = 0; a->choices[i] != NULL; i++)
			str_addf(out, "%s%s", i > 0 ? " " : "", a->choices[i]);
		str_add(out, "'");
	} else if (type != NULL) {
		str_addf(out, " -a '(__towpath_values %s)'", type);
	}
}

static void fish_command(command_list list, const struct command *c, struct str *out)
{
	size_t n = strcspn(c->name, " ");

	if (c->name[n] == '\0') {
		str_addf(out, "complete -c towpath -n __fish_use_subcommand -a %s -d ", c->name);
	} else {
		bool first = true;

		for (; *list != c; list++)
			if (strncmp((*list)->name, c->name, n) == 0 && strchr(" ", (*list)->name[n]) != NULL)
				first = false;
		if (first)
			str_addf(out, "complete -c towpath -n __fish_use_subcommand -a %.*s\n", (int)n,
			         c->name);
		str_addf(out, "complete -c towpath -n '__fish_seen_subcommand_from %.*s' -a %s -d ", (int)n,
		         c->name, c->name + n + 1);
	}
	add_quoted(out, c->summary);
	str_addc(out, '\n');
	for (const struct arg_desc *a = c->args; a != NULL && a->name != NULL; a++) {
		if (!a->option && completion_type(a->type) == NULL && a->choices == NULL &&
		    a->type != ARG_FILES)
			continue;
		str_add(out, "complete -c towpath -n ");
		fish_condition(out, c);
		if (a->type == ARG_FILES)
			str_add(out, " -F");
		if (a->option) {
			str_addf(out, " -l %s", a->name);
			if (a->letter != 0)
				str_addf(out, " -s %c", a->letter);
			if (a->type != ARG_FLAG)
				str_add(out, " -x");
			str_add(out, " -d ");
			add_quoted(out, a->text != NULL ? a->text : "");
		}
		fish_values(out, a);
		str_addc(out, '\n');
	}
}

static void script_fish(command_list list, struct str *out)
{
	str_add(out, "# Completion of towpath for fish, made by: towpath completion fish\n"
	             "function __towpath_values\n"
	             "    set -l words (commandline -opc)\n"
	             "    set -l config\n"
	             "    if set -l i (contains -i -- -c $words)\n"
	             "        set config -c $words[(math $i + 1)]\n"
	             "    end\n"
	             "    $words[1] $config __complete $argv[1] 2>/dev/null\n"
	             "end\n"
	             "complete -c towpath -f\n"
	             "complete -c towpath -s c -r -F -d 'path of towpath.yaml'\n"
	             "complete -c towpath -l json -d 'print JSON'\n"
	             "complete -c towpath -l plain -d 'print lines without colour'\n"
	             "complete -c towpath -l help -d 'what a command takes'\n");
	for (command_list l = list; *l != NULL; l++)
		if (is_shown(*l))
			fish_command(list, *l, out);
}

int completion_script(const char *shell, command_list list, struct str *out)
{
	if (strcmp(shell, "bash") == 0) {
		script_bash(list, out);
	} else if (strcmp(shell, "zsh") == 0) {
		script_zsh(list, out);
	} else if (strcmp(shell, "fish") == 0) {
		script_fish(list, out);
	} else {
		return ERR_INVALID;
	}
	return out->failed ? ERR_NOMEM : 0;
}
