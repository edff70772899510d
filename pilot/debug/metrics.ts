/** Counts what the discovery server does, under the names that Istio's dashboards read. */

import { Counter, Histogram, byLabel, exposition, single } from "./prometheus.ts";
import type { Family } from "./prometheus.ts";
import { TYPE_RULES, shortName } from "#pilot/cache/type-url.ts";
import type { TypeUrl } from "#pilot/cache/type-url.ts";
import type { ProxyView } from "#pilot/cache/view.ts";
import { keyOfChange } from "#pilot/model/change.ts";
import type { Change } from "#pilot/model/change.ts";
import type { PushReport } from "#pilot/push/pusher.ts";
import type { Acknowledgement, Rejection, StreamEvents } from "#pilot/xds/stream-events.ts";

/** Istio's own bounds (0.1 … 30) and finer ones below them. */
const SECONDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 3, 5, 10, 20, 30];
const BYTES = [1, 10_000, 1_000_000, 4_000_000, 10_000_000, 40_000_000];

/** Numbers that are looked up when they are asked for. */
export interface Gauges {
  version: string;
  /** Connected proxies by version. */
  proxies: ReadonlyMap<string, number>;
  services: number;
  /** Services whose endpoints are discovered, of which there are none. */
  servicesWithoutEndpoints: number;
  virtualServices: number;
  scopes: number;
  /** Objects with problems, by reason. */
  problems: ReadonlyMap<string, number>;
  /** Problems that proxies refuse, or that make a part of an object ineffective. */
  rejectedConfigs: number;
}

/** Istio's counters of conflicts, and the reasons of problems that they count. */
const CONFLICTS: readonly (readonly [name: string, reason: string, help: string])[] = [
  ["pilot_conflict_inbound_listener", "ListenerConflict", "Conflicting inbound listeners"],
  [
    "pilot_conflict_outbound_listener_tcp_over_current_tcp",
    "Conflict",
    "Conflicting outbound listeners and servers",
  ],
  ["pilot_vservice_dup_domain", "HostTaken", "Hosts that an older VirtualService has taken"],
  ["pilot_destrule_subsets", "DuplicateSubset", "Subsets that a DestinationRule has twice"],
];

/** Kinds that come from the platform rather than from configuration. */
const REGISTRY_KINDS: ReadonlySet<string> = new Set([
  "Service",
  "EndpointSet",
  "Workload",
  "Namespace",
  "NetworkGateways",
]);

/** A listener of streams and pushes; `text` gives Prometheus' exposition format. */
export class Metrics implements StreamEvents {
  readonly #pushes = new Counter();
  readonly #bytes = new Counter();
  readonly #sizes = new Map<string, Histogram>();
  readonly #rejects = new Map<string, number>();
  readonly #convergence = new Histogram(SECONDS);
  readonly #ackTimes = new Map<string, Histogram>();
  readonly #pushTime = new Histogram(SECONDS);
  readonly #updates = new Counter();
  readonly #configEvents = new Counter();
  readonly #registryEvents = new Counter();
  #rejected = 0;

