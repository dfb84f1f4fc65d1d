/* "/sql": the editor, the answer as a table or a chart, the lake's tables, and what was run before. The address holds the script and the view. */
import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { asProblem, downloadCsv, isAbort, type Answer, type Problem } from "./api";
import { catalog, catalogProblem, loadCatalog, type CatalogTable } from "./catalog";
import { Chart } from "./chart";
import type { Editor } from "./editor";
import { saveAs, toCsv, toJson, toMarkdown } from "./export";
import { ago, bytes, count, duration, plural } from "./format";
import { Grid } from "./grid";
import { DownloadIcon, RunIcon, StopIcon } from "./icons";
import { CopyButton, Empty, ProblemPanel, Skeleton, Strip, Tabs } from "./parts";
import { go, place, withQuery } from "./router";
import { cancel, clearPast, outcome, past, running, runScript, showRemembered, type Outcome } from "./run";
import { chartOf } from "./series";
import { quoteName, quoteTable } from "./sqltext";
import { recall, remember } from "./storage";

const ADDRESS_MAX = 6000; // characters of script in the address; longer ones stay in this browser
const onMac = /Mac|iPhone|iPad/.test(navigator.userAgent);
const MOD = onMac ? "⌘" : "Ctrl";

const FIRST = "SELECT 42 AS answer;\n";
const example = (table: CatalogTable | undefined): string =>
  table ? `SELECT * FROM ${quoteTable(table.name)} LIMIT 100;\n\nDESCRIBE HISTORY ${quoteTable(table.name)};\n` : FIRST;

type Run = (what: "here" | "all") => void;

export function SqlPage(): JSX.Element {
  const editor = useRef<Editor | null>(null);
  const address = useRef<string | null>(null); // the script of the address that the editor was last given
  const [text, setText] = useState(() => place.value.query.get("q") ?? recall("draft") ?? "");
  useEffect(() => void loadCatalog(), []);

  const run: Run = (what) => {
    const script = editor.current?.text() ?? text;
    const spans = editor.current?.runnable(what) ?? [];
    if (spans.length === 0) return;
    editor.current?.showProblem(null);
    address.current = script;
    if (script.length <= ADDRESS_MAX) go(withQuery({ q: script }), { keepScroll: true });
    void runScript(script, spans);
  };
  /* Shows the script of the address when that changed. It runs by itself only when a link of this page asked for that. */
  const arrive = () => {
    const q = place.value.query.get("q");
    if (!editor.current || q === null || (q === address.current && !place.value.run)) return;
    address.current = q;
    if (q !== editor.current.text()) editor.current.setText(q);
    if (place.value.run) run("here");
    else if (outcome.value?.script !== q) showRemembered(q);
  };
  const ready = (made: Editor) => {
    editor.current = made;
    arrive();
  };
  const change = (next: string) => {
    setText(next);
    remember("draft", next);
    editor.current?.showProblem(null);
  };

  useEffect(arrive, [place.value.arrival]);
  useEffect(() => {
    if (!editor.current || !catalog.value) return;
    editor.current.setCatalog(catalog.value);
    if (editor.current.text() === "") editor.current.setText(example(catalog.value.find((t) => t.schema_name === "silver") ?? catalog.value[0]));
  }, [catalog.value]);
  useEffect(() => {
    const problem = outcome.value?.problem;
    const at = outcome.value?.problemAt;
    const shown = problem && at !== null && at !== undefined && editor.current?.text() === outcome.value?.script;
    editor.current?.showProblem(shown ? { at, message: problem.message, hint: problem.hint } : null);
  }, [outcome.value]);

  return (
    <div class="workbench">
      <h1 class="sr-only">SQL</h1>
      <div class="workbench-main">
        <EditorBox text={text} onReady={ready} onRun={run} onChange={change} onGone={() => (editor.current = null)} />
        <Toolbar onRun={run} />
        <Result onGoTo={(at) => editor.current?.goTo(at)} />
      </div>
      <Side onInsert={(piece) => editor.current?.insert(piece)} onOpen={(sql) => editor.current?.setText(sql)} />
    </div>
  );
}

interface EditorBoxProps {
  text: string;
  onReady: (editor: Editor) => void;
  onRun: Run;
  onChange: (text: string) => void;
  onGone: () => void;
}

