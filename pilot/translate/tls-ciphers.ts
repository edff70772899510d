/** Cipher suites and curves that proxies know; others would make them refuse the whole listener. */

import { type Reporter, error } from "./result.ts";

const SUITES: ReadonlySet<string> = new Set([
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-CHACHA20-POLY1305",
  "ECDHE-ECDSA-AES128-SHA",
  "ECDHE-RSA-AES128-SHA",
  "ECDHE-ECDSA-AES256-SHA",
  "ECDHE-RSA-AES256-SHA",
  "AES128-GCM-SHA256",
  "AES256-GCM-SHA384",
  "AES128-SHA",
  "AES256-SHA",
]);

/** Those of the list that are known, each once; the others are problems. */
export function cipherSuites(names: readonly string[], path: string, report: Reporter): string[] {
  const distinct = [...new Set(names)];
  for (const name of distinct) {
    if (!SUITES.has(name)) error(report, path, "UnknownCipherSuite", `${name} is left out`);
  }
  return distinct.filter((name) => SUITES.has(name));
}
