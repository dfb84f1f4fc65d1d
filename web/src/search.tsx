/* "/": words to rows. The address holds the words, the page, the page size, the order, the category and the opened result. */
import { signal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { listTables, search, serverStats, type Problem, type SearchReply, type SearchResult, type Stats, type TableSummary } from "./api";
import { useAsk } from "./ask";
import { ResultDetail } from "./detail";
import { ago, bytes, compact, count, duration, percent, plural, shortName, when } from "./format";
import { ChevronIcon, CloseIcon, SearchIcon } from "./icons";
import { Bar, CacheBadge, Empty, isTyping, ProblemPanel, Select, Skeleton, useKeys } from "./parts";
import { go, place, tableHref, withQuery } from "./router";

const PAGE_SIZES = ["10", "20", "50", "100"] as const;
const DEFAULT_SIZE = "20";
const ORDERS = [["", "Best match"], ["name-asc", "Name, A to Z"], ["name-desc", "Name, Z to A"]] as const;
const EXAMPLES = ["Apple", "Technology", "apple technology", "semiconductors", "bank", "health care equipment"];
const TYPING_MS = 180;

interface Wanted {
  q: string;
  page: number;
  limit: string;
  order: string;
  category: string;
  open: number;
}

/* Out-of-range members of a hand-made address fall back to their defaults. */
function wanted(query: URLSearchParams): Wanted {
  const limit = query.get("limit") ?? DEFAULT_SIZE;
  const order = query.get("sort") ?? "";
  return {
    q: query.get("q") ?? "",
    page: Math.max(1, Math.floor(Number(query.get("page")) || 1)),
    limit: PAGE_SIZES.some((size) => size === limit) ? limit : DEFAULT_SIZE,
    order: ORDERS.some(([id]) => id === order) ? order : "",
    category: query.get("category") ?? "",
    open: Number(query.get("open") ?? -1),
  };
}

function ask(w: Wanted, abort: AbortSignal): Promise<SearchReply> {
  const [sortBy, sortOrder] = w.order.split("-");
  return search({ q: w.q, page: w.page, limit: Number(w.limit), sortBy, sortOrder, category: w.category }, abort);
}

/* What the searches of this visit took, for the average shown below the box. */
const times = signal<number[]>([]);

export function SearchPage(): JSX.Element {
  const want = wanted(place.value.query);
  const key = want.q ? JSON.stringify([want.q, want.page, want.limit, want.order, want.category]) : null;
  const reply = useAsk(key, async (abort) => {
    const answer = await ask(want, abort);
    times.value = [...times.value.slice(-99), answer.performance.searchTime];
    return answer;
  });
  const tables = useAsk("tables", listTables);
  return (
    <div class="search-page">
      <SearchBox want={want} idle={key === null} />
      {key === null ? <Idle tables={tables.value ?? []} /> : <Results want={want} reply={reply.value} problem={reply.problem} loading={reply.loading} again={reply.again} />}
      <StatsSection asked={reply.value} />
    </div>
  );
}

function SearchBox({ want, idle }: { want: Wanted; idle: boolean }): JSX.Element {
  const [text, setText] = useState(want.q);
  const input = useRef<HTMLInputElement>(null);
  const timer = useRef(0);
  useEffect(() => {
    if (document.activeElement !== input.current) setText(want.q);
  }, [want.q, place.value.arrival]);
  useEffect(() => () => clearTimeout(timer.current), []);
  useKeys((event) => {
    if (event.key !== "/" || isTyping(event.target)) return;
    event.preventDefault();
    input.current?.select();
    input.current?.focus();
  });
  const submit = (value: string, replace: boolean) => {
    clearTimeout(timer.current);
    go(withQuery(value.trim() ? { q: value.trim(), page: null, open: null } : { q: null, page: null, open: null, category: null }), { replace });
  };
  const type = (value: string) => {
    setText(value);
    clearTimeout(timer.current);
    timer.current = window.setTimeout(() => submit(value, true), TYPING_MS);
  };
  return (
    <form class={idle ? "search-box idle" : "search-box"} role="search" onSubmit={(e) => { e.preventDefault(); submit(text, text.trim() === want.q); }}>
      {idle && <h1>Search the lake</h1>}
      <div class="search-field">
        <SearchIcon />
        <input id="searchInput" ref={input} type="search" value={text} placeholder="Company, symbol, sector…" aria-label="Search" autocomplete="off" spellcheck={false} enterkeyhint="search"
          onInput={(e) => type(e.currentTarget.value)} />
        <kbd aria-hidden="true">/</kbd>
        <button id="searchBtn" type="submit" class="primary">Search</button>
      </div>
      <p class="chips" aria-label="Examples">
        {EXAMPLES.map((example) => <a key={example} class="chip" href={`/?q=${encodeURIComponent(example)}`} onClick={() => setText(example)}>{example}</a>)}
      </p>
    </form>
  );
}

const LATEST = 5;

function Idle({ tables }: { tables: TableSummary[] }): JSX.Element {
  const latest = [...tables].sort((a, b) => (b.last_modified ?? "").localeCompare(a.last_modified ?? "")).slice(0, LATEST);
  return (
    <>
      <IdleNote />
      {latest.length > 0 && (
        <section class="latest" aria-labelledby="latestHead">
          <h2 id="latestHead">Latest commits</h2>
          <ul>
            {latest.map((t) => (
              <li key={t.name}>
                <a href={tableHref(t.name)}>{t.name}</a> <span class="badge version">v{t.version}</span>
                <span class="latest-rows">{t.record_count === null ? "" : plural(t.record_count, "row")}</span>
                <span class="dim" title={when(t.last_modified)}>{ago(t.last_modified)}</span>
              </li>
            ))}
          </ul>
        </section>
      )}
    </>
  );
}

function IdleNote(): JSX.Element {
  return (
    <p class="idle-note">
      Every word narrows the result; a whole symbol such as <a href="/?q=AAPL">AAPL</a> comes first, and a typo is forgiven. Each answer names the table version it was read from.
    </p>
  );
}

interface ResultsProps {
  want: Wanted;
  reply: SearchReply | undefined;
  problem: Problem | undefined;
  loading: boolean;
  again: () => void;
}

function Results({ want, reply, problem, loading, again }: ResultsProps): JSX.Element {
  useKeys((event) => {
    if (!reply || loading || isTyping(event.target)) return;
    const { page, hasNext, hasPrev } = reply.pagination;
    if (event.key === "ArrowRight" && hasNext) turnTo(page + 1);
    if (event.key === "ArrowLeft" && hasPrev) turnTo(page - 1);
  });
  const shown = !problem && reply;
  return (
    <section id="resultsSection" aria-busy={loading}>
      <div id="loadingIndicator" role="status" hidden={!loading}><span class="sr-only">Searching</span></div>
      {problem && (problem.status === 404 ? <NotConfigured problem={problem} /> : <ProblemPanel title="The search failed" problem={problem} actions={<button type="button" onClick={again}>Try again</button>} />)}
      {!reply && !problem && <Skeleton rows={6} kind="result" />}
      {shown && <ResultsHead want={want} reply={shown} />}
      {shown && <ResultsList want={want} reply={shown} stale={loading} />}
      {shown && shown.pagination.total > 0 && <Paging want={want} reply={shown} />}
    </section>
  );
}

function NotConfigured({ problem }: { problem: Problem }): JSX.Element {
  return (
    <Empty title="No table is searched yet">
      <p>{problem.hint ?? problem.message}</p>
      <p><a class="button" href="/tables">Look at the tables</a></p>
    </Empty>
  );
}

function ResultsHead({ want, reply }: { want: Wanted; reply: SearchReply }): JSX.Element {
  const { total, page, pages } = reply.pagination;
  return (
    <header class="results-head">
      <div>
        <h2 id="resultsCount" aria-live="polite">Found {count(total)} {total === 1 ? "result" : "results"} (Page {count(page)} of {count(Math.max(pages, 1))})</h2>
        <Performance reply={reply} />
      </div>
      <div class="results-tools">
        {want.category && (
          <a class="chip on" href={withQuery({ category: null, page: null, open: null })} aria-label={`Remove the filter ${want.category}`}>{want.category} <CloseIcon /></a>
        )}
        <Select label="Order" value={want.order} options={ORDERS} onChange={(sort) => go(withQuery({ sort, page: null, open: null }))} />
        <SizeSelect id="limitFilter" label="Per page" want={want} />
      </div>
    </header>
  );
}

function Performance({ reply }: { reply: SearchReply }): JSX.Element {
  const p = reply.performance;
  return (
    <p id="resultsMeta" class="results-meta">
      <span id="performanceInfo">
        <CacheBadge cache={p.cacheHit ? "hit" : "miss"} /> <b>{duration(p.searchTime)}</b>
        {!p.cacheHit && p.filesScanned > 0 && <> · {plural(p.filesScanned, "file")} read, {bytes(p.bytesScanned)}</>}
      </span>
      {reply.metadata.tables.map((t) => (
        <span key={t.name}><a href={tableHref(shortName(t.name))}>{shortName(t.name)}</a> <span class="badge version">v{t.version}</span></span>
      ))}
    </p>
  );
}

function SizeSelect({ id, label, want }: { id: string; label: string; want: Wanted }): JSX.Element {
  return <Select id={id} label={label} value={want.limit} options={PAGE_SIZES.map((n) => [n, n] as const)} onChange={(limit) => go(withQuery({ limit: limit === DEFAULT_SIZE ? null : limit, page: null, open: null }))} />;
}

function ResultsList({ want, reply, stale }: { want: Wanted; reply: SearchReply; stale: boolean }): JSX.Element {
  if (reply.results.length === 0) return <NoResults want={want} reply={reply} />;
  return (
    <ol id="resultsContainer" class={stale ? "results stale" : "results"}>
      {reply.results.map((result, i) => <ResultItem key={`${i} ${result.id}`} result={result} at={i} want={want} />)}
    </ol>
  );
}

function NoResults({ want, reply }: { want: Wanted; reply: SearchReply }): JSX.Element {
  if (reply.pagination.total > 0)
    return (
      <Empty title={`There are only ${plural(reply.pagination.pages, "page")}`}>
        <p><a class="button" href={withQuery({ page: reply.pagination.pages, open: null })}>Go to the last page</a></p>
      </Empty>
    );
  return (
    <Empty title={`Nothing matches “${want.q}”${want.category ? ` in ${want.category}` : ""}`}>
      <p>Fewer or shorter words find more. {want.category && <a href={withQuery({ category: null, page: null })}>Search every category</a>}</p>
      <p class="chips">{EXAMPLES.slice(0, 3).map((e) => <a key={e} class="chip" href={`/?q=${encodeURIComponent(e)}`}>{e}</a>)}</p>
    </Empty>
  );
}

const MATCHES: Record<string, string> = { exact: "exact match", prefix: "starts with it", fuzzy: "similar spelling", term: "all words", all: "" };

/* The parts of a text that begin with one of the words, marked. */
function Marked({ text, words }: { text: string; words: string[] }): JSX.Element {
  const escaped = words.filter((w) => w.length > 1).map((w) => w.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  if (escaped.length === 0) return <>{text}</>;
  const parts: ComponentChildren[] = text.split(new RegExp(`(?<![\\p{L}\\p{N}])(${escaped.join("|")})`, "iu"));
  return <>{parts.map((part, i) => (i % 2 ? <mark key={i}>{part}</mark> : part))}</>;
}

function ResultItem({ result, at, want }: { result: SearchResult; at: number; want: Wanted }): JSX.Element {
  const open = want.open === at;
  const words = want.q.split(/\s+/);
  const symbol = result.metadata["symbol"];
  const toggle = () => go(withQuery({ open: open ? null : at }), { keepScroll: true });
  return (
    <li class={open ? "result-item open" : "result-item"}>
      <div class="result-row">
        <button type="button" class="result-open" aria-expanded={open} onClick={toggle}>
          <span class="result-symbol">{typeof symbol === "string" ? symbol : <ChevronIcon />}</span>
          <span class="result-main">
            <span class="result-title"><Marked text={result.title} words={words} /></span>
            {result.subtitle && result.subtitle !== symbol && <span class="result-subtitle"><Marked text={result.subtitle} words={words} /></span>}
          </span>
        </button>
        {result.category && <a class="chip result-category" href={withQuery({ category: result.category, page: null, open: null })} title={`Only ${result.category}`}>{result.category}</a>}
        <Relevance result={result} />
      </div>
      <div class="result-more">
        {result.description && result.description !== result.title && <span class="result-description">{result.description}</span>}
        <span class="result-meta">
          {shortName(result.metadata.delta_table)} <span class="badge version">v{result.metadata.delta_version}</span>
          {MATCHES[result.matchType] !== "" && ` · ${MATCHES[result.matchType] ?? result.matchType}`}
        </span>
      </div>
      {open && <ResultDetail result={result} />}
    </li>
  );
}

function Relevance({ result }: { result: SearchResult }): JSX.Element | null {
  if (result.matchType === "all") return null;
  return <span class="relevance"><Bar part={result.relevanceScore} title={`relevance ${result.relevanceScore.toFixed(2)} of 1`} /></span>;
}

const turnTo = (page: number): void => {
  go(withQuery({ page: page === 1 ? null : page, open: null }));
  scrollTo({ top: 0 });
};

/* First, last, and two either side of the current page; 0 stands for a gap. */
function pageNumbers(page: number, pages: number): number[] {
  const near = [...new Set([1, page - 1, page, page + 1, pages])].filter((n) => n >= 1 && n <= pages).sort((a, b) => a - b);
  return near.flatMap((n, i) => (i > 0 && n - (near[i - 1] ?? n) > 1 ? [0, n] : [n]));
}

function Paging({ want, reply }: { want: Wanted; reply: SearchReply }): JSX.Element {
  const { page, pages, hasNext, hasPrev } = reply.pagination;
  return (
    <nav class="pagination-controls" aria-label="Result pages">
      <button type="button" class="prev" disabled={!hasPrev} onClick={() => turnTo(page - 1)}>← Previous</button>
      <span class="page-numbers">
        {pageNumbers(page, pages).map((n, i) => n === 0 ? <span key={`gap${i}`}>…</span> :
          <button key={n} type="button" class="page" aria-current={n === page ? "page" : undefined} aria-label={`Page ${n}`} onClick={() => turnTo(n)}>{count(n)}</button>)}
      </span>
      <button type="button" class="next" disabled={!hasNext} onClick={() => turnTo(page + 1)}>Next →</button>
      <SizeSelect id="pageSizeSelector" label="Per page" want={want} />
    </nav>
  );
}

function StatsSection({ asked }: { asked: SearchReply | undefined }): JSX.Element {
  const [stats, setStats] = useState<Stats | null>(null);
  useEffect(() => {
    const abort = new AbortController();
    serverStats(abort.signal).then(setStats, () => undefined);
    return () => abort.abort();
  }, [asked]);
  const mean = times.value.length ? times.value.reduce((a, b) => a + b, 0) / times.value.length : null;
  const lookups = stats ? stats.cache.hits + stats.cache.misses : 0;
  return (
    <section id="statsSection" aria-label="This server">
      <StatCard id="totalRecords" label="Records" value={stats ? compact(stats.totalRecords) : "–"} note={stats ? count(stats.totalRecords) : ""} />
      <StatCard id="totalTables" label="Tables" value={stats ? count(stats.totalTables) : "–"} note={<a href="/tables">see all</a>} />
      <StatCard id="avgResponseTime" label="Average response" value={mean === null ? "–" : duration(mean)} note={mean === null ? "no search in this visit yet" : `${plural(times.value.length, "search", "searches")} in this visit`} />
      <StatCard id="cacheHitRate" label="Cache hit rate" value={stats && lookups ? percent(stats.cache.hitRate) : "–"} note={stats ? `${count(stats.cache.hits)} of ${count(lookups)} look-ups` : ""} />
    </section>
  );
}

function StatCard({ id, label, value, note }: { id: string; label: string; value: string; note: ComponentChildren }): JSX.Element {
  return (
    <div class="stat-card">
      <span class="stat-label">{label}</span>
      <b id={id} class="stat-value">{value}</b>
      <span class="stat-note">{note}</span>
    </div>
  );
}

