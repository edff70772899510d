/** `npm run check`: format, lint, types, dead code, then all tests (`--static` leaves them out). */

import { close, runCheck, runJest, total } from "./suites.ts";

const counts = [
  await runCheck("format", ["prettier", "--check", "--log-level", "warn", "."]),
  await runCheck("lint", ["oxlint", "--deny-warnings"]),
  await runCheck("types", ["tsc", "-p", "."]),
  await runCheck("dead code", ["knip"]),
];
if (!process.argv.includes("--static")) {
  counts.push(await runJest("unit", []), await runJest("e2e", []));
}
close(total(counts));
