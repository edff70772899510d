/** Responses of both ADS variants, put together around resources that are already encoded. */

import { fieldSize, putHead } from "#pilot/cache/resource.ts";
import type { Protocol } from "#pilot/cache/shared-frames.ts";

export interface ResponseHead {
  type: string;
  nonce: string;
  version: string;
  controlPlane: string;
  /** Delta only. */
  removed: readonly string[];
}

/** `control_plane.identifier`, as istioctl takes it apart. */
export function controlPlaneId(instance: string, version: string): string {
  return JSON.stringify({ Component: "pilot", ID: instance, Info: { version } });
}

/** The message as a list of buffers: the given fields, untouched, and after them the rest. */
export function buildResponse(
  protocol: Protocol,
  resources: readonly Buffer[],
  head: ResponseHead,
): Buffer[] {
  const fields: [tag: number, text: string][] = [
    [0x0a, head.version],
    [0x22, head.type],
    [0x2a, head.nonce],
  ];
  if (protocol === "delta") for (const name of head.removed) fields.push([0x32, name]);
  const sizes = fields.map(([, text]) => Buffer.byteLength(text));
  const { controlPlane } = head;
  const controlSize = Buffer.byteLength(controlPlane);
  const control = fieldSize(controlSize);
  const total = sizes.reduce((sum, size) => sum + fieldSize(size), fieldSize(control));
  const tail = Buffer.allocUnsafe(total);
  let at = 0;
  for (const [index, [tag, text]] of fields.entries()) {
    at = putHead(tail, at, { tag, size: sizes[index] ?? 0 });
    at += tail.write(text, at, "utf8");
  }
  at = putHead(tail, at, { tag: protocol === "delta" ? 0x3a : 0x32, size: control });
  at = putHead(tail, at, { tag: 0x0a, size: controlSize });
  tail.write(controlPlane, at, "utf8");
  return [...resources, tail];
}
