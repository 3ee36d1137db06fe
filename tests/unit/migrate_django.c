/*
 * Django's sources and graph without a database: what the reader understands and what it refuses to guess, labels,
 * the user model, the lint of operations; then random projects, where Django's own loader has the last word.
 */
#include "backends/migrate/django_code.h"
#include "core/text.h"
#include "io/file.h"
#include "tests/lib/cm.h"
#include "tests/lib/porttest.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROJECTS = 40, APPS = 4, FILES_MAX = 64, TEXT_MAX = 64 * 1024 };

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

static struct django_file read_text(const char *src)
{
	struct django_file f = {.key = {"app", "0001"}};

	django_read_migration(&arena, src, strlen(src), "people", &f);
	return f;
}

#define CLASS "from django.db import migrations\nclass Migration(migrations.Migration):\n"

static void reads_declarations(void **state)
{
	struct django_file f;

	UNUSED(state);
	f = read_text(CLASS "    '''doc with dependencies = [(\"x\", \"y\")]'''\n"
	                    "    initial = True\n"
	                    "    atomic = False\n"
	                    "    dependencies = [\n"
	                    "        # ('shop', '0099_comment'),\n"
	                    "        ('shop', '0001' '_a'), [\"b\", r'0002_c',],\n"
	                    "        migrations.swappable_dependency(settings.AUTH_USER_MODEL),\n"
	                    "    ]\n"
	                    "    replaces: list = ()\n"
	                    "    run_before = (('z', '__first__'),)\n"
	                    "    operations = []\n");
	assert_null(f.trouble);
	assert_true(f.initial && f.not_atomic);
	assert_int_equal(f.dependencies.n, 3);
	assert_string_equal(f.dependencies.items[1].app, "b");
	assert_string_equal(f.dependencies.items[1].name, "0002_c");
	assert_string_equal(f.dependencies.items[2].app, "people");
	assert_string_equal(f.dependencies.items[2].name, "__first__");
	assert_int_equal(f.replaces.n, 0);
	assert_int_equal(f.run_before.n, 1);
	/* Windows line ends, tabs, a mark at the start, a joined line. */
	f = read_text("\xef\xbb\xbf"
	              "class Migration(m.Migration):\r\n\tdependencies = \\\r\n\t\t[('a', 'b')]\r\n");
	assert_null(f.trouble);
	assert_int_equal(f.dependencies.n, 1);
	/* Only the class's own level counts. */
	f = read_text("dependencies = [('no', 'no')]\n" CLASS
	              "    dependencies = []\n    def x(self):\n        dependencies = [('no', 'no')]\n");
	assert_null(f.trouble);
	assert_int_equal(f.dependencies.n, 0);
}

static void does_not_guess(void **state)
{
	static const char *const computed[] = {
	    CLASS "    dependencies = [('shop', n) for n in names]\n",
	    CLASS "    dependencies = [('a', 'b')] + more\n",
	    CLASS "    dependencies = more\n",
	    CLASS "    dependencies = [('a', f'{b}')]\n",
	    CLASS "    dependencies = [('a', 'b', 'c')]\n",
	    CLASS "    dependencies += [('a', 'b')]\n",
	    CLASS "    if X:\n        dependencies = [('a', 'b')]\n",
	    CLASS "    replaces = list(old)\n",
	    CLASS "    dependencies = []\nMigration.dependencies.append(('a', 'b'))\n",
	    "class Other:\n    dependencies = []\n",
	    CLASS "    dependencies = [('a', 'b')\n",
	    CLASS "    x = 'no end\n",
	    "",
	};

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(computed); i++)
		if (read_text(computed[i]).trouble == NULL)
			fail_msg("was read: %s", computed[i]);
}

static void reads_labels(void **state)
{
	static const struct {
		const char *src, *label;
	} cases[] = {
	    {"", "folder"},
	    {"from django.apps import AppConfig\nclass C(AppConfig):\n    name = 'a.b'\n", "b"},
	    {"class C(AppConfig):\n    name = 'a.b'\n    label = \"odd\"  # x\n", "odd"},
	    {"class C(apps.AppConfig):\n    label = 'odd'\n    name = 'a.b'\n", "odd"},
	    {"class Other:\n    label = 'no'\nclass C(AppConfig):\n    name = 'x'\n", "x"},
	    {"class C(AppConfig):\n    name = compute()\n", "folder"},
	};
	static const char user[] = "X = 1\nAUTH_USER_MODEL = 'people.User'\n";
	static const char comment[] = "# AUTH_USER_MODEL = 'a.User'\n";
	const char *found;

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(django_read_label(&arena, cases[i].src, strlen(cases[i].src), "folder"),
		                    cases[i].label);
	found = django_read_user_app(&arena, user, sizeof(user) - 1);
	assert_non_null(found);
	assert_string_equal(found, "people");
	assert_null(django_read_user_app(&arena, comment, sizeof(comment) - 1));
}

