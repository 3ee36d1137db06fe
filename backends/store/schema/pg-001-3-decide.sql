-- Schema 1, what people write: plans, rollouts to begin, decisions, smoke results. Each function is one statement of
-- the client and so one transaction, with its audit row in it. p_id: the key of the request. p_me: who the client
-- believes to be. p_schema: the schema that it knows; another one may not write.

CREATE FUNCTION begin_write(p_id text, p_me text, p_schema int, p_roles text[], p_what text) RETURNS jsonb
LANGUAGE plpgsql SET search_path = {schema}, pg_temp AS $f$
DECLARE
	v int := (SELECT value::int FROM meta WHERE key = 'version');
BEGIN
	PERFORM caller(p_me);
	IF p_schema IS DISTINCT FROM v THEN
		RAISE EXCEPTION 'this towpath writes schema %, the store is of schema %', p_schema, v
			USING ERRCODE = 'TP008', HINT = CASE WHEN p_schema > v THEN
				'bring the store up to date: towpath store migrate' ELSE 'use the newer towpath' END;
	END IF;
	PERFORM need(p_roles, p_what);
	RETURN asked_before(p_id);
END $f$;

CREATE FUNCTION plan_put(p_id text, p_me text, p_schema int, p_host text, p jsonb, p_approvals int) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp SET lock_timeout = '3s' AS $f$
DECLARE
	a jsonb := begin_write(p_id, p_me, p_schema, '{operator}', 'ask for a plan');
	i jsonb := p->'intent';
	e jsonb := p->'evidence';
	d text := p->>'digest';
BEGIN
	IF a IS NOT NULL THEN
		RETURN a;
	END IF;
	-- Who asks is who the server knows, also inside.
	INSERT INTO plans VALUES (d, i->>'service', i->>'env', i->>'kind', session_user, clip(e->>'reason', 399),
		p_approvals, now_us(), jsonb_set(p, '{evidence,requester}', to_jsonb(session_user::text)))
		ON CONFLICT DO NOTHING;
	IF NOT FOUND THEN
		-- Asked for again: it is listed again, what was stored stays as it is.
		UPDATE plans SET at_us = now_us() WHERE digest = d;
		PERFORM changed();
		RETURN answered(p_id, '{}');
	END IF;
	PERFORM audit_add(p_host, 'plan', (i->>'service') || '/' || (i->>'env'), '',
		format('%s %s, plan %s%s', i->>'kind', versions(e->'from', e->'to'), left(d, 19),
			coalesce(': ' || nullif(clip(e->>'reason', 200), ''), '')));
	RETURN answered(p_id, '{}');
END $f$;

CREATE FUNCTION rollout_create(p_id text, p_me text, p_schema int, p_host text, p jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp SET lock_timeout = '3s' AS $f$
DECLARE
	a jsonb := begin_write(p_id, p_me, p_schema, '{operator}', 'start a rollout');
	q plans;
	other text;
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
	SELECT id INTO other FROM rollouts WHERE service = q.service AND env = q.env AND live;
	IF FOUND THEN
		RAISE EXCEPTION 'rollout % of %/% is running', other, q.service, q.env
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
	RETURN answered(p_id, '{}');
END $f$;

-- What of a decision its audit row says beside reason and release: whatever else its kind holds, by name.
CREATE FUNCTION decision_remark(p jsonb) RETURNS text LANGUAGE sql STABLE AS $f$
	SELECT coalesce(string_agg(CASE
		WHEN key = 'until_us' THEN ', until ' || to_char(to_timestamp(value::bigint / 1000000) AT TIME ZONE 'UTC',
			'YYYY-MM-DD"T"HH24:MI:SS"Z"')
		WHEN value = 'true' THEN ', ' || key
		WHEN octet_length(value) > 64 THEN ', ' || key || ' ' || left(encode(sha256(convert_to(value, 'UTF8')), 'hex'), 16)
		ELSE ', ' || key || ' ' || value END, '' ORDER BY key), '')
	FROM jsonb_each_text(p) WHERE coalesce(value, '') NOT IN ('', '0', 'false') AND key NOT IN ('seq', 'kind', 'actor',
		'host', 'at_us', 'plan', 'rollout', 'service', 'env', 'reason', 'release')
$f$;

-- Any kind that rules knows. The decision as stored, with seq, actor and time, is the answer.
CREATE FUNCTION decide(p_id text, p_me text, p_schema int, p_host text, p jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp SET lock_timeout = '3s' AS $f$
DECLARE
	a jsonb;
	u rules;
	k text := p->>'kind';
	d text := clip(p->>'plan', 79);
	o text := clip(p->>'rollout', 39);
	s text := clip(p->>'service', 63);
	e text := clip(p->>'env', 63);
	l text := clip(p->>'release', 79);
	place text;
	r audit;
BEGIN
	SELECT * INTO u FROM rules WHERE kind = k;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'the store does not know the decision %', clip(k, 40)
			USING ERRCODE = 'TP005', HINT = 'bring it up to date: towpath store migrate';
	END IF;
	a := begin_write(p_id, p_me, p_schema, u.roles, k);
	IF a IS NOT NULL THEN
		RETURN a;
	END IF;
	IF u.family = 'verdict' AND NOT EXISTS (SELECT FROM plans WHERE digest = d) THEN
		RAISE EXCEPTION 'there is no plan % in the store', left(d, 19) USING ERRCODE = 'TP006';
	END IF;
	IF u.family = 'steer' AND NOT EXISTS (SELECT FROM rollouts WHERE id = o) THEN
		RAISE EXCEPTION 'there is no rollout %', o USING ERRCODE = 'TP006';
	END IF;
	IF k = 'approve' AND (EXISTS (SELECT FROM plans WHERE digest = d AND requester = session_user) OR
		EXISTS (SELECT FROM rollouts WHERE plan = d AND live AND requester = session_user)) THEN
		RAISE EXCEPTION 'you asked for this plan: somebody else must approve it' USING ERRCODE = 'TP007';
	END IF;
	IF octet_length(p::text) > 65536 THEN
		RAISE EXCEPTION 'the decision is too large' USING ERRCODE = 'TP004';
	END IF;
	-- From here on one after the other.
	PERFORM 1 FROM head FOR UPDATE;
	IF p->>'nonce' <> '' AND EXISTS (SELECT FROM decisions WHERE plan = d AND json->>'nonce' = p->>'nonce') THEN
		RAISE EXCEPTION 'this signature was given before: sign anew' USING ERRCODE = 'TP007';
	END IF;
	place := s || CASE WHEN s <> '' THEN '/' ELSE '' END || e;
	r := audit_add(p_host, k, coalesce(nullif(o, ''), nullif(d, ''), place), '',
		clip(p->>'reason', 200) || coalesce(' ' || nullif(l, ''), '') || decision_remark(p));
	a := p || jsonb_build_object('seq', r.seq, 'kind', k, 'actor', session_user, 'host', r.host, 'at_us', r.at_us);
	INSERT INTO decisions VALUES (r.seq, k, session_user, r.host, r.at_us, d, o, s, e, l,
		coalesce((p->>'until_us')::bigint, 0), a);
	RETURN answered(p_id, a);
END $f$;

CREATE FUNCTION smoke_put(p_id text, p_me text, p_schema int, p_host text, p jsonb) RETURNS jsonb
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
			WHERE service = p->>'service' AND env = p->>'env' AND live;
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
