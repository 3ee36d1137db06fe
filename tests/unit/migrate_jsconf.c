/* What configuration files declare, read without running them. */
#include "backends/migrate/jsconf.h"
#include "tests/lib/cm.h"

#include <stdio.h>

static struct migrate_job job;

static void add_file(const char *path, const char *text)
{
	struct tree_file *f;
	struct error e;

	assert_int_equal(tree_add(&job.tree, &job.arena, path, false, &f, &e), 0);
	f->bytes = arena_strdup(&job.arena, text);
	f->n = strlen(text);
}

static struct jsconf *begin(void)
{
	memset(&job, 0, sizeof(job));
	arena_init(&job.arena, ARENA_DEFAULT_MAX);
	return jsconf_new(&job);
}

static void end(void) { arena_release(&job.arena); }

/* As text, with marks written as <computed>. */
static const char *print(const struct jv *v)
{
	static const char mark[] = "{\"\\u0001\":\"computed\"}";
	static char out[8192];
	struct str s;
	size_t k = 0;

	str_init(&s, sizeof(out) - 1);
	jv_print(v, JV_COMPACT, &s);
	for (const char *p = str_text(&s); *p != '\0';) {
		if (strncmp(p, mark, strlen(mark)) == 0) {
			k += (size_t)snprintf(out + k, sizeof(out) - k, "<computed>");
			p += strlen(mark);
		} else if (strncmp(p, "\\u0002", 6) == 0) {
			out[k++] = '@';
			p += 6;
		} else if (*p == '"') {
			out[k++] = '\'';
			p++;
		} else {
			out[k++] = *p++;
		}
	}
	out[k] = '\0';
	str_release(&s);
	return out;
}

static void reads_values(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
	    {"module.exports = {a: 'x', b: [1, true, null], 'c-d': {e: `f`}};",
	     "{'a':'x','b':[1,true,null],'c-d':{'e':'f'}}"},
	    {"module.exports = {client: 'pg', connection: process.env.URL, n: {min: 2}}",
	     "{'client':'pg','connection':<computed>,'n':{'min':2}}"},
	    {"const t = 'x'; export default {t, u: t + '_y', v: `${t}/${1}`}",
	     "{'t':'x','u':'x_y','v':'x/1'}"},
	    {"import { defineConfig } from 'kit';\nexport default defineConfig({ out: './drizzle', u: "
	     "process.env.U! })",
	     "{'out':'./drizzle','u':<computed>}"},
	    {"import type { C } from 'x'\nconst config: C.D<{a: string}, E> = { a: 1 }\nexport default "
	     "config",
	     "{'a':1}"},
	    {"export default { a: 1 } satisfies Config<A, B>;", "{'a':1}"},
	    {"export default <const>{ a: 1 }", "<computed>"},
	    {"export default { a: 'x' as const, b: (y() as any).z, c: 'w' as A | 'B' }",
	     "{'a':'x','b':<computed>,'c':'w'}"},
	    {"export default defineConfig<Foo>({a: 1})", "{'a':1}"},
	    {"const path = require('path'); module.exports = {d: path.join(__dirname, 'db', '../m'), "
	     "e: path.resolve('m'), f: __dirname + '/m/*.js'}",
	     "{'d':'/@/cfg/m','e':'/@/m','f':'/@/cfg/m/*.js'}"},
	    {"import { join, resolve as r } from 'node:path';\nexport default {d: join('a', '..', 'b'), "
	     "e: r(process.cwd(), 'x')}",
	     "{'d':'b','e':'/@/x'}"},
	    {"import {fileURLToPath} from 'url'; import {dirname} from 'path';\n"
	     "const here = dirname(fileURLToPath(import.meta.url));\n"
	     "export default {a: `${here}/m`, b: fileURLToPath(new URL('./n', import.meta.url)), "
	     "c: new URL('o', import.meta.url).pathname, d: import.meta.dirname}",
	     "{'a':'/@/cfg/m','b':'/@/cfg/n','c':'/@/cfg/o','d':'/@/cfg'}"},
	    {"const base = {a: 1, b: 2}; module.exports = {dev: {...base, b: 3}, prod: Object.assign({}, "
	     "base, {c: 4})}",
	     "{'dev':{'a':1,'b':3},'prod':{'a':1,'b':2,'c':4}}"},
	    {"module.exports = {...require('./nowhere'), a: 1}", "{'\\u0001+':true,'a':1}"},
	    {"module.exports = {x: true ? 'a' : 'b', y: false || 'c', z: null ?? 'd', w: 'e' && 'f', v: 1 "
	     "=== 2}",
	     "{'x':'a','y':'c','z':'d','w':'f','v':false}"},
	    {"module.exports = {x: cond ? 'a' : 'a', y: cond ? 'a' : 'b', z: 1 + 2, w: !0, v: typeof x}",
	     "{'x':'a','y':<computed>,'z':<computed>,'w':true,'v':<computed>}"},
	    {"module.exports = async () => { const a = 'x'; return { a }; }", "{'a':'x'}"},
	    {"module.exports = () => ({a: 1})", "{'a':1}"},
	    {"function make() { return {a: 1}; } export default make();", "{'a':1}"},
	    {"export default {f() { return 1; }, get g() { return {x: [1, 2]}; }, async h(a, b) {}, i: 2}",
	     "{'f':<computed>,'g':<computed>,'h':<computed>,'i':2}"},
	    {"export default {adapter: async () => new Pg({u: 1}), b: 2}", "{'adapter':{'u':1},'b':2}"},
	    {"const a = b, b = a; module.exports = {a}", "{'a':<computed>}"},
	    {"exports.a = 1; exports.b = 'x';", "{'a':1,'b':'x'}"},
	    {"export const a = 1\nexport const b = [2]\nexport { a as c }", "{'a':1,'b':[2],'c':1}"},
	    {"const {a, b: c} = {a: 1, b: 2}; module.exports = {a, c}", "{'a':1,'c':2}"},
	    {"const a = {b: {c: 'x'}}; module.exports = {x: a.b.c, y: a['b']?.c, z: a.q}",
	     "{'x':'x','y':'x','z':null}"},
	    {"import { x, y as z } from './other'; import all from './data.json'; import d from "
	     "'./other.js';\n"
	     "export default { x, z, all, d }",
	     "{'x':'one','z':'two','all':{'k':[1]},'d':'dee'}"},
	    {"const o = require('./other'); module.exports = {x: o.x, d: o.default}",
	     "{'x':'one','d':'dee'}"},
	    {"export * from './other'; export { y as w } from './other'", "{'x':'one','y':'two','w':'two'}"},
	    {"module.exports = {n: -5, m: 1_000, r: 0.5}", "{'n':-5,'m':1000,'r':0.5}"},
	    {"module.exports = {[`a${1}`]: 1, [x]: 2}", "{'a1':1,'\\u0001+':true}"},
	    {"module.exports = {a: [...['x'], ...y]}", "{'a':['x',<computed>]}"},
	    {"module.exports = {a: 'x'.concat('y'), b: ['a'].map((z) => z), c: f`x`}",
	     "{'a':<computed>,'b':<computed>,'c':<computed>}"},
	    {"", "{}"},
	    {"module.exports = {a: '\\u0001'}", "{'a':'\\u0001'}"},
	};

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct jsconf *c = begin();

		add_file("cfg/config.ts", rows[i].text);
		add_file("cfg/data.json", "{\"k\": [1]}");
		add_file("cfg/other.ts", "export const x = 'one', y = 'two'\nexport default 'dee'");
		assert_string_equal(print(jsconf_file(c, "cfg/config.ts")), rows[i].want);
		assert_false(arena_failed(&job.arena));
		end();
	}
}

