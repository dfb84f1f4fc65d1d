-- Accounts whose balance cannot be negative. Running it again changes nothing.
CREATE SCHEMA IF NOT EXISTS bank;
CREATE TABLE IF NOT EXISTS bank.accounts (
    account string NOT NULL, balance decimal(18,2) NOT NULL, CONSTRAINT not_negative CHECK (balance >= 0))
USING DELTA TBLPROPERTIES ('delta.enableDeletionVectors' = 'true');
MERGE INTO bank.accounts AS a USING (VALUES ('alice', 100.00), ('bob', 20.00), ('carol', 0.00)) AS s(account, balance) ON a.account = s.account
WHEN NOT MATCHED THEN INSERT (account, balance) VALUES (s.account, s.balance);
