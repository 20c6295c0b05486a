-- The roles, and the schema that the projector owns: who copies rows into tables with row-level security must own them.
DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['auditor', 'bank_auditor', 'projector'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', name);
        END IF;
    END LOOP;
END $$;
CREATE SCHEMA corridor AUTHORIZATION projector;
GRANT ALL ON SCHEMA corridor TO CURRENT_USER;
