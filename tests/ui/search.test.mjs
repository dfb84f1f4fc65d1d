import { api, BASE, check, equal, group, shot, test } from "./harness.mjs";

const QUERY = process.env.UI_QUERY ?? "technology";
const found = (q, page = 1, limit = 20) => api(`/api/search?${new URLSearchParams({ q, page, limit })}`);
const titles = (page) => page.locator(".result-title").allTextContents();
const heading = (page) => page.locator("#resultsCount").textContent();
const expectPage = async (page, reply) => {
  const { total, page: at, pages } = reply.pagination;
  await page.waitForFunction((text) => document.querySelector("#resultsCount")?.textContent === text, `Found ${group(total)} ${total === 1 ? "result" : "results"} (Page ${group(at)} of ${group(pages)})`);
  equal(await titles(page), reply.results.map((r) => r.title), "titles");
};

test("search: typed words show what the server found, with version, cache and time", async (page) => {
  const reply = await found(QUERY);
  check(reply.pagination.pages > 1, `the search "${QUERY}" has more than one page (set UI_QUERY)`);
  await page.goto(BASE);
  await shot(page, "search-idle");
  const [answer] = await Promise.all([
    page.waitForResponse((r) => r.url().includes("/api/search?") && new URL(r.url()).searchParams.get("q") === QUERY),
    page.fill("#searchInput", QUERY),
  ]);
  await expectPage(page, reply);
  const performance = (await answer.json()).performance;
  equal(await page.locator("#performanceInfo .badge").textContent(), `cache ${performance.cacheHit ? "hit" : "miss"}`, "cache badge");
  equal(await page.locator("#resultsMeta .version").first().textContent(), `v${reply.metadata.tables[0].version}`, "version");
  check(new URL(page.url()).searchParams.get("q") === QUERY, "the address has the words");
  for (const id of ["resultsSection", "resultsContainer", "resultsMeta", "performanceInfo", "limitFilter", "pageSizeSelector", "statsSection", "totalRecords", "totalTables", "avgResponseTime", "cacheHitRate", "searchBtn", "loadingIndicator"])
    equal(await page.locator(`#${id}`).count(), 1, `#${id}`);
  equal(await page.locator(".stat-card").count(), 4, "stat cards");
  await shot(page, "search-results");
});

test("search: the figures below are the server's", async (page) => {
  const { tables } = await api("/api/tables");
  await page.goto(BASE);
  await page.waitForFunction(() => document.querySelector("#totalTables")?.textContent !== "–");
  equal(await page.locator("#totalTables").textContent(), group(tables.length), "tables");
  equal(await page.locator("#totalRecords + .stat-note").textContent(), group(tables.reduce((sum, t) => sum + (t.record_count ?? 0), 0)), "records");
});

test("search: pages turn by button and arrow key, and the back button undoes it", async (page) => {
  const [first, second] = [await found(QUERY), await found(QUERY, 2)];
  await page.goto(`${BASE}/?q=${QUERY}`);
  await expectPage(page, first);
  check(await page.locator(".pagination-controls .prev").isDisabled(), "Previous is disabled on the first page");
  await page.click(".pagination-controls .next");
  await expectPage(page, second);
  equal(new URL(page.url()).searchParams.get("page"), "2", "page in the address");
  await page.keyboard.press("ArrowLeft");
  await expectPage(page, first);
  await page.keyboard.press("ArrowRight");
  await expectPage(page, second);
  await page.goBack();
  await expectPage(page, first);
  await page.goto(`${BASE}/?q=${QUERY}&page=${first.pagination.pages}`);
  await expectPage(page, await found(QUERY, first.pagination.pages));
  check(await page.locator(".pagination-controls .next").isDisabled(), "Next is disabled on the last page");
});

test("search: the page size is kept in the address", async (page) => {
  await page.goto(`${BASE}/?q=${QUERY}&page=2`);
  await page.selectOption("#pageSizeSelector", "10");
  await expectPage(page, await found(QUERY, 1, 10));
  equal(new URL(page.url()).searchParams.get("limit"), "10", "limit");
  await page.selectOption("#limitFilter", "50");
  await expectPage(page, await found(QUERY, 1, 50));
  await page.reload();
  await expectPage(page, await found(QUERY, 1, 50));
});

test("search: a page past the end says so", async (page) => {
  await page.goto(`${BASE}/?q=${QUERY}&page=9999`);
  await page.getByText("Go to the last page").click();
  const { pages } = (await found(QUERY)).pagination;
  await expectPage(page, await found(QUERY, pages));
});

