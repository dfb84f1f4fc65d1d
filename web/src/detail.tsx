/* An opened search result: all its columns, its prices when some table has them, and the way to SQL. */
import type { JSX } from "preact";
import { useEffect, useMemo } from "preact/hooks";
import { runQuery, type SearchResult, type Value } from "./api";
import { useAsk } from "./ask";
import { catalog, loadCatalog, priceTable, type PriceTable } from "./catalog";
import { Chart } from "./chart";
import { shortName } from "./format";
import { ProblemPanel, Skeleton, Strip } from "./parts";
import { chartOf } from "./series";
import { sqlHref, tableHref } from "./router";
import { quoteName, quoteTable, quoteText } from "./sqltext";

const OURS = new Set(["delta_table", "delta_version", "time_travel_available"]);

const show = (value: Value): string => (value === null ? "NULL" : typeof value === "object" ? JSON.stringify(value) : String(value));

function symbolOf(result: SearchResult): { column: string; value: string } | null {
  for (const column of ["symbol", "Symbol", "ticker"]) {
    const value = result.metadata[column];
    if (typeof value === "string" && value) return { column, value };
  }
  return null;
}

function rowSql(result: SearchResult): string {
  const table = quoteTable(shortName(result.metadata.delta_table));
  const at = `SELECT *\nFROM ${table} VERSION AS OF ${result.metadata.delta_version}`;
  const symbol = symbolOf(result);
  return symbol ? `${at}\nWHERE ${quoteName(symbol.column)} = ${quoteText(symbol.value)}` : `${at}\nLIMIT 100`;
}

export function ResultDetail({ result }: { result: SearchResult }): JSX.Element {
  useEffect(() => void loadCatalog(), []);
  const symbol = symbolOf(result);
  const prices = symbol && catalog.value ? priceTable(catalog.value) : null;
  const columns = Object.entries(result.metadata).filter(([name]) => !OURS.has(name));
  const priceSql = prices && symbol
    ? `SELECT ${quoteName(prices.time)}, open, high, low, close${prices.volume ? ", volume" : ""}\nFROM ${quoteTable(prices.table)}\nWHERE ${quoteName(prices.symbol)} = ${quoteText(symbol.value)}\nORDER BY ${quoteName(prices.time)}`
    : null;
  return (
    <div class="result-detail">
      <dl class="facts">
        {columns.map(([name, value]) => (
          <div key={name}><dt>{name}</dt><dd class={value === null ? "null" : undefined}>{show(value)}</dd></div>
        ))}
      </dl>
      {prices && symbol && <Prices table={prices} symbol={symbol.value} />}
      <p class="actions">
        <a class="button" href={sqlHref(rowSql(result))} data-run>Open in SQL</a>
        {priceSql && <a class="button" href={sqlHref(priceSql, "chart")} data-run>Candles in SQL</a>}
        <a class="button quiet" href={tableHref(shortName(result.metadata.delta_table))}>Table and its versions</a>
      </p>
    </div>
  );
}

function Prices({ table, symbol }: { table: PriceTable; symbol: string }): JSX.Element | null {
  const time = quoteName(table.time);
  const sql = `SELECT ${time}, close FROM ${quoteTable(table.table)} WHERE ${quoteName(table.symbol)} = ${quoteText(symbol)} ORDER BY ${time}`;
  const asked = useAsk(sql, (abort) => runQuery(sql, abort));
  const spec = useMemo(() => (asked.value ? chartOf(asked.value.columns, asked.value.rows) : null), [asked.value]);
  if (asked.problem) return <ProblemPanel title="The prices could not be read" problem={asked.problem} />;
  if (!asked.value || asked.loading) return <Skeleton rows={1} kind="card" />;
  if (asked.value.rows.length === 0) return <p class="dim">{table.table} has no prices of {symbol}.</p>;
  return (
    <figure class="prices">
      <figcaption>Close, {table.table}</figcaption>
      {spec && <Chart spec={spec} height={180} />}
      <Strip info={asked.value.info} />
    </figure>
  );
}
