/* What the files of the demo share: the world's places, its tools, and the steps that build it. */
#ifndef DEMO_WORLD_H
#define DEMO_WORLD_H

#include "core/err.h"
#include "core/limits.h"
#include "core/str.h"

#include <signal.h>
#include <sys/types.h>

enum { DEMO_SERVICES = 3, DEMO_ENVS = 3, DEMO_INSTANCES = 3 };
enum { SERVICE_WEB, SERVICE_ORDERS, SERVICE_BILLING };

extern const char *const demo_services[DEMO_SERVICES];
extern const char *const demo_envs[DEMO_ENVS];
/* How many instances a service has in an environment. */
extern const int demo_instances[DEMO_SERVICES][DEMO_ENVS];
/* What runs there in a new world. */
extern const char *const demo_versions[DEMO_SERVICES][DEMO_ENVS];

struct world {
	char dir[PATH_LEN];
	char config[PATH_LEN]; /* dir/towpath.yaml */
	char self[PATH_LEN];   /* this binary, absolute */
	int ports[DEMO_SERVICES][DEMO_ENVS][DEMO_INSTANCES];
	bool has_databases;
	char no_databases[TEXT_LEN]; /* why not */
	bool has_django;
	char python[PATH_LEN]; /* that imports django and psycopg2 */
	int pg_port;
	char pg_data[PATH_LEN];    /* folder of the cluster */
	char pg_bin[PATH_LEN / 2]; /* folder of initdb and postgres */
	char pg_password[65];
	int64_t base_s; /* when the world was built */
	bool quiet;
};

/* --- world.c: the folder, its state file, building and starting ---------------------------------------------- */

