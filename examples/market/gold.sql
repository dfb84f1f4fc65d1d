-- Gold answers questions.
CREATE SCHEMA IF NOT EXISTS gold COMMENT 'answers';

CREATE OR REPLACE TABLE gold.daily_returns USING DELTA PARTITIONED BY (sector)
COMMENT 'close-to-close return per trading day of each symbol; NULL on its first day'
AS SELECT symbol, date, close, CAST(close AS DOUBLE) / CAST(lag(close) OVER (PARTITION BY symbol ORDER BY date) AS DOUBLE) - 1 AS daily_return, sector
   FROM silver.bars;

CREATE OR REPLACE TABLE gold.sector_daily USING DELTA
COMMENT 'equal-weighted return, breadth and volume of each sector per trading day'
AS SELECT r.date, r.sector, avg(r.daily_return) AS mean_return, count(*) AS symbols,
          count(*) FILTER (WHERE r.daily_return > 0) AS advancing, sum(b.volume) AS volume
   FROM gold.daily_returns r JOIN silver.bars b ON b.symbol = r.symbol AND b.date = r.date
   WHERE r.sector IS NOT NULL GROUP BY r.date, r.sector ORDER BY r.date, r.sector;

CREATE OR REPLACE TABLE gold.companies USING DELTA
COMMENT 'one row a symbol: name, sector and its last bar; what the page searches'
AS SELECT symbol, any_value(company) AS company, any_value(sector) AS sector, arg_max(close, date) AS last_close, max(date) AS last_date,
          min(date) AS first_date, count(*) AS bars, count(*) FILTER (WHERE len(dq_flags) > 0) AS flagged_bars
   FROM silver.bars GROUP BY symbol ORDER BY symbol;
