-- Schema 1. Instants are microseconds since 1970 UTC, but leases: those are CLOCK_BOOTTIME of boot_id.
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE audit(
	seq INTEGER PRIMARY KEY, at_us INTEGER NOT NULL, actor TEXT NOT NULL, host TEXT NOT NULL,
	verb TEXT NOT NULL, target TEXT NOT NULL, result TEXT NOT NULL, text TEXT NOT NULL,
	prev TEXT NOT NULL, hash TEXT NOT NULL);
CREATE TRIGGER audit_is_append_only_1 BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
CREATE TRIGGER audit_is_append_only_2 BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;

CREATE TABLE plans(
	digest TEXT PRIMARY KEY, service TEXT NOT NULL, env TEXT NOT NULL, kind TEXT NOT NULL,
	requester TEXT NOT NULL, reason TEXT NOT NULL, approvals INTEGER NOT NULL, at_us INTEGER NOT NULL,
	releases TEXT NOT NULL, json TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE rollouts(
	id TEXT PRIMARY KEY, service TEXT NOT NULL, env TEXT NOT NULL, plan TEXT NOT NULL, live INTEGER NOT NULL,
	created_us INTEGER NOT NULL, epoch INTEGER NOT NULL, json TEXT NOT NULL) WITHOUT ROWID;
CREATE UNIQUE INDEX rollouts_one_live ON rollouts(service, env) WHERE live = 1;
CREATE INDEX rollouts_by_time ON rollouts(live, created_us);
CREATE INDEX rollouts_by_plan ON rollouts(plan);

-- The journal: an intent before each effect, a result after it.
CREATE TABLE steps(
	seq INTEGER PRIMARY KEY, rollout TEXT NOT NULL, step INTEGER NOT NULL, attempt INTEGER NOT NULL,
	entry TEXT NOT NULL CHECK (entry IN ('intent', 'result')), at_us INTEGER NOT NULL, epoch INTEGER NOT NULL,
	key TEXT NOT NULL, child TEXT NOT NULL, outcome TEXT NOT NULL, text TEXT NOT NULL);
CREATE INDEX steps_by_rollout ON steps(rollout, step);

CREATE TABLE decisions(
	seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, actor TEXT NOT NULL, host TEXT NOT NULL, at_us INTEGER NOT NULL,
	plan TEXT NOT NULL, rollout TEXT NOT NULL, service TEXT NOT NULL, env TEXT NOT NULL, reason TEXT NOT NULL,
	release TEXT NOT NULL, until_us INTEGER NOT NULL);
CREATE INDEX decisions_by_rollout ON decisions(rollout);
CREATE INDEX decisions_by_plan ON decisions(plan);

CREATE TABLE leases(
	key TEXT PRIMARY KEY, holder TEXT NOT NULL, boot_id TEXT NOT NULL, pid INTEGER NOT NULL,
	pid_start INTEGER NOT NULL, epoch INTEGER NOT NULL, until_us INTEGER NOT NULL, rollout TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE smokes(
	seq INTEGER PRIMARY KEY, suite TEXT NOT NULL, service TEXT NOT NULL, env TEXT NOT NULL, digest TEXT NOT NULL,
	ended_us INTEGER NOT NULL, json TEXT NOT NULL);
CREATE INDEX smokes_by_place ON smokes(suite, service, env, digest);

CREATE TABLE deploys(
	seq INTEGER PRIMARY KEY, service TEXT NOT NULL, env TEXT NOT NULL, digest TEXT NOT NULL, revision TEXT NOT NULL,
	tag TEXT NOT NULL, built_us INTEGER NOT NULL, since_us INTEGER NOT NULL, until_us INTEGER NOT NULL,
	good INTEGER NOT NULL, actor TEXT NOT NULL, rollout TEXT NOT NULL);
CREATE INDEX deploys_by_place ON deploys(service, env, seq);