function EditorBox(p: EditorBoxProps): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const handlers = useRef(p);
  handlers.current = p;
  const [state, setState] = useState<"loading" | "ready" | "failed">("loading");
  useEffect(() => {
    let editor: Editor | null = null;
    let gone = false;
    import("./editor").then(
      ({ createEditor }) => {
        if (gone || !box.current) return;
        const start = handlers.current.text || (catalog.value ? example(catalog.value.find((t) => t.schema_name === "silver") ?? catalog.value[0]) : "");
        editor = createEditor(box.current, { text: start, onRun: (what) => handlers.current.onRun(what), onChange: (text) => handlers.current.onChange(text) });
        if (catalog.value) editor.setCatalog(catalog.value);
        setState("ready");
        if (matchMedia("(pointer: fine)").matches) editor.focus(); // a touch keyboard would cover the page
        handlers.current.onReady(editor);
      },
      () => setState("failed"),
    );
    return () => {
      gone = true;
      editor?.destroy();
      handlers.current.onGone();
    };
  }, []);
  return (
    <div class="editor-box">
      {state === "loading" && <Skeleton rows={4} kind="line" />}
      {state === "failed" && <p class="dim">The editor could not be loaded. <button type="button" onClick={() => location.reload()}>Load again</button></p>}
      <div ref={box} id="sqlEditor" class="editor" />
    </div>
  );
}

function Toolbar({ onRun }: { onRun: Run }): JSX.Element {
  const now = running.value;
  return (
    <div class="toolbar">
      {now
        ? <button id="cancelBtn" type="button" class="danger" onClick={cancel}><StopIcon /> Cancel</button>
        : <button id="runBtn" type="button" class="primary" onClick={() => onRun("here")} title={`Run the statement at the cursor, or the selection (${MOD} Enter)`}><RunIcon /> Run</button>}
      {!now && <button type="button" class="quiet" onClick={() => onRun("all")} title={`Run every statement in order (Shift ${MOD} Enter)`}>Run all</button>}
      {now ? <Elapsed /> : <span class="keys"><kbd>{MOD}</kbd> <kbd>Enter</kbd> runs the statement at the cursor</span>}
    </div>
  );
}

function Elapsed(): JSX.Element {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((n) => n + 1), 100);
    return () => clearInterval(timer);
  }, []);
  const now = running.value;
  if (!now) return <span />;
  return (
    <span class="elapsed" role="status">
      {now.steps > 1 && `statement ${now.step + 1} of ${now.steps} · `}{((performance.now() - now.started_ms) / 1000).toFixed(1)} s{now.bytes > 0 && ` · ${bytes(now.bytes)} received`}
    </span>
  );
}

function Result({ onGoTo }: { onGoTo: (at: number) => void }): JSX.Element {
  const now = running.value;
  const shown = outcome.value;
  if (now && !shown) return <section class="result" aria-busy="true"><Skeleton rows={8} kind="grid" /></section>;
  if (!shown) return <section class="result"><Empty title="No answer yet"><p>Run a statement. Its rows, the versions it read and the files it skipped show here.</p></Empty></section>;
  return (
    <section class={now ? "result stale" : "result"} aria-busy={now !== null} aria-label="Answer">
      {shown.problem && <Failed outcome={shown} problem={shown.problem} onGoTo={onGoTo} />}
      {shown.answer && <Answered outcome={shown} answer={shown.answer} />}
    </section>
  );
}

function Failed({ outcome: o, problem, onGoTo }: { outcome: Outcome; problem: Problem; onGoTo: (at: number) => void }): JSX.Element {
  if (problem.code === "CANCELLED") return <p class="note" role="status">Cancelled after {duration(o.wall_ms)}.</p>;
  const at = o.problemAt;
  return <ProblemPanel problem={problem} title="The statement failed" actions={at !== null && <button type="button" onClick={() => onGoTo(at)}>Go to the place</button>} />;
}

function Answered({ outcome: o, answer }: { outcome: Outcome; answer: Answer }): JSX.Element {
  const spec = useMemo(() => chartOf(answer.columns, answer.rows), [answer]);
  const view = spec && place.value.query.get("view") === "chart" ? "chart" : "table";
  if (answer.columns.length === 0)
    return <><p class="note" role="status">Done: {answer.info.statement}.</p><Strip info={answer.info} /></>;
  return (
    <>
      <div class="result-head">
        {spec
          ? <Tabs label="Show the answer as" tabs={[{ id: "table", text: "Table" }, { id: "chart", text: spec.kind === "candles" ? "Candles" : "Chart" }]} value={view} onChange={(id) => go(withQuery({ view: id === "chart" ? id : null }), { keepScroll: true })} />
          : <span class="result-name">Answer</span>}
        <ExportBar answer={answer} sql={o.sql} />
      </div>
      {view === "chart" && spec ? <Chart spec={spec} height={380} /> : answer.rows.length > 0
        ? <Grid columns={answer.columns} rows={answer.rows} label="Answer" />
        : <Empty title="No rows"><p>The columns would be {answer.columns.map((c) => c.name).join(", ")}.</p></Empty>}
      <Strip info={answer.info} rows={answer.rows.length} />
    </>
  );
}

