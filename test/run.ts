/** `npm test [unit|e2e] [jest arguments]`: sets up what the tests need, then runs the suites. */

import { ensureEnvoy } from "#cli/setup/envoy.ts";
import { ensurePackages } from "#cli/setup/packages.ts";
import { completePath } from "#cli/setup/tools.ts";
import { close, runJest, total } from "./suites.ts";

const [first, ...rest] = process.argv.slice(2);
const only = first === "unit" || first === "e2e" ? first : undefined;
const args = only === undefined && first !== undefined ? [first, ...rest] : rest;

const progress = (line: string): void => {
  console.log(`set-up: ${line}`);
};
completePath();
await ensurePackages(progress);
process.env.ENVOY_PATH = await ensureEnvoy(progress);

const projects: ("unit" | "e2e")[] = only === undefined ? ["unit", "e2e"] : [only];
const counts = [];
for (const project of projects) counts.push(await runJest(project, args));
close(total(counts));
