import { computed, signal } from "@preact/signals";

/* Where the reader is. `arrival` grows with every navigation; `run` says that a link of this page asked to run the statement at once:
 * an address typed or sent by someone else never does. */
export interface Place {
  path: string;
  query: URLSearchParams;
  run: boolean;
  arrival: number;
}

let arrivals = 0;
const read = (run: boolean): Place => ({ path: decodePath(location.pathname), query: new URLSearchParams(location.search), run, arrival: ++arrivals });

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

export const place = signal<Place>(read(false));
export const path = computed(() => place.value.path);

addEventListener("popstate", () => (place.value = read(false)));

export interface GoOptions {
  replace?: boolean;
  run?: boolean;
  keepScroll?: boolean;
}

export function go(href: string, options: GoOptions = {}): void {
  const current = location.pathname + location.search;
  if (options.replace || href === current) history.replaceState(null, "", href);
  else history.pushState(null, "", href);
  const moved = decodePath(location.pathname) !== place.value.path;
  place.value = read(options.run ?? false);
  if (moved && !options.keepScroll) scrollTo(0, 0);
}

/* This page's address with some query members changed; null, "" and undefined remove a member. */
export function withQuery(changes: Record<string, string | number | null | undefined>): string {
  const query = new URLSearchParams(place.value.query);
  for (const [key, value] of Object.entries(changes)) {
    if (value === null || value === undefined || value === "") query.delete(key);
    else query.set(key, String(value));
  }
  const text = query.toString();
  return location.pathname + (text ? `?${text}` : "");
}

export const tableHref = (name: string): string => `/tables/${encodeURIComponent(name)}`;
export const sqlHref = (sql: string, view?: "chart"): string => `/sql?${new URLSearchParams(view ? { q: sql, view } : { q: sql })}`;

/* One listener for the whole page: plain clicks on links to our own routes stay here. data-run marks links that run their statement. */
export function followLinks(root: HTMLElement): void {
  root.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = (event.target as Element | null)?.closest("a");
    if (!link || link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
    if (link.pathname.startsWith("/assets/") || link.pathname.startsWith("/api/")) return;
    event.preventDefault();
    go(link.pathname + link.search, { run: link.dataset["run"] !== undefined });
  });
}
