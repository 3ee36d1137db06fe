/*
 * Alembic's sources, configuration and graph without a database: what is read and what is not guessed; then random
 * projects, where Alembic's own script directory has the last word.
 */
#include "backends/migrate/alembic_code.h"
#include "backends/migrate/ini.h"
#include "backends/migrate/pyread.h"
#include "io/file.h"
#include "tests/lib/cm.h"
#include "tests/lib/porttest.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROJECTS = 60, FILES_MAX = 24, TEXT_MAX = 64 * 1024 };

static struct arena arena;

static int arena_make(void **state)
{
	UNUSED(state);
	arena_init(&arena, ARENA_DEFAULT_MAX);
	return 0;
}

static int arena_end(void **state)
{
	UNUSED(state);
	arena_release(&arena);
	return 0;
}

/* --- files ---------------------------------------------------------------------------------------------------- */

static struct alembic_file read_named(const char *path, const char *src)
{
	struct alembic_file f = {.path = path};

	alembic_read_file(&arena, src, strlen(src), &f);
	return f;
}

static struct alembic_file read_text(const char *src) { return read_named("versions/x.py", src); }

static void expect_ids(const struct alembic_ids *ids, const char *want)
{
	struct str got;

	str_init(&got, TEXT_MAX);
	for (int i = 0; i < ids->n; i++)
		str_addf(&got, "%s%s", i > 0 ? " " : "", ids->items[i]);
	assert_string_equal(str_text(&got), want);
	str_release(&got);
}

static void reads_declarations(void **state)
{
	struct alembic_file f;

	UNUSED(state);
	f = read_text(
	    "\"\"\"add name\n\nRevision ID: no\nRevises: nothing\n\"\"\"\n"
	    "from alembic import op\n"
	    "# revision = 'comment'\n"
	    "revision: str = '1f' \"0a\"\n"
	    "down_revision: Union[str, Sequence[str], None] = (\n    'aa11',  # one\n    'bb22',\n)\n"
	    "branch_labels = ['shop']\n"
	    "depends_on = {'cc33'}\n"
	    "def upgrade():\n    revision = 'inner'\n    down_revision = None\n");
	assert_null(f.trouble);
	assert_string_equal(f.id, "1f0a");
	assert_string_equal(f.message, "add name");
	expect_ids(&f.down, "aa11 bb22");
	expect_ids(&f.labels, "shop");
	expect_ids(&f.depends, "cc33");

	f = read_text("\xef\xbb\xbfrevision = 'a'; down_revision = None\r\ndepends_on = 'x', 'y'\r\n");
	assert_null(f.trouble);
	assert_string_equal(f.id, "a");
	assert_int_equal(f.down.n, 0);
	expect_ids(&f.depends, "x y");

	/* Plain names and sums are followed; the last assignment counts. */
	f = read_text("PREVIOUS = 'p1'\nMORE = ('m1',)\nrevision = 'old'\nrevision = 'ne' + 'w'\n"
	              "down_revision = (PREVIOUS,) + MORE\ndepends_on = [*MORE]\nbranch_labels = set()\n");
	assert_null(f.trouble);
	assert_string_equal(f.id, "new");
	expect_ids(&f.down, "p1 m1");
	expect_ids(&f.depends, "m1");

	/* Before 0.2 the id stood in the file's name. */
	f = read_named("versions/1fe0.py", "down_revision = None\n");
	assert_null(f.trouble);
	assert_string_equal(f.id, "1fe0");
	f = read_named("versions/1fe0_helpers.py", "X = 1\n");
	assert_true(f.no_revision);
}

