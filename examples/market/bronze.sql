-- Bronze keeps every row as it came, the known dirt included: empty prices stay NULL, nothing is dropped.
CREATE SCHEMA IF NOT EXISTS bronze COMMENT 'rows as they came';

CREATE TABLE IF NOT EXISTS bronze.bars_2017_08 (
  date DATE, open DECIMAL(18,4), high DECIMAL(18,4), low DECIMAL(18,4), close DECIMAL(18,4), volume BIGINT, name STRING
) USING DELTA COMMENT 'S&P 500 daily bars, the edition of August 2017 (69 symbols)';

CREATE TABLE IF NOT EXISTS bronze.bars_2018_02 (
  date DATE, open DECIMAL(18,4), high DECIMAL(18,4), low DECIMAL(18,4), close DECIMAL(18,4), volume BIGINT, name STRING
) USING DELTA COMMENT 'S&P 500 daily bars, the edition of February 2018 (505 symbols)';

CREATE TABLE IF NOT EXISTS bronze.constituents (
  symbol STRING, name STRING, sector STRING
) USING DELTA COMMENT 'S&P 500 constituents as of 2018-04-02';
