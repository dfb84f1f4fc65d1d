// Exits 0 when node_modules holds what package-lock.json asks for: `node installed.mjs` for the build, `node installed.mjs --dev` for checks and tests too.
import { readFileSync } from "node:fs";

const read = (name) => JSON.parse(readFileSync(new URL(name, import.meta.url), "utf8")).packages;

function matches(withDev) {
  let wanted, found;
  try {
    wanted = read("package-lock.json");
    found = read("node_modules/.package-lock.json");
  } catch {
    return false;
  }
  return Object.entries(wanted).every(([path, want]) => {
    if (path === "" || want.optional || (want.dev && !withDev)) return true;
    return found[path]?.version === want.version && found[path]?.integrity === want.integrity;
  });
}

process.exitCode = matches(process.argv.includes("--dev")) ? 0 : 1;
