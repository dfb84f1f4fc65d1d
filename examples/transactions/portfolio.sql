-- A batch of trades changes a portfolio's positions: all of its trades, once, or none.
--
-- Average cost: a trade that adds to a position moves its cost, one that takes from it realises (price - cost) * quantity and leaves the cost alone,
-- and one that goes through zero begins anew at its own price. Several trades of one symbol follow each other in their order.
--
-- Money and quantities are DECIMAL; only the quotient of an average is a DOUBLE before it is rounded to six places. The batch's number is the version of the application "portfolio P1": the same batch a second time does nothing.
CREATE SCHEMA IF NOT EXISTS pf;
CREATE TABLE IF NOT EXISTS pf.positions (
    portfolio string NOT NULL, symbol string NOT NULL, quantity decimal(18,4) NOT NULL, cost decimal(18,6) NOT NULL, realized_pnl decimal(18,2) NOT NULL)
USING DELTA TBLPROPERTIES ('delta.enableDeletionVectors' = 'true');
CREATE TABLE IF NOT EXISTS pf.trades (
    batch int NOT NULL, seq int NOT NULL, portfolio string NOT NULL, symbol string NOT NULL, quantity decimal(18,4) NOT NULL, price decimal(18,6) NOT NULL,
    CONSTRAINT real_trade CHECK (quantity <> 0 AND price > 0)) USING DELTA;

CREATE OR REPLACE FUNCTION pf.cost_after(q DECIMAL(18,4), c DECIMAL(18,6), traded DECIMAL(18,4), price DECIMAL(18,6)) RETURNS DECIMAL(18,6)
COMMENT 'average cost of a position of q at c after a trade'
RETURN CASE WHEN q + traded = 0 THEN 0
            WHEN q * traded >= 0 THEN CAST((abs(q) * c + abs(traded) * price) AS DOUBLE) / CAST(abs(q + traded) AS DOUBLE)
            WHEN abs(traded) > abs(q) THEN price
            ELSE c END;
CREATE OR REPLACE FUNCTION pf.realized(q DECIMAL(18,4), c DECIMAL(18,6), traded DECIMAL(18,4), price DECIMAL(18,6)) RETURNS DECIMAL(18,2)
COMMENT 'profit or loss that a trade realises'
RETURN CASE WHEN q * traded < 0 THEN sign(q) * least(abs(q), abs(traded)) * (price - c) ELSE 0 END;

-- The batches, as a landing zone would bring them.
INSERT INTO pf.trades SELECT * FROM (VALUES
    (1, 1, 'P1', 'AAPL', 100, 180.00), (1, 2, 'P1', 'AAPL', 50, 186.00), (1, 3, 'P1', 'MSFT', 20, 400.00),
    (2, 1, 'P1', 'AAPL', -60, 190.00), (2, 2, 'P1', 'AAPL', -140, 185.00), (2, 3, 'P1', 'MSFT', -20, 390.00), (2, 4, 'P1', 'TSLA', -10, 250.00)
) AS arrived(batch, seq, portfolio, symbol, quantity, price) WHERE NOT EXISTS (SELECT 1 FROM pf.trades);

-- One batch: the trades of a symbol are walked through in order, from its position.
PREPARE apply_batch AS
MERGE INTO pf.positions AS p USING (
    WITH RECURSIVE numbered AS (
        SELECT portfolio, symbol, quantity, price, row_number() OVER (PARTITION BY portfolio, symbol ORDER BY seq) AS n FROM pf.trades WHERE batch = :batch),
    walk AS (
        SELECT s.portfolio, s.symbol, CAST(0 AS BIGINT) AS n, CAST(coalesce(o.quantity, 0) AS DECIMAL(18,4)) AS quantity,
               CAST(coalesce(o.cost, 0) AS DECIMAL(18,6)) AS cost, CAST(coalesce(o.realized_pnl, 0) AS DECIMAL(18,2)) AS realized_pnl
        FROM (SELECT DISTINCT portfolio, symbol FROM numbered) AS s LEFT JOIN pf.positions AS o ON o.portfolio = s.portfolio AND o.symbol = s.symbol
        UNION ALL
        SELECT w.portfolio, w.symbol, t.n, CAST(w.quantity + t.quantity AS DECIMAL(18,4)), pf.cost_after(w.quantity, w.cost, t.quantity, t.price),
               CAST(w.realized_pnl + pf.realized(w.quantity, w.cost, t.quantity, t.price) AS DECIMAL(18,2))
        FROM walk AS w JOIN numbered AS t ON t.portfolio = w.portfolio AND t.symbol = w.symbol AND t.n = w.n + 1)
    SELECT portfolio, symbol, max_by(quantity, n) AS quantity, max_by(cost, n) AS cost, max_by(realized_pnl, n) AS realized_pnl FROM walk GROUP BY ALL
) AS s ON p.portfolio = s.portfolio AND p.symbol = s.symbol
WHEN MATCHED THEN UPDATE SET quantity = s.quantity, cost = s.cost, realized_pnl = s.realized_pnl
WHEN NOT MATCHED THEN INSERT *;

SET spark.databricks.delta.write.txnAppId = 'portfolio P1';
SET spark.databricks.delta.write.txnVersion = 1;
EXECUTE apply_batch USING 1 AS batch;
SET spark.databricks.delta.write.txnVersion = 2;
EXECUTE apply_batch USING 2 AS batch;
EXECUTE apply_batch USING 2 AS batch; -- it arrived twice
RESET;

SELECT * FROM pf.positions ORDER BY symbol;
