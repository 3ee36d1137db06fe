-- Schema 1, moving another store in: one transaction of the admin's client, into an empty store only. Rows come in
-- the order of their keys, the audit's as they were: each must have the hash that this server computes for it.

CREATE FUNCTION move_begin(p_me text, p_schema int) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = {schema}, pg_temp SET lock_timeout = '3s' AS $f$
DECLARE
	h head;
BEGIN
	PERFORM caller(p_me);
	PERFORM need('{admin}', 'move a store in');
	IF p_schema <> (SELECT value::int FROM meta WHERE key = 'version') THEN
		RAISE EXCEPTION 'this towpath knows schema %, the store is of another one', p_schema
			USING ERRCODE = 'TP008', HINT = 'bring the store up to date: towpath store migrate';
	END IF;
	SELECT * INTO h FROM head FOR UPDATE;
	IF h.seq > 0 OR EXISTS (SELECT FROM plans) OR EXISTS (SELECT FROM rollouts) OR EXISTS (SELECT FROM steps) OR
		EXISTS (SELECT FROM decisions) OR EXISTS (SELECT FROM leases) OR EXISTS (SELECT FROM smokes) OR
		EXISTS (SELECT FROM deploys) THEN
		RAISE EXCEPTION 'the target has rows already: % in its audit', h.seq
			USING ERRCODE = 'TP011', HINT = 'move into a fresh schema: set another schema and run towpath store init';
	END IF;
	UPDATE head SET moving = pg_current_xact_id();
END $f$;

CREATE FUNCTION moving() RETURNS void LANGUAGE plpgsql STABLE SET search_path = {schema}, pg_temp AS $f$
BEGIN
	-- In another transaction than the one that began, or in none, nothing may come in.
	IF NOT may('admin') OR (SELECT moving FROM head) IS DISTINCT FROM pg_current_xact_id_if_assigned() THEN
		RAISE EXCEPTION 'no move was begun in this transaction' USING ERRCODE = 'TP011';
	END IF;
END $f$;

CREATE FUNCTION move_rows(p_part text, p jsonb) RETURNS int LANGUAGE plpgsql SECURITY DEFINER
SET search_path = {schema}, pg_temp AS $f$
DECLARE
	h head;
	r audit;
	n int := jsonb_array_length(p);
BEGIN
	PERFORM moving();
	CASE p_part
	WHEN 'audit' THEN
		SELECT * INTO h FROM head;
		FOR r IN SELECT x.* FROM jsonb_populate_recordset(NULL::audit, p) x ORDER BY x.seq LOOP
			IF r.seq <> h.seq + 1 OR r.prev <> h.hash OR r.hash <> audit_hash(r.seq, r.at_us, r.actor, r.host,
				r.verb, r.target, r.result, r.text, r.prev) THEN
				RAISE EXCEPTION 'row % of the audit breaks the chain', r.seq
					USING ERRCODE = 'TP012', HINT = 'see: towpath audit verify, on the store that is moved';
			END IF;
			INSERT INTO audit VALUES (r.*);
			h.seq := r.seq;
			h.hash := r.hash;
		END LOOP;
		UPDATE head SET seq = h.seq, hash = h.hash;
	WHEN 'plans' THEN
		INSERT INTO plans SELECT x.* FROM jsonb_populate_recordset(NULL::plans, p) x;
	WHEN 'rollouts' THEN
		INSERT INTO rollouts SELECT x.* FROM jsonb_populate_recordset(NULL::rollouts, p) x;
	WHEN 'steps' THEN
		INSERT INTO steps SELECT x.* FROM jsonb_populate_recordset(NULL::steps, p) x;
	WHEN 'decisions' THEN
		INSERT INTO decisions SELECT x.* FROM jsonb_populate_recordset(NULL::decisions, p) x;
	WHEN 'leases' THEN
		INSERT INTO leases SELECT x.* FROM jsonb_populate_recordset(NULL::leases, p) x;
	WHEN 'smokes' THEN
		INSERT INTO smokes SELECT x.* FROM jsonb_populate_recordset(NULL::smokes, p) x;
	WHEN 'deploys' THEN
		INSERT INTO deploys SELECT x.* FROM jsonb_populate_recordset(NULL::deploys, p) x;
	ELSE
		RAISE EXCEPTION 'there is no part % to move', p_part USING ERRCODE = 'TP004';
	END CASE;
	RETURN n;
END $f$;

-- p: {part: rows that were sent}. The answer is what is there now. The move itself is the next row of the audit.
CREATE FUNCTION move_end(p_me text, p_host text, p jsonb, p_head text, p_from text) RETURNS jsonb LANGUAGE plpgsql
SECURITY DEFINER SET search_path = {schema}, pg_temp AS $f$
DECLARE
	there jsonb;
	h head;
BEGIN
	PERFORM moving();
	there := jsonb_build_object('audit', (SELECT count(*) FROM audit), 'plans', (SELECT count(*) FROM plans),
		'rollouts', (SELECT count(*) FROM rollouts), 'steps', (SELECT count(*) FROM steps),
		'decisions', (SELECT count(*) FROM decisions), 'leases', (SELECT count(*) FROM leases),
		'smokes', (SELECT count(*) FROM smokes), 'deploys', (SELECT count(*) FROM deploys));
	SELECT * INTO h FROM head;
	IF there <> p OR h.hash <> p_head OR h.seq <> (SELECT coalesce(max(seq), 0) FROM audit) THEN
		RAISE EXCEPTION 'what arrived is not what was sent: % of %', there, p USING ERRCODE = 'TP012';
	END IF;
	PERFORM setval(pg_get_serial_sequence('{schema}.steps', 'seq'), (SELECT coalesce(max(seq), 0) + 1 FROM steps), false);
	PERFORM setval(pg_get_serial_sequence('{schema}.smokes', 'seq'), (SELECT coalesce(max(seq), 0) + 1 FROM smokes), false);
	PERFORM setval(pg_get_serial_sequence('{schema}.deploys', 'seq'), (SELECT coalesce(max(seq), 0) + 1 FROM deploys), false);
	UPDATE head SET moving = NULL;
	PERFORM audit_add(p_host, 'move', 'store', 'ok', format('%s rows of the audit came from %s, head %s', h.seq, p_from,
		left(p_head, 19)));
	RETURN there;
END $f$;
