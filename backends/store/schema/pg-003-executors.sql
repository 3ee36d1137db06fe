-- Executors that run as services, and rollouts that wait for their turn: one live rollout of a place runs, others are
-- queued behind it. Run as the owner with the schema as search path.
DROP INDEX rollouts_one_live;
CREATE UNIQUE INDEX rollouts_one_live ON rollouts(service, env) WHERE live AND json->>'state' <> 'queued';

CREATE TABLE executors(
	id text PRIMARY KEY CHECK (octet_length(id) < 130), who text NOT NULL, host text NOT NULL, pid bigint NOT NULL,
	version text NOT NULL, since_us bigint NOT NULL, seen_us bigint NOT NULL, running int NOT NULL,
	leaving boolean NOT NULL);

-- An executor says that it lives. Others hear of it when one comes or goes, not at each of its beats.
CREATE FUNCTION executor_beat(p_me text, p_schema int, p jsonb) RETURNS jsonb LANGUAGE plpgsql SECURITY DEFINER
SET search_path = {schema}, pg_temp SET lock_timeout = '3s' AS $f$
DECLARE
	x executors;
	v int := (SELECT value::int FROM meta WHERE key = 'version');
BEGIN
	PERFORM caller(p_me);
	PERFORM need('{executor}', 'drive rollouts');
	IF p_schema IS DISTINCT FROM v THEN
		RAISE EXCEPTION 'this towpath writes schema %, the store is of schema %', p_schema, v
			USING ERRCODE = 'TP008', HINT = CASE WHEN p_schema > v THEN
				'bring the store up to date: towpath store migrate' ELSE 'use the newer towpath' END;
	END IF;
	SELECT * INTO x FROM executors WHERE id = clip(p->>'id', 129);
	INSERT INTO executors VALUES (clip(p->>'id', 129), session_user, clip(p->>'host', 63), (p->>'pid')::bigint,
		clip(p->>'version', 63), now_us(), now_us(), (p->>'running')::int, (p->>'leaving')::boolean)
	ON CONFLICT (id) DO UPDATE SET seen_us = excluded.seen_us, running = excluded.running,
		leaving = excluded.leaving, version = excluded.version;
	IF x.id IS NULL OR x.leaving <> (p->>'leaving')::boolean OR x.running <> (p->>'running')::int THEN
		DELETE FROM executors WHERE seen_us < now_us() - 86400000000;
		PERFORM changed();
	END IF;
	RETURN '{}';
END $f$;

-- Which live rollout of the same place comes before a queued one; NULL: it is its turn, or it is not queued.
CREATE FUNCTION queued_behind(p_rollout text) RETURNS text LANGUAGE sql STABLE SET search_path = {schema}, pg_temp AS $f$
	SELECT o.id FROM rollouts r JOIN rollouts o ON o.service = r.service AND o.env = r.env AND o.id <> r.id
	WHERE r.id = p_rollout AND r.live AND r.json->>'state' = 'queued' AND o.live AND
		(o.json->>'state' <> 'queued' OR (o.created_us, o.id) < (r.created_us, r.id))
	ORDER BY o.json->>'state' = 'queued', o.created_us, o.id LIMIT 1
$f$;

-- Ends a queued rollout that nobody has begun; false where somebody has. The caller holds the head.
CREATE FUNCTION queue_leave(p_host text, p_rollout text, p_verb text, p_text text) RETURNS boolean LANGUAGE plpgsql
SET search_path = {schema}, pg_temp AS $f$
DECLARE
	r rollouts;
	l leases;
	k text;
BEGIN
	SELECT * INTO r FROM rollouts WHERE id = p_rollout AND live AND json->>'state' = 'queued';
	IF NOT FOUND THEN
		RETURN false;
	END IF;
	k := r.service || '/' || r.env;
	SELECT * INTO l FROM leases WHERE key = k;
	IF l.rollout = r.id AND l.holder <> '' THEN
		-- Its process has claimed, or had and is silent: that one may still write unless its lease is taken away.
		IF l.until_us > now_us() THEN
			RETURN false;
		END IF;
		UPDATE leases SET holder = '', until_us = 0, pid = 0, token = '' WHERE key IN (
			SELECT key FROM leases WHERE key = k AND epoch = l.epoch FOR UPDATE SKIP LOCKED);
		IF NOT FOUND THEN
			RETURN false;
		END IF;
	END IF;
	UPDATE rollouts SET live = false, json = json || jsonb_build_object('state', 'ended', 'outcome', 'cancelled',
		'text', clip(p_text, 399), 'ended_us', now_us()) WHERE id = r.id;
	PERFORM audit_add(p_host, p_verb, r.id, 'cancelled', p_text);
	RETURN true;
