/** Counts what the discovery server does, under the names that Istio's dashboards read. */

import { shortName } from "#pilot/cache/type-url.ts";
import type { TypeUrl } from "#pilot/cache/type-url.ts";
import type { ProxyView } from "#pilot/cache/view.ts";
import type { PushReport } from "#pilot/push/pusher.ts";
import type { Acknowledgement, Rejection, StreamEvents } from "#pilot/xds/stream-events.ts";

/** Seconds; Istio's own bounds (0.1 … 30) and finer ones below them. */
const SECONDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 3, 5, 10, 20, 30];

class Histogram {
  readonly #counts = SECONDS.map(() => 0);
  #sum = 0;
  #count = 0;

  observe(seconds: number): void {
    this.#sum += seconds;
    this.#count++;
    for (const [index, bound] of SECONDS.entries()) {
      if (seconds <= bound) this.#counts[index]!++;
    }
  }

  lines(name: string): string[] {
    return [
      ...SECONDS.map((bound, index) => `${name}_bucket{le="${bound}"} ${this.#counts[index]}`),
      `${name}_bucket{le="+Inf"} ${this.#count}`,
      `${name}_sum ${this.#sum}`,
      `${name}_count ${this.#count}`,
    ];
  }
}

/** Numbers that are looked up when they are asked for. */
export interface Gauges {
  /** Connected proxies by Envoy's version. */
  proxies: ReadonlyMap<string, number>;
  services: number;
  virtualServices: number;
  scopes: number;
  /** Objects with problems, by reason. */
  problems: ReadonlyMap<string, number>;
}

/** A listener of streams and pushes; `text` gives Prometheus' exposition format. */
export class Metrics implements StreamEvents {
  readonly #pushes = new Map<string, number>();
  readonly #bytes = new Map<string, number>();
  readonly #rejects = new Map<string, number>();
  readonly #convergence = new Histogram();
  readonly #ackTime = new Histogram();
  readonly #pushTime = new Histogram();
  #rejected = 0;
  #changes = 0;

  sent(type: TypeUrl, bytes: number): void {
    const name = shortName(type) ?? type;
    add(this.#pushes, name, 1);
    add(this.#bytes, name, bytes);
  }

  acknowledged({ afterMs }: Acknowledgement): void {
    this.#ackTime.observe(afterMs / 1000);
  }

  rejected(rejection: Rejection): void {
    this.#rejected++;
    add(this.#rejects, shortName(rejection.type) ?? rejection.type, 1);
  }

  recovered(): void {
    // Rejections are counted, not kept.
  }

  converged(_view: ProxyView, afterMs: number): void {
    this.#convergence.observe(afterMs / 1000);
  }

  pushed(report: PushReport): void {
    this.#changes += report.changes;
    this.#pushTime.observe(report.ms / 1000);
  }

  text(gauges: Gauges): string {
    const { rss } = process.memoryUsage();
    const cpu = process.cpuUsage();
    const families: [name: string, type: string, help: string, lines: string[]][] = [
      ["pilot_xds", "gauge", "Connected proxies", labelled("pilot_xds", "version", gauges.proxies)],
      [
        "pilot_xds_pushes",
        "counter",
        "Responses sent",
        labelled("pilot_xds_pushes", "type", this.#pushes),
      ],
      [
        "pilot_xds_push_bytes",
        "counter",
        "Bytes sent",
        labelled("pilot_xds_push_bytes", "type", this.#bytes),
      ],
      ...["cds", "eds", "lds", "rds", "vhds"].map((type): (typeof families)[number] => {
        const name = `pilot_xds_${type}_reject`;
        return [
          name,
          "counter",
          `Rejected ${type} responses`,
          [`${name} ${this.#rejects.get(type) ?? 0}`],
        ];
      }),
      one("pilot_total_xds_rejects", "counter", "Rejected responses", this.#rejected),
      [
        "pilot_proxy_convergence_time",
        "histogram",
        "Seconds from a noticed change to a proxy's last acknowledgement of it",
        this.#convergence.lines("pilot_proxy_convergence_time"),
      ],
      [
        "pilot_xds_ack_time",
        "histogram",
        "Seconds from a response to its acknowledgement",
        this.#ackTime.lines("pilot_xds_ack_time"),
      ],
      [
        "pilot_push_time",
        "histogram",
        "Seconds from a batch's first change to the last stream being told",
        this.#pushTime.lines("pilot_push_time"),
      ],
      one("pilot_inbound_updates", "counter", "Changes of the model", this.#changes),
      one("pilot_services", "gauge", "Services known", gauges.services),
      one("pilot_virt_services", "gauge", "VirtualServices known", gauges.virtualServices),
      one("pilot_scopes", "gauge", "Classes of proxies", gauges.scopes),
      [
        "pilot_problems",
        "gauge",
        "Problems of objects",
        labelled("pilot_problems", "reason", gauges.problems),
      ],
      one("process_resident_memory_bytes", "gauge", "Resident memory", rss),
      one("process_cpu_seconds_total", "counter", "CPU time", (cpu.user + cpu.system) / 1e6),
    ];
    return families
      .flatMap(([name, type, help, lines]) => [
        `# HELP ${name} ${help}`,
        `# TYPE ${name} ${type}`,
        ...lines,
      ])
      .join("\n")
      .concat("\n");
  }
}

function one(
  name: string,
  type: string,
  help: string,
  value: number,
): [string, string, string, string[]] {
  return [name, type, help, [`${name} ${value}`]];
}

function labelled(name: string, label: string, values: ReadonlyMap<string, number>): string[] {
  return [...values]
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .map(([value, count]) => `${name}{${label}="${value.replaceAll(/["\\\n]/g, "_")}"} ${count}`);
}

function add(into: Map<string, number>, key: string, count: number): void {
  into.set(key, (into.get(key) ?? 0) + count);
}