static void does_not_guess(void **state)
{
	static const char *const computed[] = {
	    "revision = make()\n",
	    "revision = 'a' if X else 'b'\n",
	    "revision = f'{x}'\n",
	    "revision = b'a'\n",
	    "revision = 7\n",
	    "revision = ''\n",
	    "revision = 'a'\nif X:\n    revision = 'b'\n",
	    "revision = 'a'\nif X: revision = 'b'\n",
	    "revision = 'a'\nx = down_revision = 'b'\n",
	    "revision = 'a'\ndown_revision = [x for x in y]\n",
	    "revision = 'a'\ndown_revision = previous\n",
	    "revision = 'a'\ndown_revision = ('b', 3)\n",
	    "revision = 'a'\ndown_revision = 'b'.lower()\n",
	    "revision = 'a'\ndown_revision = 'b' % x\n",
	    "revision = 'a'\ndown_revision = names[0]\n",
	    "revision = 'a'\ndepends_on = ['b']\ndepends_on.append(c)\n",
	    "revision = 'a'\ndepends_on = ['b']\ndepends_on[0] = c\n",
	    "revision = 'a'\ndepends_on = ['b']\ndepends_on += c\n",
	    "revision = 'a'\nbranch_labels = {'b': 'c'}\n",
	    "revision = 'a'\ntry:\n    down_revision = 'b'\nexcept X:\n    pass\n",
	    "revision = 'a\n",
	    "revision = ('a'\n",
	};

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(computed); i++)
		if (read_text(computed[i]).trouble == NULL)
			fail_msg("was read: %s", computed[i]);
}

/* Names made of names, deep nesting: bounded, whatever the file. */
static void bounds_values(void **state)
{
	struct str src;
	struct pyread r;
	struct jv *v;

	UNUSED(state);
	str_init(&src, TEXT_MAX * 4);
	str_add(&src, "a = ['x']\n");
	for (int i = 0; i < 64; i++)
		str_add(&src, "a = a + a\n");
	for (int i = 0; i < 2000; i++)
		str_add(&src, "a += a\n");
	str_add(&src, "b = ");
	for (int i = 0; i < 5000; i++)
		str_addc(&src, '[');
	for (int i = 0; i < 5000; i++)
		str_addc(&src, ']');
	str_addc(&src, '\n');
	assert_true(pyread_open(&r, &arena, str_text(&src), src.len));
	assert_int_equal(pyread_get(&r, "a", &v), PYREAD_COMPUTED);
	assert_int_equal(pyread_get(&r, "b", &v), PYREAD_COMPUTED);
	assert_int_equal(pyread_get(&r, "c", &v), PYREAD_NONE);
	assert_false(arena_failed(&arena));
	pyread_release(&r);
	str_release(&src);
}

static void reads_ini(void **state)
{
	static const char text[] =
	    "\xef\xbb\xbf# comment\n[DEFAULT]\nroot = %(here)s/db\n"
	    "[alembic]\r\nScript_Location : %(root)s/one\r\n"
	    "; comment\nlist = a\n  b\n# between\n  c\n\nflat = 50%%\nloop = %(loop)s\n"
	    "gone = %(nowhere)s\nempty =\n[other]\nlist = z\nno value\n";
	struct ini x;

	UNUSED(state);
	ini_read(&x, &arena, text, sizeof(text) - 1);
	assert_true(ini_has_section(&x, "other"));
	assert_false(ini_has_section(&x, "another"));
	assert_string_equal(ini_get(&x, "alembic", "script_location", "sub"), "sub/db/one");
	assert_string_equal(ini_get(&x, "alembic", "list", "."), "a\nb\nc");
	assert_string_equal(ini_get(&x, "alembic", "flat", "."), "50%");
	assert_string_equal(ini_get(&x, "alembic", "empty", "."), "");
	assert_null(ini_get(&x, "alembic", "loop", "."));
	assert_null(ini_get(&x, "alembic", "gone", "."));
	assert_null(ini_get(&x, "alembic", "none", "."));
	assert_string_equal(ini_get(&x, "other", "list", "."), "z");
	assert_string_equal(ini_get(&x, "other", "root", "."), "./db");
}

/* --- projects --------------------------------------------------------------------------------------------------- */

static enum tree_want all_files(const char *path, bool is_dir)
{
	UNUSED(path);
	return is_dir ? TREE_LIST : TREE_READ;
}

struct project {
	char dir[PATH_LEN];
	struct tree tree;
	struct alembic_config config;
	struct error e;
};

