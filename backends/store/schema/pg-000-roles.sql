-- Roles and the schema itself; run by the admin, again at every migration, harmless when all is there.
-- {prefix} and {schema} are put in by the program, which checks that they are plain names; lent is its variable.
--
-- owner: nobody logs in as it; schema, tables and functions are its, and what people may do they do through its
-- functions. viewer reads; operator, approver, admin and executor are viewers who may call some of them.
IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = '{prefix}owner') THEN
	CREATE ROLE {prefix}owner NOLOGIN;
END IF;
IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = '{prefix}viewer') THEN
	CREATE ROLE {prefix}viewer NOLOGIN;
END IF;
IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = '{prefix}operator') THEN
	CREATE ROLE {prefix}operator NOLOGIN;
END IF;
IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = '{prefix}approver') THEN
	CREATE ROLE {prefix}approver NOLOGIN;
END IF;
IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = '{prefix}admin') THEN
	CREATE ROLE {prefix}admin NOLOGIN;
END IF;
IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = '{prefix}executor') THEN
	CREATE ROLE {prefix}executor NOLOGIN;
END IF;
GRANT {prefix}viewer TO {prefix}operator, {prefix}approver, {prefix}admin, {prefix}executor;
-- An admin who is no superuser works as the owner for this one transaction; the last line takes it away again.
IF NOT pg_catalog.pg_has_role(current_user, '{prefix}owner', 'USAGE') THEN
	EXECUTE pg_catalog.format('GRANT {prefix}owner TO %I', current_user);
	lent := true;
END IF;
-- Whoever makes the store looks after it.
IF NOT pg_catalog.pg_has_role(current_user, '{prefix}admin', 'MEMBER') THEN
	EXECUTE pg_catalog.format('GRANT {prefix}admin TO %I', current_user);
END IF;
IF NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = '{schema}') THEN
	CREATE SCHEMA {schema} AUTHORIZATION {prefix}owner;
END IF;