static void says_what_it_assumes(void **state)
{
	struct jsconf *c = begin();
	const struct jv *v;
	const char *text = "default";
	bool flag = false;

	UNUSED(state);
	add_file("a.js", "module.exports = {a: 'x', b: process.env.B || 'y', c: process.env.C, d: "
	                 "`${process.env.D ?? 'z'}1`,"
	                 " e: 5, f: process.env.F === 'x' || true}");
	v = jsconf_file(c, "a.js");
	assert_int_equal(jsconf_text(c, v, "a", "a", &text), JS_SAID);
	assert_string_equal(text, "x");
	assert_int_equal(jv_len(jsconf_notes(c)), 0);
	assert_int_equal(jsconf_text(c, v, "b", "b", &text), JS_ASSUMED);
	assert_string_equal(text, "y");
	assert_int_equal(jsconf_text(c, v, "c", "c", &text), JS_COMPUTED);
	assert_string_equal(text, "y");
	assert_int_equal(jsconf_text(c, v, "d", "d", &text), JS_ASSUMED);
	assert_string_equal(text, "z1");
	assert_int_equal(jsconf_text(c, v, "e", "e", &text), JS_COMPUTED);
	assert_int_equal(jsconf_text(c, v, "none", "none", &text), JS_ABSENT);
	assert_int_equal(jsconf_bool(c, v, "f", "f", &flag), JS_ASSUMED);
	assert_true(flag);
	assert_int_equal(jv_len(jsconf_notes(c)), 5);
	assert_string_equal(jv_text(jv_at(jsconf_notes(c), 0), ""), "b is computed; 'y' is assumed");
	assert_string_equal(jv_text(jv_at(jsconf_notes(c), 1), ""), "c is computed; its default is assumed");
	/* A member may come with what is spread. */
	add_file("b.js", "module.exports = {...base(), a: 'x'}");
	v = jsconf_file(c, "b.js");
	assert_true(jsconf_incomplete(v));
	assert_int_equal(jsconf_text(c, v, "z", "z", &text), JS_COMPUTED);
	assert_int_equal(jsconf_text(c, v, "a", "a", &text), JS_SAID);
	/* What is no program is said, once. */
	add_file("c.js", "module.exports = {'");
	assert_null(jsconf_file(c, "c.js"));
	assert_null(jsconf_file(c, "c.js"));
	assert_null(jsconf_file(c, "nowhere.js"));
	assert_string_equal(jv_text(jv_at(jsconf_notes(c), jv_len(jsconf_notes(c)) - 1), ""),
	                    "c.js cannot be read as JavaScript or TypeScript");
	end();
}

