-- Version 1 of the projection: what the ledger's log says, as tables. Every row names the leaf that it follows from.
-- Money is in minor units of the account's asset. `at` is `time_ns` to the microsecond, and what tables are split by.

CREATE SCHEMA corridor;

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['auditor', 'bank_auditor', 'projector'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', name);
        END IF;
    END LOOP;
END $$;

CREATE TABLE corridor.migrations (version int PRIMARY KEY, applied timestamptz NOT NULL DEFAULT now());
INSERT INTO corridor.migrations VALUES (1);

-- How far the projection is; one row, changed in the transaction that writes the rows.
CREATE TABLE corridor.cursor (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    network bytea NOT NULL,
    height bigint NOT NULL,
    leaves bigint NOT NULL,
    log_root bytea NOT NULL
);

CREATE TABLE corridor.blocks (
    leaf bigint NOT NULL, height bigint PRIMARY KEY, at timestamptz NOT NULL, time_ns bigint NOT NULL,
    first_leaf bigint NOT NULL, records int NOT NULL, commands int NOT NULL, state_root bytea NOT NULL
);
CREATE INDEX ON corridor.blocks (at);

CREATE TABLE corridor.records (
    leaf bigint NOT NULL, height bigint NOT NULL, at timestamptz NOT NULL, kind smallint NOT NULL, bytes bytea NOT NULL
) PARTITION BY RANGE (at);
CREATE INDEX ON corridor.records (leaf);

-- Each command with its first answer. Of a transfer of several legs the first is here, all are in the postings.
CREATE TABLE corridor.commands (
    leaf bigint NOT NULL, height bigint NOT NULL, at timestamptz NOT NULL, time_ns bigint NOT NULL,
    kind text NOT NULL, uetr uuid, submitter int NOT NULL, answer int NOT NULL, original bigint,
    debit int, credit int, amount numeric, legs int NOT NULL, document bytea, parties int[] NOT NULL
) PARTITION BY RANGE (at);
CREATE INDEX ON corridor.commands (uetr);
CREATE INDEX ON corridor.commands (height);
CREATE INDEX ON corridor.commands (leaf);

-- What became of that which waited.
CREATE TABLE corridor.progress (
    leaf bigint NOT NULL, height bigint NOT NULL, at timestamptz NOT NULL, time_ns bigint NOT NULL,
    uetr uuid NOT NULL, first_leaf bigint NOT NULL, answer int NOT NULL, cause text NOT NULL, parties int[] NOT NULL
) PARTITION BY RANGE (at);
CREATE INDEX ON corridor.progress (uetr);
CREATE INDEX ON corridor.progress (height);

-- Each change of an account, with the balance after it. The order of an account's history is (leaf, seq).
CREATE TABLE corridor.postings (
    leaf bigint NOT NULL, seq int NOT NULL, height bigint NOT NULL, at timestamptz NOT NULL,
    account int NOT NULL, owner int NOT NULL, counterpart int, uetr uuid, change numeric NOT NULL, balance numeric NOT NULL
) PARTITION BY RANGE (at);
CREATE INDEX ON corridor.postings (account, leaf, seq);
CREATE INDEX ON corridor.postings (account, at);
CREATE INDEX ON corridor.postings (uetr);
CREATE INDEX ON corridor.postings (height);

CREATE TABLE corridor.participants (leaf bigint NOT NULL, height bigint NOT NULL, number int PRIMARY KEY, bic text NOT NULL UNIQUE);
CREATE TABLE corridor.accounts (
    leaf bigint NOT NULL, height bigint NOT NULL, number int PRIMARY KEY, name text NOT NULL UNIQUE,
    owner int NOT NULL, asset text NOT NULL, exponent int NOT NULL
);
CREATE INDEX ON corridor.accounts (owner);

-- One row an account and UTC day on which it moved; leaf and height are those of the last change.
CREATE TABLE corridor.balances_by_day (
    leaf bigint NOT NULL, height bigint NOT NULL, account int NOT NULL, owner int NOT NULL, day date NOT NULL,
    opening numeric NOT NULL, debits numeric NOT NULL, credits numeric NOT NULL, closing numeric NOT NULL,
    PRIMARY KEY (account, day)
);

-- Makes room for a month. The projector may call it, and may not otherwise change what tables there are.
CREATE FUNCTION corridor.add_month(month date) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog SET timezone = 'UTC' AS $$
DECLARE
    parent text;
    first timestamptz := date_trunc('month', month::timestamp)::timestamptz;
    part text;
BEGIN
    FOREACH parent IN ARRAY ARRAY['records', 'commands', 'progress', 'postings'] LOOP
        part := format('%s_%s', parent, to_char(month, 'YYYY_MM'));
        IF to_regclass(format('corridor.%I', part)) IS NULL THEN
            EXECUTE format('CREATE TABLE corridor.%I PARTITION OF corridor.%I FOR VALUES FROM (%L) TO (%L)',
                part, parent, first, first + interval '1 month');
        END IF;
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION corridor.add_month(date) FROM PUBLIC;

-- Which bank a login looks for. Written by the administrator of the database.
CREATE TABLE corridor.bank_logins (login name PRIMARY KEY, bic text NOT NULL);
CREATE FUNCTION corridor.my_bank() RETURNS int LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS
    'SELECT p.number FROM corridor.bank_logins l JOIN corridor.participants p USING (bic) WHERE l.login = session_user';

ALTER TABLE corridor.commands ENABLE ROW LEVEL SECURITY;
ALTER TABLE corridor.progress ENABLE ROW LEVEL SECURITY;
ALTER TABLE corridor.postings ENABLE ROW LEVEL SECURITY;
ALTER TABLE corridor.accounts ENABLE ROW LEVEL SECURITY;
ALTER TABLE corridor.balances_by_day ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON corridor.commands FOR SELECT TO bank_auditor USING ((SELECT corridor.my_bank()) = ANY (parties));
CREATE POLICY own ON corridor.progress FOR SELECT TO bank_auditor USING ((SELECT corridor.my_bank()) = ANY (parties));
CREATE POLICY own ON corridor.postings FOR SELECT TO bank_auditor USING (owner = (SELECT corridor.my_bank()));
CREATE POLICY own ON corridor.accounts FOR SELECT TO bank_auditor USING (owner = (SELECT corridor.my_bank()));
CREATE POLICY own ON corridor.balances_by_day FOR SELECT TO bank_auditor USING (owner = (SELECT corridor.my_bank()));
DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['commands', 'progress', 'postings', 'accounts', 'balances_by_day'] LOOP
        EXECUTE format('CREATE POLICY everything ON corridor.%I FOR SELECT TO auditor USING (true)', name);
        EXECUTE format('CREATE POLICY writes ON corridor.%I TO projector USING (true) WITH CHECK (true)', name);
    END LOOP;
END $$;

-- A statement: one row a change of an account. Ask for one account and a time range, ordered by leaf and seq.
CREATE VIEW corridor.statement WITH (security_invoker = true) AS
    SELECT a.name AS account, p.at, p.leaf, p.seq, p.height, p.uetr, p.change, p.balance, a.asset, a.exponent, p.counterpart
    FROM corridor.postings p JOIN corridor.accounts a ON a.number = p.account;
-- The position of each account as far as the projection is.
CREATE VIEW corridor.position WITH (security_invoker = true) AS
    SELECT a.name AS account, a.asset, a.exponent, coalesce(l.balance, 0) AS balance, l.leaf, l.at
    FROM corridor.accounts a LEFT JOIN LATERAL (
        SELECT balance, leaf, at FROM corridor.postings WHERE account = a.number ORDER BY leaf DESC, seq DESC LIMIT 1
    ) l ON true;
-- The life of a payment: what was asked and answered, and what came of it. Ask for one uetr, ordered by leaf.
CREATE VIEW corridor.payment_trace WITH (security_invoker = true) AS
    SELECT uetr, leaf, height, at, kind AS what, answer, amount, document FROM corridor.commands WHERE uetr IS NOT NULL
    UNION ALL
    SELECT uetr, leaf, height, at, 'progress by ' || cause, answer, NULL, NULL FROM corridor.progress;

GRANT USAGE ON SCHEMA corridor TO auditor, bank_auditor, projector;
GRANT SELECT ON corridor.migrations, corridor.cursor, corridor.blocks, corridor.records, corridor.commands, corridor.progress,
    corridor.postings, corridor.participants, corridor.accounts, corridor.balances_by_day TO auditor, projector;
GRANT SELECT ON corridor.cursor, corridor.blocks, corridor.commands, corridor.progress, corridor.postings,
    corridor.participants, corridor.accounts, corridor.balances_by_day TO bank_auditor;
GRANT SELECT ON corridor.statement, corridor.position, corridor.payment_trace TO auditor, bank_auditor;
GRANT INSERT ON corridor.cursor, corridor.blocks, corridor.records, corridor.commands, corridor.progress, corridor.postings,
    corridor.participants, corridor.accounts, corridor.balances_by_day TO projector;
GRANT UPDATE ON corridor.cursor, corridor.balances_by_day TO projector;
GRANT EXECUTE ON FUNCTION corridor.add_month(date) TO projector;
