/* Running statements: what runs, what came back, and what was run before. Kept outside of the page's components, so that it outlives them. */
import { signal } from "@preact/signals";
import { asProblem, isAbort, Problem, runQuery, type Answer } from "./api";
import { loadCatalog } from "./catalog";
import { recall, remember } from "./storage";
import { lineAndColumn, utf16Offset, type Span } from "./sqltext";

export interface Running {
  sql: string;
  started_ms: number;
  bytes: number;
  step: number;
  steps: number;
}
export interface Outcome {
  script: string; // the whole text it came from
  sql: string;
  answer: Answer | null;
  problem: Problem | null;
  problemAt: number | null; // in the script
  wall_ms: number;
  steps: number;
}
export interface Past {
  sql: string;
  at: string;
  ms: number;
  rows: number;
  failed: boolean;
}

export const running = signal<Running | null>(null);
export const outcome = signal<Outcome | null>(null);
export const past = signal<Past[]>(readPast());

const PAST_MAX = 100;
const PAST_SQL_MAX = 20_000; // characters; longer statements are not kept
const READS = /^(select|with|from|values|describe|show|explain|set|use)/i;
let abort: AbortController | null = null;

/* Answers of this visit by the script that made them, so that going back shows them again without asking. */
const remembered = new Map<string, Outcome>();
const REMEMBERED_MAX = 10;
const REMEMBERED_ROWS_MAX = 20_000;

function readPast(): Past[] {
  try {
    const list = JSON.parse(recall("history") ?? "[]") as unknown;
    return Array.isArray(list) ? (list as Past[]).filter((p) => typeof p?.sql === "string") : [];
  } catch {
    return [];
  }
}

function notePast(entry: Past): void {
  if (entry.sql.length > PAST_SQL_MAX) return;
  past.value = [entry, ...past.value.filter((p) => p.sql !== entry.sql)].slice(0, PAST_MAX);
  remember("history", JSON.stringify(past.value));
}

export function clearPast(): void {
  past.value = [];
  remember("history", null);
}

function finish(result: Outcome): void {
  outcome.value = result;
  if ((result.answer?.rows.length ?? 0) > REMEMBERED_ROWS_MAX) return;
  remembered.delete(result.script);
  remembered.set(result.script, result);
  const oldest = remembered.keys().next().value;
  if (remembered.size > REMEMBERED_MAX && oldest !== undefined) remembered.delete(oldest);
}

export const showRemembered = (script: string): void => {
  if (!running.value) outcome.value = remembered.get(script) ?? null;
};

export const cancel = (): void => abort?.abort();

/* Runs the spans of a script in order and stops at the first that fails. The last answer is the one shown. */
export async function runScript(script: string, spans: Span[]): Promise<void> {
  abort?.abort();
  const mine = (abort = new AbortController());
  for (const [step, span] of spans.entries()) {
    const result = await runOne(script, span, step, spans.length, mine);
    if (abort !== mine) return;
    if (result.problem || step === spans.length - 1) {
      running.value = null;
      abort = null;
      finish(result);
      return;
    }
  }
}

async function runOne(script: string, span: Span, step: number, steps: number, mine: AbortController): Promise<Outcome> {
  const sql = script.slice(span.from, span.to);
  const started_ms = performance.now();
  running.value = { sql, started_ms, bytes: 0, step, steps };
  const base = { script, sql, answer: null, problem: null, problemAt: null, steps };
  try {
    const answer = await runQuery(sql, mine.signal, (bytes) => abort === mine && running.value && (running.value = { ...running.value, bytes }));
    const wall_ms = performance.now() - started_ms;
    notePast({ sql, at: new Date().toISOString(), ms: answer.info.total_ms, rows: answer.rows.length, failed: false });
    if (!READS.test(sql)) void loadCatalog(true);
    return { ...base, answer, wall_ms };
  } catch (error) {
    const wall_ms = performance.now() - started_ms;
    const problem = isAbort(error) ? new Problem("the statement was cancelled", { code: "CANCELLED" }) : asProblem(error);
    if (!isAbort(error)) notePast({ sql, at: new Date().toISOString(), ms: wall_ms, rows: 0, failed: true });
    const problemAt = problem.position ? span.from + utf16Offset(sql, problem.position.offset) : null;
    if (problem.position && problemAt !== null) problem.position = { offset: problem.position.offset, ...lineAndColumn(script, problemAt) };
    return { ...base, problem, problemAt, wall_ms };
  }
}