static int configure(struct project *p, const struct alembic_wish *wish)
{
	static const struct alembic_wish none = {0};

	assert_int_equal(tree_read_folder(&p->tree, &arena, p->dir, all_files, &p->e), 0);
	return alembic_configure(&arena, &p->tree, wish != NULL ? wish : &none, &p->config, &p->e);
}

static void finds_locations(void **state)
{
	static const struct {
		const char *ini, *want;
	} cases[] = {
	    {"[alembic]\nscript_location = db\n", "db/versions"},
	    {"[alembic]\nscript_location = ./db/\nversion_locations = db/a db/b, src/shop/rev\n",
	     "db/a db/b src/shop/rev"},
	    {"[alembic]\nscript_location = %(here)s/db\nversion_locations = %(here)s/db/a:db/b:nowhere\n"
	     "version_path_separator = os  # Use os.pathsep.\n",
	     "db/a db/b"},
	    {"[alembic]\nscript_location = db\nversion_locations =\n  db/b\n  db/a\npath_separator = "
	     "newline\n",
	     "db/b db/a"},
	    {"[alembic]\nscript_location = db\nversion_locations = db/b;db/a;db/b\nversion_path_separator = "
	     ";\n",
	     "db/b db/a"},
	    {"[alembic]\nscript_location = shop.rev:\nversion_locations = shop:rev\npath_separator = space\n",
	     "src/shop/rev"},
	    {"[alembic]\nscript_location = /srv/app/db\n", "db/versions"},
	};

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct project p = {.e = {0}};

		folder_make(p.dir);
		file_put(p.dir, "alembic.ini", cases[i].ini);
		file_put(p.dir, "db/env.py", "");
		file_put(p.dir, "db/versions/aa_x.py", "");
		file_put(p.dir, "db/a/aa_x.py", "");
		file_put(p.dir, "db/b/aa_x.py", "");
		file_put(p.dir, "src/shop/rev/aa_x.py", "");
		if (configure(&p, NULL) != 0)
			fail_msg("%s: %s", cases[i].ini, p.e.text);
		expect_ids(&p.config.versions, cases[i].want);
		folder_remove(p.dir);
	}
}

static void reads_pyproject(void **state)
{
	struct project p = {.e = {0}};

	UNUSED(state);
	folder_make(p.dir);
	file_put(p.dir, "pyproject.toml",
	         "[project]\nname = \"x\"\n[tool.alembic]\nscript_location = \"%(here)s/db\"\n"
	         "version_locations = [\n  \"%(here)s/db/a\", # one\n  'db/b',\n]\n"
	         "recursive_version_locations = true\n");
	file_put(p.dir, "db/env.py",
	         "TABLE = 'odd_' + 'versions'\n"
	         "def run(connection):\n"
	         "    context.configure(connection=connection, version_table=TABLE,\n"
	         "        version_table_schema='ops', transaction_per_migration=True)\n");
	file_put(p.dir, "db/a/2024/aa_x.py", "");
	file_put(p.dir, "db/b/bb_x.py", "");
	assert_int_equal(configure(&p, NULL), 0);
	expect_ids(&p.config.versions, "db/a db/b");
	assert_true(p.config.recursive && p.config.transaction_per_migration && p.config.env_read);
	assert_string_equal(p.config.version_table, "odd_versions");
	assert_string_equal(p.config.version_schema, "ops");
	assert_null(p.config.assumed);
	assert_true(alembic_is_revision(&p.config, "db/a/2024/aa_x.py"));
	assert_true(alembic_is_revision(&p.config, "db/b/bb_x.py"));
	assert_false(alembic_is_revision(&p.config, "db/b/__init__.py"));
	assert_false(alembic_is_revision(&p.config, "db/bb/bb_x.py"));
	assert_false(alembic_is_revision(&p.config, "db/b/.#bb_x.py"));
	assert_false(alembic_is_revision(&p.config, "db/b/bb_x.pyc"));

	/* What is computed is said; a value of the configuration is found. alembic.ini comes before. */
	file_put(p.dir, "alembic.ini",
	         "[alembic]\nscript_location = db\nversion_locations = db/a\npath_separator = os\n"
	         "vt = from_ini\n[second]\nscript_location = db\nversion_locations = db/b\n");
	file_put(p.dir, "db/env.py",
	         "import os\n"
	         "context.configure(version_table=config.get_main_option('vt'),\n"
	         "                  version_table_schema=os.environ['SCHEMA'])\n");
	assert_int_equal(configure(&p, NULL), 0);
	expect_ids(&p.config.versions, "db/a");
	assert_string_equal(p.config.version_table, "from_ini");
	assert_null(p.config.version_schema);
	assert_non_null(strstr(p.config.assumed, "version_table_schema"));

	assert_int_equal(configure(&p, &(struct alembic_wish){.section = "second"}), 0);
	expect_ids(&p.config.versions, "db/b");
	assert_int_equal(configure(&p, &(struct alembic_wish){.section = "third"}), ERR_NOT_FOUND);
	assert_int_equal(configure(&p, &(struct alembic_wish){.config = "nowhere.ini"}), ERR_NOT_FOUND);
	assert_true(p.e.hint[0] != '\0');
	folder_remove(p.dir);
}

