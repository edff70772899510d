/** The discovery service: ADS streams over gRPC, each with the view of its proxy. */

import { hostname } from "node:os";
import { Admissions } from "./admissions.ts";
import { controlPlaneId } from "./discovery-response.ts";
import { startGrpcServer } from "./grpc-server.ts";
import type { CallHandler, GrpcCall, GrpcServer } from "./grpc-server.ts";
import type { AnswerQuestion } from "./question.ts";
import { RequestMemory } from "./request-memory.ts";
import { DiscoveryStream } from "./stream.ts";
import type { StreamEvents } from "./stream-events.ts";
import { SharedFrames } from "#pilot/cache/shared-frames.ts";
import type { Protocol } from "#pilot/cache/shared-frames.ts";
import type { OpenView } from "#pilot/cache/view.ts";

export interface DiscoveryServerOptions {
  address: string;
  /** Of this software, for tools. */
  version: string;
  /** Tells this server from its replicas; the host's name without. */
  instance?: string;
  /** 0 takes any free port. */
  port: number;
  /** PEM; plaintext without. */
  tls?: { cert: string; key: string };
  /** Proxies are asked to connect again after about so long; default: 30 minutes. */
  maxConnectionAgeMs?: number;
  openView: OpenView;
  events: StreamEvents;
  /** Answers requests of types that aren't resources. */
  answer?: AnswerQuestion;
  log: (line: string) => void;
}

export interface DiscoveryServer {
  readonly address: string;
  readonly port: number;
  /** Streams that are open now, oldest first. */
  streams(): readonly DiscoveryStream[];
  close(): Promise<void>;
}

const SERVICE = "/envoy.service.discovery.v3.AggregatedDiscoveryService";
const MAX_REQUEST_BYTES = 16 * 1024 * 1024;
const MAX_CONNECTIONS = 10_000;
const KEEPALIVE_MS = 30_000;
/** Istio's, after which proxies spread over replicas anew. */
const MAX_AGE_MS = 30 * 60_000;
/** Connecting costs a millisecond where the class of the proxy is known. */
const NEWCOMERS = { perSecond: 1000, burst: 100 };
const TICK_MS = 1000;

/** Resolves once it listens. */
export async function startDiscoveryServer(
  options: DiscoveryServerOptions,
): Promise<DiscoveryServer> {
  const streams = new Set<DiscoveryStream>();
  const frames = new SharedFrames();
  const requests = new RequestMemory();
  const controlPlane = controlPlaneId(options.instance ?? hostname(), options.version);
  let opened = 0;
  const open = (protocol: Protocol, call: GrpcCall): CallHandler => {
    const stream = new DiscoveryStream({
      protocol,
      number: ++opened,
      peer: call.peer,
      local: call.local,
      controlPlane,
      openView: options.openView,
      frames,
      requests,
      events: options.events,
      ...(options.answer === undefined ? {} : { answer: options.answer }),
      log: options.log,
      now: () => performance.now(),
      send: (parts) => call.send(parts),
      end: (code, message) => call.end(code, message),
    });
    streams.add(stream);
    return {
      onMessage: (message) => stream.onMessage(message),
      onEnd() {
        streams.delete(stream);
        stream.onEnd();
      },
    };
  };
  const server: GrpcServer = await startGrpcServer({
    address: options.address,
    port: options.port,
    ...(options.tls === undefined ? {} : { tls: options.tls }),
    methods: new Map([
      [`${SERVICE}/StreamAggregatedResources`, (call: GrpcCall) => open("sotw", call)],
      [`${SERVICE}/DeltaAggregatedResources`, (call: GrpcCall) => open("delta", call)],
    ]),
    maxMessageBytes: MAX_REQUEST_BYTES,
    maxConnections: MAX_CONNECTIONS,
    limits: {
      keepaliveMs: KEEPALIVE_MS,
      maxAgeMs: options.maxConnectionAgeMs ?? MAX_AGE_MS,
      random: Math.random,
    },
    admissions: new Admissions(NEWCOMERS),
    log: options.log,
  });
  const ticker = setInterval(() => {
    for (const stream of streams) stream.tick();
  }, TICK_MS);
  ticker.unref();
  return {
    address: server.address,
    port: server.port,
    streams: () => [...streams],
    async close() {
      clearInterval(ticker);
      await server.close();
    },
  };
}
