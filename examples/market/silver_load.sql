-- Loads silver.bars from one edition; ${EDITION} is put in by demo.sh.
INSERT OVERWRITE silver.bars
SELECT b.name AS symbol, b.date, b.open, b.high, b.low, b.close, b.volume, c.name AS company, c.sector,
       list_filter([
         CASE WHEN b.open IS NULL THEN 'open_missing' END,
         CASE WHEN b.high IS NULL THEN 'high_missing' END,
         CASE WHEN b.low IS NULL THEN 'low_missing' END,
         CASE WHEN b.low > least(b.open, b.close, b.high) THEN 'low_above_price' END,
         CASE WHEN b.high < greatest(b.open, b.close, b.low) THEN 'high_below_price' END,
         CASE WHEN b.volume = 0 THEN 'volume_zero' END
       ], lambda f: f IS NOT NULL) AS dq_flags
FROM bronze.bars_${EDITION} b LEFT JOIN bronze.constituents c ON c.symbol = b.name
ORDER BY b.name, b.date;
