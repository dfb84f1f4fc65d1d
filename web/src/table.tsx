/* "/tables/<name>": one table, at any of its versions. The address holds the tab, the version, the version compared with, and the question. */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { runQuery, tableDetail, type Answer, type Commit, type TableDetail, type Value } from "./api";
import { useAsk, type Asked } from "./ask";
import { bytes, count, plural, when } from "./format";
import { Grid } from "./grid";
import { operationKind, summary } from "./operations";
import { Empty, ProblemPanel, Skeleton, Strip, Tabs, type Tab } from "./parts";
import { go, place, sqlHref, withQuery } from "./router";
import { VersionSlider } from "./slider";
import { quoteTable } from "./sqltext";

type TabId = "rows" | "schema" | "history" | "properties";
const ROWS_ASKED = 100;
const SETTLE_MS = 90;

export function TablePage({ name }: { name: string }): JSX.Element {
  const asked = useAsk(name, (abort) => tableDetail(name, abort));
  if (asked.problem)
    return asked.problem.status === 404
      ? <Empty title={`There is no table “${name}”`}><p>{asked.problem.hint}</p><p><a class="button" href="/tables">See all tables</a></p></Empty>
      : <ProblemPanel title="The table could not be opened" problem={asked.problem} actions={<button type="button" onClick={asked.again}>Try again</button>} />;
  if (!asked.value) return <><h1 class="table-name">{name}</h1><Skeleton rows={1} kind="card" /><Skeleton rows={8} kind="line" /></>;
  return <Loaded detail={asked.value} />;
}

/* A version the slider can show: the history has at most the newest 200. */
function versionIn(commits: Commit[], text: string | null): number | null {
  const version = text === null || text === "" ? NaN : Number(text);
  return commits.some((c) => c.version === version) ? version : null;
}

function Loaded({ detail }: { detail: TableDetail }): JSX.Element {
  const query = place.value.query;
  const commits = [...detail.history].reverse();
  const version = versionIn(commits, query.get("v")) ?? detail.version;
  const other = versionIn(commits, query.get("with"));
  const tab = (["rows", "schema", "history", "properties"] as const).find((t) => t === query.get("tab")) ?? "rows";
  const tabs: Tab<TabId>[] = [
    { id: "rows", text: "Rows" },
    { id: "schema", text: "Schema", note: count(detail.schema.length) },
    { id: "history", text: "History", note: count(detail.history.length) },
    { id: "properties", text: "Properties" },
  ];
  const newest = version === detail.version;
  const choose = (key: "v" | "with") => (n: number, replace: boolean) =>
    go(withQuery({ [key]: key === "v" && n === detail.version ? null : n }), { replace });
  return (
    <>
      <TableHead detail={detail} />
      {commits.length > 0 && (
        <section class="panel time-panel" aria-label="Versions">
          <div class="time-head">
            <VersionCaption commit={commits.find((c) => c.version === version)} newest={newest} />
            <span class="actions">
              {other === null
                ? <button type="button" class="small" disabled={commits.length < 2} onClick={() => choose("with")(commits.at(newest ? -2 : -1)?.version ?? version, false)}>Compare with…</button>
                : <button type="button" class="small" onClick={() => go(withQuery({ with: null }))}>Stop comparing</button>}
              {!newest && <button type="button" class="small" onClick={() => go(withQuery({ v: null }))}>Newest</button>}
            </span>
          </div>
          <VersionSlider commits={commits} version={version} other={other} onVersion={choose("v")} onOther={choose("with")} />
        </section>
      )}
      <Tabs label="About this table" tabs={tabs} value={tab} onChange={(id) => go(withQuery({ tab: id === "rows" ? null : id }))} />
      {tab === "rows" && <RowsTab name={detail.name} version={version} other={other} />}
      {tab === "schema" && <SchemaTab detail={detail} />}
      {tab === "history" && <HistoryTab detail={detail} version={version} />}
      {tab === "properties" && <PropertiesTab detail={detail} />}
    </>
  );
}

function TableHead({ detail }: { detail: TableDetail }): JSX.Element {
  return (
    <header class="table-head">
      <p class="crumbs"><a href="/tables">Tables</a></p>
      <h1 class="table-name">{detail.name} <span class="badge version">v{detail.version}</span></h1>
      {detail.description && <p class="description">{detail.description}</p>}
      <dl class="figures">
        <div><dt>Rows</dt><dd>{count(detail.record_count)}</dd></div>
        <div><dt>Files</dt><dd>{count(detail.num_files)}</dd></div>
        <div><dt>Size</dt><dd>{bytes(detail.size_bytes)}</dd></div>
        <div><dt>Last commit</dt><dd>{when(detail.last_modified)}</dd></div>
      </dl>
    </header>
  );
}

