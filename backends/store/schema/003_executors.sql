-- Schema 3. Executors that run as services, and rollouts that wait for their turn: one live rollout of a place runs,
-- others are queued behind it.
DROP INDEX rollouts_one_live;
ALTER TABLE rollouts ADD COLUMN queued INTEGER NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX rollouts_one_live ON rollouts(service, env) WHERE live = 1 AND queued = 0;

CREATE TABLE executors(
	id TEXT PRIMARY KEY, host TEXT NOT NULL, pid INTEGER NOT NULL, version TEXT NOT NULL, since_us INTEGER NOT NULL,
	seen_us INTEGER NOT NULL, running INTEGER NOT NULL, leaving INTEGER NOT NULL) WITHOUT ROWID;