  sent(type: TypeUrl, bytes: number): void {
    const name = shortName(type) ?? type;
    this.#pushes.add({ type: name });
    this.#bytes.add({ type: name }, bytes);
    observe(this.#sizes, [name, BYTES], bytes);
  }

  acknowledged({ type, afterMs }: Acknowledgement): void {
    observe(this.#ackTimes, [shortName(type) ?? type, SECONDS], afterMs / 1000);
  }

  rejected(rejection: Rejection): void {
    const name = shortName(rejection.type) ?? rejection.type;
    this.#rejected++;
    this.#rejects.set(name, (this.#rejects.get(name) ?? 0) + 1);
  }

  recovered(): void {
    // Rejections are counted, not kept.
  }

  converged(_view: ProxyView, afterMs: number): void {
    this.#convergence.observe(afterMs / 1000);
  }

  /** Changes arrive; `isKnown` tells an update from a first appearance. */
  updated(changes: readonly Change[], isKnown: (change: Change) => boolean): void {
    for (const change of changes) {
      const key = keyOfChange(change);
      const kind = change.type === "upsert" ? change.object.kind : key.slice(0, key.indexOf("/"));
      const event = change.type === "delete" ? "delete" : isKnown(change) ? "update" : "add";
      const isRegistry = REGISTRY_KINDS.has(kind);
      (isRegistry ? this.#registryEvents : this.#configEvents).add({ type: kind, event });
      const type = kind === "EndpointSet" ? "eds" : isRegistry ? "svc" : "config";
      this.#updates.add({ type });
    }
  }

  pushed(report: PushReport): void {
    this.#pushTime.observe(report.ms / 1000);
  }

  text(gauges: Gauges): string {
    return exposition([...this.#streams(), ...this.#changes(), ...looked(gauges), ...ofProcess()]);
  }

  #streams(): Family[] {
    return [
      counter("pilot_xds_pushes", "Responses sent", this.#pushes),
      counter("pilot_xds_push_bytes", "Bytes sent", this.#bytes),
      perType("pilot_xds_config_size_bytes", "Bytes of a response", this.#sizes),
      perType(
        "pilot_xds_ack_time",
        "Seconds from a response to its acknowledgement",
        this.#ackTimes,
      ),
      ...TYPE_RULES.map(({ short }) =>
        single(
          `pilot_xds_${short}_reject`,
          "counter",
          `Rejected ${short} responses`,
          this.#rejects.get(short) ?? 0,
        ),
      ),
      single("pilot_total_xds_rejects", "counter", "Rejected responses", this.#rejected),
      histogram(
        "pilot_proxy_convergence_time",
        "Seconds from a noticed change to a proxy's last acknowledgement of it",
        this.#convergence,
      ),
    ];
  }

  #changes(): Family[] {
    return [
      histogram(
        "pilot_xds_push_time",
        "Seconds from a batch's first change to the last stream being told",
        this.#pushTime,
      ),
      counter("pilot_inbound_updates", "Changes of the model", this.#updates),
      counter("pilot_k8s_cfg_events", "Changes of configuration objects", this.#configEvents),
      counter("pilot_k8s_reg_events", "Changes of services and workloads", this.#registryEvents),
    ];
  }
}

function looked(gauges: Gauges): Family[] {
  const { problems } = gauges;
  const one = (name: string, help: string, value: number): Family =>
    single(name, "gauge", help, value);
  return [
    byLabel(["pilot_info", "version"], "gauge", "Version", new Map([[gauges.version, 1]])),
    byLabel(["pilot_xds", "version"], "gauge", "Connected proxies", gauges.proxies),
    one("pilot_services", "Services known", gauges.services),
    one("pilot_virt_services", "VirtualServices known", gauges.virtualServices),
    one("pilot_eds_no_instances", "Services without endpoints", gauges.servicesWithoutEndpoints),
    ...CONFLICTS.map(([name, reason, help]) => one(name, help, problems.get(reason) ?? 0)),
    one(
      "pilot_total_rejected_configs",
      "Parts of objects that have no effect",
      gauges.rejectedConfigs,
    ),
    one("pilot_scopes", "Classes of proxies", gauges.scopes),
    byLabel(["pilot_problems", "reason"], "gauge", "Problems of objects", problems),
  ];
}

function ofProcess(): Family[] {
  const { rss } = process.memoryUsage();
  const cpu = process.cpuUsage();
  const seconds = (cpu.user + cpu.system) / 1e6;
  return [
    single("process_resident_memory_bytes", "gauge", "Resident memory", rss),
    single("process_cpu_seconds_total", "counter", "CPU time", seconds),
  ];
}

function observe(
  into: Map<string, Histogram>,
  [name, bounds]: readonly [string, readonly number[]],
  value: number,
): void {
  let one = into.get(name);
  if (one === undefined) {
    one = new Histogram(bounds);
    into.set(name, one);
  }
  one.observe(value);
}

function counter(name: string, help: string, values: Counter): Family {
  return { name, type: "counter", help, lines: values.lines(name) };
}

function histogram(name: string, help: string, values: Histogram): Family {
  return { name, type: "histogram", help, lines: values.lines(name) };
}

function perType(name: string, help: string, values: ReadonlyMap<string, Histogram>): Family {
  const lines = [...values].flatMap(([type, one]) => one.lines(name, { type }));
  return { name, type: "histogram", help, lines };
}
