/* Small pieces that several pages show. */
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Problem, QueryInfo, TableRead } from "./api";
import { bytes, count, duration, plural, shortName, when } from "./format";
import { CopyIcon } from "./icons";
import { tableHref } from "./router";

export function ProblemPanel({ problem, title, actions }: { problem: Problem; title?: string; actions?: ComponentChildren }): JSX.Element {
  return (
    <section class="problem" role="alert">
      {title && <p class="problem-title">{title}</p>}
      <p class="problem-message">{problem.message}</p>
      {problem.hint && <p class="problem-hint"><b>Hint:</b> {problem.hint}</p>}
      {problem.explanation && problem.explanation !== problem.message && <p class="problem-more">{problem.explanation}</p>}
      {problem.context && <p class="problem-more pre">{problem.context}</p>}
      <p class="problem-codes">
        {problem.code && <code>{problem.code}</code>}
        {problem.sqlstate && <span>SQLSTATE {problem.sqlstate}</span>}
        {problem.position && <span>line {problem.position.line}, column {problem.position.column}</span>}
      </p>
      {actions && <div class="actions">{actions}</div>}
    </section>
  );
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }): JSX.Element {
  return (
    <section class="empty">
      <h2>{title}</h2>
      {children}
    </section>
  );
}

/* Grey lines in the shape of what is coming. */
export function Skeleton({ rows, kind }: { rows: number; kind: "result" | "line" | "card" | "grid" }): JSX.Element {
  return (
    <div class={`skeleton skeleton-${kind}`} aria-hidden="true">
      {Array.from({ length: rows }, (_, i) => <i key={i} class={`bone bone-${i % 4}`} />)}
    </div>
  );
}

export function CacheBadge({ cache }: { cache: QueryInfo["cache"] }): JSX.Element {
  const meaning = {
    hit: "answered from the cache: the same request, at the same table versions",
    miss: "computed now and kept: the next same request at these versions is a hit",
    bypass: "never cached",
  }[cache];
  return <span class={`badge cache-${cache}`} title={meaning}>cache {cache}</span>;
}

function Pruning({ read }: { read: TableRead }): JSX.Element {
  const total = Math.max(read.files_total, 1);
  const title = `${plural(read.files_total, "file")} in this version: ${read.files_pruned_partition} skipped by partition value, ${read.files_pruned_stats} by statistics, ${read.files_read} read`;
  return (
    <span class="pruning" title={title}>
      <Bar part={read.files_read / total} />
      <span>
        <span>{plural(read.files_total, "file")} →</span> <span>{count(read.files_pruned_partition)} by partition →</span> <span>{count(read.files_pruned_stats)} by statistics →</span> <b>{count(read.files_read)} read</b>
      </span>
      {read.bytes_read > 0 && <span class="dim">{bytes(read.bytes_read)}</span>}
    </span>
  );
}

/* Under every answer: which versions, which files, from where, how long. */
export function Strip({ info, rows }: { info: QueryInfo; rows?: number }): JSX.Element {
  return (
    <div class="strip" aria-label="How this answer was made">
      <div class="strip-line">
        <CacheBadge cache={info.cache} />
        <span><b>{count(rows ?? info.row_count)}</b> {(rows ?? info.row_count) === 1 ? "row" : "rows"}</span>
        {info.version >= 0 && <span class="badge version">committed v{info.version}</span>}
        <span class="times">
          {info.cache !== "hit" && <><span>plan {duration(info.plan_ms)} ·</span> <span>execute {duration(info.execute_ms)} ·</span> </>}<b>total {duration(info.total_ms)}</b>
        </span>
      </div>
      {info.tables.map((read) => (
        <div class="strip-line" key={`${read.name}@${read.version}`}>
          <a href={`${tableHref(shortName(read.name))}?v=${read.version}`}>{shortName(read.name)}</a>
          <span class="badge version" title={read.timestamp ? `committed ${when(read.timestamp)}` : undefined}>v{read.version}</span>
          {info.cache === "hit" && read.files_total === 0 ? <span>no file opened: the answer was kept for this version</span> : <Pruning read={read} />}
        </div>
      ))}
    </div>
  );
}

/* A part of a whole, drawn: the number beside it says the same. */
export function Bar({ part, title }: { part: number; title?: string }): JSX.Element {
  const width = 100 * Math.max(0, Math.min(1, part));
  return (
    <svg class="bar" viewBox="0 0 100 6" preserveAspectRatio="none" {...(title ? { role: "img", "aria-label": title } : { "aria-hidden": "true" })}>
      {title && <title>{title}</title>}
      <rect class="pruned" width="100" height="6" />
      <rect class="read" width={part > 0 ? Math.max(width, 2) : 0} height="6" />
    </svg>
  );
}

export function Select<T extends string>(p: { id?: string; label: string; value: T; options: readonly (readonly [T, string])[]; onChange: (value: T) => void; hideLabel?: boolean }): JSX.Element {
  return (
    <label class="select">
      <span class={p.hideLabel ? "sr-only" : undefined}>{p.label}</span>
      <select id={p.id} value={p.value} onChange={(e) => p.onChange(e.currentTarget.value as T)}>
        {p.options.map(([value, text]) => <option key={value} value={value}>{text}</option>)}
      </select>
    </label>
  );
}

export function CopyButton({ text, label }: { text: () => string; label: string }): JSX.Element {
  const [said, setSaid] = useState("");
  useEffect(() => {
    if (!said) return;
    const timer = setTimeout(() => setSaid(""), 1600);
    return () => clearTimeout(timer);
  }, [said]);
  const copy = () => void copyText(text()).then((done) => setSaid(done ? "Copied" : "Not copied"));
  return (
    <button type="button" class="quiet" onClick={copy}>
      <CopyIcon /> <span aria-live="polite">{said || label}</span>
    </button>
  );
}

/* The clipboard needs a secure context (https or localhost); elsewhere an off-screen field does. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = document.createElement("textarea");
    field.value = text;
    field.className = "sr-only";
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
}

export const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) || target.closest('[role="grid"],[role="slider"],[role="tablist"]') !== null);

/* Listens on the document while the component is shown. */
export function useKeys(handler: (event: KeyboardEvent) => void): void {
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if (!event.defaultPrevented && !event.metaKey && !event.ctrlKey && !event.altKey) handler(event);
    };
    document.addEventListener("keydown", listen);
    return () => document.removeEventListener("keydown", listen);
  });
}

export interface Tab<T extends string> {
  id: T;
  text: string;
  note?: string | undefined;
}

/* Tabs of which one is shown; arrows move between them. */
export function Tabs<T extends string>({ tabs, value, label, onChange }: { tabs: Tab<T>[]; value: T; label: string; onChange: (id: T) => void }): JSX.Element {
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => {
    list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [value]);
  const move = (event: KeyboardEvent) => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (!step) return;
    event.preventDefault();
    const at = tabs.findIndex((t) => t.id === value);
    const next = tabs[(at + step + tabs.length) % tabs.length];
    if (!next) return;
    onChange(next.id);
    (event.currentTarget as HTMLElement).querySelector<HTMLElement>(`[data-tab="${next.id}"]`)?.focus();
  };
  return (
    <div ref={list} class="tabs" role="tablist" aria-label={label} onKeyDown={move}>
      {tabs.map((t) => (
        <button key={t.id} type="button" role="tab" data-tab={t.id} aria-selected={t.id === value} tabIndex={t.id === value ? 0 : -1} onClick={() => onChange(t.id)}>
          {t.text}{t.note && <span class="tab-note">{t.note}</span>}
        </button>
      ))}
    </div>
  );
}
