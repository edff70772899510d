/**
 * Resource quantities (apimachinery `resource.Quantity`): `100m`, `0.5`, `1.5Gi`, `2e3`. A value is
 * a bigint of nano units (10⁻⁹), the finest that Kubernetes keeps; anything finer is rounded up,
 * away from zero, so that a request is never taken for less than it asks.
 */

/** How a quantity was written, and so how its canonical form is written. */
export type QuantityFormat = "DecimalSI" | "BinarySI" | "DecimalExponent";

export type QuantityResult =
  /** `value` in nano units: `1` is 1_000_000_000n. */
  { ok: true; value: bigint; format: QuantityFormat } | { ok: false; message: string };

const NANO = 1_000_000_000n;
const MILLI = 1_000_000n;
/** Kubernetes caps at the largest int64 of whole units. */
const MAX = ((1n << 63n) - 1n) * NANO;
const MAX_LENGTH = 64;

const DECIMAL_EXPONENTS: Readonly<Record<string, number>> = {
  n: -9,
  u: -6,
  m: -3,
  "": 0,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
};
const DECIMAL_SUFFIXES = new Map(
  Object.entries(DECIMAL_EXPONENTS).map(([suffix, exponent]) => [exponent, suffix]),
);
const BINARY_SUFFIXES = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

const QUANTITY =
  /^(?<sign>[+-]?)(?<whole>\d*)(?:\.(?<fraction>\d*))?(?:(?<binary>[KMGTPE]i)|[eE](?<exponent>[+-]?\d+)|(?<suffix>[numkMGTPE]?))$/;

/** Parses any form that Kubernetes takes; the message is Kubernetes' own. */
export function parseQuantity(text: string): QuantityResult {
  const groups = text.length > MAX_LENGTH ? undefined : QUANTITY.exec(text)?.groups;
  const whole = groups?.["whole"] ?? "";
  const fraction = groups?.["fraction"] ?? "";
  if (groups === undefined || whole + fraction === "") return { ok: false, message: MALFORMED };
  const digits = BigInt(whole + fraction);
  const { factor, exponent, format } = scaleOf(groups);
  const magnitude = toNano(digits * factor, exponent - fraction.length);
  return { ok: true, value: groups["sign"] === "-" ? -magnitude : magnitude, format };
}

/** The canonical text of nano units: no fraction, and the largest suffix that needs none. */
export function formatQuantity(value: bigint, format: QuantityFormat = "DecimalSI"): string {
  if (value === 0n) return "0";
  const small = value > -1024n * NANO && value < 1024n * NANO;
  if (format === "BinarySI" && !small) return formatBinary(value);
  let mantissa = value;
  let exponent = -9;
  while (mantissa % 1000n === 0n && exponent < 18) {
    mantissa /= 1000n;
    exponent += 3;
  }
  if (format === "DecimalExponent")
    return exponent === 0 ? `${mantissa}` : `${mantissa}e${exponent}`;
  return `${mantissa}${DECIMAL_SUFFIXES.get(exponent) ?? ""}`;
}

/** The canonical form that Kubernetes stores: `0.5` → `500m`, `1024Mi` → `1Gi`. */
export function canonicalQuantity(text: string): QuantityTextResult {
  const parsed = parseQuantity(text);
  return parsed.ok ? { ok: true, text: formatQuantity(parsed.value, parsed.format) } : parsed;
}

export type QuantityTextResult = { ok: true; text: string } | { ok: false; message: string };

/** Negative, zero or positive, as `a` is less than, equal to or more than `b`. */
export function compareQuantities(a: string, b: string): number {
  const left = nanoOf(a);
  const right = nanoOf(b);
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Thousandths, rounded up (`100m` → 100, `2` → 2000); throws where `parseQuantity` refuses. */
export function quantityMilli(text: string): number {
  return Number(ceilDivide(nanoOf(text), MILLI));
}

/** Whole units, rounded up (`1Ki` → 1024); throws where `parseQuantity` refuses. */
export function quantityBytes(text: string): number {
  return Number(ceilDivide(nanoOf(text), NANO));
}

const MALFORMED =
  "quantities must match the regular expression " +
  "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

function nanoOf(text: string): bigint {
  const parsed = parseQuantity(text);
  if (!parsed.ok) throw new Error(`${JSON.stringify(text)}: ${parsed.message}`);
  return parsed.value;
}

interface Scale {
  factor: bigint;
  /** Power of ten. */
  exponent: number;
  format: QuantityFormat;
}

function scaleOf(groups: Record<string, string | undefined>): Scale {
  if (groups["binary"] !== undefined) {
    const power = BigInt(BINARY_SUFFIXES.indexOf(groups["binary"]));
    return { factor: 1024n ** power, exponent: 0, format: "BinarySI" };
  }
  if (groups["exponent"] !== undefined) {
    return { factor: 1n, exponent: Number(groups["exponent"]), format: "DecimalExponent" };
  }
  const exponent = DECIMAL_EXPONENTS[groups["suffix"] ?? ""] ?? 0;
  return { factor: 1n, exponent, format: "DecimalSI" };
}

function toNano(digits: bigint, exponent: number): bigint {
  const power = exponent + 9;
  if (digits === 0n) return 0n;
  if (power > MAX_LENGTH) return MAX;
  if (power < -2 * MAX_LENGTH) return 1n;
  const value =
    power >= 0 ? digits * 10n ** BigInt(power) : ceilDivide(digits, 10n ** BigInt(-power));
  return value > MAX ? MAX : value;
}

function formatBinary(value: bigint): string {
  let mantissa = ceilDivide(value, NANO);
  let index = 0;
  while (mantissa % 1024n === 0n && index < BINARY_SUFFIXES.length - 1) {
    mantissa /= 1024n;
    index += 1;
  }
  return `${mantissa}${BINARY_SUFFIXES[index] ?? ""}`;
}

/** Rounds away from zero. */
function ceilDivide(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor;
  if (value % divisor === 0n) return quotient;
  return value > 0n ? quotient + 1n : quotient - 1n;
}
