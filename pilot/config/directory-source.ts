/** A folder of YAML as a source: what `kubectl apply -f` would take, without an API server. */

import { watch } from "node:fs";
import type { Dirent, FSWatcher } from "node:fs";
import { readFile, readdir, stat } from "node:fs/promises";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { ObjectFeed } from "./object-feed.ts";
import { YamlFile } from "./yaml-file.ts";
import type { ObjectCheck } from "./yaml-file.ts";
import type { KubeObject } from "#cluster/api/meta.ts";

export interface DirectorySourceOptions {
  directory: string;
  feed: ObjectFeed;
  /** Schema checks that an API server would have made. */
  check: ObjectCheck;
  log: (line: string) => void;
  signal: AbortSignal;
}

interface SourceFile {
  parser: YamlFile;
  /** Time, size and inode: a replaced file differs in one of them. */
  stamp: string;
  objects: Map<string, KubeObject>;
}

const FILE = /\.(ya?ml|json)$/;
const MAX_FILES = 50_000;
const MAX_FILE_BYTES = 64 * 1024 * 1024;
const MAX_FOLDERS = 1000;
/** The mesh's configuration as istiod takes it in a file: it need not be a ConfigMap's text. */
const MESH_CONFIG_FILE = "meshconfig.yaml";
const HAS_KIND = /^kind:/m;
/** Files read at the same time. */
const READ_AHEAD = 32;
/** An empty file is probably being written; it counts if it is still empty after this. */
const EMPTY_MS = 30;
/** Events of one save come within this time. */
const SETTLE_MS = 5;
/** Changes that no event told of (network file systems, lost events) are found at this pace. */
const RESCAN_MS = 2000;

/**
 * Follows the folder until the signal aborts. Resolves when all files have been delivered; rejects if
 * the folder can't be read. A file with a broken document keeps the objects that it had before.
 */
export async function startDirectorySource(options: DirectorySourceOptions): Promise<void> {
  const source = new DirectorySource(options);
  await source.rescan();
  source.follow();
}

class DirectorySource {
  readonly #options: DirectorySourceOptions;
  readonly #files = new Map<string, SourceFile>();
  /** Object → the files that have it; the first by name counts. */
  readonly #owners = new Map<string, Set<string>>();
  readonly #touched = new Set<string>();
  /** One a folder: a file's change is told by its folder's. */
  readonly #watchers = new Map<string, FSWatcher>();
  #following = false;
  #timer: NodeJS.Timeout | undefined;
  #work: Promise<void> = Promise.resolve();

  constructor(options: DirectorySourceOptions) {
    this.#options = options;
  }

  follow(): void {
    const { signal } = this.#options;
    this.#following = true;
    this.#enqueue(() => this.rescan());
    const rescan = setInterval(() => this.#enqueue(() => this.rescan()), RESCAN_MS);
    signal.addEventListener("abort", () => {
      clearInterval(rescan);
      clearTimeout(this.#timer);
      this.#following = false;
      this.#watchFolders([]);
    });
  }

  /** Looks at every file's stamp and reads those that differ. */
  async rescan(): Promise<void> {
    const { directory, log } = this.#options;
    const entries = await readdir(directory, { recursive: true, withFileTypes: true });
    const nameOf = (entry: Dirent): string =>
      path.join(path.relative(directory, entry.parentPath), entry.name);
    const folders = entries.filter((entry) => entry.isDirectory()).map(nameOf);
    if (this.#following) this.#watchFolders(["", ...folders]);
    const names = entries.map(nameOf).filter(isConfigFile).toSorted();
    if (names.length > MAX_FILES) {
      log(`${directory}: only the first ${MAX_FILES} of ${names.length} files are read`);
      names.length = MAX_FILES;
    }
    const present = new Set(names);
    for (const name of this.#files.keys()) if (!present.has(name)) this.#forget(name);
    for (let at = 0; at < names.length; at += READ_AHEAD) {
      await Promise.all(names.slice(at, at + READ_AHEAD).map((name) => this.#look(name)));
    }
  }

  #watchFolders(folders: readonly string[]): void {
    const { directory, log } = this.#options;
    const wanted = new Set(folders.slice(0, MAX_FOLDERS));
    for (const [folder, watcher] of this.#watchers) {
      if (wanted.has(folder)) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
    for (const folder of wanted) {
      if (this.#watchers.has(folder)) continue;
      try {
        const watcher = watch(path.join(directory, folder), (_event, name) =>
          this.#touch(name === null ? null : path.join(folder, name)),
        );
        watcher.on("error", () => {
          watcher.close();
          this.#watchers.delete(folder);
        });
        this.#watchers.set(folder, watcher);
      } catch (error) {
        log(`${path.join(directory, folder)}: not watched, only looked at: ${String(error)}`);
      }
    }
  }

  /** Files change one after the other, and a failure of one look doesn't end the following. */
  #enqueue(task: () => Promise<void>): void {
    this.#work = this.#work.then(task).catch((error: unknown) => {
      this.#options.log(`${this.#options.directory}: ${String(error)}`);
    });
  }

  /** Anything but a plain file's name (a renamed folder, a switched link) means: look at all. */
  #touch(name: string | null): void {
    this.#touched.add(name !== null && isConfigFile(name) ? name : "");
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const names = [...this.#touched];
      this.#touched.clear();
      this.#enqueue(async () => {
        if (names.includes("")) return this.rescan();
        for (const one of names) await this.#look(one);
      });
    }, SETTLE_MS);
  }

