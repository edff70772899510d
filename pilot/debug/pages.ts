/** The pages by path; read-only, in the shapes of Istio's where there are such. */

import type { Gauges } from "./metrics.ts";
import { connectedProxies, json, text } from "./page.ts";
import type { DebugSources, PageHandler } from "./page.ts";
import { PROXY_PAGES } from "./proxy-pages.ts";
import { WORLD_PAGES, allProblems, ofKind } from "./world-pages.ts";
import { lookup } from "#pilot/model/object-index.ts";
import { allServices } from "#pilot/model/push-context.ts";

const DEBUG: ReadonlyMap<string, PageHandler> = new Map(
  Object.entries({
    ...PROXY_PAGES,
    ...WORLD_PAGES,
    list: { help: "Names of these pages", show: () => json(pageNames()) },
  }),
);

function pageNames(): string[] {
  return [...DEBUG.keys()].filter((name) => name !== "list").toSorted();
}

const INDEX: PageHandler = {
  help: "This page",
  show: () => text(200, [...PAGES].map(([path, { help }]) => `${path}  ${help}\n`).join("")),
};

/** Path → page. Those under `/debug` show configuration and are for the machine itself only. */
export const PAGES: ReadonlyMap<string, PageHandler> = new Map<string, PageHandler>([
  [
    "/ready",
    {
      help: "Whether everything is served",
      show: ({ isReady }) => text(isReady() ? 200 : 503, isReady() ? "ready\n" : "not ready\n"),
    },
  ],
  ["/version", { help: "The version", show: ({ version }) => text(200, versionText(version)) }],
  [
    "/metrics",
    {
      help: "Prometheus' metrics",
      show: (sources) => text(200, sources.metrics.text(gaugesOf(sources)), "; version=0.0.4"),
    },
  ],
  ["/debug", INDEX],
  ...[...DEBUG].map(([name, page]): [string, PageHandler] => [`/debug/${name}`, page]),
]);

/** `VERSION-REVISION-STATUS`, as istioctl takes Istio's apart. */
function versionText(version: string): string {
  return `${version}-lateen-Clean`;
}

function gaugesOf(sources: DebugSources): Gauges {
  const { context } = sources.pusher;
  const proxies = new Map<string, number>();
  for (const { connection } of connectedProxies(sources)) {
    const { istioVersion, version } = connection.proxy;
    const shown = [istioVersion, version, "unknown"].find((one) => one !== "") ?? "";
    proxies.set(shown, (proxies.get(shown) ?? 0) + 1);
  }
  const all = allProblems(sources);
  const problems = new Map<string, number>();
  for (const { reason } of all) {
    problems.set(reason, (problems.get(reason) ?? 0) + 1);
  }
  const services = allServices(context);
  return {
    version: sources.version,
    proxies,
    services: services.length,
    servicesWithoutEndpoints: services.filter(
      ({ resolution, host }) =>
        resolution === "discovery" &&
        !lookup(context.indexes.endpointsByHost, host).some((set) => set.endpoints.length > 0),
    ).length,
    virtualServices: ofKind(context, "VirtualService").length,
    scopes: sources.pusher.scopes().length,
    problems,
    rejectedConfigs: all.filter(({ severity }) => severity === "error").length,
  };
}
