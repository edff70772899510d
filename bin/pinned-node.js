/**
 * Runs a TypeScript entry on the Node that package.json pins (the npm package `node`), whatever
 * Node started us. Plain JavaScript, because an older system Node must be able to read it.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import module from "node:module";
import { constants, homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const pinnedNode = join(root, "node_modules", "node", "bin", "node");
const MINIMUM_MAJOR = 26;

/** Runs `entry` (a path below the project's root) with the arguments of this process. */
export async function runEntry(entry, args) {
  const file = join(root, entry);
  if (Number(process.versions.node.split(".")[0]) >= MINIMUM_MAJOR) {
    process.argv.splice(1, process.argv.length, file, ...args);
    // Stripped and compiled code is kept: the next start takes a third of the time.
    module.enableCompileCache(compileCache());
    await import(pathToFileURL(file).href);
    return;
  }
  if (!existsSync(pinnedNode)) {
    console.error("lateen: Node 26 is not installed here: run `npm install` in " + root);
    process.exit(1);
  }
  const problem = ensureLibraries();
  if (problem !== undefined) {
    console.error("lateen: " + problem);
    process.exit(1);
  }
  const child = spawn(pinnedNode, [file, ...args], { stdio: "inherit" });
  // A terminal sends Ctrl-C to the child as well; other senders reach only this process.
  process.on("SIGINT", () => process.stdin.isTTY || child.kill("SIGINT"));
  for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => {
    console.error(`lateen: cannot run ${pinnedNode}: ${error.message}`);
    process.exit(1);
  });
  child.on("exit", (code, signal) => {
    process.exit(code ?? 128 + (constants.signals[signal] ?? 0));
  });
}

/**
 * The pinned Node needs a library that a minimal Debian lacks (libatomic): it is installed when we
 * are root. Answers with what keeps Node from running, if anything does.
 */
function ensureLibraries() {
  const library = missingLibrary();
  if (library === undefined) return undefined;
  // Debian names a library's package by its soname: libatomic.so.1 is in libatomic1.
  const debianPackage = library.replace(".so.", "");
  const install = ["install", "-y", "--no-install-recommends", debianPackage];
  if (process.getuid?.() === 0 && existsSync("/usr/bin/apt-get")) {
    console.error(`lateen: installing ${debianPackage}, which Node ${MINIMUM_MAJOR} needs, by apt`);
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    const stdio = ["ignore", "ignore", "inherit"];
    spawnSync("apt-get", ["update"], { env, stdio });
    spawnSync("apt-get", install, { env, stdio });
    if (missingLibrary() === undefined) return undefined;
  }
  return `${library} is missing, which Node ${MINIMUM_MAJOR} needs: as root, apt-get ${install.join(" ")}`;
}

function missingLibrary() {
  const { stderr } = spawnSync(pinnedNode, ["--version"], { encoding: "utf8" });
  return /(lib[\w+.-]+\.so\.\d+): cannot open shared object/.exec(stderr ?? "")?.[1];
}

/** The same folder that the processes of a cluster use (`cli/setup/envoy.ts`). */
function compileCache() {
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache");
  return join(cache, "lateen", "compile");
}