test("search: slash focuses the box, and words in it are not shortcuts", async (page) => {
  await page.goto(`${BASE}/?q=${QUERY}`);
  await page.waitForSelector(".result-item");
  await page.keyboard.press("/");
  equal(await page.evaluate(() => document.activeElement.id), "searchInput", "focus");
  await page.keyboard.press("ArrowRight");
  equal(new URL(page.url()).searchParams.get("page"), null, "still the first page");
});

test("search: nothing found is said, with examples", async (page) => {
  await page.goto(`${BASE}/?q=qqqqzzzzxxxx`);
  await page.waitForSelector(".empty .chip");
  check((await heading(page)).startsWith("Found 0 results"), "0 results");
  await shot(page, "search-empty");
});

test("search: a result opens its row and leads to SQL that runs", async (page) => {
  const reply = await found(QUERY);
  const at = reply.results.findIndex((r) => typeof r.metadata.symbol === "string");
  check(at >= 0, "a result has a symbol");
  const { metadata } = reply.results[at];
  await page.goto(`${BASE}/?q=${QUERY}`);
  await page.locator(".result-open").nth(at).click();
  equal(new URL(page.url()).searchParams.get("open"), String(at), "opened result in the address");
  const facts = await page.locator(".result-detail .facts dd").allTextContents();
  check(facts.includes(metadata.symbol), "the symbol is among the facts");
  await page.getByRole("link", { name: "Open in SQL" }).click();
  await page.waitForURL(/\/sql\?/);
  await page.waitForSelector(".grid-row");
  const cells = await page.locator(".grid-row").first().locator(".grid-td").allTextContents();
  check(cells.includes(metadata.symbol), `the row of ${metadata.symbol} is the answer`);
  check((await page.locator(".strip").textContent()).includes(`v${metadata.delta_version}`), "read at the version of the result");
});

test("search: a category narrows, and can be taken off", async (page) => {
  const reply = await found(QUERY);
  const category = reply.results.find((r) => r.category)?.category;
  check(category, "a result has a category");
  await page.goto(`${BASE}/?q=${QUERY}`);
  await page.locator(".result-category", { hasText: category }).first().click();
  const narrowed = await api(`/api/search?${new URLSearchParams({ q: QUERY, page: 1, limit: 20, filters: JSON.stringify({ category: [category] }) })}`);
  await expectPage(page, narrowed);
  check(narrowed.results.every((r) => r.category === category), "only that category");
  await page.locator(".results-tools .chip").click();
  await expectPage(page, reply);
});

test("search: a slow answer shows a skeleton, a lost server an error that can be retried", async (page) => {
  let lost = false;
  await page.route("**/api/search?*", async (route) => {
    if (lost) return route.abort();
    await new Promise((done) => setTimeout(done, 600));
    return route.continue();
  });
  await page.goto(`${BASE}/?q=${QUERY}`);
  await page.waitForSelector(".skeleton-result");
  check(await page.locator("#loadingIndicator").isVisible(), "the loading line shows");
  await page.waitForSelector(".result-item");
  lost = true;
  await page.click(".pagination-controls .next");
  await page.waitForSelector(".problem");
  check((await page.locator(".problem").textContent()).includes("did not answer"), "it says what happened");
  lost = false;
  await page.getByRole("button", { name: "Try again" }).click();
  await expectPage(page, await found(QUERY, 2));
}, { expectedFailures: [/ERR_FAILED/] });

test("search: a server without search says how to get it", async (page) => {
  await page.route("**/api/search?*", (route) => route.fulfill({ status: 404, contentType: "application/problem+json", body: JSON.stringify({ status: 404, code: "NOT_FOUND", detail: "no table is configured for search", hint: "name tables in the search configuration" }) }));
  await page.goto(`${BASE}/?q=x`);
  await page.getByText("name tables in the search configuration").waitFor();
}, { expectedFailures: [/404/] });

test("search: data is text, never markup", async (page) => {
  const evil = `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>`;
  await page.route("**/api/search?*", async (route) => {
    const reply = await (await route.fetch()).json();
    for (const result of reply.results) Object.assign(result, { title: evil, subtitle: evil, description: `${evil}!`, category: evil, matchType: evil });
    await route.fulfill({ json: reply });
  });
  await page.goto(`${BASE}/?q=${QUERY}&open=0`);
  await page.waitForSelector(".result-detail");
  equal((await titles(page))[0], evil, "the title is shown as it is");
  equal(await page.locator("main img").count(), 0, "no image came to be");
  check((await page.title()) !== "owned", "nothing ran");
});
