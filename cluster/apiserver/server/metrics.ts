/** Counters in Prometheus' text format, under Kubernetes' names. */

import type { RequestInfo } from "./request.ts";

/** Upper bounds in seconds. */
const BUCKETS = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 5, 10, 60];
/** Label sets are made of table rows and codes, so they are few; this bounds surprises. */
const MAX_SERIES = 2_000;

interface Series {
  labels: string;
  count: number;
  seconds: number;
  buckets: number[];
}

export class RequestMetrics {
  readonly #series = new Map<string, Series>();
  #inFlight = 0;

  started(): void {
    this.#inFlight += 1;
  }

  /** `known` tells that the resource exists; the names of others are not kept. */
  finished(info: RequestInfo, known: boolean, result: { code: number; seconds: number }): void {
    this.#inFlight -= 1;
    const labels = `${labelsOf(info, known)},code="${result.code}"`;
    let series = this.#series.get(labels);
    if (series === undefined) {
      if (this.#series.size >= MAX_SERIES) return;
      series = { labels, count: 0, seconds: 0, buckets: BUCKETS.map(() => 0) };
      this.#series.set(labels, series);
    }
    series.count += 1;
    series.seconds += result.seconds;
    const first = BUCKETS.findIndex((bound) => result.seconds <= bound);
    if (first >= 0) series.buckets[first] = (series.buckets[first] ?? 0) + 1;
  }

  text(revision: number): string {
    const { rss } = process.memoryUsage();
    const { user, system } = process.cpuUsage();
    return [
      ...type("apiserver_request_total", "counter"),
      ...[...this.#series.values()].map((it) => sample("apiserver_request_total", it)),
      ...type("apiserver_request_duration_seconds", "histogram"),
      ...[...this.#series.values()].flatMap(histogram),
      ...type("apiserver_current_inflight_requests", "gauge"),
      `apiserver_current_inflight_requests ${this.#inFlight}`,
      ...type("lateen_store_revision", "gauge"),
      `lateen_store_revision ${revision}`,
      ...type("process_resident_memory_bytes", "gauge"),
      `process_resident_memory_bytes ${rss}`,
      ...type("process_cpu_seconds_total", "counter"),
      `process_cpu_seconds_total ${(user + system) / 1e6}`,
      "",
    ].join("\n");
  }
}

function labelsOf(info: RequestInfo, known: boolean): string {
  if (info.kind === "path" || !known) return `verb="${known ? "get" : "other"}",resource=""`;
  const { verb, group, version, plural, subresource } = info;
  return `verb="${verb}",group="${group}",version="${version}",resource="${plural}",subresource="${subresource}"`;
}

function type(name: string, kind: string): string[] {
  return [`# TYPE ${name} ${kind}`];
}

function sample(name: string, { labels, count }: Series): string {
  return `${name}{${labels}} ${count}`;
}

function histogram({ labels, count, seconds, buckets }: Series): string[] {
  const name = "apiserver_request_duration_seconds";
  let sum = 0;
  const lines = buckets.map((value, index) => {
    sum += value;
    return `${name}_bucket{${labels},le="${BUCKETS[index]}"} ${sum}`;
  });
  return [
    ...lines,
    `${name}_bucket{${labels},le="+Inf"} ${count}`,
    `${name}_sum{${labels}} ${seconds}`,
    `${name}_count{${labels}} ${count}`,
  ];
}
