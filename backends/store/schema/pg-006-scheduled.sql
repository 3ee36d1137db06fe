-- What a schedule decided begins, by whoever drives: an operator, or an executor on its own. Who asked for it is who
-- scheduled. Run as the owner with the schema as search path.
CREATE FUNCTION rollout_scheduled(p_id text, p_me text, p_schema int, p_host text, p jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp SET lock_timeout = '3s' AS $f$
DECLARE
	a jsonb := begin_write(p_id, p_me, p_schema, '{operator,executor}', 'begin what was scheduled');
	n text := p->>'id';
	d decisions;
	q plans;
	o rollouts;
	other text;
	queued boolean := p->>'state' = 'queued';
BEGIN
	IF a IS NOT NULL THEN
		RETURN a;
	END IF;
	-- One after the other, like every audit row: a word that takes it back comes before or after.
	PERFORM 1 FROM head FOR UPDATE;
	SELECT * INTO d FROM decisions WHERE kind = 'schedule' AND plan = p->>'plan' AND service = p->>'service' AND
		env = p->>'env' AND seq = CASE WHEN n ~ '^s[0-9]{1,18}$' THEN substr(n, 2)::bigint ELSE -1 END;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'rollout % was not scheduled by anybody', clip(n, 39) USING ERRCODE = 'TP006';
	END IF;
	IF EXISTS (SELECT FROM decisions WHERE kind = 'unschedule' AND service = d.service AND env = d.env AND
		seq > d.seq) THEN
		RAISE EXCEPTION 'the schedule of % in % was taken back', d.service, d.env USING ERRCODE = 'TP010';
	END IF;
	-- 15 minutes: SCHEDULE_LATE_US.
	IF now_us() NOT BETWEEN d.until_us AND d.until_us + 900000000 THEN
		RAISE EXCEPTION 'rollout % %', n, CASE WHEN now_us() < d.until_us THEN 'begins later' ELSE
			'should have begun long ago' END USING ERRCODE = 'TP010';
	END IF;
	SELECT * INTO q FROM plans WHERE digest = d.plan;
	IF NOT FOUND OR (SELECT jsonb_agg(s->'kind' ORDER BY i) || jsonb_agg(s->'target' ORDER BY i)
			FROM jsonb_array_elements(p->'steps') WITH ORDINALITY x(s, i)) IS DISTINCT FROM
		(SELECT jsonb_agg(s->'kind' ORDER BY i) || jsonb_agg(s->'target' ORDER BY i)
			FROM jsonb_array_elements(q.json#>'{intent,steps}') WITH ORDINALITY x(s, i)) THEN
		RAISE EXCEPTION 'rollout % does not do what its plan says', n USING ERRCODE = 'TP006';
	END IF;
	SELECT id INTO other FROM rollouts WHERE service = d.service AND env = d.env AND live AND
		(NOT queued OR plan = d.plan) ORDER BY created_us LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'rollout % of %/% is %', other, d.service, d.env, CASE WHEN queued THEN
			'of this same plan' ELSE 'running' END
			USING ERRCODE = 'TP010', HINT = 'watch it: towpath rollout ' || other || ' --follow';
	END IF;
	BEGIN
		INSERT INTO rollouts VALUES (n, d.service, d.env, d.plan, d.actor, true, (p->>'created_us')::bigint, 0,
			p || jsonb_build_object('requester', d.actor));
	EXCEPTION WHEN unique_violation THEN
		RAISE EXCEPTION 'rollout % has begun already, or another one of %/% is running', n, d.service, d.env
			USING ERRCODE = 'TP010', HINT = 'see: towpath rollouts';
	END;
	PERFORM audit_add(p_host, q.kind, d.service || '/' || d.env, '',
		format('rollout %s of plan %s: %s%s', n, left(q.digest, 19), versions(p->'from', p->'to'),
			coalesce(': ' || nullif(clip(p->>'reason', 150), ''), '')));
	FOR o IN SELECT * FROM rollouts WHERE queued AND service = d.service AND env = d.env AND live AND id <> n AND
		json->>'state' = 'queued' AND (json->>'kind' = q.kind OR
			(q.kind = 'rollback' AND json->>'kind' = 'promote')) LOOP
		PERFORM queue_leave(p_host, o.id, 'superseded', format('superseded by %s of %s: %s', n, d.actor,
			versions(p->'from', p->'to')));
	END LOOP;
	RETURN answered(p_id, '{}');
END $f$;
REVOKE ALL ON FUNCTION rollout_scheduled(text, text, int, text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rollout_scheduled(text, text, int, text, jsonb) TO {prefix}operator, {prefix}executor;
