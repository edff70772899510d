/** `lateen inject`: sidecars into YAML before it is applied. */

import { readFile, writeFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { loadAll } from "js-yaml";
import { DEFAULT_CONFIG } from "#sidecar-injector/inject/config.ts";
import type { InjectorConfig } from "#sidecar-injector/inject/config.ts";
import { injectorConfig } from "#sidecar-injector/inject/injector-values.ts";
import { injectStream } from "#cli/inject/inject-stream.ts";
import { UsageError } from "#cli/state.ts";

export interface InjectCommandOptions {
  /** A file; `-` is stdin. */
  filename: string;
  output?: string;
  namespace: string;
  revision?: string;
  meshConfigFile?: string;
  injectConfigFile?: string;
  valuesFile?: string;
  verbose: boolean;
}

/** Returns the exit code: 1 when an object was refused; everything else is printed all the same. */
export async function runInject(
  options: InjectCommandOptions,
  streams: {
    input: NodeJS.ReadableStream;
    print: (text: string) => void;
    warn: (line: string) => void;
  },
): Promise<number> {
  const { warn } = streams;
  const config = await readConfig(options, warn);
  const stream =
    options.filename === "-" ? await text(streams.input) : await readFile(options.filename, "utf8");
  let result;
  try {
    result = injectStream(stream, { config, namespace: options.namespace });
  } catch (error) {
    // js-yaml's errors name line and column.
    if (!(error instanceof Error) || error.name !== "YAMLException") throw error;
    throw new UsageError(`${options.filename}: ${error.message}`, { cause: error });
  }
  if (options.verbose) result.decisions.forEach((line) => warn(line));
  result.warnings.forEach((line) => warn(`warning: ${line}`));
  result.problems.forEach((line) => warn(`refused: ${line}`));
  if (options.output === undefined) streams.print(result.yaml);
  else await writeFile(options.output, result.yaml);
  return result.problems.length === 0 ? 0 : 1;
}

/** Files hold the ConfigMaps `istio` and `istio-sidecar-injector`, or their texts. */
async function readConfig(
  options: InjectCommandOptions,
  warn: (line: string) => void,
): Promise<InjectorConfig> {
  const texts = {
    mesh: await entry(options.meshConfigFile, "mesh"),
    config: await entry(options.injectConfigFile, "config"),
    values:
      (await entry(options.valuesFile, "values")) ??
      (await entry(options.injectConfigFile, "values", true)),
  };
  const { config, problems } = injectorConfig(texts, DEFAULT_CONFIG);
  for (const { path, message } of problems) warn(`warning: ${path}: ${message}`);
  return { ...config, ...(options.revision !== undefined && { revision: options.revision }) };
}

/** The file's text, or the entry `key` where the file is a ConfigMap. */
async function entry(
  file: string | undefined,
  key: string,
  onlyInConfigMap = false,
): Promise<string | undefined> {
  if (file === undefined) return undefined;
  const content = await readFile(file, "utf8");
  const value: unknown = loadAll(content)[0];
  if (typeof value === "object" && value !== null && "kind" in value && "data" in value) {
    const data = new Map(Object.entries(value.data ?? {}));
    const found = data.get(key);
    return typeof found === "string" ? found : undefined;
  }
  return onlyInConfigMap ? undefined : content;
}