static void finds_calls_classes_and_patterns(void **state)
{
	struct jsconf *c = begin();
	const struct jv *v, *x;
	const char *text = NULL;

	UNUSED(state);
	add_file("m/1-A.ts", "export class A1 implements M { async up() {} }\nexport default class B2 {}");
	add_file("src/data.ts",
	         "import { DataSource } from 'typeorm'\nimport { A1, A1 as C } from '../m/1-A';\n"
	         "import { D } from 'package'\n"
	         "export const source = new DataSource({ migrations: [A1, C, D], pattern: "
	         "/^\\d+[\\w-]+\\.js$/i })");
	v = jsconf_argument(c, "src/data.ts", "DataSource", 0);
	assert_int_equal(jsconf_get(v, "migrations", &x), JS_SAID);
	assert_string_equal(jsconf_class(jv_at(x, 0), &text), "A1");
	assert_string_equal(text, "m/1-A.ts");
	assert_string_equal(jsconf_class(jv_at(x, 1), &text), "A1");
	assert_null(jsconf_class(jv_at(x, 2), &text));
	assert_int_equal(jsconf_get(v, "pattern", &x), JS_SAID);
	assert_string_equal(jsconf_regex(x, &text), "^\\d+[\\w-]+\\.js$");
	assert_string_equal(text, "i");
	assert_null(jsconf_argument(c, "src/data.ts", "Nothing", 0));
	end();
}

static void makes_paths_of_the_tree(void **state)
{
	static const struct {
		const char *from, *said, *want;
	} rows[] = {
	    {"", "./migrations", "migrations"},
	    {"db", "../m/", "m"},
	    {"db", "../../m", NULL},
	    {"", "/app/migrations", NULL},
	    {"", ".", ""},
	    {"a/b", "c//./d", "a/b/c/d"},
	    {"", "..", NULL},
	    {"", "..m", "..m"},
	    {"db", "/\x02/m", "m"},
	    {"db", "/\x02", ""},
	    {"", "/\x02/../m", NULL},
	    {"", "/\x02x", NULL},
	};
	struct jsconf *c = begin();

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *got = jsconf_path(c, rows[i].from, rows[i].said);

		assert_int_equal(got != NULL, rows[i].want != NULL);
		if (got != NULL)
			assert_string_equal(got, rows[i].want);
	}
	end();
}

/* Nothing that a file holds makes the reader deep, long or fat. */
static void is_bounded(void **state)
{
	static const char *const pieces[] = {"!", "(", "[", "{a:", "`${", "a.", "new ", "x=>", "...", "a?"};

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		struct jsconf *c = begin();
		struct str text;

		str_init(&text, 1024 * 1024);
		str_add(&text, "module.exports = ");
		for (int k = 0; k < 5000; k++)
			str_add(&text, pieces[i]);
		add_file("a.js", str_text(&text));
		jsconf_file(c, "a.js");
		if (arena_failed(&job.arena))
			fail_msg("%s", pieces[i]);
		str_release(&text);
		end();
	}
	/* Each doubles the one before. */
	{
		struct jsconf *c = begin();
		struct str text;

		str_init(&text, 1024 * 1024);
		str_add(&text, "const a0 = ['x', 'x'];\n");
		for (int k = 1; k < 60; k++)
			str_addf(&text, "const a%d = [...a%d, ...a%d], o%d = {...o%d, x%d: a%d};\n", k, k - 1,
			         k - 1, k, k - 1, k, k);
		str_add(&text, "module.exports = {a: a59, o: o59}");
		add_file("a.js", str_text(&text));
		assert_non_null(jsconf_file(c, "a.js"));
		assert_false(arena_failed(&job.arena));
		str_release(&text);
		end();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_values),
	    cmocka_unit_test(says_what_it_assumes),
	    cmocka_unit_test(finds_calls_classes_and_patterns),
	    cmocka_unit_test(makes_paths_of_the_tree),
	    cmocka_unit_test(is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
