/** Writes an answer to the client, in the form that it accepts. */

import { StatusError, statusError, type Status } from "#cluster/api/status-error.ts";
import { StoreError } from "#cluster/storage/store.ts";
import type { Answer } from "./answer.ts";
import { DEFAULT_FORMAT, negotiate, type Format } from "./negotiate.ts";
import type { Output, OutputHeaders } from "./output.ts";
import { includeObjectOf, renderJson, toYaml } from "./render.ts";
import type { ApiRequest } from "./request.ts";

const MAX_WARNINGS = 20;
const MAX_WARNING_LENGTH = 1_000;

/** Resolves when the answer is complete, which for a watch is when it ends. */
export async function respond(
  output: Output,
  request: ApiRequest,
  answer: Answer,
  now: number,
): Promise<void> {
  switch (answer.kind) {
    case "stream":
      await answer.run(output);
      return;
    case "bytes":
      output.head(answer.code, { ...answer.headers, ...warningHeaders(request.warnings) });
      output.end(request.method === "HEAD" ? undefined : answer.body);
      return;
    case "object":
    case "list":
    case "stored": {
      const format = negotiate(request.headers.accept);
      const includeObject = includeObjectOf(request.query);
      const json = renderJson(answer, { format, includeObject, now });
      const code = answer.kind === "list" ? 200 : answer.code;
      send(output, { code, json, format, warnings: request.warnings, method: request.method });
    }
  }
}

/** The Status of a failure; what was not foreseen is logged and told as an internal error. */
export function statusOf(error: unknown): Status {
  if (error instanceof StatusError) return error.status;
  if (error instanceof StoreError) {
    console.error(error.message);
    return statusError("InternalError", error.message).status;
  }
  console.error("request failed:", error);
  const text = error instanceof Error ? error.message : String(error);
  return statusError("InternalError", `Internal error occurred: ${text}`).status;
}

/** If the answer has already begun, the only way to tell of a failure is to break it off. */
export function respondWithStatus(output: Output, method: string, status: Status): void {
  if (output.started) {
    output.destroy();
    return;
  }
  const json = JSON.stringify(status);
  const code = status.code ?? 500;
  send(output, { code, json, format: DEFAULT_FORMAT, warnings: [], method });
}

interface Sent {
  code: number;
  json: string;
  format: Format;
  warnings: readonly string[];
  method: string;
}

function send(output: Output, { code, json, format, warnings, method }: Sent): void {
  const yaml = format.encoding === "yaml";
  const body = Buffer.from(yaml ? toYaml(json) : json);
  output.head(code, {
    "content-type": yaml ? "application/yaml" : "application/json",
    "content-length": String(body.length),
    "cache-control": "no-cache, private",
    ...warningHeaders(warnings),
  });
  output.end(method === "HEAD" ? undefined : body);
}

/** RFC 7234 section 5.5, code 299, as kubectl prints them. */
function warningHeaders(warnings: readonly string[]): OutputHeaders {
  if (warnings.length === 0) return {};
  const unique = [...new Set(warnings)].slice(0, MAX_WARNINGS);
  return { warning: unique.map((text) => `299 - "${quotable(text)}"`) };
}

/** Header values are Latin text on one line. */
function quotable(text: string): string {
  return text
    .slice(0, MAX_WARNING_LENGTH)
    .replaceAll(/[^\x20-\x7e]/g, " ")
    .replaceAll(/[\\"]/g, String.raw`\$&`);
}
