/* "/tables": what is in the lake. */
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import type { TableSummary } from "./api";
import { catalog, catalogProblem, loadCatalog } from "./catalog";
import { ago, bytes, count, plural, when } from "./format";
import { Bar, Empty, ProblemPanel, Skeleton } from "./parts";
import { go, place, sqlHref, tableHref, withQuery } from "./router";

const FIRST_TABLE = `CREATE TABLE first_bars (symbol STRING, day DATE, close DECIMAL(18,4)) USING DELTA;

INSERT INTO first_bars VALUES ('AAPL', DATE '2018-02-07', 159.54), ('MSFT', DATE '2018-02-07', 89.61);

SELECT * FROM first_bars;
`;

export function TablesPage(): JSX.Element {
  useEffect(() => void loadCatalog(true), []);
  const tables = catalog.value;
  const problem = catalogProblem.value;
  const filter = place.value.query.get("q") ?? "";
  return (
    <>
      <header class="page-head">
        <h1>Tables</h1>
        {tables && tables.length > 0 && <p class="dim">{plural(tables.length, "table")} · {count(sum(tables, (t) => t.record_count ?? 0))} rows · {bytes(sum(tables, (t) => t.size_bytes))}</p>}
        {tables && tables.length > 0 && (
          <input class="filter" type="search" placeholder="Filter by name" aria-label="Filter tables by name" value={filter} onInput={(e) => go(withQuery({ q: e.currentTarget.value }), { replace: true })} />
        )}
      </header>
      {problem && <ProblemPanel title="The tables could not be listed" problem={problem} actions={<button type="button" onClick={() => void loadCatalog(true)}>Try again</button>} />}
      {!tables && !problem && <Skeleton rows={6} kind="line" />}
      {tables && tables.length === 0 && <NoTables />}
      {tables && tables.length > 0 && <TableList tables={tables} filter={filter} />}
    </>
  );
}

const sum = (tables: TableSummary[], of: (t: TableSummary) => number): number => tables.reduce((total, t) => total + of(t), 0);

function NoTables(): JSX.Element {
  return (
    <Empty title="The lake is empty">
      <p>This makes a first table, fills it and reads it back:</p>
      <pre class="code">{FIRST_TABLE}</pre>
      <p><a class="button primary" href={sqlHref(FIRST_TABLE)}>Open it in SQL</a></p>
    </Empty>
  );
}

function TableList({ tables, filter }: { tables: TableSummary[]; filter: string }): JSX.Element {
  const shown = tables.filter((t) => t.name.toLowerCase().includes(filter.toLowerCase()));
  if (shown.length === 0) return <Empty title={`No table is named like “${filter}”`} />;
  const largest = Math.max(...shown.map((t) => t.size_bytes), 1);
  const schemas = [...new Set(shown.map((t) => t.schema_name))].sort();
  return (
    <table class="listing">
      <thead>
        <tr><th scope="col">Table</th><th scope="col" class="num">Rows</th><th scope="col" class="num files">Files</th><th scope="col" class="num size">Size</th><th scope="col" class="num ver">Version</th><th scope="col" class="time">Last commit</th></tr>
      </thead>
      {schemas.map((schema) => (
        <tbody key={schema}>
          <tr class="group"><th colSpan={6} scope="rowgroup">{schema}</th></tr>
          {shown.filter((t) => t.schema_name === schema).map((t) => <TableRow key={t.name} table={t} largest={largest} />)}
        </tbody>
      ))}
    </table>
  );
}

function TableRow({ table, largest }: { table: TableSummary; largest: number }): JSX.Element {
  return (
    <tr class="row">
      <th scope="row"><a href={tableHref(table.name)}>{table.table_name}</a></th>
      <td class="num">{count(table.record_count)}</td>
      <td class="num files">{count(table.num_files)}</td>
      <td class="num size">
        <span>{bytes(table.size_bytes)}</span>
        <Bar part={table.size_bytes / largest} />
      </td>
      <td class="num ver"><span class="badge version">v{table.version}</span></td>
      <td class="time" title={when(table.last_modified)}>{ago(table.last_modified)}</td>
    </tr>
  );
}
