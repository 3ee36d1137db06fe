-- Schema 1, what executors write: leases, the journal, what runs where.

-- Refuses a writer whose lease somebody else got, or that let it go. Whoever claims waits until the writer is done.
CREATE FUNCTION lease_check(p_key text, p_epoch bigint, p_token text) RETURNS leases LANGUAGE plpgsql
SET search_path = {schema}, pg_temp AS $f$
DECLARE
	l leases;
BEGIN
	SELECT * INTO l FROM leases WHERE key = p_key FOR SHARE;
	IF NOT FOUND OR l.epoch <> p_epoch OR l.holder = '' OR (p_token <> '' AND l.token <> p_token) THEN
		RAISE EXCEPTION 'stale epoch % of %: % holds epoch %', p_epoch, p_key,
			coalesce(nullif(l.holder, ''), 'nobody'), coalesce(l.epoch, 0) USING ERRCODE = 'TP001';
	END IF;
	RETURN l;
END $f$;

-- p_dead: the epoch whose holder the asker knows to be gone. The answer has "refused" where another one holds it.
CREATE FUNCTION lease_claim(
	p_id text, p_me text, p_schema int, p_host text, p jsonb, p_ttl_us bigint, p_dead bigint) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp SET lock_timeout = '3s' AS $f$
DECLARE
	a jsonb := begin_write(p_id, p_me, p_schema, '{executor}', 'drive a rollout');
	k text := p->>'key';
	l leases;
	t bigint;
	mine boolean;
	before text := '';
BEGIN
	IF a IS NOT NULL THEN
		RETURN a;
	END IF;
	IF p_ttl_us NOT BETWEEN 1000 AND 3600000000 OR coalesce(p->>'holder', '') = '' THEN
		RAISE EXCEPTION 'a lease needs a holder and a time to live' USING ERRCODE = 'TP004';
	END IF;
	INSERT INTO leases VALUES (k, '', '', 0, 0, 0, 0, '', '') ON CONFLICT DO NOTHING;
	SELECT * INTO l FROM leases WHERE key = k FOR UPDATE;
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

-- Changes nothing that others must hear of; saying it twice is harmless.
CREATE FUNCTION lease_renew(p_me text, p_schema int, p_key text, p_epoch bigint, p_token text, p_ttl_us bigint)
RETURNS jsonb LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp SET lock_timeout = '3s' AS $f$
DECLARE
	l leases;
	t bigint;
BEGIN
	PERFORM caller(p_me);
	PERFORM need('{executor}', 'drive a rollout');
	-- The row's own lock, or two renewals could wait for each other.
	PERFORM 1 FROM leases WHERE key = p_key FOR NO KEY UPDATE;
	PERFORM lease_check(p_key, p_epoch, p_token);
	t := now_us();
	UPDATE leases SET until_us = t + least(p_ttl_us, 3600000000) WHERE key = p_key RETURNING * INTO l;
	RETURN to_jsonb(l) || jsonb_build_object('now_us', t);
END $f$;

CREATE FUNCTION lease_release(
	p_id text, p_me text, p_schema int, p_host text, p_key text, p_epoch bigint, p_token text) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp SET lock_timeout = '3s' AS $f$
DECLARE
	a jsonb := begin_write(p_id, p_me, p_schema, '{executor}', 'drive a rollout');
	l leases;
BEGIN
	IF a IS NOT NULL THEN
		RETURN a;
	END IF;
	PERFORM 1 FROM leases WHERE key = p_key FOR NO KEY UPDATE;
	l := lease_check(p_key, p_epoch, p_token);
	-- The row stays, so that the epoch only ever grows.
	UPDATE leases SET holder = '', until_us = 0, pid = 0, token = '' WHERE key = p_key;
	PERFORM audit_add(p_host, 'release', p_key, '', l.holder);
	RETURN answered(p_id, '{}');
END $f$;

-- One entry of the journal and the rollout as it is now. p_entry: intent, result, or state (which is no step). An
-- intent that has no child yet answers "stopped" and is not written when somebody said stop after what the executor
-- has seen: decisions and effects have one order, that of the head.
CREATE FUNCTION journal(
	p_id text, p_me text, p_schema int, p_host text, p_epoch bigint, p_token text, p jsonb, p_live boolean,
	p_entry text, p_step int, p_key text, p_child text, p_outcome text, p_said text) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp SET lock_timeout = '3s' AS $f$
DECLARE
	a jsonb := begin_write(p_id, p_me, p_schema, '{executor}', 'drive a rollout');
	r rollouts;
	l leases;
	step jsonb := p#>ARRAY['steps', p_step::text];
	n int := coalesce((step->>'attempt')::int, 0);
	stop decisions;
