/** `prometheus.io/*`: an app's metrics are merged with Envoy's, and scraped at the status port. */

import type { Labels } from "./pod-input.ts";

/** Where the app offers its metrics, inside the pod. */
export interface ScrapeConfig {
  port: number;
  path: string;
}

export interface PrometheusResult {
  annotations: Labels;
  scrape?: ScrapeConfig;
  /** What the app's annotations said, for a second injection. */
  original?: Readonly<Record<string, string>>;
  problem?: { annotation: string; message: string };
}

/** The variable of the proxy that keeps what the annotations were, as in Istio. */
export const SCRAPING = "ISTIO_PROMETHEUS_ANNOTATIONS";

const FIELDS = ["scrape", "port", "path"] as const;

/**
 * Points Prometheus at the status port, unless the app says `scrape: "false"`. Prometheus takes any
 * spelling that becomes the same label name (`prometheus.io.scrape`), so all of them are read.
 */
export function mergePrometheus(annotations: Labels, statusPort: number): PrometheusResult {
  const found = read(annotations);
  const values = Object.fromEntries(found.map(({ field, value }) => [field, value]));
  if (["false", "f", "0"].includes((values.scrape ?? "true").toLowerCase())) return { annotations };
  // Whoever points at the status port has arranged it himself.
  if (values.port === String(statusPort)) return { annotations };
  const port = Number(values.port ?? "80");
  const path = values.path ?? "/metrics";
  const name = found.find(({ field }) => field === "port")?.name ?? "";
  if (values.port !== undefined && !(/^\d{1,5}$/.test(values.port) && port >= 1 && port < 65_536)) {
    const message = `${JSON.stringify(values.port)} is no port`;
    return { annotations, problem: { annotation: name, message } };
  }
  if (values.port !== undefined && RESERVED.has(port)) {
    const message = `port ${port} belongs to the proxy`;
    return { annotations, problem: { annotation: name, message } };
  }
  const spellings = new Set(found.map((one) => one.name));
  const others = Object.entries(annotations).filter(([key]) => !spellings.has(key));
  return {
    annotations: {
      ...Object.fromEntries(others),
      "prometheus.io/scrape": "true",
      "prometheus.io/port": String(statusPort),
      "prometheus.io/path": "/stats/prometheus",
    },
    ...(found.length > 0 && { original: values }),
    // Only an app that says so has metrics.
    ...(values.scrape !== undefined && {
      scrape: { port, path: path.startsWith("/") ? path : `/${path}` },
    }),
  };
}

/** Annotations as they were before `mergePrometheus`; `text` is the variable's value. */
export function restorePrometheus(
  annotations: Labels,
  text: string | undefined,
  statusPort: number,
): Labels {
  const found = read(annotations);
  if (!found.some(({ field, value }) => field === "port" && value === String(statusPort))) {
    return annotations;
  }
  const spellings = new Set(found.map(({ name }) => name));
  const others = Object.entries(annotations).filter(([key]) => !spellings.has(key));
  return { ...Object.fromEntries(others), ...parse(text) };
}

const RESERVED = new Set([15_000, 15_001, 15_006, 15_008, 15_020, 15_021, 15_090]);

function read(annotations: Labels): { field: string; name: string; value: string }[] {
  return Object.entries(annotations).flatMap(([name, value]) => {
    const label = name.replaceAll(/[^a-zA-Z0-9_]/g, "_");
    const field = FIELDS.find((one) => label === `prometheus_io_${one}`);
    return field === undefined ? [] : [{ field, name, value }];
  });
}

function parse(text: string | undefined): Labels {
  try {
    const value: unknown = JSON.parse(text ?? "{}");
    if (typeof value !== "object" || value === null) return {};
    return Object.fromEntries(
      Object.entries(value)
        .filter(([field, one]) => FIELDS.some((f) => f === field) && typeof one === "string" && one)
        .map(([field, one]) => [`prometheus.io/${field}`, String(one)]),
    );
  } catch {
    // The variable is a user's own: nothing is known of what was.
    return {};
  }
}
