// What holds for every page: policy, size, themes, widths, contrast, keyboard.
import { api, BASE, check, equal, shot, test } from "./harness.mjs";

const PRICES = "SELECT DATE '2018-01-01' + range::INTEGER AS date, 10.0 + range AS open, 12.0 + range AS high, 9.0 + range AS low, 11.0 + range AS close FROM range(60)";

/* Address and what tells that it is all there. */
async function pages() {
  const { tables } = await api("/api/tables");
  const table = tables.find((t) => t.version > 0 && t.schema_name === "silver") ?? tables[0];
  const at = `/tables/${encodeURIComponent(table.name)}`;
  return {
    home: ["/", "#statsSection"],
    results: [`/?q=${process.env.UI_QUERY ?? "technology"}`, ".result-item"],
    detail: [`/?q=${process.env.UI_QUERY ?? "technology"}&open=0`, ".result-detail"],
    tables: ["/tables", ".listing .row"],
    table: [at, ".grid-row, .empty"],
    schema: [`${at}?tab=schema`, ".schema"],
    history: [`${at}?tab=history`, ".history li"],
    properties: [`${at}?tab=properties`, ".facts-table"],
    sql: [`/sql?${new URLSearchParams({ q: PRICES })}`, ".cm-content"],
  };
}

async function visit(page, [address, ready], name) {
  await page.goto(BASE + address);
  await page.waitForSelector(ready);
  if (name === "sql") {
    await page.click("#runBtn");
    await page.waitForSelector(".grid-row");
  }
  await page.waitForLoadState("networkidle");
}

/* The lowest contrast of visible text against what is behind it, when under WCAG AA. Runs in the page. */
const lowContrast = () => {
  const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, under) => top.slice(0, 3).map((c, i) => c * top[3] + under[i] * (1 - top[3]));
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) {
      const colour = rgba(getComputedStyle(e).backgroundColor);
      if (colour[3] > 0) layers.push(colour);
      if (colour[3] === 1) break;
    }
    return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255]);
  };
  const bad = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    const style = getComputedStyle(element);
    const box = element.getBoundingClientRect();
    if (!node.data.trim() || !box.width || style.visibility === "hidden" || element.closest(".sr-only, .skip, noscript, script, style, :disabled, .stale")) continue;
    const back = behind(element);
    const [a, b] = [luminance(over(rgba(style.color), back)), luminance(back)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) bad.push(`${ratio.toFixed(2)} "${node.data.trim().slice(0, 30)}" .${element.className}`);
  }
  return [...new Set(bad)].slice(0, 8);
};

for (const scheme of ["light", "dark"]) {
  for (const width of [1280, 375]) {
    test(`whole: every page at ${width} px in the ${scheme} theme: no sideways scroll, readable text`, async (page) => {
      for (const [name, target] of Object.entries(await pages())) {
        await visit(page, target, name);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth);
        check(wide <= width, `${name} is ${wide} px wide`);
        equal(await page.evaluate(lowContrast), [], `text of low contrast on ${name}`);
        await shot(page, `${name}-${scheme}-${width}`);
      }
    }, { scheme, width, height: width === 375 ? 812 : 860 });
  }
}

test("whole: the policy has no unsafe source, and the page has its nonce", async (page) => {
  const response = await page.goto(BASE);
  const policy = response.headers()["content-security-policy"] ?? "";
  check(policy.includes("script-src 'self'") && !policy.includes("unsafe"), `policy: ${policy}`);
  const nonce = await page.locator('meta[name="csp-nonce"]').getAttribute("content");
  check(nonce.length >= 16 && policy.includes(`'nonce-${nonce}'`), "the nonce of the page is the policy's");
  const again = await page.goto(BASE);
  check(!again.headers()["content-security-policy"].includes(nonce), "each response has its own nonce");
});

test("whole: the first page needs at most 60 kB", async (page) => {
  const done = [];
  page.on("requestfinished", (request) => !request.url().includes("/api/") && done.push(request.sizes().then((s) => s.responseBodySize)));
  await page.goto(BASE, { waitUntil: "networkidle" });
  const total = (await Promise.all(done)).reduce((a, b) => a + b, 0);
  check(total > 10_000 && total <= 60_000, `${total} bytes`);
});

test("whole: the theme follows the system, can be changed, and is kept", async (page) => {
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await page.goto(BASE);
  const light = await ground();
  await page.emulateMedia({ colorScheme: "dark" });
  const dark = await ground();
  check(light !== dark, "the system's theme is followed");
  await page.emulateMedia({ colorScheme: "light" });
  await page.click("#themeToggle");
  equal(await ground(), dark, "changed to dark");
  await page.reload();
  equal(await ground(), dark, "still dark after a reload");
  await page.click("#themeToggle");
  equal(await ground(), light, "and light again");
});

test("whole: the keyboard reaches everything, and the focus can be seen", async (page) => {
  await page.goto(`${BASE}/?q=${process.env.UI_QUERY ?? "technology"}`);
  await page.waitForSelector(".result-item");
  const seen = new Set();
  for (let i = 0; i < 22; i++) {
    await page.keyboard.press("Tab");
    const focus = await page.evaluate(() => {
      const e = document.activeElement;
      const style = getComputedStyle(e);
      const ring = (s) => (s.outlineStyle !== "none" && parseFloat(s.outlineWidth) > 0) || s.boxShadow !== "none";
      const field = e.closest(".search-field");
      return { name: e.id || e.className || e.textContent, ring: ring(style) || (field !== null && ring(getComputedStyle(field))) };
    });
    check(focus.ring, `"${focus.name}" shows its focus`);
    seen.add(focus.name);
  }
  for (const name of ["skip", "brand", "themeToggle", "searchInput", "searchBtn", "limitFilter", "result-open"]) check([...seen].some((s) => s.includes(name)), `${name} is reached`);
  await page.locator(".result-open").first().focus();
  await page.keyboard.press("Enter");
  await page.waitForSelector(".result-detail");
});

test("whole: the links between pages do not load the page anew", async (page) => {
  await page.goto(BASE);
  await page.evaluate(() => (window.stayed = true));
  await page.getByRole("link", { name: "Tables" }).click();
  await page.waitForSelector(".listing .row");
  await page.locator(".listing .row a").first().click();
  await page.waitForSelector(".table-name");
  await page.getByRole("link", { name: "SQL", exact: true }).click();
  await page.waitForSelector(".cm-content");
  await page.goBack();
  await page.waitForSelector(".table-name");
  check(await page.evaluate(() => window.stayed === true), "one document throughout");
});

test("whole: nothing moves for those who asked for that", async (page) => {
  await page.route("**/api/search?*", () => undefined);
  await page.goto(`${BASE}/?q=x`);
  await page.waitForSelector(".skeleton");
  equal(await page.evaluate(() => document.getAnimations().length), 0, "animations");
}, { reducedMotion: "reduce" });

test("whole: an unknown address says so", async (page) => {
  await page.goto(BASE);
  await page.evaluate(() => {
    history.pushState(null, "", "/no/such/page");
    dispatchEvent(new PopStateEvent("popstate"));
  });
  await page.getByText("There is no such page").waitFor();
});
