/** Prometheus' exposition format, and what is counted in it. */

export type Labels = Readonly<Record<string, string>>;

export interface Family {
  name: string;
  type: "counter" | "gauge" | "histogram";
  help: string;
  lines: readonly string[];
}

/** A number for each combination of labels. */
export class Counter {
  readonly #values = new Map<string, number>();

  add(labels: Labels, count = 1): void {
    const key = labelText(labels);
    this.#values.set(key, (this.#values.get(key) ?? 0) + count);
  }

  lines(name: string): string[] {
    return [...this.#values].toSorted(byName).map(([labels, value]) => `${name}${labels} ${value}`);
  }
}

/** Observations by upper bounds. */
export class Histogram {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;
  #count = 0;

  /** Ascending bounds, without infinity. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = bounds.map(() => 0);
  }

  observe(value: number): void {
    this.#sum += value;
    this.#count++;
    for (const [index, bound] of this.#bounds.entries()) {
      if (value <= bound) this.#counts[index]!++;
    }
  }

  /** `labels` stand on every line. */
  lines(name: string, labels: Labels = {}): string[] {
    const bucket = (le: string, count: number | undefined): string =>
      `${name}_bucket${labelText({ ...labels, le })} ${count}`;
    return [
      ...this.#bounds.map((bound, index) => bucket(String(bound), this.#counts[index])),
      bucket("+Inf", this.#count),
      `${name}_sum${labelText(labels)} ${this.#sum}`,
      `${name}_count${labelText(labels)} ${this.#count}`,
    ];
  }
}

export function exposition(families: readonly Family[]): string {
  return families
    .flatMap(({ name, type, help, lines }) => [
      `# HELP ${name} ${help}`,
      `# TYPE ${name} ${type}`,
      ...lines,
    ])
    .join("\n")
    .concat("\n");
}

/** One number without labels. */
export function single(
  name: string,
  type: "counter" | "gauge",
  help: string,
  value: number,
): Family {
  return { name, type, help, lines: [`${name} ${value}`] };
}

/** A number for each value of one label. */
export function byLabel(
  [name, label]: readonly [name: string, label: string],
  type: "counter" | "gauge",
  help: string,
  values: ReadonlyMap<string, number>,
): Family {
  const lines = [...values].toSorted(byName).map(([value, count]) => {
    return `${name}${labelText({ [label]: value })} ${count}`;
  });
  return { name, type, help, lines };
}

function byName([left]: [string, number], [right]: [string, number]): number {
  return left < right ? -1 : 1;
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}="${escaped(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
