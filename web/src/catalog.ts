/* The tables and columns the server knows, asked for once a visit and again on demand: for completion, and to find a table of prices. */
import { signal } from "@preact/signals";
import { asProblem, listTables, tableDetail, type Problem, type SchemaField, type TableSummary } from "./api";

export interface CatalogTable extends TableSummary {
  columns: SchemaField[] | null; // null: not known yet, or its log cannot be read
}

export const catalog = signal<CatalogTable[] | null>(null);
export const catalogProblem = signal<Problem | null>(null);

const COLUMNS_OF_AT_MOST = 300; // tables; past that, completion knows names only
const AT_ONCE = 4;
let loading: Promise<void> | null = null;

async function loadColumns(tables: CatalogTable[], signal: AbortSignal): Promise<void> {
  const waiting = tables.slice(0, COLUMNS_OF_AT_MOST);
  const worker = async () => {
    for (let table = waiting.shift(); table; table = waiting.shift()) {
      try {
        table.columns = (await tableDetail(table.name, signal)).schema;
      } catch {
        table.columns = null;
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

async function load(): Promise<void> {
  const never = new AbortController().signal;
  try {
    const known = new Map((catalog.value ?? []).map((t) => [t.name, t]));
    const tables = (await listTables(never)).map((t): CatalogTable => {
      const old = known.get(t.name);
      return { ...t, columns: old?.version === t.version ? old.columns : null };
    });
    catalog.value = tables;
    catalogProblem.value = null;
    await loadColumns(tables.filter((t) => t.columns === null), never);
    catalog.value = [...tables];
  } catch (error) {
    catalogProblem.value = asProblem(error);
  } finally {
    loading = null;
  }
}

export function loadCatalog(refresh = false): Promise<void> {
  if (loading) return loading;
  if (catalog.value && !refresh) return Promise.resolve();
  loading = load();
  return loading;
}

/* A table with a symbol, a day and open, high, low and close: silver before others. */
export interface PriceTable {
  table: string;
  symbol: string;
  time: string;
  volume: boolean;
}
export function priceTable(tables: CatalogTable[]): PriceTable | null {
  const found = tables.flatMap((t) => {
    const names = new Map((t.columns ?? []).map((c) => [c.name.toLowerCase(), c.name]));
    const time = names.get("date") ?? names.get("day") ?? names.get("ts") ?? names.get("timestamp");
    const symbol = names.get("symbol") ?? names.get("ticker");
    const bars = ["open", "high", "low", "close"].every((n) => names.has(n));
    return time && symbol && bars ? [{ table: t.name, symbol, time, volume: names.has("volume"), rank: t.schema_name === "silver" ? 0 : 1 }] : [];
  });
  return found.sort((a, b) => a.rank - b.rank)[0] ?? null;
}
