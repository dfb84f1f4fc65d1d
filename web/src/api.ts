/* The server's answers, as they come. */

export interface Column {
  name: string;
  type: string;
}
export type Value = null | boolean | number | string | Value[] | { [key: string]: Value };
export type Row = Record<string, Value>;

export interface TableRead {
  name: string;
  version: number;
  timestamp?: string | null;
  files_total: number;
  files_pruned_partition: number;
  files_pruned_stats: number;
  files_read: number;
  bytes_read: number;
}
export interface QueryInfo {
  statement: string;
  cache: "hit" | "miss" | "bypass";
  tables: TableRead[];
  version: number;
  row_count: number;
  plan_ms: number;
  execute_ms: number;
  total_ms: number;
}
export interface Answer {
  columns: Column[];
  rows: Row[];
  info: QueryInfo;
}

export interface TableSummary {
  name: string;
  schema_name: string;
  table_name: string;
  version: number;
  record_count: number | null;
  num_files: number;
  size_bytes: number;
  last_modified: string | null;
}
export interface SchemaField {
  name: string;
  type: string;
  nullable: boolean;
  partition: boolean;
  comment: string | null;
}
export interface Commit {
  version: number;
  timestamp: string;
  operation: string | null;
  operationParameters: Record<string, Value> | null;
  operationMetrics: Record<string, Value> | null;
  readVersion: number | null;
  isBlindAppend: boolean | null;
  engineInfo: string | null;
  userName: string | null;
}
export interface TableDetail {
  name: string;
  schema: SchemaField[];
  partition_columns: string[];
  version: number;
  num_files: number;
  size_bytes: number;
  record_count: number | null;
  properties: Record<string, string>;
  min_reader_version: number;
  min_writer_version: number;
  table_features: string[];
  location: string;
  created_at: string | null;
  last_modified: string | null;
  description: string | null;
  history: Commit[];
}

export interface SearchResult {
  id: string;
  title: string;
  subtitle?: string;
  description?: string;
  category?: string;
  type: string;
  url: string;
  matchType: string;
  relevanceScore: number;
  metadata: { delta_table: string; delta_version: number; time_travel_available: boolean; [column: string]: Value };
}
export interface SearchReply {
  results: SearchResult[];
  performance: {
    searchTime: number;
    resultCount: number;
    strategy: string;
    cacheHit: boolean;
    deltaLakeVersion: number;
    filesScanned: number;
    bytesScanned: number;
  };
  pagination: { page: number; limit: number; total: number; pages: number; hasNext: boolean; hasPrev: boolean };
  metadata: { totalQueryTime: number; totalCount: number; tables: { name: string; version: number }[] };
}
export interface Stats {
  totalTables: number;
  totalRecords: number;
  totalBytes: number;
  uncountedTables: number; // not in totalRecords
  queries: number;
  cache: { hits: number; misses: number; hitRate: number; entries: number; bytes: number };
  uptime_seconds: number;
  version: string;
  engine_version: string;
}

export interface Position {
  offset: number;
  line: number;
  column: number;
}

/* What went wrong, in the members of RFC 9457 that the page shows. */
export class Problem extends Error {
  override name = "Problem";
  status = 0;
  code = "";
  hint: string | null = null;
  explanation: string | null = null;
  context: string | null = null;
  sqlstate: string | null = null;
  position: Position | null = null;

  constructor(message: string, parts: Partial<Omit<Problem, "name" | "message">> = {}) {
    super(message);
    Object.assign(this, parts);
  }
}

export const isAbort = (error: unknown): boolean => error instanceof DOMException && error.name === "AbortError";

export const asProblem = (error: unknown): Problem =>
  error instanceof Problem ? error : new Problem(error instanceof Error ? error.message : String(error), { code: "PAGE_ERROR" });

const text = (value: unknown): string | null => (typeof value === "string" && value !== "" ? value : null);

