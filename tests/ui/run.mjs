// The web page in a real browser against a running server: UI_URL=http://127.0.0.1:3005 node tests/ui/run.mjs
// UI_SHOTS=DIR keeps screenshots, UI_ONLY=TEXT picks tests by name, UI_QUERY is a search with more than one page of results.
// Needs a lake in which search is configured and a table has two versions and a bigint or decimal column, as after `./dev demo`.
import { main } from "./harness.mjs";

await import("./search.test.mjs");
await import("./tables.test.mjs");
await import("./sql.test.mjs");
await import("./whole.test.mjs");
await main();
