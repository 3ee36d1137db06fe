-- Who is here: consoles that are open and what they look at. Soft state: no audit, no lock that anything else waits
-- for, lost without harm. Run as the owner with the schema as search path.
--
-- Not UNLOGGED, which a standby could not read; its commits wait for no disk and no standby instead.
CREATE TABLE presence(
	who text NOT NULL, session text NOT NULL CHECK (octet_length(session) < 128), host text NOT NULL,
	view text NOT NULL, doing text NOT NULL, service text NOT NULL, env text NOT NULL, plan text NOT NULL,
	rollout text NOT NULL, act text NOT NULL, since_us bigint NOT NULL, seen_us bigint NOT NULL,
	until_us bigint NOT NULL, PRIMARY KEY (who, session));
-- Counts what others want to hear of, without a lock: the head is the audit's alone.
CREATE SEQUENCE presence_turn;
-- Its first value looks like its second one otherwise.
PERFORM setval('presence_turn', 1);

-- A console says what it looks at, for a while; 0: it has gone. Others hear of it when it says something else.
CREATE FUNCTION presence_put(p_me text, p_schema int, p jsonb, p_ttl_us bigint, p_each int, p_max int) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp SET lock_timeout = '200ms' AS $f$
DECLARE
	x presence;
	o presence;
	v int := (SELECT value::int FROM meta WHERE key = 'version');
	t bigint := now_us();
	news boolean;
BEGIN
	PERFORM caller(p_me);
	PERFORM need('{viewer}', 'look at the store');
	IF p_schema IS DISTINCT FROM v THEN
		RAISE EXCEPTION 'this towpath writes schema %, the store is of schema %', p_schema, v
			USING ERRCODE = 'TP008', HINT = CASE WHEN p_schema > v THEN
				'bring the store up to date: towpath store migrate' ELSE 'use the newer towpath' END;
	END IF;
	PERFORM set_config('synchronous_commit', 'off', true);
	DELETE FROM presence WHERE (who, session) IN (
		SELECT who, session FROM presence WHERE until_us <= t LIMIT 100 FOR UPDATE SKIP LOCKED);
	x := ROW(session_user, clip(p->>'session', 127), clip(p->>'host', 63), clip(p->>'view', 63), clip(p->>'doing', 63),
		clip(p->>'service', 63), clip(p->>'env', 63), clip(p->>'plan', 79), clip(p->>'rollout', 39),
		clip(p->>'act', 63), t, t, t + least(p_ttl_us, 600000000));
	IF p_ttl_us <= 0 THEN
		DELETE FROM presence WHERE who = x.who AND session = x.session;
		news := FOUND;
	ELSE
		SELECT * INTO o FROM presence WHERE who = x.who AND session = x.session;
		news := o.who IS NULL OR (o.host, o.view, o.doing, o.service, o.env, o.plan, o.rollout, o.act) IS DISTINCT FROM
			(x.host, x.view, x.doing, x.service, x.env, x.plan, x.rollout, x.act);
		IF o.who IS NULL AND (SELECT count(*) FROM presence) >= p_max THEN
			RAISE EXCEPTION 'more than % consoles are open', p_max USING ERRCODE = 'TP010';
		END IF;
		IF NOT news THEN
			x.since_us := o.since_us;
		END IF;
		DELETE FROM presence WHERE who = x.who AND session = x.session;
		INSERT INTO presence VALUES (x.*) ON CONFLICT DO NOTHING;
		DELETE FROM presence WHERE (who, session) IN (SELECT who, session FROM presence WHERE who = x.who
			ORDER BY seen_us DESC, session OFFSET p_each);
	END IF;
	IF news THEN
		PERFORM pg_notify('{schema}', 'presence ' || nextval('presence_turn'));
	END IF;
	RETURN '{}';
END $f$;

-- As in schema 3, and who is here.
CREATE OR REPLACE FUNCTION snapshot(
	p_since_us bigint, p_rollouts int, p_remarks int, p_plans int, p_smokes int, p_deploys_each int, p_deploys int)
RETURNS TABLE(part text, body text) LANGUAGE sql STABLE SET search_path = {schema}, pg_temp AS $f$
	SELECT part, body FROM (
		SELECT 0 AS n, 0::bigint AS o, 'meta' AS part, about()::text AS body
		UNION ALL (SELECT 1, row_number() OVER (ORDER BY live DESC, created_us DESC), 'rollout', json::text
			FROM rollouts ORDER BY live DESC, created_us DESC LIMIT p_rollouts)
		UNION ALL SELECT 2, d.seq, 'decision', decision_json(d)::text FROM decisions_in_sight(p_since_us, p_remarks) d
		UNION ALL SELECT 3, 0, 'lease', (to_jsonb(l) - 'token')::text FROM leases l
			WHERE EXISTS (SELECT FROM rollouts r WHERE l.key = r.service || '/' || r.env AND r.live)
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
		UNION ALL (SELECT 7, -seen_us, 'executor', to_jsonb(e)::text FROM executors e
			WHERE seen_us > (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - 86400000000 ORDER BY seen_us DESC LIMIT 64)
		UNION ALL (SELECT 8, -seen_us, 'presence', (to_jsonb(x) - 'who' || jsonb_build_object('actor', x.who))::text
			FROM presence x WHERE until_us > (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
			ORDER BY seen_us DESC, session LIMIT 256)
	) x ORDER BY n, o
$f$;

REVOKE ALL ON FUNCTION presence_put(text, int, jsonb, bigint, int, int) FROM PUBLIC;
GRANT SELECT ON presence, presence_turn TO {prefix}viewer;
GRANT EXECUTE ON FUNCTION presence_put(text, int, jsonb, bigint, int, int) TO {prefix}viewer;