END $f$;

-- Abort needs nobody to drive what has not begun.
CREATE FUNCTION queued_aborted() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = {schema}, pg_temp AS $f$
BEGIN
	PERFORM queue_leave(NEW.host, NEW.rollout, 'ended', 'aborted before it began: ' || NEW.actor ||
		coalesce(': ' || nullif(NEW.json->>'reason', ''), ''));
	RETURN NULL;
END $f$;
CREATE TRIGGER queued_aborted AFTER INSERT ON decisions FOR EACH ROW WHEN (NEW.kind = 'abort')
	EXECUTE FUNCTION queued_aborted();

-- As in schema 1, and: a rollout in state queued may wait behind others. It replaces those of its kind that wait there
-- already, and a rollback every promotion that does.
CREATE OR REPLACE FUNCTION rollout_create(p_id text, p_me text, p_schema int, p_host text, p jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp SET lock_timeout = '3s' AS $f$
DECLARE
	a jsonb := begin_write(p_id, p_me, p_schema, '{operator}', 'start a rollout');
	q plans;
	o rollouts;
	other text;
	queued boolean := p->>'state' = 'queued';
BEGIN
	IF a IS NOT NULL THEN
		RETURN a;
	END IF;
	SELECT * INTO q FROM plans WHERE digest = p->>'plan';
	IF NOT FOUND THEN
		RAISE EXCEPTION 'there is no plan % in the store', clip(p->>'plan', 19) USING ERRCODE = 'TP006';
	END IF;
	IF q.service IS DISTINCT FROM p->>'service' OR q.env IS DISTINCT FROM p->>'env' OR
		(SELECT jsonb_agg(s->'kind' ORDER BY n) || jsonb_agg(s->'target' ORDER BY n)
			FROM jsonb_array_elements(p->'steps') WITH ORDINALITY x(s, n)) IS DISTINCT FROM
		(SELECT jsonb_agg(s->'kind' ORDER BY n) || jsonb_agg(s->'target' ORDER BY n)
			FROM jsonb_array_elements(q.json#>'{intent,steps}') WITH ORDINALITY x(s, n)) THEN
		RAISE EXCEPTION 'rollout % does not do what its plan says', clip(p->>'id', 39) USING ERRCODE = 'TP006';
	END IF;
	-- One after the other, like every audit row.
	PERFORM 1 FROM head FOR UPDATE;
	SELECT id INTO other FROM rollouts WHERE service = q.service AND env = q.env AND live AND
		(NOT queued OR plan = q.digest) ORDER BY created_us LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'rollout % of %/% is %', other, q.service, q.env, CASE WHEN queued THEN
			'of this same plan' ELSE 'running' END
			USING ERRCODE = 'TP010', HINT = 'watch it: towpath rollout ' || other || ' --follow';
	END IF;
	BEGIN
		INSERT INTO rollouts VALUES (p->>'id', q.service, q.env, q.digest, session_user, true,
			(p->>'created_us')::bigint, 0, p || jsonb_build_object('requester', session_user));
	EXCEPTION WHEN unique_violation THEN
		RAISE EXCEPTION 'another rollout of %/% is running', q.service, q.env
			USING ERRCODE = 'TP010', HINT = 'see: towpath rollouts';
	END;
	PERFORM audit_add(p_host, q.kind, q.service || '/' || q.env, '',
		format('rollout %s of plan %s: %s%s', p->>'id', left(q.digest, 19), versions(p->'from', p->'to'),
			coalesce(': ' || nullif(clip(p->>'reason', 150), ''), '')));
	FOR o IN SELECT * FROM rollouts WHERE queued AND service = q.service AND env = q.env AND live AND
		id <> p->>'id' AND json->>'state' = 'queued' AND (json->>'kind' = q.kind OR
			(q.kind = 'rollback' AND json->>'kind' = 'promote')) LOOP
		PERFORM queue_leave(p_host, o.id, 'superseded', format('superseded by %s of %s: %s', p->>'id', session_user,
			versions(p->'from', p->'to')));
	END LOOP;
	RETURN answered(p_id, '{}');
END $f$;

-- As in schema 1, and: a queued rollout's process gets the lease when it is its turn.
CREATE OR REPLACE FUNCTION lease_claim(
	p_id text, p_me text, p_schema int, p_host text, p jsonb, p_ttl_us bigint, p_dead bigint) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp SET lock_timeout = '3s' AS $f$
DECLARE
	a jsonb := begin_write(p_id, p_me, p_schema, '{executor}', 'drive a rollout');
	k text := p->>'key';
	l leases;
	t bigint;
	mine boolean;
	before text := '';
	other text;
BEGIN
	IF a IS NOT NULL THEN
		RETURN a;
	END IF;
	IF p_ttl_us NOT BETWEEN 1000 AND 3600000000 OR coalesce(p->>'holder', '') = '' THEN
		RAISE EXCEPTION 'a lease needs a holder and a time to live' USING ERRCODE = 'TP004';
	END IF;
	INSERT INTO leases VALUES (k, '', '', 0, 0, 0, 0, '', '') ON CONFLICT DO NOTHING;
	SELECT * INTO l FROM leases WHERE key = k FOR UPDATE;
	other := queued_behind(p->>'rollout');
	IF other IS NOT NULL THEN
		RAISE EXCEPTION 'rollout % is queued behind %', clip(p->>'rollout', 39), other USING ERRCODE = 'TP010';
	END IF;
	t := now_us();
	mine := l.holder = p->>'holder' AND l.boot_id = p->>'boot_id' AND l.pid = (p->>'pid')::bigint AND
		l.pid_start = (p->>'pid_start')::bigint;
	IF l.holder <> '' AND l.until_us > t AND NOT mine AND (p_dead = 0 OR l.epoch <> p_dead) THEN
		RETURN answered(p_id, to_jsonb(l) - 'token' || jsonb_build_object('refused', true, 'now_us', t));
	END IF;
	IF l.holder <> '' AND NOT mine THEN
		before := ', taken over from ' || l.holder;
	END IF;
	UPDATE leases SET holder = p->>'holder', boot_id = p->>'boot_id', pid = (p->>'pid')::bigint,
		pid_start = (p->>'pid_start')::bigint, epoch = epoch + 1, until_us = t + p_ttl_us,
		rollout = clip(p->>'rollout', 39), token = p_id WHERE key = k RETURNING * INTO l;
	PERFORM audit_add(p_host, 'lease', k, '', format('epoch %s to %s%s', l.epoch, l.holder, before));
	RETURN answered(p_id, to_jsonb(l) || jsonb_build_object('now_us', t));
END $f$;

-- Who runs the tests is who asked for what runs, not for what waits.
CREATE OR REPLACE FUNCTION smoke_put(p_id text, p_me text, p_schema int, p_host text, p jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp SET lock_timeout = '3s' AS $f$
DECLARE
	a jsonb := begin_write(p_id, p_me, p_schema, '{operator,executor}', 'store a smoke test');
	who text := session_user;
BEGIN
	IF a IS NOT NULL THEN
		RETURN a;
	END IF;
	IF may('executor') THEN
		-- An executor tests for whoever asked for the rollout.
		SELECT requester INTO who FROM rollouts
			WHERE service = p->>'service' AND env = p->>'env' AND live AND json->>'state' <> 'queued';
		who := coalesce(who, session_user);
	END IF;
	INSERT INTO smokes(suite, service, env, digest, ended_us, json) VALUES (clip(p->>'suite', 63),
		clip(p->>'service', 63), clip(p->>'env', 63), clip(p#>>'{release,digest}', 79),
		(p->>'ended_us')::bigint, p || jsonb_build_object('actor', who));
	PERFORM audit_add(p_host, 'smoke', (p->>'service') || '/' || (p->>'env'), p->>'state',
		format('%s %s/%s on %s', p->>'suite',
			(SELECT count(*) FROM jsonb_array_elements(p->'steps') s WHERE s->>'state' = 'passed'),
			jsonb_array_length(p->'steps'),
			coalesce(nullif(p#>>'{release,tag}', ''), p#>>'{release,digest}')));
	RETURN answered(p_id, '{}');
END $f$;

-- As in schema 1, and the executors that were seen in the last day.
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
	) x ORDER BY n, o
$f$;

REVOKE ALL ON FUNCTION executor_beat(text, int, jsonb), queued_behind(text), queue_leave(text, text, text, text),
	queued_aborted() FROM PUBLIC;
GRANT SELECT ON executors TO {prefix}viewer;
GRANT EXECUTE ON FUNCTION executor_beat(text, int, jsonb) TO {prefix}executor;
