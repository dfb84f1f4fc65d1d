-- Silver types, joins and flags: a defect becomes a flag, the row stays.
CREATE SCHEMA IF NOT EXISTS silver COMMENT 'typed, joined, flagged';

-- Version 0. The two INSERT OVERWRITEs that follow are versions 1 and 2: the older edition, then the newer.
CREATE TABLE IF NOT EXISTS silver.bars (
  symbol STRING NOT NULL COMMENT 'ticker as the edition has it',
  date DATE NOT NULL,
  open DECIMAL(18,4), high DECIMAL(18,4), low DECIMAL(18,4), close DECIMAL(18,4),
  volume BIGINT,
  company STRING COMMENT 'from the constituents; NULL when the symbol is not among them',
  sector STRING,
  dq_flags ARRAY<STRING> COMMENT 'defects of this row; empty when it is clean'
) USING DELTA COMMENT 'daily bars with company, sector and quality flags'
TBLPROPERTIES ('delta.targetFileSize' = '1mb');
