import { api, BASE, check, equal, group, query, shot, test } from "./harness.mjs";

/* A table with at least two versions, and its details. */
async function aged() {
  const { tables } = await api("/api/tables");
  const name = tables.filter((t) => t.version > 0).sort((a, b) => Number(a.schema_name !== "silver") - Number(b.schema_name !== "silver"))[0]?.name;
  check(name, "a table has two versions");
  return api(`/api/tables/${encodeURIComponent(name)}`);
}
const rowsAt = async (name, version) => Number((await query(`SELECT count(*) AS n FROM ${name} VERSION AS OF ${version}`)).body.rows[0].n);
const shownVersion = (page, version) => page.waitForFunction((text) => document.querySelector(".answer .strip .version")?.textContent === text && !document.querySelector(".answer.stale, .comparison.stale"), `v${version}`);

test("tables: every table is listed with its rows and size", async (page) => {
  const { tables } = await api("/api/tables");
  await page.goto(`${BASE}/tables`);
  await page.waitForSelector(".listing .row");
  equal(await page.locator(".listing .row").count(), tables.length, "tables");
  for (const t of tables) {
    const row = page.locator(".listing .row", { has: page.locator(`a[href="/tables/${encodeURIComponent(t.name)}"]`) });
    equal(await row.locator("td").first().textContent(), group(t.record_count), `rows of ${t.name}`);
    equal(await row.locator(".version").textContent(), `v${t.version}`, `version of ${t.name}`);
  }
  await shot(page, "tables");
  await page.fill(".filter", tables[0].name);
  equal(await page.locator(".listing .row").count(), tables.filter((t) => t.name.includes(tables[0].name)).length, "filtered tables");
});

test("tables: an empty lake offers a first statement", async (page) => {
  await page.route("**/api/tables", (route) => route.fulfill({ json: { tables: [], total_tables: 0 } }));
  await page.goto(`${BASE}/tables`);
  await page.getByRole("link", { name: "Open it in SQL" }).click();
  await page.waitForSelector(".cm-content");
  check((await page.locator(".cm-content").textContent()).includes("CREATE TABLE"), "the example is in the editor");
  equal(await page.locator(".result .strip").count(), 0, "it did not run by itself");
});

test("table: schema, history and properties are the server's", async (page) => {
  const detail = await aged();
  await page.goto(`${BASE}/tables/${detail.name}`);
  await page.getByRole("tab", { name: /Schema/ }).click();
  equal(await page.locator(".schema tbody code").allTextContents(), detail.schema.map((f) => f.type), "types");
  await shot(page, "table-schema");
  await page.getByRole("tab", { name: /History/ }).click();
  equal(await page.locator(".history-version").allTextContents(), detail.history.map((c) => `v${c.version}`), "versions");
  equal(await page.locator(".history .op").allTextContents(), detail.history.map((c) => c.operation), "operations");
  await shot(page, "table-history");
  await page.getByRole("tab", { name: "Properties" }).click();
  check((await page.locator(".facts-table").textContent()).includes(detail.location), "location");
  await page.goBack();
  equal(await page.locator('[role="tab"][aria-selected="true"]').getAttribute("data-tab"), "history", "back to the tab before");
});

test("table: the slider re-asks at the version chosen by key and by dragging", async (page) => {
  const detail = await aged();
  const versions = detail.history.map((c) => c.version).reverse();
  await page.goto(`${BASE}/tables/${detail.name}`);
  await shownVersion(page, detail.version);
  const knob = page.getByRole("slider", { name: "Version", exact: true });
  equal(await knob.getAttribute("aria-valuenow"), String(detail.version), "starts at the newest");
  await knob.focus();
  await page.keyboard.press("ArrowLeft");
  const before = versions.at(-2);
  await shownVersion(page, before);
  equal(new URL(page.url()).searchParams.get("v"), String(before), "version in the address");
  check((await page.locator(".comparison").textContent()).startsWith(group(await rowsAt(detail.name, before))), "rows of that version");
  await shot(page, "table-earlier-version");

  const track = await page.locator(".slider-track").boundingBox();
  await page.mouse.move(track.x + track.width * (1 - 1.5 / versions.length), track.y + track.height / 2);
  await page.mouse.down();
  await page.mouse.move(track.x + 3, track.y + track.height / 2, { steps: 12 });
  await page.mouse.up();
  await shownVersion(page, versions[0]);
  equal(await knob.getAttribute("aria-valuenow"), String(versions[0]), "dragged to the oldest");
  await page.goBack();
  await shownVersion(page, before);
  await page.goBack();
  await shownVersion(page, detail.version);
});

test("table: two versions are compared by their rows", async (page) => {
  const detail = await aged();
  const [newest, before] = detail.history.map((c) => c.version);
  const change = (await rowsAt(detail.name, newest)) - (await rowsAt(detail.name, before));
  await page.goto(`${BASE}/tables/${detail.name}`);
  await page.getByRole("button", { name: "Compare with…" }).click();
  equal(new URL(page.url()).searchParams.get("with"), String(before), "other version in the address");
  await page.waitForSelector(".change");
  const sign = change > 0 ? "+" : change < 0 ? "−" : "±";
  check((await page.locator(".change").textContent()).startsWith(`${sign}${group(Math.abs(change))} `), `a change of ${change}`);
  equal(await page.getByRole("slider").count(), 2, "two handles");
  await shot(page, "table-compare");
});

test("table: columns and a condition are asked and kept in the address", async (page) => {
  const detail = await aged();
  const column = detail.schema[0].name;
  await page.goto(`${BASE}/tables/${detail.name}`);
  await page.fill("#columnsInput", column);
  await page.fill("#whereInput", `${column} IS NULL AND 1 = 0`);
  await page.keyboard.press("Enter");
  await page.getByText("has no such rows").waitFor();
  await page.fill("#whereInput", "");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelectorAll(".grid-th").length === 1);
  equal(new URL(page.url()).searchParams.get("columns"), column, "columns in the address");
});

test("table: a condition with an error is explained", async (page) => {
  const detail = await aged();
  await page.goto(`${BASE}/tables/${detail.name}?where=no_such_column_at_all+%3D+1`);
  await page.waitForSelector(".problem-message");
  check((await page.locator(".problem").textContent()).includes("no_such_column_at_all"), "the message names it");
}, { expectedFailures: [/status of 4\d\d/] });

test("table: a name that does not exist is said", async (page) => {
  await page.goto(`${BASE}/tables/no_such.table_here`);
  await page.getByText("There is no table").waitFor();
}, { expectedFailures: [/404/] });
