// Bundles the page with esbuild and writes what the C program embeds. Called by build.sh, which sets WEB_DIST.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, extname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const here = dirname(fileURLToPath(import.meta.url));
const dist = resolve(process.env.WEB_DIST);
const files = join(dist, "assets");

const MEDIA_TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
};
// Newer syntax is kept as it is: these are the oldest browsers with light-dark() and CSS nesting.
const BROWSERS = ["chrome123", "firefox121", "safari17.5"];

const sha256 = (bytes, encoding) => createHash("sha256").update(bytes).digest(encoding);

async function bundle() {
  const common = {
    absWorkingDir: here, bundle: true, minify: true, target: BROWSERS, outdir: files, outbase: "src", metafile: true,
    entryNames: "[name]-[hash]", chunkNames: "[name]-[hash]", assetNames: "[name]-[hash]", legalComments: "none", logLevel: "warning",
  };
  const app = await build({ ...common, entryPoints: ["src/main.tsx", "src/style.css"], format: "esm", splitting: true, jsx: "automatic", jsxImportSource: "preact" });
  const theme = await build({ ...common, entryPoints: ["src/theme-early.ts"], format: "iife" });
  const outputs = { ...app.metafile.outputs, ...theme.metafile.outputs };
  return { outputs, inputs: Object.keys(app.metafile.inputs) };
}

const entryOf = (outputs, source) => {
  const found = Object.entries(outputs).find(([, output]) => output.entryPoint === source);
  if (!found) throw new Error(`esbuild made no output for ${source}`);
  return found;
};
const urlOf = (path) => `/assets/${basename(path)}`;

/* The licence texts of every package that ends up in the page. */
function notices(inputs) {
  const packages = new Set();
  for (const input of inputs) {
    const match = /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input);
    if (match) packages.add(match[1]);
  }
  const parts = ["The Varve page contains these open-source packages.\n"];
  for (const name of [...packages].sort()) {
    const folder = join(here, "node_modules", name);
    const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    parts.push(`${"=".repeat(78)}\n${name} ${version} (${license})\n`);
    for (const file of readdirSync(folder).sort())
      if (/^(licen[sc]e|notice|copying)/i.test(file)) parts.push(readFileSync(join(folder, file), "utf8").trim() + "\n");
  }
  return Buffer.from(parts.join("\n"));
}

function writeHashed(name, bytes) {
  const extension = extname(name);
  const path = join(files, `${basename(name, extension)}-${sha256(bytes, "hex").slice(0, 8).toUpperCase()}${extension}`);
  writeFileSync(path, bytes);
  return path;
}

function page(outputs, icon) {
  const [main, output] = entryOf(outputs, "src/main.tsx");
  const preload = output.imports.filter((i) => i.kind === "import-statement").map((i) => `<link rel="modulepreload" href="${urlOf(i.path)}">`);
  const values = {
    ICON: urlOf(icon), STYLE: urlOf(entryOf(outputs, "src/style.css")[0]), THEME: urlOf(entryOf(outputs, "src/theme-early.ts")[0]),
    MAIN: urlOf(main), PRELOAD: preload.join("\n"),
  };
  return readFileSync(join(here, "index.html"), "utf8").replace(/%([A-Z]+)%/g, (all, key) => values[key] ?? all);
}

const cString = (text) => JSON.stringify(text);

/* index.html holds a placeholder that the server fills in per response, so it has no gzip form. */
function describe(path, file) {
  const immutable = path.startsWith("/assets/") && basename(file) !== "notices.txt";
  const bytes = readFileSync(file);
  const asset = { path, file, size: bytes.length, immutable, type: MEDIA_TYPES[extname(file)], etag: `"${sha256(bytes, "base64url").slice(0, 22)}"` };
  if (!asset.type) throw new Error(`no media type for ${file}`);
  const packed = path !== "/" ? gzipSync(bytes, { level: 9 }) : bytes;
  if (packed.length < bytes.length) {
    asset.gzipFile = `${file}.gz`;
    asset.gzipSize = packed.length;
    writeFileSync(asset.gzipFile, packed);
  }
  return asset;
}

function assembler(assets) {
  const symbol = (name, file) =>
    `    .balign 16\n    .global ${name}\n    .hidden ${name}\n    .type ${name}, %object\n${name}:\n    .incbin ${cString(file)}\n    .size ${name}, . - ${name}\n`;
  const parts = ["/* Made by web/build.mjs. */\n    .section .rodata\n"];
  assets.forEach((asset, i) => {
    parts.push(symbol(`web_asset_${i}`, asset.file));
    if (asset.gzipFile) parts.push(symbol(`web_asset_${i}_gzip`, asset.gzipFile));
  });
  parts.push('    .section .note.GNU-stack,"",%progbits\n');
  return parts.join("");
}

function header(assets) {
  const externs = assets.map((a, i) => `extern const unsigned char web_asset_${i}[];\n` + (a.gzipFile ? `extern const unsigned char web_asset_${i}_gzip[];\n` : ""));
  const rows = assets.map((a, i) =>
    `    {${cString(a.path)}, ${cString(a.type)}, ${cString(a.etag)}, web_asset_${i}, ${a.size}, ` +
    `${a.gzipFile ? `web_asset_${i}_gzip` : "NULL"}, ${a.gzipSize ?? 0}, ${a.immutable}},\n`);
  return `/* Made by web/build.mjs: the files of the web page.  gzip is NULL where there is no smaller form.
 * "/" holds the text __CSP_NONCE__, to be replaced in every response: its etag is of the bytes before that. */
#ifndef WEB_ASSETS_H
#define WEB_ASSETS_H

#include <stdbool.h>
#include <stddef.h>

struct web_asset {
    const char *path, *media_type, *etag;
    const unsigned char *bytes;
    size_t len;
    const unsigned char *gzip;
    size_t gzip_len;
    bool immutable; /* the name has a hash of the bytes in it */
};

${externs.join("")}
static const struct web_asset web_assets[] = {
${rows.join("")}};
static const size_t web_asset_count = ${assets.length};

#endif
`;
}

/* Replaced at once, so that a reader never sees half a file. */
function replace(path, text) {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}

rmSync(files, { recursive: true, force: true });
mkdirSync(files, { recursive: true });
const { outputs, inputs } = await bundle();
const icon = writeHashed("varve.svg", readFileSync(join(here, "src/varve.svg")));
const notice = join(files, "notices.txt");
writeFileSync(notice, notices(inputs));
const index = join(dist, "index.html");
replace(index, page(outputs, icon));

const names = readdirSync(files).sort().filter((name) => !name.endsWith(".gz"));
const assets = [describe("/", index), ...names.map((name) => describe(`/assets/${name}`, join(files, name)))];
replace(join(dist, "assets.S"), assembler(assets));
replace(join(dist, "assets.h"), header(assets));

const firstLoad = new Set(["/", ...[...page(outputs, icon).matchAll(/(?:href|src)="([^"]+)"/g)].map((m) => m[1])]);
const total = assets.filter((a) => firstLoad.has(a.path)).reduce((sum, a) => sum + (a.gzipSize ?? a.size), 0);
console.log(`web: ${assets.length} files; the first page needs ${(total / 1000).toFixed(1)} kB`);
