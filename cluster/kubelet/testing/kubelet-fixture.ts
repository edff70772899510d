/** A kubelet with real containers against a FakeApi; its pods use the host's network. */

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Container, Pod, PodSpec } from "#cluster/api/generated/core-v1.ts";
import type { NodeConfig } from "#cluster/api/process-config.ts";
import { NAMESPACES, PODS } from "#cluster/api/resources.ts";
import { FakeApi } from "#cluster/client/testing/fake-api.ts";
import { waitUntil } from "#cluster/client/testing/wait-until.ts";
import { cleanNode } from "#cluster/kubelet/clean.ts";
import { type Kubelet, startKubelet } from "#cluster/kubelet/kubelet.ts";

export interface KubeletFixture {
  api: FakeApi;
  config: NodeConfig;
  logs: string[];
  kubelet: Kubelet;
  /** A pod on this node; containers default to the host image and a shell that sleeps. */
  createPod(name: string, spec?: Partial<PodSpec>): Promise<Pod>;
  pod(name: string): Pod | undefined;
  /** Resolves when the pod is as the condition says. */
  waitFor(name: string, what: string, condition: (pod: Pod) => boolean): Promise<Pod>;
  eventsOf(name: string): string[];
  /** As after kill -9: a new kubelet on the same state. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

const IMAGES = `
hostImages:
  - { name: example.org/host, entrypoint: [/bin/sh, -c], cmd: ["sleep 3600"] }
`;
const WAIT_MS = 15_000;

/** A container of the host image that runs a shell script. */
export function shell(name: string, script: string, more: Partial<Container> = {}): Container {
  return { name, image: "example.org/host:1", args: [script], ...more };
}

export async function createKubeletFixture(): Promise<KubeletFixture> {
  const stateDir = await mkdtemp(join(tmpdir(), "lt-h4-kubelet-"));
  const config = testConfig(stateDir);
  await mkdir(join(stateDir, "config"));
  await writeFile(config.imagesFile, IMAGES);
  const api = new FakeApi();
  await api.create(NAMESPACES, { metadata: { name: "default" } });
  const logs: string[] = [];
  let stop = new AbortController();
  const start = (): Promise<Kubelet> =>
    startKubelet({
      config,
      client: api,
      signal: stop.signal,
      log: (line) => logs.push(line),
    });
  const fixture: KubeletFixture = {
    api,
    config,
    logs,
    kubelet: await start(),
    createPod: (name, spec = {}) => api.create(PODS, testPod(name, spec)),
    pod: (name) => api.peek(PODS).find(({ metadata }) => metadata.name === name),
    async waitFor(name, what, condition) {
      const look = (): boolean => {
        const pod = fixture.pod(name);
        return pod !== undefined && condition(pod);
      };
      await waitUntil(`${name} ${what}`, look, WAIT_MS).catch((error: Error) => {
        throw new Error(
          `${error.message}: ${JSON.stringify(fixture.pod(name)?.status)} ${logs.join("\n")}`,
        );
      });
      return fixture.pod(name) ?? testPod(name, {});
    },
    eventsOf: (name) => eventsOf(api, name),
    async restart() {
      stop.abort();
      await fixture.kubelet.done;
      stop = new AbortController();
      fixture.kubelet = await start();
    },
    async close() {
      stop.abort();
      await fixture.kubelet.done;
      await cleanNode(config);
      await rm(stateDir, { recursive: true, force: true });
    },
  };
  return fixture;
}

function eventsOf(api: FakeApi, pod: string): string[] {
  return api.requests.flatMap(({ verb, resource, body }) => {
    if (verb !== "create" || resource.kind !== "Event") return [];
    const event = body as { involvedObject: { name: string }; reason: string; message: string };
    return event.involvedObject.name === pod ? [`${event.reason}: ${event.message}`] : [];
  });
}

function testPod(name: string, spec: Partial<PodSpec>): Pod {
  return {
    metadata: { name, namespace: "default", labels: { app: name } },
    spec: {
      nodeName: "node-1",
      hostNetwork: true,
      terminationGracePeriodSeconds: 5,
      containers: [shell("main", "sleep 3600")],
      ...spec,
    },
  };
}

function testConfig(stateDir: string): NodeConfig {
  const unique = stateDir.slice(-6);
  return {
    clusterName: "test",
    nodeName: "node-1",
    stateDir: join(stateDir, "nodes", "node-1"),
    network: {
      fabricCidr: "192.0.2.0/24",
      hostAddress: "192.0.2.1",
      podCidr: "192.0.2.0/24",
      serviceCidr: "198.51.100.0/24",
      loadBalancerCidr: "203.0.113.0/24",
      dnsAddress: "198.51.100.10",
      clusterDomain: "cluster.local",
      fabricNamespace: `lt-h4-${unique}`,
      hostLink: "none",
    },
    nodeAddress: "127.0.0.1",
    podCidr: "192.0.2.0/24",
    kubeconfig: "",
    serving: { caFile: "", certFile: "", keyFile: "" },
    podNamespacePrefix: `lt-h4-${unique}_`,
    cgroupParent: `lt-h4-${unique}/node-1`,
    imagesFile: join(stateDir, "config", "images.yaml"),
  };
}