BEGIN
	IF a IS NOT NULL THEN
		RETURN a;
	END IF;
	SELECT * INTO r FROM rollouts WHERE id = p->>'id';
	IF NOT FOUND THEN
		RAISE EXCEPTION 'there is no rollout %', clip(p->>'id', 39) USING ERRCODE = 'TP006';
	END IF;
	l := lease_check(r.service || '/' || r.env, p_epoch, p_token);
	IF p_entry = 'intent' AND p_child = '' THEN
		PERFORM 1 FROM head FOR UPDATE;
		SELECT * INTO stop FROM decisions WHERE seq > coalesce((p->>'seen_seq')::bigint, 0) AND
			((rollout = r.id AND kind IN ('hold', 'abort')) OR (plan = r.plan AND kind IN ('reject', 'withdraw')) OR
			kind = 'stop') ORDER BY seq LIMIT 1;
		IF FOUND THEN
			RETURN answered(p_id, jsonb_build_object('stopped', stop.kind, 'by', stop.actor));
		END IF;
	END IF;
	-- What it is, where it goes and who asked for it never changes.
	UPDATE rollouts SET live = p_live, epoch = p_epoch, json = p || jsonb_build_object('requester', r.requester,
		'service', r.service, 'env', r.env, 'plan', r.plan) WHERE id = r.id;
	IF p_entry = 'state' THEN
		PERFORM audit_add(p_host, p->>'state', r.id, p_outcome, p_said);
	ELSE
		INSERT INTO steps(rollout, step, attempt, entry, at_us, epoch, key, child, outcome, text) VALUES (r.id,
			p_step, n, p_entry, now_us(), p_epoch, clip(p_key, 191), clip(p_child, 191), p_outcome,
			clip(p_said, 399));
		PERFORM audit_add(p_host, p_entry, r.id, p_outcome, format('%s%s, attempt %s%s', step->>'kind',
			coalesce(' ' || nullif(step->>'target', ''), ''), n,
			coalesce(': ' || nullif(clip(p_said, 250), ''), '')));
	END IF;
	RETURN answered(p_id, '{}');
END $f$;

-- What runs where since when. The one who is named asked for the rollout; without a rollout it is the caller.
CREATE FUNCTION deploy_note(p_id text, p_me text, p_schema int, p_host text, p jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp SET lock_timeout = '3s' AS $f$
DECLARE
	a jsonb := begin_write(p_id, p_me, p_schema, '{operator,executor}', 'note what runs');
	x deploys;
	since bigint := (p->>'since_us')::bigint;
	new_good boolean := (p->>'good')::boolean;
	place text := (p->>'service') || '/' || (p->>'env');
	said text := format('%s %s%s', p#>>'{release,tag}', left(p#>>'{release,digest}', 19),
		CASE WHEN new_good THEN ', verified' ELSE '' END);
	who text := coalesce((SELECT requester FROM rollouts WHERE id = p->>'rollout'), session_user);
BEGIN
	IF a IS NOT NULL THEN
		RETURN a;
	END IF;
	IF since <= 0 THEN
		since := now_us();
	END IF;
	-- One at a time for the whole store, like every audit row.
	PERFORM 1 FROM head FOR UPDATE;
	SELECT * INTO x FROM deploys WHERE service = p->>'service' AND env = p->>'env' ORDER BY seq DESC LIMIT 1;
	IF x.until_us = 0 AND x.digest = p#>>'{release,digest}' THEN
		IF x.good OR NOT new_good THEN
			RETURN answered(p_id, '{}');
		END IF;
		UPDATE deploys SET good = true, actor = who, rollout = p->>'rollout' WHERE seq = x.seq;
		PERFORM audit_add(p_host, 'runs', place, 'ok', said);
		RETURN answered(p_id, '{}');
	END IF;
	UPDATE deploys SET until_us = greatest(since, 1) WHERE seq = x.seq AND until_us = 0;
	INSERT INTO deploys(service, env, digest, revision, tag, built_us, since_us, until_us, good, actor, rollout)
		VALUES (p->>'service', p->>'env', p#>>'{release,digest}', p#>>'{release,revision}', p#>>'{release,tag}',
		(p#>>'{release,built_us}')::bigint, since, 0, new_good, who, p->>'rollout');
	PERFORM audit_add(p_host, 'runs', place, CASE WHEN new_good THEN 'ok' ELSE '' END, said);
	RETURN answered(p_id, '{}');
END $f$;
