-- The projection: what the ledger's log says, as tables, owned by the projector. Every row names the leaf that it
-- follows from. Money is in minor units of the account's asset. `at` is `time_ns` to the microsecond, and what tables
-- are split by; it rises with the leaf, so that an order by at and leaf is the order of the log.

CREATE TABLE corridor.migrations (version int PRIMARY KEY, applied timestamptz NOT NULL DEFAULT now());

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
CREATE INDEX ON corridor.blocks (leaf);

CREATE TABLE corridor.records (
    leaf bigint NOT NULL, height bigint NOT NULL, at timestamptz NOT NULL, kind smallint NOT NULL, bytes bytea NOT NULL
) PARTITION BY RANGE (at);
CREATE INDEX ON corridor.records (leaf);

-- Each command with its first answer. Of a transfer of several legs the first is here, all are in the postings.
-- `about` is the id that an approval, vote, cancellation or the like is about.
CREATE TABLE corridor.commands (
    leaf bigint NOT NULL, height bigint NOT NULL, at timestamptz NOT NULL, time_ns bigint NOT NULL,
    kind text NOT NULL, uetr uuid, about uuid, submitter int NOT NULL, answer int NOT NULL, original bigint,
    debit int, credit int, asset text, amount numeric, legs int NOT NULL, document bytea, parties int[] NOT NULL
) PARTITION BY RANGE (at);
CREATE INDEX ON corridor.commands (leaf);
CREATE INDEX ON corridor.commands (at, leaf);
CREATE INDEX ON corridor.commands (uetr);
CREATE INDEX ON corridor.commands (about) WHERE about IS NOT NULL;
CREATE INDEX ON corridor.commands (submitter, at, leaf);
CREATE INDEX ON corridor.commands (asset, amount);
-- Nearly all are settled; who looks for one answer looks for another.
CREATE INDEX ON corridor.commands (answer, at, leaf) WHERE answer <> 1;

-- What became of that which waited.
CREATE TABLE corridor.progress (
    leaf bigint NOT NULL, height bigint NOT NULL, at timestamptz NOT NULL, time_ns bigint NOT NULL,
    uetr uuid NOT NULL, first_leaf bigint NOT NULL, answer int NOT NULL, cause text NOT NULL, parties int[] NOT NULL
) PARTITION BY RANGE (at);
CREATE INDEX ON corridor.progress (leaf);
CREATE INDEX ON corridor.progress (uetr);
CREATE INDEX ON corridor.progress (answer, at, leaf);

-- Exchanges that settled: what was paid, what was delivered, by how many quotes.
CREATE TABLE corridor.exchanges (
    leaf bigint NOT NULL, height bigint NOT NULL, at timestamptz NOT NULL, uetr uuid NOT NULL, command_leaf bigint NOT NULL,
    paid numeric NOT NULL, delivered numeric NOT NULL, fills int NOT NULL, parties int[] NOT NULL
) PARTITION BY RANGE (at);
CREATE INDEX ON corridor.exchanges (leaf);
CREATE INDEX ON corridor.exchanges (uetr);

-- Each change of an account, with the balance after it. The order of an account's history is (leaf, seq).
CREATE TABLE corridor.postings (
    leaf bigint NOT NULL, seq int NOT NULL, height bigint NOT NULL, at timestamptz NOT NULL,
    account int NOT NULL, owner int NOT NULL, counterpart int, uetr uuid, change numeric NOT NULL, balance numeric NOT NULL
) PARTITION BY RANGE (at);
CREATE INDEX ON corridor.postings (leaf, seq);
CREATE INDEX ON corridor.postings (account, at, leaf, seq);
CREATE INDEX ON corridor.postings (owner, at, leaf, seq);

CREATE TABLE corridor.participants (
    leaf bigint NOT NULL, height bigint NOT NULL, number int PRIMARY KEY, bic text NOT NULL UNIQUE, name text NOT NULL
);
CREATE INDEX ON corridor.participants (leaf);
CREATE TABLE corridor.accounts (
    leaf bigint NOT NULL, height bigint NOT NULL, number int PRIMARY KEY, name text NOT NULL UNIQUE,
    owner int NOT NULL, asset text NOT NULL, exponent int NOT NULL
);
CREATE INDEX ON corridor.accounts (leaf);
CREATE INDEX ON corridor.accounts (owner);