  async #look(name: string): Promise<void> {
    const file = path.join(this.#options.directory, name);
    try {
      const found = await stat(file);
      const { size } = found;
      const stamp = `${found.mtimeMs} ${size} ${found.ino}`;
      if (!found.isFile() || this.#files.get(name)?.stamp === stamp) return;
      if (size > MAX_FILE_BYTES) {
        this.#options.log(`${file}: larger than ${MAX_FILE_BYTES} bytes; left as it was`);
        return;
      }
      if (size === 0 && this.#files.has(name)) {
        await delay(EMPTY_MS);
        if ((await stat(file)).size > 0) return await this.#look(name);
      }
      this.#read(name, stamp, await readFile(file, "utf8"));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") this.#forget(name);
      else this.#options.log(`${file}: ${String(error)}; left as it was`);
    }
  }

  #read(name: string, stamp: string, text: string): void {
    const { directory, check, log } = this.#options;
    const before = this.#files.get(name);
    const parser = before?.parser ?? new YamlFile(check);
    const isBare = path.basename(name) === MESH_CONFIG_FILE && !HAS_KIND.test(text);
    const { objects, problems } = parser.parse(isBare ? configMapOf(text) : text);
    for (const { document, field, message } of problems) {
      const at = field === "" ? "" : ` ${field}:`;
      log(`${path.join(directory, name)}: document ${document}:${at} ${message}`);
    }
    if (problems.length > 0 && before !== undefined) {
      log(`${path.join(directory, name)}: the objects that it had before stay in force`);
      before.stamp = stamp;
      return;
    }
    const next = new Map(objects.map((object) => [keyOf(object), object]));
    this.#files.set(name, { parser, stamp, objects: next });
    for (const [key, object] of before?.objects ?? []) {
      if (!next.has(key)) this.#drop(name, key, object);
    }
    for (const [key, object] of next) {
      if (before?.objects.get(key) !== object) this.#put(name, key, object);
    }
  }

  #forget(name: string): void {
    const file = this.#files.get(name);
    if (file === undefined) return;
    for (const [key, object] of file.objects) this.#drop(name, key, object);
    this.#files.delete(name);
  }

  #put(name: string, key: string, object: KubeObject): void {
    const owners = this.#owners.get(key) ?? new Set();
    this.#owners.set(key, owners);
    if (owners.size > 0 && !owners.has(name)) {
      const others = [...owners].join(", ");
      this.#options.log(`${name}: ${key} is in ${others} too; the first file by name counts`);
    }
    owners.add(name);
    if (first(owners) === name) this.#options.feed.handle({ type: "upsert", object });
  }

  #drop(name: string, key: string, object: KubeObject): void {
    const owners = this.#owners.get(key);
    if (owners === undefined) return;
    const counted = first(owners) === name;
    owners.delete(name);
    if (owners.size === 0) this.#owners.delete(key);
    if (!counted) return;
    const next = this.#files.get(first(owners) ?? "")?.objects.get(key);
    if (next === undefined) this.#options.feed.handle({ type: "delete", object });
    else this.#options.feed.handle({ type: "upsert", object: next });
  }
}

function configMapOf(mesh: string): string {
  const metadata = { name: "istio", namespace: "istio-system" };
  return JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata, data: { mesh } });
}

/** Hidden files and folders are left out, as in a mounted ConfigMap. */
function isConfigFile(name: string): boolean {
  return FILE.test(name) && !name.split(path.sep).some((part) => part.startsWith("."));
}

function first(owners: ReadonlySet<string>): string | undefined {
  return [...owners].toSorted()[0];
}

function keyOf(object: KubeObject): string {
  const { namespace = "default", name } = object.metadata;
  const group = object.apiVersion?.split("/").slice(0, -1).join("/") ?? "";
  return `${object.kind}${group === "" ? "" : `.${group}`} ${namespace}/${name}`;
}
