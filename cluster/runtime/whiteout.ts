/**
 * Whiteouts: an OCI layer removes what lies below it by files named `.wh.NAME` and `.wh..wh..opq`;
 * overlayfs does it by 0/0 character devices and an extended attribute. Node can make neither, but
 * the system's tar can, from an archive that says so.
 */

import { readdir, rm } from "node:fs/promises";
import { join, relative } from "node:path";
import { run } from "./process.ts";

const PREFIX = ".wh.";
const OPAQUE = ".wh..wh..opq";
const BLOCK = 512;
const TYPES = { directory: "5", file: "0", "character-device": "3" } as const;

export interface TarEntry {
  /** Relative path. */
  path: string;
  kind: "directory" | "file" | "character-device";
  mode: number;
  /** Extended attributes (`SCHILY.xattr.*` of a PAX header). */
  xattrs?: Readonly<Record<string, string>>;
}

/** How tar must be told to make whiteouts and opaque folders. */
export const WHITEOUT_TAR: readonly string[] = [
  "--extract",
  "--numeric-owner",
  "--preserve-permissions",
  "--xattrs",
  "--xattrs-include=trusted.overlay.*",
];

/** Turns the OCI whiteouts of an unpacked layer into overlayfs ones. */
export async function convertWhiteouts(layerDir: string): Promise<void> {
  const entries = await readdir(layerDir, { recursive: true, withFileTypes: true });
  const made: TarEntry[] = [];
  for (const entry of entries) {
    if (!entry.name.startsWith(PREFIX)) continue;
    const folder = relative(layerDir, entry.parentPath);
    await rm(join(entry.parentPath, entry.name), { recursive: true, force: true });
    if (entry.name === OPAQUE) {
      const path = folder === "" ? "." : folder;
      made.push({
        path,
        kind: "directory",
        mode: 0o755,
        xattrs: { "trusted.overlay.opaque": "y" },
      });
    } else if (!entry.name.startsWith(`${PREFIX}${PREFIX}`)) {
      const path = join(folder, entry.name.slice(PREFIX.length));
      made.push({ path, kind: "character-device", mode: 0 });
    }
  }
  if (made.length > 0) await makeEntries(layerDir, made);
}

/** Makes whiteout devices and opaque folders below `dir`; folders that exist keep their mode. */
export async function makeEntries(dir: string, entries: readonly TarEntry[]): Promise<void> {
  const args = [...WHITEOUT_TAR, "--no-overwrite-dir", "--file=-", `--directory=${dir}`];
  const result = await run("tar", args, { input: buildTar(entries) });
  if (result.code !== 0) {
    throw new Error(`whiteouts can't be made in ${dir}: ${result.stderr.trim()}`);
  }
}

/** A POSIX (PAX) archive of empty entries owned by root. */
export function buildTar(entries: readonly TarEntry[]): Buffer {
  const blocks: Buffer[] = [];
  for (const entry of entries) {
    const pax = { path: entry.path, ...xattrRecords(entry.xattrs) };
    const body = Buffer.from(
      Object.entries(pax)
        .map(([key, value]) => paxRecord(key, value))
        .join(""),
    );
    blocks.push(header({ name: "pax", type: "x", mode: 0o644, size: body.length }), padded(body));
    blocks.push(header({ name: "entry", type: TYPES[entry.kind], mode: entry.mode, size: 0 }));
  }
  blocks.push(Buffer.alloc(2 * BLOCK));
  return Buffer.concat(blocks);
}

function xattrRecords(xattrs: Readonly<Record<string, string>> = {}): Record<string, string> {
  return Object.fromEntries(
    Object.entries(xattrs).map(([name, value]) => [`SCHILY.xattr.${name}`, value]),
  );
}

/** `LENGTH KEY=VALUE\n`, where the length counts its own digits. */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  const bytes = Buffer.byteLength(rest);
  const guess = bytes + String(bytes).length;
  return `${bytes + String(guess).length}${rest}`;
}

function header(entry: { name: string; type: string; mode: number; size: number }): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.write(entry.name, 0);
  block.write(octal(entry.mode, 7), 100);
  block.write(octal(0, 7), 108);
  block.write(octal(0, 7), 116);
  block.write(octal(entry.size, 11), 124);
  block.write(octal(0, 11), 136);
  block.write(" ".repeat(8), 148);
  block.write(entry.type, 156);
  block.write("ustar\x0000", 257);
  block.write(octal(0, 7), 329);
  block.write(octal(0, 7), 337);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${octal(sum, 6)}\0 `, 148);
  return block;
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, "0");
}

function padded(body: Buffer): Buffer {
  return Buffer.concat([body, Buffer.alloc((BLOCK - (body.length % BLOCK)) % BLOCK)]);
}