-- What each was at the end of a block that changed it; the leaf is that of the block's seal.
CREATE TABLE corridor.participant_states (
    leaf bigint NOT NULL, height bigint NOT NULL, at timestamptz NOT NULL, participant int NOT NULL, state text NOT NULL,
    PRIMARY KEY (participant, leaf)
);
CREATE INDEX ON corridor.participant_states (leaf);
CREATE TABLE corridor.account_states (
    leaf bigint NOT NULL, height bigint NOT NULL, at timestamptz NOT NULL, account int NOT NULL, owner int NOT NULL,
    status text NOT NULL, floor numeric NOT NULL, PRIMARY KEY (account, leaf)
);
CREATE INDEX ON corridor.account_states (leaf);
-- A participant's signing keys, by their number in its history: live for batches that begin in [from_leaf, until_leaf).
CREATE TABLE corridor.key_states (
    leaf bigint NOT NULL, height bigint NOT NULL, at timestamptz NOT NULL, participant int NOT NULL, number int NOT NULL,
    key bytea NOT NULL, from_ns bigint NOT NULL, from_leaf bigint, until_ns bigint, until_leaf bigint, ends text,
    PRIMARY KEY (participant, number, leaf)
);
CREATE INDEX ON corridor.key_states (leaf);
CREATE INDEX ON corridor.key_states (key);

-- Proposals, votes, acts of two people, and how they ended (kind 'end', about the id of what ended).
CREATE TABLE corridor.governance (
    leaf bigint PRIMARY KEY, height bigint NOT NULL, at timestamptz NOT NULL, kind text NOT NULL, id uuid, about uuid,
    participant int, answer int NOT NULL, what text, expires_ns bigint
);
CREATE INDEX ON corridor.governance (id);
CREATE INDEX ON corridor.governance (about);
CREATE INDEX ON corridor.governance (at);

-- What the numbers of answers mean; `iso` is the reason in ExternalStatusReason1Code.
CREATE TABLE corridor.answers (
    leaf bigint NOT NULL, height bigint NOT NULL, code int PRIMARY KEY, name text NOT NULL, iso text
);
CREATE INDEX ON corridor.answers (leaf);

-- Who read data of parties: when, in whose house, what (its digest), on what ground. `payment` where it is of one.
CREATE TABLE corridor.access (
    leaf bigint PRIMARY KEY, height bigint NOT NULL, at timestamptz NOT NULL, time_ns bigint NOT NULL, id uuid NOT NULL,
    participant int NOT NULL, access text NOT NULL, payment uuid, what bytea NOT NULL, reader text NOT NULL, ground text NOT NULL
);
CREATE INDEX ON corridor.access (at, leaf);
CREATE INDEX ON corridor.access (participant, at, leaf);
CREATE INDEX ON corridor.access (payment) WHERE payment IS NOT NULL;
CREATE INDEX ON corridor.access (what);
CREATE INDEX ON corridor.access (reader, at, leaf);

-- Certificates that a bank has destroyed its keys to the document of a payment: when, by its own clock, on whose order, on what
-- ground. `document` is the commitment in the record of the payment; `sealing_key` is that of a bank which received it.
CREATE TABLE corridor.erasures (
    leaf bigint PRIMARY KEY, height bigint NOT NULL, at timestamptz NOT NULL, time_ns bigint NOT NULL, id uuid NOT NULL,
    participant int NOT NULL, payment uuid NOT NULL, document bytea NOT NULL, destroyed_ns numeric NOT NULL, sealing_key bytea,
    ordered_by text NOT NULL, ground text NOT NULL
);
CREATE INDEX ON corridor.erasures (at, leaf);
CREATE INDEX ON corridor.erasures (participant, at, leaf);
CREATE INDEX ON corridor.erasures (payment);
CREATE INDEX ON corridor.erasures (document);
CREATE INDEX ON corridor.erasures (ordered_by, at, leaf);

-- One row an account and UTC day on which it moved; leaf and height are those of the last change.
CREATE TABLE corridor.balances_by_day (
    leaf bigint NOT NULL, height bigint NOT NULL, account int NOT NULL, owner int NOT NULL, day date NOT NULL,
    opening numeric NOT NULL, debits numeric NOT NULL, credits numeric NOT NULL, closing numeric NOT NULL,
    PRIMARY KEY (account, day)
);
CREATE INDEX ON corridor.balances_by_day (day);

-- Makes room for a month, in tables that the projector owns whoever calls it.
CREATE FUNCTION corridor.add_month(month date) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog SET timezone = 'UTC' AS $$
DECLARE
    parent text;
    first timestamptz := date_trunc('month', month::timestamp)::timestamptz;
    part text;
BEGIN
    FOREACH parent IN ARRAY ARRAY['records', 'commands', 'progress', 'exchanges', 'postings'] LOOP
        part := format('%s_%s', parent, to_char(month, 'YYYY_MM'));
        IF to_regclass(format('corridor.%I', part)) IS NULL THEN
            EXECUTE format('CREATE TABLE corridor.%I PARTITION OF corridor.%I FOR VALUES FROM (%L) TO (%L)',
                part, parent, first, first + interval '1 month');
        END IF;
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION corridor.add_month(date) FROM PUBLIC;
-- Lets the planner know what is there; after much was written.
CREATE FUNCTION corridor.look_again() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    ANALYZE corridor.blocks, corridor.records, corridor.commands, corridor.progress, corridor.exchanges,
        corridor.postings, corridor.accounts, corridor.account_states, corridor.balances_by_day;
END $$;
REVOKE ALL ON FUNCTION corridor.look_again() FROM PUBLIC;
