/** Who a request's changes belong to: `fieldManager` and, without it, the client's User-Agent. */

import { statusError } from "#cluster/api/status-error.ts";
import type { ApiRequest } from "./request.ts";

const MAX_BYTES = 128;
const UNPRINTABLE = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu;

/** Throws Invalid for a name that is too long or can't be shown. */
export function managerOf({ query, headers }: Pick<ApiRequest, "query" | "headers">): string {
  const asked = query.get("fieldManager") ?? "";
  if (asked === "") return fromUserAgent(headers["user-agent"] ?? "");
  if (Buffer.byteLength(asked) > MAX_BYTES) {
    throw invalidOptions(`fieldManager: Too long: may not be more than ${MAX_BYTES} bytes`);
  }
  if (asked.search(UNPRINTABLE) >= 0) {
    const shown = JSON.stringify(asked);
    throw invalidOptions(
      `fieldManager: Invalid value: ${shown}: should only contain printable characters`,
    );
  }
  return asked;
}

/** Reads what only apply has: a manager that is named, and force; throws Invalid. */
export function applyOptionsOf(request: Pick<ApiRequest, "query" | "headers">): {
  manager: string;
  force: boolean;
} {
  if ((request.query.get("fieldManager") ?? "") === "") {
    throw invalidOptions("fieldManager: Required value: is required for apply patch");
  }
  const force = request.query.get("force");
  return { manager: managerOf(request), force: force === "true" || force === "1" };
}

/** Throws Invalid where another patch asks for force. */
export function refuseForce({ query }: Pick<ApiRequest, "query">): void {
  if (query.has("force")) {
    throw invalidOptions("force: Forbidden: may not be specified for non-apply patch");
  }
}

/** `kubectl/v1.32.4 (linux/amd64) …` → `kubectl`. */
function fromUserAgent(header: string): string {
  const [first = ""] = header.split("/");
  let name = "";
  let bytes = 0;
  for (const character of first.replaceAll(UNPRINTABLE, "")) {
    bytes += Buffer.byteLength(character);
    if (bytes > MAX_BYTES) break;
    name += character;
  }
  return name;
}

function invalidOptions(problem: string): Error {
  const [field = "", ...message] = problem.split(": ");
  return statusError("Invalid", `PatchOptions.meta.k8s.io "" is invalid: ${problem}`, {
    group: "meta.k8s.io",
    kind: "PatchOptions",
    causes: [{ reason: reasonOf(message[0] ?? ""), message: message.join(": "), field }],
  });
}

function reasonOf(message: string): string {
  return `FieldValue${message.replace("Required value", "Required").replace("Invalid value", "Invalid").replace("Too long", "TooLong")}`;
}
