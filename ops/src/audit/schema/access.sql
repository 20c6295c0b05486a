-- Who sees what. Run by the administrator, who alone says which bank a login looks for.

CREATE TABLE corridor.bank_logins (login name PRIMARY KEY, bic text NOT NULL);
CREATE FUNCTION corridor.my_bank() RETURNS int LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS
    $$SELECT p.number FROM corridor.bank_logins l JOIN corridor.participants p ON rpad(p.bic, 11, 'X') = rpad(l.bic, 11, 'X')
    WHERE l.login = session_user$$;

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['commands', 'progress', 'exchanges', 'postings', 'accounts', 'account_states', 'balances_by_day', 'access', 'erasures'] LOOP
        EXECUTE format('ALTER TABLE corridor.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY everything ON corridor.%I FOR SELECT TO auditor USING (true)', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['commands', 'progress', 'exchanges'] LOOP
        EXECUTE format('CREATE POLICY own ON corridor.%I FOR SELECT TO bank_auditor
            USING ((SELECT corridor.my_bank()) = ANY (parties))', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['postings', 'accounts', 'account_states', 'balances_by_day'] LOOP
        EXECUTE format('CREATE POLICY own ON corridor.%I FOR SELECT TO bank_auditor
            USING (owner = (SELECT corridor.my_bank()))', name);
    END LOOP;
    -- A bank sees what its own people read or erased, and who did of payments that it takes part in. The payment is the one command
    -- of that id that was not refused, and only a party sees its row: who merely names an id becomes no party by that.
    FOREACH name IN ARRAY ARRAY['access', 'erasures'] LOOP
        EXECUTE format('CREATE POLICY own ON corridor.%I FOR SELECT TO bank_auditor USING (
            participant = (SELECT corridor.my_bank())
            OR EXISTS (SELECT FROM corridor.commands c WHERE c.uetr = payment AND c.answer < 100 AND c.original IS NULL
                AND (c.amount IS NOT NULL OR c.kind = ''exchange'')))', name);
    END LOOP;
END $$;

GRANT USAGE ON SCHEMA corridor TO auditor, bank_auditor;
GRANT SELECT ON ALL TABLES IN SCHEMA corridor TO auditor;
REVOKE ALL ON corridor.bank_logins FROM auditor;
-- Records hold the bytes of all banks; the rest is either everybody's or guarded row by row.
GRANT SELECT ON corridor.cursor, corridor.blocks, corridor.commands, corridor.progress, corridor.exchanges, corridor.postings,
    corridor.participants, corridor.participant_states, corridor.accounts, corridor.account_states, corridor.key_states,
    corridor.governance, corridor.answers, corridor.balances_by_day, corridor.statement, corridor.position, corridor.payments,
    corridor.payment_trace, corridor.proposals, corridor.keys, corridor.account_state,
    corridor.access, corridor.access_trail, corridor.erasures, corridor.erasure_trail TO bank_auditor;
