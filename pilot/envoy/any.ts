/** Building blocks of protobuf's JSON mapping. */

/** A message in a google.protobuf.Any. */
export interface AnyMessage {
  readonly "@type": string;
  readonly [field: string]: unknown;
}

/** `name` is the full name of the message, `envoy.config.cluster.v3.Cluster`. */
export function any(name: string, fields: object = {}): AnyMessage {
  return { "@type": `type.googleapis.com/${name}`, ...fields };
}

/** A named extension with its configuration, as filters and transport sockets are written. */
export interface Extension {
  readonly name: string;
  readonly typedConfig: AnyMessage;
}

export function extension(name: string, type: string, fields: object = {}): Extension {
  return { name, typedConfig: any(type, fields) };
}

/** google.protobuf.Duration: `1.500s`. */
export function duration(ms: number): string {
  const nanos = Math.round(ms * 1_000_000);
  const seconds = Math.floor(nanos / 1_000_000_000);
  const rest = nanos % 1_000_000_000;
  return rest === 0
    ? `${seconds}s`
    : `${seconds}.${String(rest).padStart(9, "0").replace(/0+$/, "")}s`;
}

/** The fields that are set; absent ones are left out of a message. */
export function set<T extends object>(fields: T): Partial<T> {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  ) as Partial<T>;
}

/** The lists that have elements. */
export function nonEmpty<T extends Record<string, readonly unknown[]>>(fields: T): Partial<T> {
  return Object.fromEntries(
    Object.entries(fields).filter(([, list]) => list.length > 0),
  ) as Partial<T>;
}

/** type.v3.FractionalPercent of millionths, in the coarsest unit that holds it. */
export function fractionalPercent(millionths: number): object {
  if (millionths % 10_000 === 0) return { numerator: millionths / 10_000, denominator: "HUNDRED" };
  if (millionths % 100 === 0) return { numerator: millionths / 100, denominator: "TEN_THOUSAND" };
  return { numerator: millionths, denominator: "MILLION" };
}

/** Where a resource comes from: the stream that this configuration came by. */
export const FROM_ADS = { ads: {}, initialFetchTimeout: "0s", resourceApiVersion: "V3" };

/** An IP address or name with a port, or `unix://PATH`. */
export function socketAddress(address: string, port: number): object {
  if (address.startsWith("unix://")) return { pipe: { path: address.slice("unix://".length) } };
  return { socketAddress: { address, portValue: port } };
}
