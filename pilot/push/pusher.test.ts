import { describe, expect, test } from "@jest/globals";
import { CLUSTER, PUSH_ORDER, ROUTES, VIRTUAL_HOST } from "#pilot/cache/type-url.ts";
import type { Protocol } from "#pilot/cache/shared-frames.ts";
import type { ProxyView } from "#pilot/cache/view.ts";
import type { Change } from "#pilot/model/change.ts";
import { hostname, objectKey } from "#pilot/model/name.ts";
import { configChange } from "./testing/changes.ts";
import { Pusher } from "./pusher.ts";
import type { PushReport } from "./pusher.ts";

function serviceChange(name: string, namespace = "default", exportTo: string[] = []): Change {
  const source = objectKey("Service", namespace, name);
  return {
    type: "upsert",
    object: {
      kind: "Service",
      key: source,
      source,
      host: hostname(`${name}.${namespace}.svc.cluster.local`),
      name,
      namespace,
      creationTimestamp: "",
      labels: {},
      ports: [{ number: 80, name: "http", protocol: "HTTP", targetPort: 80 }],
      addresses: ["198.51.100.1"],
      resolution: "discovery",
      external: false,
      headless: false,
      exportTo,
      subjectAltNames: [],
    },
  };
}

interface Harness {
  pusher: Pusher;
  reports: PushReport[];
  settle: () => void;
  open: (pod: string, namespace: string, protocol?: Protocol) => ProxyView;
}

function start(): Harness {
  const later: { ms: number; run: () => void }[] = [];
  const reports: PushReport[] = [];
  const pusher = new Pusher({
    log: (line) => {
      throw new Error(line);
    },
    onPush: (report) => reports.push(report),
    clock: { now: () => 0, after: (ms, run) => later.push({ ms, run }) },
  });
  return {
    pusher,
    reports,
    settle() {
      for (const { ms, run } of later.splice(0)) if (ms < 1000) run();
    },
    open(pod, namespace, protocol = "delta") {
      const node = {
        id: `sidecar~192.0.2.1~${pod}.${namespace}~${namespace}.svc.cluster.local`,
        userAgentName: "envoy",
        metadata: { LATEEN_CERTIFICATE: "NONE" },
      };
      const opened = pusher.open(node, { protocol, onChange: () => undefined });
      if (!opened.ok) throw new Error(opened.message);
      for (const type of PUSH_ORDER) opened.view.tables(type);
      return opened.view;
    },
  };
}

const namesOf = (view: ProxyView, type: (typeof PUSH_ORDER)[number]): string[] =>
  view.tables(type).flatMap((table) => [...table.resources()].map((one) => one.name));

describe("the pusher", () => {
  test("gives proxies of one class the same tables, and drops what none uses any more", () => {
    const { pusher, open } = start();
    pusher.apply([serviceChange("a")]);
    pusher.start();
    const [one, two] = [open("one", "default"), open("two", "default")];
    expect(two.tables(CLUSTER)).toEqual(one.tables(CLUSTER));
    expect(pusher.scopes()).toHaveLength(2);
    one.close();
    two.close();
    expect(pusher.connections.size).toBe(0);
  });

  test("translates only for scopes that a change concerns", () => {
    const { pusher, open, settle, reports } = start();
    pusher.start();
    open("one", "default");
    open("two", "other");
    pusher.apply([serviceChange("private", "other", ["."])]);
    settle();
    expect(reports.at(-1)).toMatchObject({ changes: 1, changedScopes: 1, proxies: 1 });
  });

  test("takes no notice of an object that is sent again as it was", () => {
    const { pusher, open, settle, reports } = start();
    pusher.apply([serviceChange("a")]);
    pusher.start();
    open("one", "default");
    const { context } = pusher;
    pusher.apply([serviceChange("a")]);
    settle();
    expect(pusher.context).toBe(context);
    expect(reports).toHaveLength(1);
  });

  test("brings an unused scope up to date when it is used again", () => {
    const { pusher, open, settle } = start();
    pusher.start();
    open("one", "default").close();
    pusher.apply([serviceChange("late")]);
    settle();
    expect(namesOf(open("one", "default"), CLUSTER)).toContain(
      "outbound|80||late.default.svc.cluster.local",
    );
  });

  test("keeps the problems of lists that a change doesn't touch", () => {
    const { pusher, open, settle } = start();
    const spec = { host: "a", trafficPolicy: { tls: { mode: "ISTIO_MUTUAL" as const } } };
    const rule = configChange("DestinationRule", "a", spec);
    pusher.apply([serviceChange("a"), rule]);
    pusher.start();
    open("one", "default");
    const reasons = (): string[] => pusher.problems().map(({ reason }) => reason);
    expect(reasons()).toEqual(["MeshTlsDisabled"]);
    const http = [{ timeout: "soon", route: [{ destination: { host: "a" } }] }];
    pusher.apply([configChange("VirtualService", "a", { hosts: ["a"], http })]);
    settle();
    expect(reasons()).toEqual(["MeshTlsDisabled", "InvalidDuration"]);
    pusher.apply([{ type: "delete", key: rule.object.key }]);
    settle();
    expect(reasons()).toEqual(["InvalidDuration"]);
  });

  test("lets virtual hosts travel alone only where they can", () => {
    const { pusher, open } = start();
    pusher.apply([serviceChange("a")]);
    pusher.start();
    const [delta, sotw] = [open("one", "default"), open("two", "default", "sotw")];
    expect(namesOf(delta, ROUTES)).toEqual(["80"]);
    expect(namesOf(delta, VIRTUAL_HOST)).toContain("80/a.default.svc.cluster.local:80");
    expect(namesOf(sotw, ROUTES)).toEqual(["80"]);
    expect(namesOf(sotw, VIRTUAL_HOST)).toEqual([]);
  });

  test("goes on telling others when one proxy's stream fails", () => {
    const logged: string[] = [];
    const later: (() => void)[] = [];
    const pusher = new Pusher({
      log: (line) => logged.push(line),
      clock: { now: () => 0, after: (_, run) => later.push(run) },
    });
    pusher.start();
    let told = 0;
    for (const fails of [true, false]) {
      const node = { id: `sidecar~192.0.2.1~p${fails}.default~default.svc.cluster.local` };
      const onChange = (): void => {
        if (fails) throw new Error("broken stream");
        told++;
      };
      const opened = pusher.open(node, { protocol: "delta", onChange });
      if (opened.ok) opened.view.tables(CLUSTER);
    }
    pusher.apply([serviceChange("a")]);
    for (const run of later.splice(0)) run();
    expect(told).toBe(1);
    expect(logged[0]).toContain("broken stream");
  });
});
