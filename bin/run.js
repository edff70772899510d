#!/usr/bin/env node
/** `node bin/run.js ENTRY.ts ARGS…`: a script of this repository on the pinned Node. */
import { runEntry } from "./pinned-node.js";

const [entry, ...args] = process.argv.slice(2);
if (entry === undefined) {
  console.error("usage: node bin/run.js ENTRY.ts [ARGUMENTS]");
  process.exit(2);
}
await runEntry(entry, args);
