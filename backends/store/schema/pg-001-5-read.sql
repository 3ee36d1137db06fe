-- Schema 1, what is read. Each answer is one statement, so it is one moment; its first row says the schema. Viewers
-- may read the tables too; the program uses these alone, so that it can read two schemas back.

-- Who asks, what they may do, and how the store stands.
CREATE FUNCTION about() RETURNS jsonb LANGUAGE sql STABLE SECURITY DEFINER SET search_path = {schema}, pg_temp AS $f$
	SELECT jsonb_build_object('version', (SELECT value::int FROM meta WHERE key = 'version'),
		'prefix', (SELECT value FROM meta WHERE key = 'prefix'),
		'actor', session_user,
		'roles', (SELECT coalesce(jsonb_agg(r), '[]') FROM unnest('{viewer,operator,approver,admin,executor}'::text[]) r
			WHERE may(r)),
		'unbound', (SELECT rolsuper FROM pg_roles WHERE rolname = session_user) OR may('owner'),
		'kinds', (SELECT coalesce(jsonb_agg(kind), '[]') FROM rules),
		'backend', pg_backend_pid(),
		'seq', h.seq, 'hash', h.hash, 'changes', h.changes,
		'last_us', (SELECT at_us FROM audit WHERE seq = h.seq),
		'now_us', (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
		'server', current_setting('server_version'),
		'standbys', current_setting('synchronous_standby_names'))
	FROM head h
$f$;

CREATE FUNCTION decision_json(d decisions) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $f$
	SELECT d.json || jsonb_build_object('seq', d.seq, 'kind', d.kind, 'actor', d.actor, 'host', d.host,
		'at_us', d.at_us, 'plan', d.plan, 'rollout', d.rollout, 'service', d.service, 'env', d.env,
		'release', d.release, 'until_us', d.until_us)
$f$;

-- A rollout, its lease and what was decided about it.
CREATE FUNCTION rollout_get(p_id text) RETURNS TABLE(part text, body text) LANGUAGE sql STABLE
SET search_path = {schema}, pg_temp AS $f$
	SELECT part, body FROM (
		SELECT 0 AS n, 0::bigint AS o, 'meta' AS part, about()::text AS body
		UNION ALL SELECT 1, 0, 'rollout', json::text FROM rollouts WHERE id = p_id
		UNION ALL SELECT 2, d.seq, 'decision', decision_json(d)::text FROM decisions d WHERE d.rollout = p_id
		UNION ALL SELECT 3, 0, 'lease', (to_jsonb(l) - 'token')::text FROM leases l
			JOIN rollouts r ON l.key = r.service || '/' || r.env WHERE r.id = p_id
	) x ORDER BY n, o
$f$;

CREATE FUNCTION plan_get(p_digest text) RETURNS TABLE(part text, body text) LANGUAGE sql STABLE
SET search_path = {schema}, pg_temp AS $f$
	SELECT 'meta', about()::text
	UNION ALL SELECT 'plan', json::text FROM plans WHERE digest = p_digest
$f$;

-- What binds is never crowded out: the last word on each topic of a place, the last word of each person on a plan.
CREATE FUNCTION decisions_in_sight(p_since_us bigint, p_remarks int) RETURNS SETOF decisions LANGUAGE sql STABLE
SET search_path = {schema}, pg_temp AS $f$
	SELECT d.* FROM decisions d WHERE d.seq IN (
		SELECT max(x.seq) FROM decisions x JOIN rules USING (kind) WHERE family = 'place'
			GROUP BY topic, x.service, x.env, x.release
		UNION SELECT max(x.seq) FROM decisions x JOIN rules USING (kind)
			WHERE family = 'verdict' AND x.plan IN (SELECT digest FROM plans WHERE at_us > p_since_us
				UNION SELECT plan FROM rollouts WHERE live) GROUP BY x.plan, x.actor
		UNION SELECT x.seq FROM decisions x WHERE x.rollout IN (SELECT id FROM rollouts WHERE live)
		UNION (SELECT x.seq FROM decisions x LEFT JOIN rules USING (kind)
			WHERE family = 'remark' OR family IS NULL ORDER BY x.seq DESC LIMIT p_remarks))
$f$;

CREATE FUNCTION snapshot(
	p_since_us bigint, p_rollouts int, p_remarks int, p_plans int, p_smokes int, p_deploys_each int, p_deploys int)
RETURNS TABLE(part text, body text) LANGUAGE sql STABLE SET search_path = {schema}, pg_temp AS $f$
	SELECT part, body FROM (
		SELECT 0 AS n, 0::bigint AS o, 'meta' AS part, about()::text AS body
		UNION ALL (SELECT 1, row_number() OVER (ORDER BY live DESC, created_us DESC), 'rollout', json::text
			FROM rollouts ORDER BY live DESC, created_us DESC LIMIT p_rollouts)
		UNION ALL SELECT 2, d.seq, 'decision', decision_json(d)::text FROM decisions_in_sight(p_since_us, p_remarks) d
		UNION ALL SELECT 3, 0, 'lease', (to_jsonb(l) - 'token')::text FROM leases l
			JOIN rollouts r ON l.key = r.service || '/' || r.env WHERE r.live
		UNION ALL (SELECT 4, row_number() OVER (ORDER BY at_us DESC), 'plan', (to_jsonb(p) - 'json' ||
			jsonb_build_object('from', json#>'{evidence,from}', 'to', json#>'{evidence,to}',
				'used', EXISTS (SELECT FROM rollouts r WHERE r.plan = p.digest)))::text
			FROM plans p WHERE at_us > p_since_us OR digest IN (SELECT plan FROM rollouts WHERE live)
			ORDER BY at_us DESC LIMIT p_plans)
		UNION ALL (SELECT 5, -seq, 'smoke', json::text FROM smokes WHERE seq IN (SELECT max(seq) FROM smokes
			GROUP BY suite, service, env, digest) ORDER BY seq DESC LIMIT p_smokes)
		UNION ALL (SELECT 6, -seq, 'deploy', (to_jsonb(x) - 'nth')::text
			FROM (SELECT *, row_number() OVER (PARTITION BY service, env ORDER BY seq DESC) AS nth FROM deploys) x
			WHERE nth <= p_deploys_each ORDER BY seq DESC LIMIT p_deploys)
	) x ORDER BY n, o
$f$;

-- Rows of the audit before p_before, newest first; and after p_after, oldest first.
CREATE FUNCTION history(p_before bigint, p_n int) RETURNS SETOF audit LANGUAGE sql STABLE
SET search_path = {schema}, pg_temp AS
$f$ SELECT * FROM audit WHERE seq < p_before ORDER BY seq DESC LIMIT p_n $f$;

CREATE FUNCTION audit_after(p_after bigint, p_n int) RETURNS SETOF audit LANGUAGE sql STABLE
SET search_path = {schema}, pg_temp AS
$f$ SELECT * FROM audit WHERE seq > p_after ORDER BY seq LIMIT p_n $f$;
