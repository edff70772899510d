/**
 * Wires a discovery server: sources → feed → pusher → ADS, with the debug pages beside it. Used by
 * `main.ts` inside a cluster and by `lateen pilot` alone.
 */

import { readFileSync } from "node:fs";
import type { CustomResourceDefinition } from "#cluster/api/generated/apiextensions-v1.ts";
import { ruleProblems } from "#cluster/apiserver/cel/rules.ts";
import { customKinds } from "#cluster/apiserver/kinds/custom.ts";
import { knownDefinition } from "#cluster/apiserver/schema/messages.ts";
import { findUnknown } from "#cluster/apiserver/schema/prune.ts";
import { validate } from "#cluster/apiserver/schema/validate.ts";
import { INGRESSES } from "#cluster/api/resources.ts";
import type { PkiFiles } from "#cluster/api/process-config.ts";
import { keepProcess } from "#cluster/client/keep-process.ts";
import { loadCrds } from "#crds/load.ts";
import { CONTROLLER } from "#ingress/translate/http-route-parent.ts";
import { startDirectorySource } from "#pilot/config/directory-source.ts";
import { type MeshSource, startMeshSource } from "#pilot/config/mesh-source.ts";
import { ObjectFeed } from "#pilot/config/object-feed.ts";
import type { ObjectCheck } from "#pilot/config/yaml-file.ts";
import { startDebugServer } from "#pilot/debug/http-server.ts";
import { Metrics } from "#pilot/debug/metrics.ts";
import type { DebugSources } from "#pilot/debug/page.ts";
import { debugQuestions } from "#pilot/debug/questions.ts";
import { keyOfChange } from "#pilot/model/change.ts";
import type { IrProblem } from "#pilot/ir/scope-ir.ts";
import type { ObjectKey } from "#pilot/model/name.ts";
import type { ModelObject } from "#pilot/model/object.ts";
import { objectOf } from "#pilot/model/push-context.ts";
import type { PushContext } from "#pilot/model/push-context.ts";
import { Pusher } from "#pilot/push/pusher.ts";
import { HTTP_ROUTES } from "#pilot/registry/gateway-api.ts";
import { WATCHED_CONFIG } from "#pilot/registry/registry.ts";
import { UNSUPPORTED_CONFIG } from "#pilot/registry/unsupported.ts";
import { ObjectStatuses } from "#pilot/status/object-statuses.ts";
import { refusalProblems } from "#pilot/status/refusals.ts";
import { problemEvents } from "#pilot/status/problem-events.ts";
import { ProblemReporter, textOf } from "#pilot/status/problem-reporter.ts";
import type { ReportedProblem } from "#pilot/status/problem-reporter.ts";
import { referenceProblems } from "#pilot/validate/references.ts";
import { runValidation } from "#pilot/validate/run.ts";
import type { ValidationOptions } from "#pilot/validate/run.ts";
import { startDiscoveryServer } from "#pilot/xds/discovery-server.ts";
import type { DiscoveryServer } from "#pilot/xds/discovery-server.ts";
import { Rejections, describeRejection } from "#pilot/xds/rejections.ts";
import type { StreamEvents } from "#pilot/xds/stream-events.ts";

export interface ServeOptions {
  /** A folder of YAML, watched. */
  configDir?: string;
  /** A cluster; the word `in-cluster` takes the pod's own account. */
  kubeconfig?: string;
  /** `address:port` of the ADS server; port 0 takes any free one. */
  grpc: string;
  /** `address:port` of the debug pages and metrics. */
  http?: string;
  /** ADS without TLS; allowed on loopback only. */
  insecure: boolean;
  /** Certificate of the ADS server, needed unless `insecure`. */
  serving?: PkiFiles;
  clusterDomain?: string;
  /** The cluster's DNS is Lateen's, which knows hosts of ServiceEntries. */
  dnsTellsAllocated?: boolean;
  /** `address:port` of the validating webhook, with the same certificate; needs a cluster. */
  webhook?: string;
  /** How the API server reaches the webhook; default: at that address. */
  webhookAt?: ValidationOptions["at"];
  /** Gets the line that says that everything is served; default: stdout. */
  onReady?: (line: string) => void;
  log?: (line: string) => void;
}

