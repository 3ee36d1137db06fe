-- Release sets: a rollout of several services begins the rollouts of its members. Run as the owner with the schema as
-- search path.

-- The set's rollout that a member's names as its parent: it lives, its lease has the epoch that the member names, and
-- the member's plan is one of its plan, or puts one of its services back.
CREATE FUNCTION set_of(p jsonb, q plans) RETURNS rollouts LANGUAGE plpgsql
SET search_path = {schema}, pg_temp AS $f$
DECLARE
	s rollouts;
	l leases;
BEGIN
	SELECT * INTO s FROM rollouts WHERE id = p->>'parent' AND live AND json->>'kind' = 'set';
	IF NOT FOUND THEN
		RAISE EXCEPTION 'the set''s rollout % does not live', clip(p->>'parent', 39) USING ERRCODE = 'TP010';
	END IF;
	l := lease_check(s.service || '/' || s.env, (p->>'epoch')::bigint, '');
	IF l.rollout <> s.id THEN
		RAISE EXCEPTION 'stale epoch: %/% is held for rollout %', s.service, s.env, l.rollout USING ERRCODE = 'TP001';
	END IF;
	IF q.env <> s.env OR NOT EXISTS (SELECT FROM plans x, jsonb_array_elements(x.json#>'{intent,members}') m
		WHERE x.digest = s.plan AND m->>'service' = q.service AND (m->>'plan' = q.digest OR q.kind = 'rollback')) THEN
		RAISE EXCEPTION 'plan % of % is not of the set''s', left(q.digest, 19), q.service USING ERRCODE = 'TP006';
	END IF;
	RETURN s;
END $f$;

-- As in schema 1, and: an executor may keep the plans of a set's members.
CREATE OR REPLACE FUNCTION plan_put(p_id text, p_me text, p_schema int, p_host text, p jsonb, p_approvals int) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp SET lock_timeout = '3s' AS $f$
DECLARE
	a jsonb := begin_write(p_id, p_me, p_schema, '{operator,executor}', 'ask for a plan');
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

-- As in schema 3, and: a member's rollout begins for its set.
CREATE OR REPLACE FUNCTION rollout_create(p_id text, p_me text, p_schema int, p_host text, p jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp SET lock_timeout = '3s' AS $f$
DECLARE
	a jsonb := begin_write(p_id, p_me, p_schema, '{operator,executor}', 'start a rollout');
	q plans;
	o rollouts;
	other text;
	whole rollouts;
	who text := session_user;
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
	IF coalesce(p->>'parent', '') <> '' THEN
		-- A member begins for a set that lives, by whoever drives that one now, and for whoever asked for the set.
		whole := set_of(p, q);
		who := whole.requester;
	ELSE
		PERFORM need('{operator}', 'start a rollout');
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
		INSERT INTO rollouts VALUES (p->>'id', q.service, q.env, q.digest, who, true,
			(p->>'created_us')::bigint, 0, p || jsonb_build_object('requester', who));
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

-- As in schema 1, and: what is said of a set stops its member too.
CREATE OR REPLACE FUNCTION journal(
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
	parent text;
BEGIN
	IF a IS NOT NULL THEN
		RETURN a;
	END IF;
	SELECT * INTO r FROM rollouts WHERE id = p->>'id';
	IF NOT FOUND THEN
		RAISE EXCEPTION 'there is no rollout %', clip(p->>'id', 39) USING ERRCODE = 'TP006';
	END IF;
	-- What goes back with its set goes back whatever is said of the set.
	parent := CASE WHEN r.json->>'way_back' = 'true' THEN NULL ELSE nullif(r.json->>'parent', '') END;
	l := lease_check(r.service || '/' || r.env, p_epoch, p_token);
	IF p_entry = 'intent' AND p_child = '' THEN
		PERFORM 1 FROM head FOR UPDATE;
		SELECT * INTO stop FROM decisions WHERE seq > coalesce((p->>'seen_seq')::bigint, 0) AND
			((rollout IN (r.id, parent) AND kind IN ('hold', 'abort')) OR (kind IN ('reject', 'withdraw') AND
			plan IN (r.plan, (SELECT s.plan FROM rollouts s WHERE s.id = parent))) OR kind = 'stop')
			ORDER BY seq LIMIT 1;
		IF FOUND THEN
			RETURN answered(p_id, jsonb_build_object('stopped', stop.kind, 'by', stop.actor));
		END IF;
	END IF;
	-- What it is, where it goes and who asked for it never changes.
	UPDATE rollouts SET live = p_live, epoch = p_epoch, json = p || jsonb_build_object('requester', r.requester,
		'service', r.service, 'env', r.env, 'plan', r.plan) || jsonb_strip_nulls(jsonb_build_object('parent',
		r.json->'parent', 'way_back', r.json->'way_back')) WHERE id = r.id;
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

REVOKE ALL ON FUNCTION set_of(jsonb, plans) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION plan_put(text, text, int, text, jsonb, int), rollout_create(text, text, int, text, jsonb)
	TO {prefix}executor;