function ExportBar({ answer, sql }: { answer: Answer; sql: string }): JSX.Element {
  const [state, setState] = useState<"" | "Downloading…" | Problem>("");
  const download = () => {
    setState("Downloading…");
    downloadCsv(sql, new AbortController().signal).then(
      (blob) => {
        saveAs(blob, "answer.csv");
        setState("");
      },
      (error: unknown) => setState(isAbort(error) ? "" : asProblem(error)),
    );
  };
  return (
    <div class="export" role="group" aria-label="Take the answer away">
      <CopyButton label="CSV" text={() => toCsv(answer.columns, answer.rows)} />
      <CopyButton label="JSON" text={() => toJson(answer.columns, answer.rows)} />
      <CopyButton label="Markdown" text={() => toMarkdown(answer.columns, answer.rows)} />
      <button type="button" class="quiet" onClick={download} disabled={state === "Downloading…"}><DownloadIcon /> {typeof state === "string" && state ? state : "CSV file"}</button>
      {typeof state !== "string" && <span class="bad" role="alert">{state.message}</span>}
    </div>
  );
}

interface SideProps {
  onInsert: (piece: string) => void;
  onOpen: (sql: string) => void;
}

function Side(p: SideProps): JSX.Element {
  const [tab, setTab] = useState<"tables" | "past">("tables");
  return (
    <aside class="side" aria-label="Tables and history">
      <Tabs label="Beside the editor" value={tab} onChange={setTab} tabs={[{ id: "tables", text: "Tables" }, { id: "past", text: "History", note: past.value.length ? count(past.value.length) : undefined }]} />
      {tab === "tables" ? <TableTree onInsert={p.onInsert} /> : <PastList onOpen={p.onOpen} />}
    </aside>
  );
}

function TableTree({ onInsert }: { onInsert: (piece: string) => void }): JSX.Element {
  const tables = catalog.value;
  if (catalogProblem.value) return <p class="dim">{catalogProblem.value.message}</p>;
  if (!tables) return <Skeleton rows={6} kind="line" />;
  if (tables.length === 0) return <p class="dim">The lake has no tables yet. <a href="/tables">Make the first one</a></p>;
  return (
    <ul class="tree">
      {tables.map((t) => (
        <li key={t.name}>
          <details>
            <summary><span class="tree-schema">{t.schema_name}.</span>{t.table_name}<span class="dim tree-count">{count(t.record_count)}</span></summary>
            <p class="actions">
              <button type="button" class="quiet" onClick={() => onInsert(quoteTable(t.name))}>Insert name</button>
              <a href={`/tables/${encodeURIComponent(t.name)}`}>Versions</a>
            </p>
            <ul>
              {(t.columns ?? []).map((c) => (
                <li key={c.name}><button type="button" class="tree-column" onClick={() => onInsert(quoteName(c.name))} title={c.comment ?? `Insert ${c.name}`}>{c.name} <span class="dim">{c.type}</span></button></li>
              ))}
            </ul>
          </details>
        </li>
      ))}
    </ul>
  );
}

function PastList({ onOpen }: { onOpen: (sql: string) => void }): JSX.Element {
  if (past.value.length === 0) return <p class="dim">Statements you run are listed here, and kept in this browser only.</p>;
  return (
    <>
      <ul class="past">
        {past.value.map((p) => (
          <li key={p.sql}>
            <button type="button" class="past-sql" onClick={() => onOpen(p.sql)} title="Put it into the editor"><code>{p.sql}</code></button>
            <span class="dim">{ago(p.at)} · {p.failed ? <span class="bad">failed</span> : `${plural(p.rows, "row")} · ${duration(p.ms)}`}</span>
          </li>
        ))}
      </ul>
      <button type="button" class="quiet" onClick={clearPast}>Forget all</button>
    </>
  );
}