static void expect_operation(const char *operation, const char *word)
{
	char src[2048], got[64];
	struct django_file f;

	snprintf(src, sizeof(src), CLASS "    dependencies = []\n    operations = [%s]\n", operation);
	f = read_text(src);
	assert_null(f.trouble);
	assert_true(text_is_clean(f.lint.text, strlen(f.lint.text)));
	snprintf(got, sizeof(got), "%s%s%s", migration_kind_name(lint_kind(&f.lint)),
	         f.lint.destructive ? " D" : "", f.lint.loses_data ? " L" : "");
	if (strcmp(got, word) != 0)
		fail_msg("%s: got \"%s\", want \"%s\" (%s)", operation, got, word, f.lint.text);
}

static void judges_operations(void **state)
{
	UNUSED(state);
	expect_operation("", "expand");
	expect_operation(
	    "migrations.CreateModel(name='A', fields=[('id', models.AutoField(primary_key=True))])",
	    "expand");
	expect_operation("migrations.AddField(model_name='a', name='b', field=models.TextField(null=True))",
	                 "expand");
	expect_operation("migrations.AddField('a', 'b', models.TextField(null=True))", "expand");
	expect_operation("migrations.AddField('a', 'b', models.TextField(db_default=Value('x')))", "expand");
	/* Django drops its own default in the database: old INSERTs fail. */
	expect_operation("migrations.AddField('a', 'b', models.TextField(default=''))", "contract D");
	expect_operation("migrations.AddField('a', 'b', models.ManyToManyField(to='c'))", "expand");
	expect_operation("migrations.AddField('a', 'b', FIELD)", "opaque");
	expect_operation("migrations.RemoveField(model_name='a', name='b')", "contract D L");
	expect_operation("migrations.DeleteModel('A')", "contract D L");
	expect_operation("migrations.RenameField('a', 'b', 'c')", "contract D");
	expect_operation("migrations.RenameModel('A', 'B')", "contract D");
	expect_operation("migrations.AlterField('a', 'b', models.TextField())", "opaque");
	expect_operation("migrations.AlterModelOptions(name='a', options={})", "expand");
	expect_operation("migrations.AlterUniqueTogether(name='a', unique_together={('x', 'y')})",
	                 "contract D");
	expect_operation("migrations.AlterUniqueTogether(name='a', unique_together=set())", "expand");
	expect_operation("migrations.AddConstraint(model_name='a', constraint=c)", "contract D");
	expect_operation("AddIndexConcurrently('a', models.Index(fields=['x'], name='i'))", "expand");
	expect_operation("BtreeGistExtension()", "expand");
	expect_operation("migrations.RunPython(forwards, migrations.RunPython.noop)", "data");
	expect_operation("migrations.RunSQL('DROP TABLE a')", "contract D L");
	expect_operation("migrations.RunSQL(sql='''UPDATE a SET b = 1''', reverse_sql='DROP TABLE a')",
	                 "data");
	expect_operation("migrations.RunSQL(['UPDATE a SET b = 1', 'DROP TABLE a'])", "mixed D L");
	expect_operation("migrations.RunSQL('DROP TABLE' ' a')", "contract D L");
	expect_operation("migrations.RunSQL(SQL)", "opaque");
	expect_operation("migrations.RunSQL(migrations.RunSQL.noop)", "expand");
	expect_operation(
	    "migrations.SeparateDatabaseAndState(database_operations=[migrations.DeleteModel('A')],"
	    " state_operations=[])",
	    "contract D L");
	expect_operation(
	    "migrations.SeparateDatabaseAndState(state_operations=[migrations.DeleteModel('A')])", "expand");
	expect_operation(
	    "migrations.AddField('a', 'b', models.TextField(null=True)), migrations.DeleteModel('B')",
	    "mixed D L");
	expect_operation("my.Operation()", "opaque");
	expect_operation("*more", "opaque");
}

/* --- random projects against Django's own loader --------------------------------------------------------------- */

struct node {
	char app[8], name[64];
	bool gone;
};

struct project {
	struct node nodes[FILES_MAX];
	int n;
	char applied[TEXT_MAX / 8];
	struct str sources[FILES_MAX];
};

static bool chance(struct prng *p, size_t percent) { return prng_below(p, 100) < percent; }

