-- Schema 1, what the functions share. None of these is anybody's to call but the owner's.
-- Refusals have SQLSTATE TPnnn: their message and hint are meant for people.

CREATE FUNCTION now_us() RETURNS bigint LANGUAGE sql VOLATILE AS
$f$ SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint $f$;

-- At most n bytes of a text, whole characters.
CREATE FUNCTION clip(p text, n int) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $f$
DECLARE
	r text := left(coalesce(p, ''), n);
BEGIN
	WHILE octet_length(r) > n LOOP
		r := left(r, length(r) - greatest(1, (octet_length(r) - n) / 4));
	END LOOP;
	RETURN r;
END $f$;

CREATE FUNCTION role_name(p_role text) RETURNS text LANGUAGE sql STABLE SET search_path = {schema}, pg_temp AS
$f$ SELECT value || p_role FROM meta WHERE key = 'prefix' $f$;

-- session_user is who logged in: neither SET ROLE nor a function of the owner changes it.
CREATE FUNCTION may(p_role text) RETURNS boolean LANGUAGE sql STABLE SET search_path = {schema}, pg_temp AS
$f$ SELECT pg_has_role(session_user, role_name(p_role), 'MEMBER') $f$;

CREATE FUNCTION need(p_roles text[], p_what text) RETURNS void LANGUAGE plpgsql STABLE
SET search_path = {schema}, pg_temp AS $f$
DECLARE
	r text;
BEGIN
	FOREACH r IN ARRAY p_roles LOOP
		IF may(r) THEN
			RETURN;
		END IF;
	END LOOP;
	RAISE EXCEPTION '% may not %: that takes the role %', session_user, p_what, array_to_string(p_roles, ' or ')
		USING ERRCODE = 'TP002',
		HINT = format('an admin of the database can give it: GRANT %I TO %I', role_name(p_roles[1]), session_user);
END $f$;

-- Who the client believes to be, against who the server knows: behind a pool with one user for all, four eyes are two.
CREATE FUNCTION caller(p_me text) RETURNS void LANGUAGE plpgsql STABLE AS $f$
BEGIN
	IF p_me IS DISTINCT FROM session_user::text THEN
		RAISE EXCEPTION 'the connection was made for %, the server sees %: nobody can be told apart', p_me, session_user
			USING ERRCODE = 'TP003',
			HINT = 'let the pool pass users through instead of forcing one, or connect to the server itself';
	END IF;
END $f$;

-- NULL: the request is new. Else the answer that it had. Waits for the same request in another session.
CREATE FUNCTION asked_before(p_id text) RETURNS jsonb LANGUAGE plpgsql SET search_path = {schema}, pg_temp AS $f$
DECLARE
	a jsonb;
BEGIN
	IF p_id !~ '^[0-9a-f]{32,64}$' THEN
		RAISE EXCEPTION 'a request needs a key of hex digits' USING ERRCODE = 'TP004';
	END IF;
	INSERT INTO requests VALUES (p_id, session_user, now_us(), NULL) ON CONFLICT DO NOTHING;
	IF FOUND THEN
		DELETE FROM requests WHERE id IN (
			SELECT id FROM requests WHERE at_us < now_us() - 86400000000 ORDER BY at_us LIMIT 20
			FOR UPDATE SKIP LOCKED);
		RETURN NULL;
	END IF;
	SELECT answer INTO a FROM requests WHERE id = p_id AND who = session_user;
	IF a IS NULL THEN
		RAISE EXCEPTION 'the key of this request belongs to another one' USING ERRCODE = 'TP004';
	END IF;
	RETURN a;
END $f$;

CREATE FUNCTION answered(p_id text, p_answer jsonb) RETURNS jsonb LANGUAGE plpgsql
SET search_path = {schema}, pg_temp AS $f$
BEGIN
	UPDATE requests SET answer = p_answer WHERE id = p_id;
	RETURN p_answer;
END $f$;

-- Something changed that has no audit row.
CREATE FUNCTION changed() RETURNS void LANGUAGE plpgsql SET search_path = {schema}, pg_temp AS $f$
DECLARE
	n bigint;
BEGIN
	UPDATE head SET changes = changes + 1 RETURNING changes INTO n;
	PERFORM pg_notify('{schema}', n::text);
END $f$;

-- The canonical JSON of core/decision.c, byte for byte: keys sorted, no spaces, the shortest escapes.
CREATE FUNCTION audit_text(
	p_seq bigint, p_at_us bigint, p_actor text, p_host text, p_verb text, p_target text, p_result text, p_text text,
	p_prev text) RETURNS text LANGUAGE sql IMMUTABLE AS $f$
	SELECT '{"actor":' || to_json(p_actor) || ',"at_us":' || p_at_us || ',"host":' || to_json(p_host) ||
		',"prev":' || to_json(p_prev) || ',"result":' || to_json(p_result) || ',"seq":' || p_seq ||
		',"target":' || to_json(p_target) || ',"text":' || to_json(p_text) || ',"verb":' || to_json(p_verb) || '}'
$f$;

CREATE FUNCTION audit_hash(
	p_seq bigint, p_at_us bigint, p_actor text, p_host text, p_verb text, p_target text, p_result text, p_text text,
	p_prev text) RETURNS text LANGUAGE sql IMMUTABLE SET search_path = {schema}, pg_temp AS $f$
	SELECT 'sha256:' || encode(sha256(convert_to(audit_text(p_seq, p_at_us, p_actor, p_host, p_verb, p_target,
		p_result, p_text, p_prev), 'UTF8')), 'hex')
$f$;

-- Advances the head: the one way into the audit. Holds the head until the transaction ends, so that rows of many
-- sessions follow one another without a gap.
CREATE FUNCTION audit_add(p_host text, p_verb text, p_target text, p_result text, p_text text) RETURNS audit
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp SET lock_timeout = '3s' AS $f$
DECLARE
	r audit;
	n bigint;
BEGIN
	SELECT seq + 1, hash INTO r.seq, r.prev FROM head FOR UPDATE;
	r.at_us := now_us();
	r.actor := clip(session_user, 63);
	r.host := clip(p_host, 63);
	r.verb := clip(p_verb, 63);
	r.target := clip(p_target, 255);
	r.result := clip(p_result, 63);
	r.text := clip(p_text, 399);
	r.hash := audit_hash(r.seq, r.at_us, r.actor, r.host, r.verb, r.target, r.result, r.text, r.prev);
	INSERT INTO audit VALUES (r.*);
	UPDATE head SET seq = r.seq, hash = r.hash, changes = changes + 1 RETURNING changes INTO n;
	PERFORM pg_notify('{schema}', n::text);
	RETURN r;
END $f$;

-- "2.1.0 to 2.2.0" of the JSON of two releases.
CREATE FUNCTION versions(p_from jsonb, p_to jsonb) RETURNS text LANGUAGE sql IMMUTABLE AS $f$
	SELECT coalesce(nullif(p_from->>'tag', ''), 'nothing') || ' to ' ||
		coalesce(nullif(p_to->>'tag', ''), p_to->>'digest', '')
$f$;

-- The program's table of kinds. What an admin changed stays.
CREATE FUNCTION rules_put(p jsonb) RETURNS void LANGUAGE sql SET search_path = {schema}, pg_temp AS $f$
	INSERT INTO rules SELECT x->>'kind', x->>'family', x->>'topic',
		ARRAY(SELECT jsonb_array_elements_text(x->'roles')) FROM jsonb_array_elements(p) x
	ON CONFLICT DO NOTHING
$f$;