static void chooses_a_configuration(void **state)
{
	struct project p = {.e = {0}};

	UNUSED(state);
	folder_make(p.dir);
	file_put(p.dir, "README", "");
	assert_int_equal(configure(&p, NULL), ERR_NOT_FOUND);
	assert_true(p.e.hint[0] != '\0');
	/* None at all, but the form. */
	file_put(p.dir, "app/migrations/env.py", "");
	file_put(p.dir, "app/migrations/versions/aa_x.py", "");
	assert_int_equal(configure(&p, NULL), 0);
	expect_ids(&p.config.versions, "app/migrations/versions");
	assert_non_null(p.config.assumed);
	/* Flask-Migrate has it beside env.py, without a location. */
	file_put(p.dir, "app/migrations/alembic.ini", "[alembic]\n[logger_root]\nlevel = WARN\n");
	assert_int_equal(configure(&p, NULL), 0);
	expect_ids(&p.config.versions, "app/migrations/versions");
	assert_null(p.config.assumed);
	/* Two of the same rank: nobody guesses. */
	file_put(p.dir, "other/alembic.ini", "[alembic]\nscript_location = %(here)s/rev\n");
	file_put(p.dir, "other/rev/env.py", "");
	file_put(p.dir, "other/rev/versions/bb_x.py", "");
	assert_int_equal(configure(&p, NULL), ERR_CONFLICT);
	assert_non_null(strstr(p.e.hint, "config"));
	assert_int_equal(configure(&p, &(struct alembic_wish){.config = "other/alembic.ini"}), 0);
	expect_ids(&p.config.versions, "other/rev/versions");
	folder_remove(p.dir);
}

/* --- graphs: Alembic has the last word ------------------------------------------------------------------------- */

struct random_project {
	struct str sources[FILES_MAX];
	char ids[FILES_MAX][16];
	int n;
	char rows[256], target[32];
};

static bool chance(struct prng *r, unsigned percent) { return prng_below(r, 100) < percent; }

static const char *one_of(struct prng *r, struct random_project *p, int n)
{
	return p->ids[prng_below(r, (uint64_t)n)];
}

static void add_list(struct prng *r, struct random_project *p, int i, const char *name, bool down)
{
	struct str *s = &p->sources[i];

	str_addf(s, "%s%s = ", name, chance(r, 30) ? ": object" : "");
	if (i == 0 || chance(r, down ? 12 : 85))
		str_add(s, "None\n");
	else if (chance(r, 2))
		str_add(s, "'gone'\n");
	else if (!down && chance(r, 30))
		str_addf(s, "'label%d'\n", (int)prng_below(r, 4));
	else if (chance(r, 20))
		str_addf(s, "(%c%s%c, '%s')\n", '"', one_of(r, p, i), '"', p->ids[i - 1]);
	else
		str_addf(s, "'%s'\n", down && chance(r, 75) ? p->ids[i - 1] : one_of(r, p, i));
}

