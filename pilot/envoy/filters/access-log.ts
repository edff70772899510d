/** envoy.access_loggers.file. */

import type { AccessLog } from "#pilot/ir/listener.ts";
import { type Extension, extension } from "#pilot/envoy/any.ts";

/** A JSON format is an object of names to operators; the default has the text format's fields. */
export function accessLogger(log: AccessLog): Extension {
  return extension(
    "envoy.access_loggers.file",
    "envoy.extensions.access_loggers.file.v3.FileAccessLog",
    { path: log.path, logFormat: logFormat(log) },
  );
}

/** Only connections that found no chain or cluster: what no other filter can report. */
export function noRouteLogger(log: AccessLog): object {
  return { ...accessLogger(log), filter: { responseFlagFilter: { flags: ["NR"] } } };
}

function logFormat(log: AccessLog): object {
  const fields = log.encoding === "JSON" ? parseFields(log.format) : undefined;
  return fields === undefined
    ? { textFormatSource: { inlineString: log.format } }
    : { jsonFormat: fields };
}

/** Text that is no JSON object stays text. */
function parseFields(format: string): object | undefined {
  try {
    const value: unknown = JSON.parse(format);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
