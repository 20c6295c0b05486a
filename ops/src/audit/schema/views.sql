-- Views for people. Each runs with the rights of who asks, so that row-level security holds for them as well.

-- A statement: one row a change of an account. Ask for one account and a time range, ordered by at, leaf and seq.
CREATE VIEW corridor.statement WITH (security_invoker = true) AS
    SELECT a.name AS account, p.at, p.leaf, p.seq, p.height, p.uetr, p.change, p.balance, a.asset, a.exponent, p.counterpart,
        p.account AS account_number
    FROM corridor.postings p JOIN corridor.accounts a ON a.number = p.account;
-- The position of each account as far as the projection is.
CREATE VIEW corridor.position WITH (security_invoker = true) AS
    SELECT a.name AS account, a.asset, a.exponent, coalesce(l.balance, 0) AS balance, l.leaf, l.at
    FROM corridor.accounts a LEFT JOIN LATERAL (
        SELECT balance, leaf, at FROM corridor.postings WHERE account = a.number ORDER BY at DESC, leaf DESC, seq DESC LIMIT 1
    ) l ON true;
-- The number of a bank, for filters on submitter_number and owner: known before rows are looked for, so that an index
-- gives them in their order. A head office is written with and without XXX.
CREATE FUNCTION corridor.bank(of text) RETURNS int LANGUAGE sql STABLE AS
    $$SELECT number FROM corridor.participants WHERE rpad(bic, 11, 'X') = rpad(of, 11, 'X')$$;
-- What moves money, with names and the first answer. Filter by at and any of bank, asset and amount, status; order by at, leaf.
CREATE VIEW corridor.payments WITH (security_invoker = true) AS
    SELECT c.at, c.leaf, c.height, c.kind, c.uetr, s.bic AS submitter, c.submitter AS submitter_number, w.name AS status, w.iso AS reason, c.answer,
        d.name AS debit, k.name AS credit, c.asset, c.amount, c.legs, c.document, c.original
    FROM corridor.commands c
    JOIN corridor.participants s ON s.number = c.submitter
    JOIN corridor.answers w ON w.code = c.answer
    LEFT JOIN corridor.accounts d ON d.number = c.debit
    LEFT JOIN corridor.accounts k ON k.number = c.credit
    WHERE c.amount IS NOT NULL OR c.kind = 'exchange';
-- The life of a payment: what was asked and answered, and what came of it. Ask for one uetr, ordered by leaf.
CREATE VIEW corridor.payment_trace WITH (security_invoker = true) AS
    SELECT uetr, leaf, height, at, kind AS what, answer, amount, document FROM corridor.commands WHERE uetr IS NOT NULL
    UNION ALL
    SELECT about, leaf, height, at, kind, answer, NULL, NULL FROM corridor.commands WHERE about IS NOT NULL
    UNION ALL
    SELECT uetr, leaf, height, at, 'progress by ' || cause, answer, NULL, NULL FROM corridor.progress
    UNION ALL
    SELECT uetr, leaf, height, at, 'exchanged', 1, paid, NULL FROM corridor.exchanges
    UNION ALL
    SELECT payment, leaf, height, at, 'data ' || access, 1, NULL, what FROM corridor.access WHERE payment IS NOT NULL
    UNION ALL
    SELECT payment, leaf, height, at, 'document erased', 1, NULL, document FROM corridor.erasures;
-- Proposals with how they stand: carried (1), refused (100 and above), or still waiting.
CREATE VIEW corridor.proposals WITH (security_invoker = true) AS
    SELECT g.id, g.at, g.leaf, p.bic AS proposer, g.what, g.expires_ns, coalesce(e.answer, g.answer) AS answer, e.at AS ended,
        (SELECT count(*) FROM corridor.governance v WHERE v.about = g.id AND v.what = 'in favour' AND v.answer = 1) AS in_favour,
        (SELECT count(*) FROM corridor.governance v WHERE v.about = g.id AND v.what = 'against' AND v.answer = 1) AS against
    FROM corridor.governance g JOIN corridor.participants p ON p.number = g.participant
    LEFT JOIN corridor.governance e ON e.about = g.id AND e.kind = 'end'
    WHERE g.kind = 'propose' AND g.answer < 100;
-- Keys as they are now.
CREATE VIEW corridor.keys WITH (security_invoker = true) AS
    SELECT DISTINCT ON (k.participant, k.number) p.bic, k.number, k.key, k.from_ns, k.from_leaf, k.until_ns, k.until_leaf, k.ends
    FROM corridor.key_states k JOIN corridor.participants p ON p.number = k.participant
    ORDER BY k.participant, k.number, k.leaf DESC;
-- Accounts as they are now.
CREATE VIEW corridor.account_state WITH (security_invoker = true) AS
    SELECT DISTINCT ON (s.account) a.name AS account, s.status, s.floor, s.at AS since, s.leaf
    FROM corridor.account_states s JOIN corridor.accounts a ON a.number = s.account
    ORDER BY s.account, s.leaf DESC;
-- Which documents no longer open, as their banks certify, with the names of banks. Filter by at, bank_number, payment, document.
CREATE VIEW corridor.erasure_trail WITH (security_invoker = true) AS
    SELECT e.at, e.leaf, e.height, p.bic AS bank, e.participant AS bank_number, e.payment, e.document, e.destroyed_ns, e.sealing_key,
        e.ordered_by, e.ground, e.id
    FROM corridor.erasures e JOIN corridor.participants p ON p.number = e.participant;
-- Who read what when, and why, or erased it, with the names of banks. Filter by at, bank_number, payment, reader; order by at, leaf.
CREATE VIEW corridor.access_trail WITH (security_invoker = true) AS
    SELECT a.at, a.leaf, a.height, p.bic AS bank, a.participant AS bank_number, a.reader, a.access, a.payment, a.what, a.ground, a.id
    FROM corridor.access a JOIN corridor.participants p ON p.number = a.participant
    UNION ALL
    SELECT at, leaf, height, bank, bank_number, ordered_by, 'erased', payment, document, ground, id FROM corridor.erasure_trail;