static void project_make(struct prng *r, struct random_project *p)
{
	size_t used = 0;
	int rows;

	memset(p, 0, sizeof(*p));
	p->n = 1 + (int)prng_below(r, FILES_MAX - 1);
	for (int i = 0; i < p->n; i++) {
		struct str *s = &p->sources[i];

		snprintf(p->ids[i], sizeof(p->ids[i]), "%04x%02x", (unsigned)prng_below(r, 0x10000), i);
		if (chance(r, 1))
			p->ids[i][3] = '\0';
		str_init(s, TEXT_MAX);
		str_addf(s, "revision = '%s'\ndef upgrade():\n    pass\n", p->ids[i]);
		add_list(r, p, i, "down_revision", true);
		add_list(r, p, i, "depends_on", false);
		if (chance(r, 8))
			str_addf(s, "branch_labels = 'label%d'\n", (int)prng_below(r, 4));
	}
	rows = (int)prng_below(r, 3);
	for (int i = 0; i < rows; i++) {
		const char *row = chance(r, 5) ? "ffffffff" : one_of(r, p, p->n);

		/* Two equal rows, which its primary key forbids, would keep Alembic busy for ever. */
		if (strstr(p->rows, row) == NULL)
			used += (size_t)snprintf(p->rows + used, sizeof(p->rows) - used, "%s\n", row);
	}
	switch (prng_below(r, 6)) {
	case 0: snprintf(p->target, sizeof(p->target), "head"); break;
	case 1:
	case 2: snprintf(p->target, sizeof(p->target), "heads"); break;
	case 3:
		snprintf(p->target, sizeof(p->target), "label%d@head%s", (int)prng_below(r, 4),
		         chance(r, 50) ? "s" : "");
		break;
	case 4: snprintf(p->target, sizeof(p->target), "%s", one_of(r, p, p->n)); break;
	default: snprintf(p->target, sizeof(p->target), "%.5s", one_of(r, p, p->n)); break;
	}
}

static void project_write(const struct random_project *p, const char *dir)
{
	for (int i = 0; i < p->n; i++) {
		char path[PATH_LEN];

		snprintf(path, sizeof(path), "versions/%02d_x.py", i);
		file_put(dir, path, str_text(&p->sources[i]));
	}
	file_put(dir, "rows", p->rows);
	file_put(dir, "target", p->target);
}