function VersionCaption({ commit, newest }: { commit: Commit | undefined; newest: boolean }): JSX.Element {
  if (!commit) return <p class="caption" />;
  const did = summary(commit);
  return (
    <p class="caption" aria-live="polite">
      <b>Version {commit.version}</b>{newest && <span class="dim"> (newest)</span>}
      <span class={`op op-${operationKind(commit)}`}>{commit.operation ?? "unnamed"}</span>
      <span>{when(commit.timestamp)}</span>
      {did && <span class="dim">{did}</span>}
      {commit.userName && <span class="dim">by {commit.userName}</span>}
    </p>
  );
}

interface Question {
  columns: string;
  where: string;
}

const rowsSql = (name: string, version: number, q: Question): string =>
  `SELECT ${q.columns || "*"} FROM ${quoteTable(name)} VERSION AS OF ${version}${q.where ? ` WHERE ${q.where}` : ""} LIMIT ${ROWS_ASKED}`;
const countSql = (name: string, version: number, q: Question): string =>
  `SELECT count(*) AS n FROM ${quoteTable(name)} VERSION AS OF ${version}${q.where ? ` WHERE ${q.where}` : ""}`;
const differenceSql = (name: string, version: number, other: number, q: Question): string => {
  const side = (v: number) => `SELECT ${q.columns || "*"} FROM ${quoteTable(name)} VERSION AS OF ${v}${q.where ? ` WHERE ${q.where}` : ""}`;
  return `-- rows of version ${version} that version ${other} does not have\n${side(version)}\nEXCEPT\n${side(other)}\nLIMIT 1000`;
};

function RowsTab({ name, version, other }: { name: string; version: number; other: number | null }): JSX.Element {
  const query = place.value.query;
  const question = { columns: query.get("columns") ?? "", where: query.get("where") ?? "" };
  const sql = rowsSql(name, version, question);
  const asked = useAsk(sql, (abort) => runQuery(sql, abort), SETTLE_MS);
  const countText = countSql(name, version, question);
  const counted = useAsk(countText, (abort) => runQuery(countText, abort), SETTLE_MS);
  return (
    <section role="tabpanel" aria-label="Rows" class="rows-tab">
      <QuestionForm key={`${question.columns}\n${question.where}`} question={question} sql={sql} />
      <Comparison name={name} version={version} other={other} question={question} counted={counted} />
      {asked.problem && <ProblemPanel problem={asked.problem} title={`Version ${version} could not answer this`} />}
      {!asked.value && !asked.problem && <Skeleton rows={8} kind="grid" />}
      {asked.value && !asked.problem && (
        <div class={asked.loading ? "answer stale" : "answer"} aria-busy={asked.loading}>
          <Strip info={asked.value.info} />
          {asked.value.rows.length > 0
            ? <Grid columns={asked.value.columns} rows={asked.value.rows} label={`Rows of ${name}, version ${version}`} />
            : <Empty title={`Version ${version} has no such rows`} />}
        </div>
      )}
    </section>
  );
}

function QuestionForm({ question, sql }: { question: Question; sql: string }): JSX.Element {
  const [columns, setColumns] = useState(question.columns);
  const [where, setWhere] = useState(question.where);
  const submit = (event: Event) => {
    event.preventDefault();
    go(withQuery({ columns: columns.trim() === "*" ? null : columns.trim(), where: where.trim() }));
  };
  return (
    <form class="question" onSubmit={submit}>
      <label><span>SELECT</span><input id="columnsInput" value={columns} placeholder="*" spellcheck={false} autocomplete="off" onInput={(e) => setColumns(e.currentTarget.value)} /></label>
      <label><span>WHERE</span><input id="whereInput" value={where} placeholder="every row" spellcheck={false} autocomplete="off" onInput={(e) => setWhere(e.currentTarget.value)} /></label>
      <span class="actions">
        <button type="submit" class="primary">Ask</button>
        <a class="button quiet" href={sqlHref(sql)} data-run>Open in SQL</a>
      </span>
    </form>
  );
}

const numberIn = (asked: Asked<Answer>): number | null => (asked.value && !asked.problem ? Number(asked.value.rows[0]?.["n"]) : null);

