/**
 * The app's probes and HTTP hooks, sent through the proxy's status port. The kubelet knows nothing of
 * mutual TLS, and Envoy takes every TCP connection whether the app listens or not; so Envoy asks the
 * app itself, inside the pod. Paths and the environment variable are those of Istio's agent.
 */

import type {
  Container,
  GRPCAction,
  HTTPGetAction,
  Lifecycle,
  LifecycleHandler,
  PodSpec,
  Probe,
  TCPSocketAction,
} from "#cluster/api/generated/core-v1.ts";

/** One probe or hook as it was before. */
export interface AppProbe {
  /** Where the kubelet asks now: `/app-health/CONTAINER/readyz`. */
  path: string;
  httpGet?: HTTPGetAction;
  tcpSocket?: TCPSocketAction;
  grpc?: GRPCAction;
  timeoutSeconds?: number;
  /** Of the probe; how often a connection or gRPC check is worth repeating. */
  periodSeconds?: number;
}

type Handler = Pick<AppProbe, "httpGet" | "tcpSocket" | "grpc">;

/** The variable of the proxy that keeps what the probes were, as in Istio. */
export const PROBERS = "ISTIO_KUBE_APP_PROBERS";

const PROBES = {
  livenessProbe: "livez",
  readinessProbe: "readyz",
  startupProbe: "startupz",
} as const;
const HOOKS = { postStart: "poststartz", preStop: "prestopz" } as const;
type ProbeField = keyof typeof PROBES;
type HookField = keyof typeof HOOKS;

/** All but the proxy's. What can't be asked inside the pod (an `exec`, a host of its own) stays. */
export function rewriteProbes(
  spec: PodSpec,
  options: { statusPort: number; except: string },
): { spec: PodSpec; probes: AppProbe[] } {
  const probes: AppProbe[] = [];
  const rewrite = (container: Container): Container => {
    if (container.name === options.except) return container;
    const redirect = <T extends Handler>(handler: T, path: string): T => {
      const resolved = resolve(handler, container);
      const port = (resolved?.httpGet ?? resolved?.tcpSocket ?? resolved?.grpc)?.port;
      if (resolved === undefined || port === options.statusPort) return handler;
      const { timeoutSeconds, periodSeconds } = handler as Probe;
      probes.push({ path, ...resolved, timeoutSeconds, periodSeconds });
      const rest = { ...handler };
      delete rest.tcpSocket;
      delete rest.grpc;
      const httpGet: HTTPGetAction = { ...handler.httpGet, path, port: options.statusPort };
      if (httpGet.scheme === "HTTPS") httpGet.scheme = "HTTP";
      return { ...rest, httpGet };
    };
    return mapHandlers(container, redirect);
  };
  return { spec: mapContainers(spec, rewrite), probes };
}

/** The other way round, from the variable's text; a path that it doesn't know stays as it is. */
export function restoreProbes(spec: PodSpec, text: string): PodSpec {
  const known = parseProbers(text);
  return mapContainers(spec, (container) =>
    mapHandlers(container, (handler, path) => {
      const before = handler.httpGet?.path === path ? known.get(path) : undefined;
      if (before === undefined) return handler;
      const rest = { ...handler };
      delete rest.httpGet;
      return { ...rest, ...before };
    }),
  );
}

/** Istio's JSON: path → what to ask. */
export function probersText(probes: readonly AppProbe[]): string {
  const sorted = probes.toSorted((a, b) => (a.path < b.path ? -1 : 1));
  return JSON.stringify(
    Object.fromEntries(
      sorted.map(({ path, httpGet, tcpSocket, grpc, timeoutSeconds }) => {
        return [path, { httpGet, tcpSocket, grpc, timeoutSeconds }] as const;
      }),
    ),
  );
}

function parseProbers(text: string): Map<string, Handler> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The variable is a user's own; then nothing is known.
    return new Map();
  }
  if (typeof value !== "object" || value === null) return new Map();
  const entries = Object.entries(value as Record<string, AppProbe | null>);
  return new Map(
    entries.map(([path, probe]): [string, Handler] => {
      const { httpGet, tcpSocket, grpc } = probe ?? {};
      return [
        path,
        { ...(httpGet && { httpGet }), ...(tcpSocket && { tcpSocket }), ...(grpc && { grpc }) },
      ];
    }),
  );
}

/** With numbers for port names; undefined where Envoy can't ask in the kubelet's place. */
function resolve(handler: Handler, container: Container): Handler | undefined {
  const numberOf = (port: number | string): number | undefined =>
    typeof port === "number"
      ? port
      : container.ports?.find(({ name }) => name === port)?.containerPort;
  const { httpGet, tcpSocket, grpc } = handler;
  const target = httpGet ?? tcpSocket;
  if (target === undefined) return grpc === undefined ? undefined : { grpc };
  const port = numberOf(target.port);
  if (port === undefined || (target.host ?? "") !== "") return undefined;
  return httpGet === undefined
    ? { tcpSocket: { ...tcpSocket, port } }
    : { httpGet: { ...httpGet, port } };
}

type Change = <T extends Handler>(handler: T, path: string) => T;

function mapHandlers(container: Container, change: Change): Container {
  const changed: Container = { ...container };
  for (const [field, end] of Object.entries(PROBES) as [ProbeField, string][]) {
    const probe = container[field];
    if (probe) changed[field] = change(probe, `/app-health/${container.name}/${end}`);
  }
  if (container.lifecycle) {
    const lifecycle: Lifecycle = { ...container.lifecycle };
    for (const [field, end] of Object.entries(HOOKS) as [HookField, string][]) {
      const hook: LifecycleHandler | undefined = container.lifecycle[field];
      if (hook) lifecycle[field] = change(hook, `/app-lifecycle/${container.name}/${end}`);
    }
    changed.lifecycle = lifecycle;
  }
  return changed;
}

function mapContainers(spec: PodSpec, change: (container: Container) => Container): PodSpec {
  return {
    ...spec,
    containers: spec.containers.map(change),
    ...(spec.initContainers && { initContainers: spec.initContainers.map(change) }),
  };
}
