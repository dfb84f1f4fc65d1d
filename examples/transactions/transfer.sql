-- Moves an amount from one account to another: both or neither, exactly two rows, nothing gained or lost, and once for each key.
--
--   varve -c "DECLARE payer = 'alice'; DECLARE payee = 'bob'; DECLARE amount DECIMAL(18,2) DEFAULT 12.50; DECLARE transfer_key = 'T-1'" -f transfer.sql
--
-- A script stops at its first error, and with it the transaction is rolled back: a check that fails leaves nothing behind. The key is the name of an
-- application of which the commit notes version 1: the same key a second time changes nothing, and of two at the same time one conflicts.
EXECUTE IMMEDIATE 'SET spark.databricks.delta.write.txnAppId = ''transfer ' || transfer_key || '''';
SET spark.databricks.delta.write.txnVersion = 1;

DECLARE OR REPLACE rows_before BIGINT;
DECLARE OR REPLACE total_before DECIMAL(18,2);

BEGIN;
SET VAR (rows_before, total_before) = (SELECT count(*), sum(balance) FROM bank.accounts WHERE account IN (payer, payee));
SELECT CASE WHEN amount IS NULL OR amount <= 0 THEN error('the amount must be positive')
            WHEN payer = payee THEN error('the two accounts are one')
            WHEN rows_before <> 2 THEN error('there are not two such accounts')
            ELSE 'checked' END AS request;

UPDATE bank.accounts SET balance = balance + CASE WHEN account = payer THEN -amount ELSE amount END WHERE account IN (payer, payee);

SELECT CASE WHEN count(*) <> 2 OR sum(balance) <> total_before THEN error('money was made or lost') ELSE 'balanced' END AS result
FROM bank.accounts WHERE account IN (payer, payee);
COMMIT;