function position(value: unknown): Position | null {
  const p = value as Partial<Position> | null | undefined;
  return p && typeof p.offset === "number" && p.offset >= 0 ? { offset: p.offset, line: p.line ?? 0, column: p.column ?? 0 } : null;
}

async function problemOf(response: Response): Promise<Problem> {
  let body: Record<string, unknown> = {};
  try {
    body = (await response.json()) as Record<string, unknown>;
  } catch {
    // not JSON: the status line is all there is
  }
  const message = text(body["detail"]) ?? text(body["title"]) ?? text(body["error"]) ?? `the server answered ${response.status} ${response.statusText}`.trim();
  return new Problem(message, {
    status: response.status,
    code: text(body["code"]) ?? `HTTP_${response.status}`,
    hint: text(body["hint"]),
    explanation: text(body["explanation"]),
    context: Array.isArray(body["context"]) ? body["context"].join("\n") : text(body["context"]),
    sqlstate: text(body["sqlstate"]),
    position: position(body["position"]),
  });
}

async function request(url: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, init);
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new Problem("the server did not answer", { code: "UNREACHABLE", hint: "check that varve serve is still running, then try again" });
  }
  if (!response.ok) throw await problemOf(response);
  return response;
}

async function get<T>(url: string, signal: AbortSignal): Promise<T> {
  const response = await request(url, { signal, headers: { Accept: "application/json" } });
  return (await response.json()) as T;
}

export const listTables = async (signal: AbortSignal): Promise<TableSummary[]> => (await get<{ tables: TableSummary[] }>("/api/tables", signal)).tables;
export const tableDetail = (name: string, signal: AbortSignal): Promise<TableDetail> => get(`/api/tables/${encodeURIComponent(name)}`, signal);
export const serverStats = (signal: AbortSignal): Promise<Stats> => get("/api/stats", signal);

export interface SearchRequest {
  q: string;
  page: number;
  limit: number;
  sortBy?: string | undefined;
  sortOrder?: string | undefined;
  category?: string | undefined;
}
export function search(r: SearchRequest, signal: AbortSignal): Promise<SearchReply> {
  const query = new URLSearchParams({ q: r.q, page: String(r.page), limit: String(r.limit) });
  if (r.sortBy) query.set("sortBy", r.sortBy);
  if (r.sortOrder) query.set("sortOrder", r.sortOrder);
  if (r.category) query.set("filters", JSON.stringify({ category: [r.category] }));
  return get(`/api/search?${query}`, signal);
}

/* An answer past this size would freeze the page rather than inform anyone. */
const ANSWER_MAX_BYTES = 96 * 1024 * 1024;

const post = (sql: string, accept: string, signal: AbortSignal): Promise<Response> =>
  request("/api/query?bigint=string", {
    method: "POST", signal, body: JSON.stringify({ sql }), headers: { "Content-Type": "application/json", Accept: accept },
  });

/* Runs one statement. onBytes hears how much of the answer has come. Aborting the signal cancels the statement on the server. */
export async function runQuery(sql: string, signal: AbortSignal, onBytes?: (bytes: number) => void): Promise<Answer> {
  const response = await post(sql, "application/json", signal);
  if (!response.body) return (await response.json()) as Answer;
  const reader = response.body.getReader();
  const parts: Uint8Array[] = [];
  for (let size = 0; ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.length;
    if (size > ANSWER_MAX_BYTES) {
      await reader.cancel();
      throw new Problem("the answer is larger than this page can show (96 MiB)", { code: "ANSWER_TOO_LARGE", hint: "add a LIMIT, aggregate, or download it as CSV" });
    }
    parts.push(value);
    onBytes?.(size);
  }
  return JSON.parse(await new Blob(parts as BlobPart[]).text()) as Answer;
}

export async function downloadCsv(sql: string, signal: AbortSignal): Promise<Blob> {
  return (await post(sql, "text/csv", signal)).blob();
}