static void add_deps(struct prng *r, const struct project *p, int i, struct str *s)
{
	const struct node *n = &p->nodes[i];
	int last = -1;

	for (int k = 0; k < i; k++)
		if (strcmp(p->nodes[k].app, n->app) == 0)
			last = chance(r, 90) || last < 0 ? k : last;
	if (last >= 0)
		str_addf(s, "('%s', '%s'), ", n->app, p->nodes[last].name);
	for (int k = 0; k < i; k++)
		if (strcmp(p->nodes[k].app, n->app) != 0 && chance(r, 15))
			str_addf(s, "('%s', '%s'), ", p->nodes[k].app, p->nodes[k].name);
	if (i > 0 && strcmp(p->nodes[0].app, n->app) != 0 && chance(r, 10))
		str_addf(s, "('%s', '__first__'), ", p->nodes[0].app);
	if (chance(r, 3))
		str_addf(s, "('%s', '0099_gone'), ", p->nodes[0].app);
}

/* A squash of two neighbours of an app, with the outer dependencies of the first one only. */
static void add_squash(struct prng *r, struct project *p, int i, int k)
{
	const struct node first = p->nodes[i], last = p->nodes[k];
	struct node *n = &p->nodes[p->n];
	struct str *s = &p->sources[p->n];

	memcpy(n->app, first.app, sizeof(n->app));
	snprintf(n->name, sizeof(n->name), "%.20s_squashed_%.20s", first.name, last.name);
	str_init(s, TEXT_MAX);
	str_add(s, CLASS "    dependencies = [");
	for (int x = i - 1; x >= 0; x--)
		if (strcmp(p->nodes[x].app, n->app) == 0) {
			str_addf(s, "('%s', '%s'), ", n->app, p->nodes[x].name);
			break;
		}
	str_addf(s, "]\n    replaces = [('%s', '%s'), ('%s', '%s')]\n    operations = []\n", n->app,
	         p->nodes[i].name, n->app, p->nodes[k].name);
	if (chance(r, 20))
		p->nodes[i].gone = p->nodes[k].gone = true;
	p->n++;
}

static void project_make(struct prng *r, struct project *p)
{
	const size_t apps = 1 + prng_below(r, APPS);
	const int plain = 2 + (int)prng_below(r, 13);
	size_t cut, used = 0;

	memset(p, 0, sizeof(*p));
	for (int i = 0; i < plain; i++) {
		struct node *n = &p->nodes[i];
		int number = 1;

		snprintf(n->app, sizeof(n->app), "%c",
		         (char)('a' + (i < (int)apps ? i : (int)prng_below(r, apps))));
		for (int k = 0; k < i; k++)
			number += strcmp(p->nodes[k].app, n->app) == 0;
		snprintf(n->name, sizeof(n->name), "%04d_m%c", number, (char)('x' + prng_below(r, 3)));
		str_init(&p->sources[i], TEXT_MAX);
		str_add(&p->sources[i], CLASS "    dependencies = [");
		add_deps(r, p, i, &p->sources[i]);
		str_add(&p->sources[i], "]\n    operations = []\n");
	}
	p->n = plain;
	for (int i = 0; i < plain; i++)
		for (int k = i + 1; k < plain; k++)
			if (strcmp(p->nodes[i].app, p->nodes[k].app) == 0) {
				if (chance(r, 25) && !p->nodes[i].gone && !p->nodes[k].gone)
					add_squash(r, p, i, k);
				break;
			}
	cut = prng_below(r, (size_t)p->n + 1);
	for (int i = 0; i < p->n; i++)
		if ((size_t)i < cut ? chance(r, 97) : chance(r, 5))
			used += (size_t)snprintf(p->applied + used, sizeof(p->applied) - used, "%s %s\n",
			                         p->nodes[i].app, p->nodes[i].name);
}

static void project_write(const struct project *p, const char *dir)
{
	for (int i = 0; i < p->n; i++) {
		char path[PATH_LEN];

		snprintf(path, sizeof(path), "%s/__init__.py", p->nodes[i].app);
		file_put(dir, path, "");
		snprintf(path, sizeof(path), "%s/migrations/__init__.py", p->nodes[i].app);
		file_put(dir, path, "");
		snprintf(path, sizeof(path), "%s/migrations/%s.py", p->nodes[i].app, p->nodes[i].name);
		if (!p->nodes[i].gone)
			file_put(dir, path, str_text(&p->sources[i]));
	}
	file_put(dir, "applied", p->applied);
}

