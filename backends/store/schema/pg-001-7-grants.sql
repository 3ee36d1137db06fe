-- Schema 1, who may do what. Nothing is open to everybody; tables are read only; what is written goes through the
-- functions. The audit may not be changed by anybody, its owner included.
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA {schema} FROM PUBLIC;
REVOKE UPDATE, DELETE, TRUNCATE ON audit FROM {prefix}owner;
GRANT USAGE ON SCHEMA {schema} TO {prefix}viewer;
GRANT SELECT ON meta, head, audit, plans, rollouts, steps, decisions, rules, leases, smokes, deploys
	TO {prefix}viewer;
GRANT EXECUTE ON FUNCTION about(), rollout_get(text), plan_get(text), decision_json(decisions),
	decisions_in_sight(bigint, int), snapshot(bigint, int, int, int, int, int, int), history(bigint, int),
	audit_after(bigint, int) TO {prefix}viewer;
-- Which decisions a role may take is in rules, so every role but the viewer's may call decide().
GRANT EXECUTE ON FUNCTION decide(text, text, int, text, jsonb)
	TO {prefix}operator, {prefix}approver, {prefix}admin, {prefix}executor;
GRANT EXECUTE ON FUNCTION plan_put(text, text, int, text, jsonb, int), rollout_create(text, text, int, text, jsonb)
	TO {prefix}operator;
GRANT EXECUTE ON FUNCTION smoke_put(text, text, int, text, jsonb), deploy_note(text, text, int, text, jsonb)
	TO {prefix}operator, {prefix}executor;
GRANT EXECUTE ON FUNCTION lease_claim(text, text, int, text, jsonb, bigint, bigint),
	lease_renew(text, int, text, bigint, text, bigint), lease_release(text, text, int, text, text, bigint, text),
	journal(text, text, int, text, bigint, text, jsonb, boolean, text, int, text, text, text, text)
	TO {prefix}executor;
GRANT EXECUTE ON FUNCTION move_begin(text, int), move_rows(text, jsonb), move_end(text, text, jsonb, text, text)
	TO {prefix}admin;