const VERSION = "0.1.0";

/** Serves until the signal aborts. Once complete, it prints `READY ADDRESS`. */
export async function servePilot(options: ServeOptions, signal: AbortSignal): Promise<void> {
  await keepProcess(() => serve(options, signal));
}

async function serve(options: ServeOptions, signal: AbortSignal): Promise<void> {
  const log = options.log ?? ((line: string) => process.stderr.write(`${line}\n`));
  const tls = credentials(options);
  const rejections = new Rejections();
  const metrics = new Metrics();
  const pusher = new Pusher({
    log,
    onTell: (changes, reached, since) => statuses.told(changes, reached, since),
    onPush: (report) => {
      metrics.pushed(report);
      noteChange();
    },
  });
  const feed = new ObjectFeed({
    apply(changes) {
      metrics.updated(changes, (one) => objectOf(pusher.context, keyOfChange(one)) !== undefined);
      pusher.apply(changes);
    },
    log,
    clusterDomain: options.clusterDomain ?? "cluster.local",
    dnsTellsAllocated: options.dnsTellsAllocated ?? false,
    observe: (event) => {
      if (event.cluster === undefined) statuses.observe(event);
    },
    onVerdict: (key) => statuses.noteVerdict(key),
  });
  const ownProblems = (): IrProblem[] => [...feed.problems(), ...pusher.problems()];
  const statuses = new ObjectStatuses({
    resources: [...WATCHED_CONFIG, ...UNSUPPORTED_CONFIG],
    connections: () => pusher.connections,
    servedGeneration: (key) => generationOf(objectOf(pusher.context, key as ObjectKey)),
    problems: ownProblems,
    refusals: () => rejections.list(),
    inspect(key) {
      const object = objectOf(pusher.context, key as ObjectKey);
      return object === undefined ? [] : referenceProblems(pusher.context, object);
    },
    routes: {
      resource: HTTP_ROUTES,
      controllerName: CONTROLLER,
      parentsOf: (key) => feed.parentsOf(key),
    },
  });
  const noteChange = (): void => {
    reporter.noteChange();
    statuses.noteChange();
  };
  let farProblems = (): readonly ReportedProblem[] => [];
  const sinks = [(problem: ReportedProblem) => log(textOf(problem))];
  const reporter = new ProblemReporter({
    current: () => [...ownProblems(), ...farProblems(), ...refusalProblems(rejections.list())],
    tell: (problem) => sinks.forEach((sink) => sink(problem)),
  });
  // Sources may run before anything is served; streams see the world only when it is whole.
  const onChange = (): void => reporter.noteChange();
  const source = await startSources(options, { feed, log, signal, onChange });
  const client = source?.client;
  farProblems = () => source?.problems() ?? [];
  if (client !== undefined) {
    const resources = [...WATCHED_CONFIG, ...UNSUPPORTED_CONFIG, HTTP_ROUTES, INGRESSES];
    const toEvent = problemEvents({ client, resources, log, signal });
    sinks.push((problem) => void toEvent(problem));
  }
  if (signal.aborted) return await source?.close();
  pusher.start();
  const events: StreamEvents = {
    sent: (type, bytes) => metrics.sent(type, bytes),
    acknowledged: (answer) => metrics.acknowledged(answer),
    converged(view, afterMs) {
      metrics.converged(view, afterMs);
      statuses.converged(view);
    },
    rejected(rejection) {
      metrics.rejected(rejection);
      rejections.add(rejection);
      log(describeRejection(rejection));
      noteChange();
    },
    recovered(rejection) {
      rejections.remove(rejection);
      noteChange();
    },
  };
  reporter.noteChange();
  const sources: DebugSources = {
    pusher,
    metrics,
    streams: () => server.streams(),
    rejections: () => rejections.list(),
    objectProblems: () => feed.problems(),
    statuses: () => statuses.list(),
    isReady: () => !signal.aborted,
    version: VERSION,
  };
  const server = await startDiscoveryServer({
    ...parseAddress(options.grpc),
    version: VERSION,
    ...(tls === undefined ? {} : { tls }),
    // Without TLS on loopback only, where who asks is the machine's own user.
    openView: (node, open) =>
      pusher.open(node, { ...open, secrets: tls === undefined ? "everybody" : "workloads" }),
    events,
    answer: debugQuestions(sources),
    log,
  });
  const debug =
    options.http === undefined
      ? undefined
      : await startDebugServer(parseAddress(options.http), sources).catch(
          async (error: unknown) => {
            await server.close();
            throw error;
          },
        );
  if (options.webhook !== undefined && options.serving !== undefined && client !== undefined) {
    const { serving, webhook, webhookAt: at } = options;
    const context = (): PushContext => pusher.context;
    await runValidation({
      ...parseAddress(webhook),
      ...(at && { at }),
      serving,
      client,
      context,
      log,
      signal,
    });
  }
  const namespace = pusher.context.mesh.rootNamespace;
  statuses.run({ ...(client === undefined ? {} : { client }), namespace, log, signal });
  source?.allocateAddresses();
  const onReady = options.onReady ?? ((line: string) => process.stdout.write(`${line}\n`));
  onReady(`READY ${addressText(server)}`);
  await aborted(signal);
  await Promise.all([server.close(), debug?.close(), source?.close()]);
}

