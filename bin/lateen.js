#!/usr/bin/env node
import { runEntry } from "./pinned-node.js";

await runEntry("cli/main.ts", process.argv.slice(2));
