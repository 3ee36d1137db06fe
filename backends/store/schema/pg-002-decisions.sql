-- Schema 2. The last word of each person on a topic of a place: whose word counts is known to the config alone, and
-- one that does not must not hide one that does. Kinds that are new come in by rules_put().
CREATE OR REPLACE FUNCTION decisions_in_sight(p_since_us bigint, p_remarks int) RETURNS SETOF decisions
LANGUAGE sql STABLE SET search_path = {schema}, pg_temp AS $f$
	SELECT d.* FROM decisions d WHERE d.seq IN (
		SELECT max(x.seq) FROM decisions x JOIN rules USING (kind) WHERE family = 'place'
			GROUP BY topic, x.service, x.env, x.release, x.actor
		UNION SELECT max(x.seq) FROM decisions x JOIN rules USING (kind)
			WHERE family = 'verdict' AND x.plan IN (SELECT digest FROM plans WHERE at_us > p_since_us
				UNION SELECT plan FROM rollouts WHERE live) GROUP BY x.plan, x.actor
		UNION SELECT x.seq FROM decisions x WHERE x.rollout IN (SELECT id FROM rollouts WHERE live)
		UNION (SELECT x.seq FROM decisions x LEFT JOIN rules USING (kind)
			WHERE family = 'remark' OR family IS NULL ORDER BY x.seq DESC LIMIT p_remarks))
$f$;
