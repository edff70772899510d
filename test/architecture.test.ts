/** The table of rooms in ARCHITECTURE.md, enforced: who may import whom. */

import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "@jest/globals";

const ROOT = path.dirname(import.meta.dirname);

/** Room → rooms it may import; its own is always allowed. `*` is anything. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  crds: [],
  "cluster/api": [],
  "cluster/storage": ["cluster/api"],
  "cluster/apiserver": ["cluster/api", "cluster/storage", "crds"],
  "cluster/client": ["cluster/api"],
  "cluster/controllers": ["cluster/api", "cluster/client"],
  "cluster/scheduler": ["cluster/api", "cluster/client"],
  "cluster/kubelet": ["cluster/api", "cluster/client", "cluster/runtime", "cluster/network"],
  "cluster/runtime": ["cluster/api"],
  "cluster/network": ["cluster/api"],
  "cluster/proxy": ["cluster/api", "cluster/client"],
  "cluster/dns": ["cluster/api", "cluster/client"],
  "cluster/localhost": ["cluster/api", "cluster/client"],
  "pilot/config": [
    "pilot/model",
    "pilot/registry",
    "ingress/translate",
    "crds",
    "cluster/api",
    "cluster/client",
  ],
  "pilot/registry": ["pilot/model", "crds", "cluster/api"],
  "pilot/model": ["crds"],
  "pilot/translate": ["pilot/model", "pilot/ir", "crds"],
  "pilot/ir": [],
  "pilot/envoy": ["pilot/ir", "pilot/proto"],
  "pilot/proto": [],
  "pilot/cache": ["pilot/proto"],
  "pilot/push": ["pilot/model", "pilot/translate", "pilot/ir", "pilot/envoy", "pilot/cache"],
  "pilot/xds": ["pilot/cache", "pilot/proto"],
  "pilot/explain": ["pilot/model", "pilot/translate", "pilot/ir"],
  "pilot/status": ["pilot/model", "pilot/cache", "cluster/api", "cluster/client"],
  "pilot/validate": [
    "pilot/model",
    "pilot/translate",
    "pilot/ir",
    "pilot/registry",
    "ingress/translate",
    "crds",
    "cluster/api",
    "cluster/client",
  ],
  "pilot/debug": ["*"],
  "ingress/translate": ["pilot/model", "crds", "cluster/api"],
  "ingress/controller": ["cluster/api", "cluster/client", "ingress/translate"],
  "sidecar-injector/inject": ["cluster/api", "cluster/apiserver"],
  "sidecar-injector/webhook": ["sidecar-injector/inject", "cluster/api", "cluster/client"],
  install: [
    "crds",
    "cluster/api",
    "ingress/controller",
    "pilot/registry",
    "pilot/validate",
    "sidecar-injector/webhook",
  ],
  examples: [],
  cli: ["*"],
  test: ["*"],
  tools: [],
};

/** Wiring: these files make a process out of rooms, so they may import anything. */
const WIRING = new Set([
  "cluster/main.ts",
  "cluster/system-objects.ts",
  "cluster/kubelet/main.ts",
  "cluster/dns/main.ts",
  "pilot/main.ts",
  "pilot/serve.ts",
]);

const ROOMS = Object.keys(MAY_IMPORT).toSorted((a, b) => b.length - a.length);

function roomOf(file: string): string | undefined {
  return ROOMS.find((room) => file === room || file.startsWith(`${room}/`));
}

function sourceFiles(): string[] {
  const tops = new Set(ROOMS.map((room) => room.split("/")[0] ?? ""));
  return [...tops].flatMap((top) =>
    readdirSync(path.join(ROOT, top), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts"))
      .map((file) => `${top}/${file}`),
  );
}

function importsOf(file: string): string[] {
  const text = readFileSync(path.join(ROOT, file), "utf8");
  const specifiers = text.matchAll(
    /^(?:import|export)\b[^"';]*?from\s+"([^"]+)"|\bimport\("([^"]+)"\)/gm,
  );
  return [...specifiers].map((match) => match[1] ?? match[2] ?? "");
}

describe("the import table", () => {
  const files = sourceFiles();

  test("covers every source file", () => {
    const homeless = files.filter((file) => roomOf(file) === undefined && !WIRING.has(file));
    expect(homeless.filter((file) => !/^sidecar-injector\/[^/]+\.ts$/.test(file))).toEqual([]);
  });

  test("is kept by every import", () => {
    const violations = files.flatMap((file) => {
      const room = roomOf(file);
      if (room === undefined || WIRING.has(file) || file.endsWith(".test.ts")) return [];
      const allowed = MAY_IMPORT[room] ?? [];
      return importsOf(file)
        .filter((specifier) => specifier.startsWith("#"))
        .filter((specifier) => {
          const target = roomOf(specifier.slice(1));
          return target !== room && !allowed.includes("*") && !allowed.includes(target ?? "");
        })
        .map((specifier) => `${file} imports ${specifier}`);
    });
    expect(violations).toEqual([]);
  });

  test("has no way around it: nothing climbs out of its folder by ../", () => {
    const climbing = files.filter((file) => importsOf(file).some((s) => s.startsWith("../")));
    expect(climbing).toEqual([]);
  });

  test("lets nobody import a process's entry", () => {
    const importers = files.flatMap((file) =>
      importsOf(file)
        .filter((s) => /(^|\/)main\.ts$/.test(s))
        .map((s) => `${file} imports ${s}`),
    );
    expect(importers).toEqual([]);
  });
});
