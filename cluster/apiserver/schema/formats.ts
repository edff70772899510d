/** The string formats of OpenAPI that the server checks; an unknown format checks nothing. */

import { isIP, isIPv4, isIPv6 } from "node:net";
import { parseQuantity } from "#cluster/api/quantity.ts";
import { patternError } from "./patterns.ts";

const DATE = /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])$/;
const DATE_TIME =
  /^(\d{4}-\d\d-\d\d)[Tt ](?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/;
const DURATION = /^[+-]?(?:0|(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h|d|w))+)$/;
const UUID = /^[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}$/i;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const HOSTNAME =
  /^(?=.{1,255}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*\.?$/i;
const EMAIL = /^[^\s@]+@[^\s@]+$/;

/** Format → what is wrong with a text, or undefined when nothing is. */
const CHECKS: ReadonlyMap<string, (text: string) => string | undefined> = new Map([
  ["date", shaped((text) => DATE.test(text) && !Number.isNaN(Date.parse(text)))],
  ["date-time", shaped(isDateTime)],
  ["datetime", shaped(isDateTime)],
  ["duration", shaped((text) => DURATION.test(text))],
  ["ipv4", shaped(isIPv4)],
  ["ipv6", shaped(isIPv6)],
  ["ip", shaped((text) => isIP(text) !== 0)],
  ["cidr", shaped(isCidr)],
  ["uri", shaped((text) => URL.canParse(text) || text.startsWith("/"))],
  ["hostname", shaped((text) => HOSTNAME.test(text))],
  ["email", shaped((text) => EMAIL.test(text))],
  ["uuid", shaped((text) => UUID.test(text))],
  ["byte", shaped((text) => BASE64.test(text))],
  ["re2", patternError],
  ["quantity", quantityError],
]);

/**
 * Why a string is not of a format: the empty string stands for Kubernetes' plain "must be of type
 * FORMAT", any other text is the reason; undefined when it is, or when the format is unknown.
 */
export function formatError(format: string, text: string): string | undefined {
  return CHECKS.get(format)?.(text);
}

function shaped(test: (text: string) => boolean): (text: string) => string | undefined {
  return (text) => (test(text) ? undefined : "");
}

function isDateTime(text: string): boolean {
  const day = DATE_TIME.exec(text)?.[1];
  return day !== undefined && DATE.test(day);
}

function isCidr(text: string): boolean {
  const [address = "", length = "", ...rest] = text.split("/");
  const family = isIP(address);
  const max = family === 4 ? 32 : 128;
  return family !== 0 && rest.length === 0 && /^\d{1,3}$/.test(length) && Number(length) <= max;
}

function quantityError(text: string): string | undefined {
  const parsed = parseQuantity(text);
  return parsed.ok ? undefined : parsed.message;
}