/* Finds the folder (dir may be NULL: the default one); makes nothing. */
int world_locate(struct world *w, const char *dir, const char *self, struct error *e) MUST_CHECK;
bool world_is_built(const struct world *w);
/* Reads dir/world.json. */
int world_load(struct world *w, struct error *e) MUST_CHECK;
int world_save(const struct world *w, struct error *e) MUST_CHECK;
/* Writes the marker that makes a folder a demo world; it names the cluster, so that removing finds that as well. */
int world_mark(const struct world *w, struct error *e) MUST_CHECK;
/* Builds a new world in an absent or empty folder. On failure nothing of it is left. */
int world_build(struct world *w, struct error *e) MUST_CHECK;
/* Removes the folder and the cluster; refuses a folder that is no demo world. */
int world_remove(const struct world *w, struct error *e) MUST_CHECK;
/* dir/rest by format; false when it is too long. */
bool world_path(const struct world *w, char *dst, size_t cap, const char *fmt, ...) PRINTF_LIKE(4, 5);
int world_service(const char *name); /* -1: none of that name */
int world_env(const char *name);
void world_url(const struct world *w, int service, int env, char *dst, size_t cap);
/* Progress for people, on stderr; nothing when quiet. */
void world_say(const struct world *w, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* --- config.c: towpath.yaml, env files, ports ---------------------------------------------------------------- */

/* Chooses free ports on loopback below the ephemeral range for all that has none or whose own is taken. */
int ports_choose(struct world *w, struct error *e) MUST_CHECK;
/* Writes towpath.yaml from its template. */
int config_write(const struct world *w, struct error *e) MUST_CHECK;
/* Writes env files (new ones, or only the database's address in existing ones) and the secrets. */
int config_write_env(const struct world *w, struct error *e) MUST_CHECK;

/* --- git.c --------------------------------------------------------------------------------------------------- */

struct git_change {
	const char *path; /* in the repository */
	const char *text;
};
/* Builds dir/repo from world/history. */
int git_build(const struct world *w, struct error *e) MUST_CHECK;
/*
 * A new release on top: the changes, service.json's version and extra members (JSON object text, may be NULL),
 * one commit, one tag SERVICE-vVERSION.
 */
int git_release(const struct world *w, int service, const char *version, const char *subject,
                const struct git_change *changes, int n, const char *members, struct error *e) MUST_CHECK;
struct git_file {
	const char *path; /* below the service's folder */
	const void *bytes;
	size_t n;
	bool executable;
};
struct git_release_info {
	char revision[REVISION_LEN];
	int64_t time_s;
};
/* Calls each for the files of the service's tree at the tag, in byte order of their paths. */
int git_files(const struct world *w, int service, const char *version, struct git_release_info *info,
              int (*each)(void *ctx, const struct git_file *f), void *ctx, struct error *e) MUST_CHECK;
/* Calls each with every version of a service that has a tag; order is that of the tags' names. */
int git_versions(const struct world *w, int service, int (*each)(void *ctx, const char *version), void *ctx,
                 struct error *e) MUST_CHECK;

/* --- oci.c --------------------------------------------------------------------------------------------------- */

struct oci_image {
	char digest[DIGEST_LEN]; /* of the manifest */
	char layer[DIGEST_LEN];
	char revision[REVISION_LEN];
	char version[TAG_LEN];
	int64_t built_s;
};
/* Makes the image of one release and adds it to dir/registry/SERVICE. */
int oci_add(const struct world *w, int service, const char *version, struct oci_image *ret,
            struct error *e) MUST_CHECK;
/* Unpacks a release as the host driver does: releases/NAME with release.json, and the link current. */
int oci_place(const struct world *w, int service, int env, const struct oci_image *image, int64_t since_s,
              struct error *e) MUST_CHECK;

/* --- postgres.c ---------------------------------------------------------------------------------------------- */

/* Finds initdb and python with Django; fills has_databases, has_django and the reason. */
void postgres_find(struct world *w);
/* initdb as a child; -1 when it could not start. Wait with tool_wait(). */
pid_t postgres_init(struct world *w, struct error *e);
/* Starts the server as a child that dies with this process; returns once it answers. */
pid_t postgres_start(const struct world *w, struct error *e);
/* Fast shutdown, then harder; returns when it is gone. */
void postgres_stop(pid_t pid);
/* Databases and their migrations at the deployed releases. */
int postgres_fill(const struct world *w, struct error *e) MUST_CHECK;
/* One statement in one database. */
int postgres_exec(const struct world *w, int service, int env, const char *sql, struct error *e) MUST_CHECK;
void postgres_drop_data(const struct world *w);

/* --- tool.c: blocking children and small files --------------------------------------------------------------- */

/* Set by a signal handler: children that are waited for are ended. */
extern volatile sig_atomic_t tool_interrupted;

struct tool {
	const char *const *argv;
	const char *const *env;  /* added to this process's environment */
	const char *cwd;         /* NULL: here */
	const char *output_path; /* appended; NULL: captured into out, or inherited if that is NULL too */
	struct str *out;
	bool keep_stderr; /* captured: stdout only */
	uid_t uid;        /* 0: as we are */
	gid_t gid;
	int death_signal; /* sent to the child when we die; 0: none */
	bool own_session;
};
/* Starts; -1 with e. output_path or inherited output only. */
pid_t tool_start(const struct tool *t, struct error *e);
/* Waits at most timeout_ms: exit code, 128 + signal, or -1 when out of time (the child is then killed). */
int tool_wait(pid_t pid, int timeout_ms);
/* Starts, captures and waits. */
int tool_run(const struct tool *t, int timeout_ms, struct error *e);
int64_t tool_now_ms(void); /* monotonic */
void tool_sleep_ms(int ms);
/* Start time of a process in ticks since boot, 0 when it is gone or a zombie. */
long long tool_start_time(pid_t pid);
/* Names in a folder, sorted, without dot files; n in *ret. Free with tool_names_free(). */
char **tool_names(const char *dir, int *ret);
void tool_names_free(char **names, int n);
/* Whole small file, "" when absent. */
void tool_slurp(const char *path, struct str *out);
/* UTC, "2026-01-31T12:00:00Z". */
void tool_rfc3339(int64_t s, char dst[32]);
/* Cuts the next piece between any of seps off *rest; NULL at the end. */
char *tool_cut(char **rest, const char *seps);
/* Text as a JSON string with its quotes. */
void tool_json_string(struct str *out, const char *text);

/* --- keeper.c's other side, for the command ------------------------------------------------------------------ */

/* Pid of the keeper that holds the world, 0: nobody. */
pid_t keeper_pid(const struct world *w);
/* Starts it and waits until every service answers. hold: stays without a console. */
int keeper_start(struct world *w, bool hold, struct error *e) MUST_CHECK;
/* Ends it; 0 also when there was none. */
int keeper_stop(const struct world *w, struct error *e) MUST_CHECK;
/* Asks it for something ("restart ENV SERVICE INSTANCE") and waits for its word in answer (cap > 0). */
int keeper_ask(const struct world *w, const char *request, char *answer, size_t cap,
               struct error *e) MUST_CHECK;
/* Ends processes that a keeper left behind which is gone. */
void keeper_clean(const struct world *w);
/* How many other processes have the world's store open, each sent signum unless that is 0; -1: cannot be told. */
int keeper_users(const struct world *w, int signum);

/* --- main.c: what headless does as well -------------------------------------------------------------------------- */

/* Builds what is not there, starts the keeper and marks a fresh store; hold as for keeper_start(). */
int demo_start(struct world *w, bool hold, struct error *e) MUST_CHECK;

/* --- fault.c, headless.c ------------------------------------------------------------------------------------- */

int fault_main(struct world *w, int argc, char **argv);
int headless_main(const char *self);

#endif