static int by_string(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

static void add_sorted(struct str *out, const char *word, const char **names, int n)
{
	qsort(names, (size_t)n, sizeof(*names), by_string);
	str_add(out, word);
	for (int i = 0; i < n; i++)
		str_addf(out, " %s", names[i]);
	str_addc(out, '\n');
}

static char refusal[TEXT_LEN]; /* the last one */

/* What we make of it, in the form that the script below prints. */
static void ours(const struct random_project *p, struct str *out)
{
	struct alembic_file files[FILES_MAX] = {0};
	const char *rows[4], *names[FILES_MAX];
	char text[sizeof(p->rows)], *line = text;
	struct alembic_plan plan;
	int n_rows = 0, n = 0;
	bool placed[FILES_MAX] = {false};

	memcpy(text, p->rows, sizeof(text));
	for (; *line != '\0'; line = strchr(line, '\0') + 1) {
		*strchr(line, '\n') = '\0';
		rows[n_rows++] = line;
	}
	for (int i = 0; i < p->n; i++) {
		files[i].path = "x.py";
		alembic_read_file(&arena, str_text(&p->sources[i]), p->sources[i].len, &files[i]);
		assert_null(files[i].trouble);
	}
	assert_true(alembic_plan(&arena, files, p->n, rows, n_rows, p->target, &plan));
	if (plan.n_blocks > 0) {
		str_add(out, "REFUSED\n");
		snprintf(refusal, sizeof(refusal), "%s", plan.blocks[0].text);
		return;
	}
	add_sorted(out, "heads", plan.heads.items, plan.heads.n);
	for (int i = 0; i < plan.n; i++)
		if (plan.steps[i].state == ALEMBIC_APPLIED)
			names[n++] = files[plan.steps[i].file].id;
	add_sorted(out, "applied", names, n);
	n = 0;
	for (int i = 0; i < plan.n; i++)
		if (plan.steps[i].state == ALEMBIC_PENDING)
			names[n++] = files[plan.steps[i].file].id;
	add_sorted(out, "pending", names, n);
	/* Parents first. */
	for (int i = 0; i < plan.n; i++) {
		const struct alembic_file *f = &files[plan.steps[i].file];

		for (int k = 0; k < f->down.n; k++)
			for (int x = 0; x < p->n; x++)
				assert_true(strcmp(p->ids[x], f->down.items[k]) != 0 || placed[x]);
		placed[plan.steps[i].file] = true;
	}
}

static const char script[] =
    "import sys, warnings\n"
    "sys.dont_write_bytecode = True\n"
    "warnings.simplefilter('ignore')\n"
    "try:\n"
    "    from alembic.script import ScriptDirectory\n"
    "except ImportError:\n"
    "    sys.exit(77)\n"
    "def one(root):\n"
    "    rows = tuple(open(root + '/rows').read().split())\n"
    "    target = open(root + '/target').read()\n"
    "    try:\n"
    "        s = ScriptDirectory(root)\n"
    "        heads = s.get_heads()\n"
    "        revs = s.get_revisions(rows)\n"
    "        applied = {r.revision for r in s.revision_map._get_ancestor_nodes(revs)}\n"
    "        pending = {x.revision.revision for x in s._upgrade_revs(target, rows)}\n"
    "    except Exception as e:\n"
    "        return 'REFUSED\\n'\n"
    "    return ''.join(' '.join([w] + sorted(l)) + '\\n' for w, l in\n"
    "                   (('heads', heads), ('applied', applied), ('pending', pending)))\n"
    "for i in range(int(sys.argv[2])):\n"
    "    root = '%s/%d' % (sys.argv[1], i)\n"
    "    open(root + '/expected', 'w').write(one(root))\n";

static int run_alembic(const char *dir)
{
	char n[16];
	int status = 0;
	pid_t pid = fork();

	snprintf(n, sizeof(n), "%d", PROJECTS);
	if (pid == 0) {
		dup2(open("/dev/null", O_WRONLY), 2);
		execl("/usr/bin/python3", "python3", "-c", script, dir, n, (char *)NULL);
		_exit(77);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void agrees_with_alembic(void **state)
{
	struct random_project *p = calloc(PROJECTS, sizeof(*p));
	struct prng r = prng_seeded();
	char dir[PATH_LEN], path[PATH_LEN];
	int rc;

	UNUSED(state);
	assert_non_null(p);
	folder_make(dir);
	for (int i = 0; i < PROJECTS; i++) {
		snprintf(path, sizeof(path), "%.900s/%d", dir, i);
		project_make(&r, &p[i]);
		project_write(&p[i], path);
	}
	rc = run_alembic(dir);
	if (rc == 77)
		print_message("# SKIP alembic is not installed for /usr/bin/python3\n");
	else
		assert_int_equal(rc, 0);
	for (int i = 0; i < PROJECTS; i++) {
		struct str got;

		str_init(&got, TEXT_MAX);
		ours(&p[i], &got);
		snprintf(path, sizeof(path), "%d/expected", i);
		if (rc == 0 && strcmp(file_text(dir, path), str_text(&got)) != 0) {
			for (int k = 0; k < p[i].n; k++)
				print_message("%s\n", str_text(&p[i].sources[k]));
			fail_msg("project %d to %s: Alembic says\n%swe say\n%srows\n%slast refusal: %s", i,
			         p[i].target, file_text(dir, path), str_text(&got), p[i].rows, refusal);
		}
		str_release(&got);
		for (int k = 0; k < p[i].n; k++)
			str_release(&p[i].sources[k]);
	}
	free(p);
	folder_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_declarations),      cmocka_unit_test(does_not_guess),
	    cmocka_unit_test(bounds_values),           cmocka_unit_test(reads_ini),
	    cmocka_unit_test(finds_locations),         cmocka_unit_test(reads_pyproject),
	    cmocka_unit_test(chooses_a_configuration), cmocka_unit_test(agrees_with_alembic),
	};

	return cmocka_run_group_tests(tests, arena_make, arena_end);
}