async function startSources(
  options: ServeOptions,
  to: {
    feed: ObjectFeed;
    log: (line: string) => void;
    signal: AbortSignal;
    onChange: () => void;
  },
): Promise<MeshSource | undefined> {
  const { configDir: directory, kubeconfig } = options;
  const folder =
    directory === undefined
      ? undefined
      : startDirectorySource({ ...to, directory, check: schemaCheck() });
  const mesh = kubeconfig === undefined ? undefined : startMeshSource({ ...to, kubeconfig });
  const [source] = await Promise.all([mesh, folder]);
  await to.feed.drained();
  return source;
}

function generationOf(object: ModelObject | undefined): number | undefined {
  return object !== undefined && "generation" in object ? object.generation : undefined;
}

/** What an API server would have said of an object: types, patterns, unknown fields. */
function schemaCheck(): ObjectCheck {
  const kinds = loadCrds().flatMap((crd) =>
    customKinds(crd as unknown as CustomResourceDefinition),
  );
  const custom = new Map(
    kinds.map(({ group, version, kind, schema }) => [`${group}/${version} ${kind}`, schema]),
  );
  return (object) => {
    const { apiVersion = "", kind = "" } = object;
    const name = knownDefinition(apiVersion, kind);
    const schema = name === undefined ? custom.get(`${apiVersion} ${kind}`) : { $ref: name };
    // Kinds that nobody here knows are none of the mesh's.
    if (schema === undefined) return [];
    const shape = [
      ...findUnknown(schema, object).map((field) => ({ field, message: "unknown field" })),
      ...validate(schema, object),
    ];
    const problems = shape.length > 0 ? shape : ruleProblems(schema, object);
    // An API server insists on it; by hand it is often left out, and the addresses tell it as well.
    return problems.filter(({ field }) => kind !== "EndpointSlice" || field !== "addressType");
  };
}

function credentials(options: ServeOptions): { cert: string; key: string } | undefined {
  const { address } = parseAddress(options.grpc);
  if (options.insecure) {
    if (isLoopback(address)) return undefined;
    throw new Error(`--insecure serves on loopback only, not on ${address}: name a certificate`);
  }
  if (options.serving === undefined) {
    throw new Error("ADS over TLS needs a certificate; --insecure serves without, on loopback");
  }
  return {
    cert: readFileSync(options.serving.certFile, "utf8"),
    key: readFileSync(options.serving.keyFile, "utf8"),
  };
}

function isLoopback(address: string): boolean {
  return address === "localhost" || address === "::1" || /^127(\.\d{1,3}){3}$/.test(address);
}

/** `127.0.0.1:15010`, `[::1]:15010`, `:15010` (loopback). */
function parseAddress(text: string): { address: string; port: number } {
  const match = /^\[?([^\]]*?)\]?:(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (match === null || port > 65535) throw new Error(`${text} is not ADDRESS:PORT`);
  return { address: match[1] === "" ? "127.0.0.1" : (match[1] ?? ""), port };
}

function addressText({ address, port }: DiscoveryServer): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