function Comparison({ name, version, other, question, counted }: { name: string; version: number; other: number | null; question: Question; counted: Asked<Answer> }): JSX.Element {
  const sql = other === null ? null : countSql(name, other, question);
  const before = useAsk(sql, (abort) => runQuery(sql ?? "", abort), SETTLE_MS);
  const here = numberIn(counted), there = numberIn(before);
  const matching = question.where ? "matching rows" : "rows";
  if (other === null) return <p class={counted.loading ? "comparison stale" : "comparison"}>{here !== null && <><b>{count(here)}</b> {matching} in v{version}; {here > ROWS_ASKED ? `the first ${ROWS_ASKED} are shown` : "all are shown"}</>}</p>;
  const change = here !== null && there !== null ? here - there : null;
  return (
    <p class={counted.loading || before.loading ? "comparison stale" : "comparison"} aria-live="polite">
      <span><b>{count(here)}</b> {matching} in v{version}</span>
      <span><b>{count(there)}</b> in v{other}</span>
      {change !== null && <span class={change > 0 ? "change up" : change < 0 ? "change down" : "change"}>{change > 0 ? "+" : change < 0 ? "−" : "±"}{count(Math.abs(change))} {Math.abs(change) === 1 ? "row" : "rows"}</span>}
      <a href={sqlHref(differenceSql(name, version, other, question))}>See the differing rows in SQL</a>
    </p>
  );
}

function SchemaTab({ detail }: { detail: TableDetail }): JSX.Element {
  return (
    <section role="tabpanel" aria-label="Schema">
      <table class="listing schema">
        <thead><tr><th scope="col">Column</th><th scope="col">Type</th><th scope="col">NULL</th><th scope="col">Comment</th></tr></thead>
        <tbody>
          {detail.schema.map((f) => (
            <tr key={f.name}>
              <th scope="row">{f.name}{f.partition && <span class="badge">partition</span>}</th>
              <td><code>{f.type}</code></td>
              <td>{f.nullable ? <span class="dim">allowed</span> : "not null"}</td>
              <td>{f.comment}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

const parameterText = (value: Value): string => (typeof value === "string" ? value : JSON.stringify(value));

function parameters(commit: Commit): [string, string][] {
  return Object.entries(commit.operationParameters ?? {}).filter(([, v]) => v !== null && v !== "" && v !== "[]" && v !== "{}").map(([k, v]) => [k, parameterText(v)]);
}

function HistoryTab({ detail, version }: { detail: TableDetail; version: number }): JSX.Element {
  const hidden = (detail.history.at(-1)?.version ?? 0) > 0;
  return (
    <section role="tabpanel" aria-label="History">
      <ol class="history">
        {detail.history.map((c) => (
          <li key={c.version} class={c.version === version ? "on" : undefined} aria-current={c.version === version ? "true" : undefined}>
            <span class={`history-dot op-${operationKind(c)}`} aria-hidden="true" />
            <button type="button" class="history-version" onClick={() => go(withQuery({ v: c.version === detail.version ? null : c.version, tab: null }))} aria-label={`Show version ${c.version}`}>v{c.version}</button>
            <span class={`op op-${operationKind(c)}`}>{c.operation ?? "unnamed"}</span>
            <span class="history-time">{when(c.timestamp)}</span>
            <span class="history-did">{summary(c)}</span>
            <span class="history-more dim">
              {parameters(c).map(([k, v]) => <span key={k}>{k} = {v}</span>)}
              {c.userName && <span>by {c.userName}</span>}
              {c.engineInfo && <span>{c.engineInfo}</span>}
            </span>
          </li>
        ))}
      </ol>
      {hidden && <p class="dim">The newest {plural(detail.history.length, "version")} are listed; <code>DESCRIBE HISTORY {detail.name}</code> has the rest.</p>}
    </section>
  );
}

function PropertiesTab({ detail }: { detail: TableDetail }): JSX.Element {
  const facts: [string, string][] = [
    ["Location", detail.location],
    ["Made", when(detail.created_at)],
    ["Partitioned by", detail.partition_columns.join(", ") || "nothing"],
    ["Protocol", `reader ${detail.min_reader_version}, writer ${detail.min_writer_version}`],
    ["Table features", detail.table_features.join(", ") || "none"],
  ];
  const properties = Object.entries(detail.properties).sort(([a], [b]) => a.localeCompare(b));
  return (
    <section role="tabpanel" aria-label="Properties">
      <table class="listing facts-table">
        <tbody>
          {facts.map(([k, v]) => <tr key={k}><th scope="row">{k}</th><td>{v}</td></tr>)}
          <tr class="group"><th colSpan={2} scope="rowgroup">Table properties</th></tr>
          {properties.map(([k, v]) => <tr key={k}><th scope="row"><code>{k}</code></th><td><code>{v}</code></td></tr>)}
          {properties.length === 0 && <tr><td colSpan={2} class="dim">None is set: every setting has its default.</td></tr>}
        </tbody>
      </table>
    </section>
  );
}