/* What we make of it, in the form that the script below prints. */
static void ours(const struct project *p, struct str *out)
{
	struct django_file files[FILES_MAX] = {0};
	struct django_key keys[FILES_MAX];
	struct django_plan plan;
	char applied[sizeof(p->applied)], *line = applied;
	int n = 0, n_keys = 0;

	memcpy(applied, p->applied, sizeof(applied));
	while (*line != '\0') {
		char *end = strchr(line, '\n'), *space = strchr(line, ' ');

		*end = *space = '\0';
		keys[n_keys++] = (struct django_key){line, space + 1};
		line = end + 1;
	}
	for (int i = 0; i < p->n; i++) {
		if (p->nodes[i].gone)
			continue;
		files[n].key = (struct django_key){p->nodes[i].app, p->nodes[i].name};
		django_read_migration(&arena, str_text(&p->sources[i]), p->sources[i].len, "", &files[n]);
		assert_null(files[n].trouble);
		n++;
	}
	assert_true(django_plan(&arena, files, n, keys, n_keys, &plan));
	/* Django stops at the first. */
	if (plan.n_blocks > 0)
		str_addf(out, "BLOCK %.*s\n", (int)strcspn(plan.blocks[0].code, " "), plan.blocks[0].code);
	if (plan.n_blocks > 0 && (strcmp(plan.blocks[0].code, "NodeNotFoundError") == 0 ||
	                          strcmp(plan.blocks[0].code, "CircularDependencyError") == 0))
		return;
	for (int i = 0; i < plan.n; i++)
		str_addf(out, "[%c] %s.%s\n", plan.applied[i] ? 'X' : ' ', files[plan.order[i]].key.app,
		         files[plan.order[i]].key.name);
}

static const char script[] =
    "import os, sys\n"
    "sys.dont_write_bytecode = True\n"
    "try:\n"
    "    import django\n"
    "except ImportError:\n"
    "    sys.exit(77)\n"
    "from django.conf import settings\n"
    "def one(root):\n"
    "    sys.path.insert(0, root)\n"
    "    apps = sorted(d for d in os.listdir(root) if os.path.isdir(root + '/' + d))\n"
    "    settings.configure(INSTALLED_APPS=apps, DATABASES={'default': {'ENGINE': "
    "'django.db.backends.sqlite3',\n"
    "                       'NAME': ':memory:'}}, DEFAULT_AUTO_FIELD='django.db.models.AutoField')\n"
    "    django.setup()\n"
    "    from django.db import connection\n"
    "    from django.db.migrations.loader import MigrationLoader\n"
    "    from django.db.migrations.recorder import MigrationRecorder\n"
    "    r = MigrationRecorder(connection)\n"
    "    r.ensure_schema()\n"
    "    for line in open(root + '/applied'):\n"
    "        r.record_applied(*line.split())\n"
    "    out = open(root + '/expected', 'w')\n"
    "    try:\n"
    "        l = MigrationLoader(connection, ignore_no_migrations=True)\n"
    "    except Exception as e:\n"
    "        out.write('BLOCK %s\\n' % type(e).__name__)\n"
    "        return\n"
    "    try:\n"
    "        l.check_consistent_history(connection)\n"
    "        if l.detect_conflicts():\n"
    "            out.write('BLOCK Conflicting\\n')\n"
    "    except Exception as e:\n"
    "        out.write('BLOCK %s\\n' % type(e).__name__)\n"
    "    seen = set()\n"
    "    for t in l.graph.leaf_nodes():\n"
    "        for m in l.graph.forwards_plan(t):\n"
    "            if m not in seen:\n"
    "                seen.add(m)\n"
    "                out.write('[%s] %s.%s\\n' % ('X' if m in l.applied_migrations else ' ', m[0], m[1]))\n"
    "for i in range(int(sys.argv[2])):\n"
    "    pid = os.fork()\n"
    "    if pid == 0:\n"
    "        try:\n"
    "            one('%s/%d' % (sys.argv[1], i))\n"
    "        finally:\n"
    "            os._exit(0)\n"
    "    os.waitpid(pid, 0)\n";

static int run_django(const char *dir)
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

static void agrees_with_django(void **state)
{
	struct project *p = calloc(PROJECTS, sizeof(*p));
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
	rc = run_django(dir);
	if (rc == 77)
		print_message("# SKIP python3-django is not installed\n");
	else
		assert_int_equal(rc, 0);
	for (int i = 0; i < PROJECTS; i++) {
		struct str got;

		str_init(&got, TEXT_MAX);
		ours(&p[i], &got);
		snprintf(path, sizeof(path), "%d/expected", i);
		if (rc == 0 && strcmp(file_text(dir, path), str_text(&got)) != 0)
			fail_msg("project %d: Django says\n%swe say\n%sapplied\n%s", i, file_text(dir, path),
			         str_text(&got), p[i].applied);
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
	    cmocka_unit_test(reads_declarations), cmocka_unit_test(does_not_guess),
	    cmocka_unit_test(reads_labels),       cmocka_unit_test(judges_operations),
	    cmocka_unit_test(agrees_with_django),
	};

	return cmocka_run_group_tests(tests, arena_make, arena_end);
}
