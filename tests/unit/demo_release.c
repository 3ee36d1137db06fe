/* Releases of the demo: commits, tags, images and placed folders, without any process. */
#include "tests/lib/cm.h"

#include "core/arena.h"
#include "core/jv.h"
#include "core/sha256.h"
#include "demo/world.h"
#include "io/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BASE_S 1760000000

struct fixture {
	char dir[64];
	struct world w;
	struct arena arena;
};

static void must(int rc, const struct error *e)
{
	if (rc < 0)
		print_error("%s: %s\n", err_name(e->code), e->text);
	assert_true(rc >= 0);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char world[128];
	struct error e;

	assert_non_null(f);
	str_copy(f->dir, sizeof(f->dir), "/tmp/towpath-unit-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(world, sizeof(world), "%s/world", f->dir);
	must(world_locate(&f->w, world, "/bin/false", &e), &e);
	must(file_mkdirs(world, 0700, &e), &e);
	f->w.quiet = true;
	f->w.base_s = BASE_S;
	arena_init(&f->arena, ARENA_DEFAULT_MAX);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	struct error e;

	must(file_remove_tree("/tmp", f->dir, &e), &e);
	arena_release(&f->arena);
	free(f);
	return 0;
}

static struct jv *PRINTF_LIKE(2, 3) read_json(struct fixture *f, const char *fmt, ...)
{
	char path[PATH_LEN * 2];
	struct jv *v = NULL;
	struct str text;
	struct error e;
	int n = snprintf(path, sizeof(path), "%s/", f->w.dir);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(path + n, sizeof(path) - (size_t)n, fmt, ap);
	va_end(ap);
	str_init(&text, JSON_BYTES_MAX);
	must(file_read(path, JSON_BYTES_MAX, &text, &e), &e);
	must(jv_parse(&f->arena, str_text(&text), text.len, &v, &e), &e);
	str_release(&text);
	return v;
}

static int count_version(void *ctx, const char *version)
{
	assert_non_null(strchr(version, '.'));
	*(int *)ctx += 1;
	return 0;
}

static void test_history(void **state)
{
	struct fixture *f = *state;
	struct error e;

	must(git_build(&f->w, &e), &e);
	for (int s = 0; s < DEMO_SERVICES; s++) {
		int n = 0;

		must(git_versions(&f->w, s, count_version, &n, &e), &e);
		assert_true(n >= 5);
		for (int i = 0; i < DEMO_ENVS; i++) {
			struct oci_image image;

			must(oci_add(&f->w, s, demo_versions[s][i], &image, &e), &e);
			assert_int_equal(strlen(image.revision), 40);
			assert_true(image.built_s < BASE_S);
		}
	}
}

static void test_bytes_are_the_same_every_time(void **state)
{
	struct fixture *f = *state;
	struct oci_image a, b;
	struct error e;
	struct world other = f->w;

	must(git_build(&f->w, &e), &e);
	must(oci_add(&f->w, SERVICE_ORDERS, "2.4.0", &a, &e), &e);
	snprintf(other.dir, sizeof(other.dir), "%s/other", f->dir);
	must(git_build(&other, &e), &e);
	must(oci_add(&other, SERVICE_ORDERS, "2.4.0", &b, &e), &e);
	assert_string_equal(a.digest, b.digest);
	assert_string_equal(a.revision, b.revision);
}

/* Every blob is named by its own bytes, and index, manifest and config point at each other. */
static void test_image_is_whole(void **state)
{
	struct fixture *f = *state;
	const struct jv *manifest, *config;
	struct oci_image image;
	char path[PATH_LEN], hex[65];
	struct error e;
	char **names;
	int n;

	must(git_build(&f->w, &e), &e);
	must(oci_add(&f->w, SERVICE_BILLING, "0.10.0", &image, &e), &e);
	assert_true(world_path(&f->w, path, sizeof(path), "registry/billing/blobs/sha256"));
	names = tool_names(path, &n);
	assert_int_equal(n, 3);
	for (int i = 0; i < n; i++) {
		struct str bytes;

		assert_true(
		    world_path(&f->w, path, sizeof(path), "registry/billing/blobs/sha256/%s", names[i]));
		str_init(&bytes, JSON_BYTES_MAX);
		must(file_read(path, JSON_BYTES_MAX, &bytes, &e), &e);
		sha256_of(bytes.data, bytes.len, hex);
		assert_string_equal(hex, names[i]);
		str_release(&bytes);
	}
	tool_names_free(names, n);
	manifest = jv_at(jv_get(read_json(f, "registry/%s/%s", "billing", "index.json"), "manifests"), 0);
	assert_string_equal(jv_get_text(manifest, "digest", ""), image.digest);
	manifest = read_json(f, "registry/%s/blobs/sha256/%s", "billing", image.digest + 7);
	assert_string_equal(jv_get_text(jv_at(jv_get(manifest, "layers"), 0), "digest", ""), image.layer);
	config = read_json(f, "registry/%s/blobs/sha256/%s", "billing",
	                   jv_get_text(jv_get(manifest, "config"), "digest", "sha256:") + 7);
	config = jv_get(jv_get(config, "config"), "Labels");
	assert_string_equal(jv_get_text(config, "org.opencontainers.image.revision", ""), image.revision);
	assert_string_equal(jv_get_text(config, "org.opencontainers.image.version", ""), "0.10.0");
}

static void test_placed_release_knows_its_bytes(void **state)
{
	struct fixture *f = *state;
	char path[PATH_LEN], files[DIGEST_LEN];
	const struct jv *note;
	struct oci_image image;
	struct error e;

	must(git_build(&f->w, &e), &e);
	must(oci_add(&f->w, SERVICE_WEB, "1.5.0", &image, &e), &e);
	must(oci_place(&f->w, SERVICE_WEB, 1, &image, BASE_S - 60, &e), &e);
	assert_true(world_path(&f->w, path, sizeof(path), "hosts/staging/web/current/"));
	must(file_tree_digest(path, "release.json", files, &e), &e);
	note = read_json(f, "hosts/%s/%s/current/release.json", "staging", "web");
	assert_string_equal(jv_get_text(note, "files", ""), files);
	assert_string_equal(jv_get_text(note, "digest", ""), image.digest);
	assert_string_equal(jv_get_text(note, "tag", ""), "1.5.0");
	assert_string_equal(
	    jv_get_text(read_json(f, "hosts/%s/%s/current/app/service.json", "staging", "web"), "version",
	                ""),
	    "1.5.0");
}

static void test_release_on_top(void **state)
{
	static const struct git_change change = {"services/web/app/new.txt", "new\n"};
	struct fixture *f = *state;
	struct oci_image before, after;
	const struct jv *app;
	struct error e;

	must(git_build(&f->w, &e), &e);
	must(oci_add(&f->w, SERVICE_ORDERS, "2.6.0", &before, &e), &e);
	must(git_release(&f->w, SERVICE_WEB, "9.0.0", "feat(web): new", &change, 1, "{\"broken\": \"it is\"}",
	                 &e),
	     &e);
	must(oci_add(&f->w, SERVICE_WEB, "9.0.0", &after, &e), &e);
	must(oci_place(&f->w, SERVICE_WEB, 0, &after, BASE_S, &e), &e);
	app = read_json(f, "hosts/%s/%s/current/app/service.json", "dev", "web");
	assert_string_equal(jv_get_text(app, "version", ""), "9.0.0");
	assert_string_equal(jv_get_text(app, "broken", ""), "it is");
	/* A tag is there once. */
	assert_true(git_release(&f->w, SERVICE_WEB, "9.0.0", "feat(web): again", NULL, 0, NULL, &e) < 0);
	assert_true(e.text[0] != '\0');
}

static void test_unknown_version(void **state)
{
	struct fixture *f = *state;
	struct error e;

	must(git_build(&f->w, &e), &e);
	assert_true(oci_add(&f->w, SERVICE_WEB, "77.0.0", NULL, &e) < 0);
	assert_non_null(strstr(e.text, "web-v77.0.0"));
}

/* --- configuration and ports ------------------------------------------------------------------------------------ */

static void config_text(struct fixture *f, struct str *out)
{
	struct error e;

	must(config_write(&f->w, &e), &e);
	must(file_read(f->w.config, CONFIG_BYTES_MAX, out, &e), &e);
	assert_null(strstr(str_text(out), "#@"));
	assert_null(strchr(str_text(out), '@'));
}

static void test_config_follows_what_is_there(void **state)
{
	struct fixture *f = *state;
	struct str text;
	struct error e;

	str_init(&text, CONFIG_BYTES_MAX);
	must(ports_choose(&f->w, &e), &e);
	config_text(f, &text);
	assert_null(strstr(str_text(&text), "migrate: {driver"));
	f->w.has_databases = true;
	config_text(f, &text);
	assert_non_null(strstr(str_text(&text), "driver: prisma"));
	assert_null(strstr(str_text(&text), "driver: django"));
	f->w.has_django = true;
	str_copy(f->w.python, sizeof(f->w.python), "/usr/bin/python3");
	config_text(f, &text);
	assert_non_null(strstr(str_text(&text), "driver: django"));
	assert_non_null(strstr(str_text(&text), "command: [\"/usr/bin/python3\", manage.py"));
	str_release(&text);
}

static void test_env_file_keeps_what_people_wrote(void **state)
{
	struct fixture *f = *state;
	char path[PATH_LEN], dir[PATH_LEN];
	struct str text;
	struct error e;

	for (int s = 0; s < DEMO_SERVICES; s++)
		for (int i = 0; i < DEMO_ENVS; i++) {
			assert_true(world_path(&f->w, dir, sizeof(dir), "hosts/%s/%s", demo_envs[i],
			                       demo_services[s]));
			must(file_mkdirs(dir, 0700, &e), &e);
		}
	assert_true(world_path(&f->w, dir, sizeof(dir), "secrets"));
	must(file_mkdirs(dir, 0700, &e), &e);
	must(config_write_env(&f->w, &e), &e);
	assert_true(world_path(&f->w, path, sizeof(path), "hosts/prod/billing/.env"));
	str_init(&text, CONFIG_BYTES_MAX);
	must(file_read(path, CONFIG_BYTES_MAX, &text, &e), &e);
	assert_non_null(strstr(text.data, "DATABASE_URL=none\n"));
	assert_null(strstr(text.data, "REMINDER_FROM"));
	str_add(&text, "OWN=mine\n");
	must(file_write(path, text.data, text.len, 0600, &e), &e);
	f->w.has_databases = true;
	f->w.pg_port = 5555;
	str_copy(f->w.pg_password, sizeof(f->w.pg_password), "secret");
	must(config_write_env(&f->w, &e), &e);
	must(file_read(path, CONFIG_BYTES_MAX, &text, &e), &e);
	assert_non_null(strstr(text.data, "OWN=mine\n"));
	assert_non_null(
	    strstr(text.data, "DATABASE_URL=postgresql://towpath:secret@127.0.0.1:5555/billing_prod\n"));
	assert_true(world_path(&f->w, path, sizeof(path), "secrets/prod-billing.url"));
	must(file_check_mode(path, true, &e), &e);
	str_release(&text);
}

static void test_ports(void **state)
{
	struct fixture *f = *state;
	int seen[DEMO_SERVICES * DEMO_ENVS * DEMO_INSTANCES], n = 0, kept;
	struct error e;

	must(ports_choose(&f->w, &e), &e);
	for (int s = 0; s < DEMO_SERVICES; s++)
		for (int i = 0; i < DEMO_ENVS; i++)
			for (int k = 0; k < demo_instances[s][i]; k++) {
				int port = f->w.ports[s][i][k];

				assert_in_range(port, 1024, 65000);
				for (int j = 0; j < n; j++)
					assert_int_not_equal(seen[j], port);
				seen[n++] = port;
			}
	/* Those that are free stay as they are. */
	kept = f->w.ports[0][0][0];
	must(ports_choose(&f->w, &e), &e);
	assert_int_equal(f->w.ports[0][0][0], kept);
}

/* --- the folder -------------------------------------------------------------------------------------------------- */

static void test_removes_only_its_own(void **state)
{
	struct fixture *f = *state;
	char path[PATH_LEN];
	struct error e;

	assert_true(world_path(&f->w, path, sizeof(path), "letter.txt"));
	must(file_write(path, "dear", 4, 0600, &e), &e);
	assert_int_equal(world_remove(&f->w, &e), ERR_DENIED);
	assert_true(file_exists(path));
	assert_int_equal(world_build(&f->w, &e), ERR_EXISTS);
	assert_true(file_exists(path));
	must(world_mark(&f->w, &e), &e);
	must(world_remove(&f->w, &e), &e);
	assert_false(file_exists(f->w.dir));
}

static void test_state_file(void **state)
{
	struct fixture *f = *state;
	struct world again;
	struct error e;

	must(ports_choose(&f->w, &e), &e);
	f->w.has_databases = true;
	f->w.pg_port = 5433;
	must(world_save(&f->w, &e), &e);
	must(world_locate(&again, f->w.dir, "/bin/false", &e), &e);
	assert_true(world_is_built(&again));
	must(world_load(&again, &e), &e);
	assert_memory_equal(again.ports, f->w.ports, sizeof(again.ports));
	assert_int_equal(again.pg_port, 5433);
	assert_true(again.has_databases);
	assert_false(again.has_django);
}

/* --- tools -------------------------------------------------------------------------------------------------------- */

static void test_tool_cut(void **state)
{
	char text[] = "  one two\n\nthree";
	char *rest = text;

	UNUSED(state);
	assert_string_equal(tool_cut(&rest, " \n"), "one");
	assert_string_equal(tool_cut(&rest, " \n"), "two");
	assert_string_equal(tool_cut(&rest, " \n"), "three");
	assert_null(tool_cut(&rest, " \n"));
	rest = NULL;
	assert_null(tool_cut(&rest, " "));
}

static void test_tool_run(void **state)
{
	const char *const echo[] = {"sh", "-c", "echo out; echo err >&2; echo $WORD; exit 3", NULL};
	const char *const sleeps[] = {"sleep", "60", NULL};
	const char *const missing[] = {"/nonexistent/program", NULL};
	const char *const env[] = {"WORD=given", NULL};
	struct str out;
	struct tool t = {.argv = echo, .env = env, .out = &out, .keep_stderr = true};
	struct error e;

	UNUSED(state);
	str_init(&out, 4096);
	assert_int_equal(tool_run(&t, 10000, &e), 3);
	assert_string_equal(str_text(&out), "out\ngiven\n");
	t.argv = missing;
	assert_int_equal(tool_run(&t, 10000, &e), 127);
	t.argv = sleeps;
	t.out = NULL;
	assert_int_equal(tool_run(&t, 50, &e), -1);
	assert_int_equal(e.code, ERR_TIMEOUT);
	str_release(&out);
}

static void test_start_time(void **state)
{
	UNUSED(state);
	assert_true(tool_start_time(getpid()) > 0);
	assert_int_equal(tool_start_time(0x3fffffff), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_history, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_bytes_are_the_same_every_time, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_image_is_whole, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_placed_release_knows_its_bytes, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_release_on_top, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_unknown_version, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_config_follows_what_is_there, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_env_file_keeps_what_people_wrote, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_ports, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_removes_only_its_own, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_state_file, set_up, tear_down),
	    cmocka_unit_test(test_tool_cut),
	    cmocka_unit_test(test_tool_run),
	    cmocka_unit_test(test_start_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
