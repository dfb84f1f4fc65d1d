// A browser, a list of tests, and the rules that hold for every page: no content-policy violation, no request to another host, no error in the console.
import { mkdirSync } from "node:fs";

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
export const BASE = (process.env.UI_URL ?? "http://127.0.0.1:3005").replace(/\/$/, "");
const SHOTS = process.env.UI_SHOTS;
const ONLY = process.env.UI_ONLY;
const TEST_TIMEOUT_MS = 60_000;

const tests = [];
export const test = (name, body, options = {}) => tests.push({ name, body, options });

export function equal(actual, expected, what) {
  const a = JSON.stringify(actual), b = JSON.stringify(expected);
  if (a !== b) throw new Error(`${what}: expected ${b}, found ${a}`);
}
export function check(condition, what) {
  if (!condition) throw new Error(what);
}

/* ---- the server, asked directly: what the page must show ------------------------------------ */

export async function api(path) {
  const response = await fetch(BASE + path, { headers: { Accept: "application/json" } });
  if (!response.ok) throw new Error(`${path} answered ${response.status}`);
  return response.json();
}
export async function query(sql) {
  const response = await fetch(`${BASE}/api/query?bigint=string`, { method: "POST", headers: { "Content-Type": "application/json", Accept: "application/json" }, body: JSON.stringify({ sql }) });
  return { status: response.status, body: await response.json() };
}
export const group = (n) => new Intl.NumberFormat("en-US").format(n);

/* ---- pages ----------------------------------------------------------------------------------- */

const watchPolicy = () => {
  addEventListener("securitypolicyviolation", (e) => console.error(`POLICY ${e.violatedDirective} blocked ${e.blockedURI} ${e.sourceFile}:${e.lineNumber}`));
};

async function open(browser, options) {
  const context = await browser.newContext({ viewport: { width: options.width ?? 1280, height: options.height ?? 860 }, colorScheme: options.scheme ?? "light", reducedMotion: options.reducedMotion ?? "no-preference" });
  await context.addInitScript(watchPolicy);
  await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: BASE });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const faults = [];
  const expected = options.expectedFailures ?? [];
  page.on("pageerror", (error) => faults.push(`exception: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() !== "error" || expected.some((pattern) => pattern.test(message.text()))) return;
    faults.push(`console: ${message.text()}`);
  });
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.protocol.startsWith("http") && url.origin !== new URL(BASE).origin) faults.push(`request to another host: ${request.url()}`);
  });
  return { context, page, faults };
}

export async function shot(page, name) {
  if (!SHOTS) return;
  mkdirSync(SHOTS, { recursive: true });
  await page.screenshot({ path: `${SHOTS}/${name}.png`, fullPage: true });
}

/* ---- running ---------------------------------------------------------------------------------- */

const timeLimit = (ms) => new Promise((_, reject) => setTimeout(() => reject(new Error(`took longer than ${ms / 1000} s`)), ms).unref());

async function runOne(browser, { name, body, options }) {
  const { context, page, faults } = await open(browser, options);
  try {
    await Promise.race([body(page, context), timeLimit(TEST_TIMEOUT_MS)]);
    if (faults.length) throw new Error(faults.join("; "));
    console.log(`ok      ${name}`);
    return true;
  } catch (error) {
    console.log(`FAILED  ${name}\n        ${String(error.message).split("\n").slice(0, 6).join("\n        ")}${faults.length ? `\n        faults: ${faults.join("; ")}` : ""}`);
    await shot(page, `failed-${name.replaceAll(/\W+/g, "-")}`).catch(() => undefined);
    return false;
  } finally {
    await context.close();
  }
}

/* One clear line instead of a failure per test when there is no server. */
async function requireServer() {
  try {
    await api("/api/health");
  } catch (error) {
    console.log(`no server answers at ${BASE} (set UI_URL): ${error.message}\n0 passed, 1 failed`);
    process.exit(1);
  }
}

export async function main() {
  let chromium;
  try {
    ({ chromium } = await import(new URL("../../web/node_modules/playwright-core/index.mjs", import.meta.url)));
  } catch {
    console.log("playwright-core is not installed: run `npm ci` in web/\n0 passed, 1 failed");
    process.exit(1);
  }
  await requireServer();
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ARGS });
  let passed = 0, failed = 0;
  for (const one of tests.filter((t) => !ONLY || t.name.includes(ONLY))) (await runOne(browser, one)) ? passed++ : failed++;
  await browser.close();
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed === 0 && passed > 0 ? 0 : 1);
}
