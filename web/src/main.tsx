import { render, type JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { serverStats, type Stats } from "./api";
import { Mark, MoonIcon, SunIcon } from "./icons";
import { Empty } from "./parts";
import { followLinks, path } from "./router";
import { SearchPage } from "./search";
import { SqlPage } from "./sql";
import { TablePage } from "./table";
import { TablesPage } from "./tables";
import { theme, toggleTheme } from "./theme";

const SECTIONS = [["/", "Search"], ["/tables", "Tables"], ["/sql", "SQL"]] as const;

function section(at: string): string {
  return at.startsWith("/tables") ? "/tables" : at;
}

function Header(): JSX.Element {
  const current = section(path.value);
  const other = theme.value === "dark" ? "light" : "dark";
  return (
    <header class="top">
      <a class="skip" href="#main" onClick={focusMain}>Skip to content</a>
      <div class="top-in">
        <a class="brand" href="/"><Mark /><span>Varve</span></a>
        <nav aria-label="Pages">
          {SECTIONS.map(([href, text]) => <a key={href} href={href} aria-current={current === href ? "page" : undefined}>{text}</a>)}
        </nav>
        <button id="themeToggle" type="button" class="icon-button" onClick={toggleTheme} aria-label={`Use the ${other} theme`} title={`Use the ${other} theme`}>
          {theme.value === "dark" ? <SunIcon /> : <MoonIcon />}
        </button>
      </div>
    </header>
  );
}

function focusMain(event: Event): void {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

function Footer(): JSX.Element {
  const [stats, setStats] = useState<Stats | null>(null);
  useEffect(() => {
    const abort = new AbortController();
    serverStats(abort.signal).then(setStats, () => setStats(null));
    return () => abort.abort();
  }, []);
  return (
    <footer class="bottom">
      <span>{stats ? `Varve ${stats.version} · engine ${stats.engine_version}` : "Varve"}</span>
      <span>Candle charts by <a href="https://www.tradingview.com/" rel="noreferrer" target="_blank">TradingView</a> Lightweight Charts</span>
      <a href="/assets/notices.txt">Open-source notices</a>
    </footer>
  );
}

function Page(): JSX.Element {
  const at = path.value;
  if (at === "/") return <SearchPage />;
  if (at === "/tables") return <TablesPage />;
  if (at === "/sql") return <SqlPage />;
  if (at.startsWith("/tables/")) return <TablePage key={at} name={at.slice("/tables/".length)} />;
  return (
    <Empty title="There is no such page">
      <p><a href="/">Search</a>, <a href="/tables">tables</a> and <a href="/sql">SQL</a> are the pages there are.</p>
    </Empty>
  );
}

function pageTitle(at: string): string {
  if (at.startsWith("/tables/")) return `${at.slice("/tables/".length)} · Varve`;
  const known = SECTIONS.find(([href]) => href === at);
  return at === "/" || !known ? "Varve" : `${known[1]} · Varve`;
}

function App(): JSX.Element {
  const at = path.value;
  useEffect(() => {
    document.title = pageTitle(at);
  }, [at]);
  return (
    <>
      <Header />
      <main id="main" tabIndex={-1} class={at === "/sql" ? "wide" : undefined}><Page /></main>
      <Footer />
    </>
  );
}

const root = document.getElementById("app");
if (root) {
  followLinks(root);
  render(<App />, root);
}
