-- Schema 4. Release sets: a rollout of several services is the parent of its members'.
ALTER TABLE rollouts ADD COLUMN parent TEXT NOT NULL DEFAULT '';
CREATE INDEX rollouts_by_parent ON rollouts(parent) WHERE parent <> '';
