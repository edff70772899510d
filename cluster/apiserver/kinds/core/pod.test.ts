import { describe, expect, test } from "@jest/globals";
import {
  cellsOf,
  kindNamed,
  prepared,
  problemsOnCreate,
  problemsOnUpdate,
} from "#cluster/apiserver/kinds/testing.ts";

const POD = kindNamed("Pod");

const pod = (spec: object, rest: object = {}): object => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "a", namespace: "default", creationTimestamp: "2026-01-02T03:00:00Z" },
  spec: { containers: [{ name: "app", image: "example.org/app:1" }], ...spec },
  ...rest,
});

const withContainer = (container: object, spec: object = {}): object =>
  pod({ containers: [{ name: "app", image: "example.org/app:1", ...container }], ...spec });

describe("a new pod", () => {
  test("gets Kubernetes' defaults", () => {
    const given = withContainer(
      {
        ports: [{ containerPort: 80 }],
        resources: { limits: { cpu: "1", memory: "1Gi" }, requests: { cpu: "500m" } },
        readinessProbe: { httpGet: { port: 80 } },
        env: [{ name: "IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } }],
      },
      { volumes: [{ name: "a" }, { name: "b", configMap: { name: "c" } }], serviceAccount: "me" },
    );
    const object = prepared(POD, given);
    expect(object.spec).toMatchObject({
      restartPolicy: "Always",
      dnsPolicy: "ClusterFirst",
      terminationGracePeriodSeconds: 30,
      schedulerName: "default-scheduler",
      securityContext: {},
      enableServiceLinks: true,
      serviceAccountName: "me",
      volumes: [
        { name: "a", emptyDir: {} },
        { name: "b", configMap: { name: "c", defaultMode: 420 } },
      ],
      containers: [
        {
          imagePullPolicy: "IfNotPresent",
          terminationMessagePath: "/dev/termination-log",
          terminationMessagePolicy: "File",
          ports: [{ containerPort: 80, protocol: "TCP" }],
          resources: { requests: { cpu: "500m", memory: "1Gi" } },
          readinessProbe: {
            httpGet: { path: "/", port: 80, scheme: "HTTP" },
            timeoutSeconds: 1,
            periodSeconds: 10,
            successThreshold: 1,
            failureThreshold: 3,
          },
          env: [{ valueFrom: { fieldRef: { apiVersion: "v1" } } }],
        },
      ],
    });
    expect(object.status).toEqual({ phase: "Pending", qosClass: "Burstable" });
  });

  test.each([
    ["app", "Always"],
    ["app:latest", "Always"],
    ["app:1", "IfNotPresent"],
    ["registry:5000/app", "Always"],
    ["registry:5000/app:1", "IfNotPresent"],
    ["app@sha256:00", "IfNotPresent"],
  ])("pulls %s: %s", (image, policy) => {
    const object = prepared(POD, withContainer({ image }));
    expect(object.spec).toMatchObject({ containers: [{ imagePullPolicy: policy }] });
  });

  test.each<[object, string]>([
    [{}, "BestEffort"],
    [{ requests: { cpu: "1" } }, "Burstable"],
    [{ limits: { cpu: "1", memory: "1Gi" } }, "Guaranteed"],
    [{ limits: { cpu: "1", memory: "1Gi" }, requests: { cpu: "500m" } }, "Burstable"],
  ])("with resources %j is %s", (resources, qosClass) => {
    expect(prepared(POD, withContainer({ resources })).status).toMatchObject({ qosClass });
  });

  test("is classed anew when a webhook has added a container", () => {
    const object = prepared(
      POD,
      withContainer({ resources: { limits: { cpu: "1", memory: "1Gi" } } }),
    );
    (object.spec as { containers: object[] }).containers.push({ name: "b", image: "b" });
    POD.strategy.applyDefaults?.(object);
    expect(object.status).toEqual({ phase: "Pending", qosClass: "Burstable" });
  });

  test("of any shape is prepared without a crash, and then refused", () => {
    for (const spec of [null, 1, [], { containers: {} }, { containers: [1] }, { volumes: "x" }]) {
      const given = { ...pod({}), spec };
      expect(problemsOnCreate(POD, given).length).toBeGreaterThan(0);
    }
  });
});

describe("validation of pods", () => {
  test("a sound pod has no problems", () => {
    const container = {
      volumeMounts: [{ name: "v", mountPath: "/v" }],
      env: [{ name: "A", valueFrom: { secretKeyRef: { name: "s", key: "k" } } }],
      envFrom: [{ configMapRef: { name: "c" } }],
      lifecycle: { preStop: { exec: { command: ["true"] } } },
    };
    const sidecar = {
      name: "s",
      image: "s",
      restartPolicy: "Always",
      startupProbe: { grpc: { port: 1 } },
    };
    const volumes = [
      { name: "v", projected: { sources: [{ serviceAccountToken: { path: "t" } }] } },
    ];
    const given = withContainer(container, { volumes, initContainers: [sidecar] });
    expect(problemsOnCreate(POD, given)).toEqual([]);
  });

  test.each<[string, object, string]>([
    ["no containers", pod({ containers: [] }), "spec.containers: Required value"],
    [
      "a bad container name",
      withContainer({ name: "App" }),
      "spec.containers[0].name: Invalid value: \"App\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
    ],
    [
      "two containers of one name",
      pod({
        containers: [
          { name: "a", image: "a" },
          { name: "a", image: "b" },
        ],
      }),
      'spec.containers[1].name: Duplicate value: "a"',
    ],
    ["no image", withContainer({ image: "" }), "spec.containers[0].image: Required value"],
    [
      "a mount of no volume",
      withContainer({ volumeMounts: [{ name: "nope", mountPath: "/x" }] }),
      'spec.containers[0].volumeMounts[0].name: Not found: "nope"',
    ],
    [
      "a probe without a handler",
      withContainer({ livenessProbe: {} }),
      "spec.containers[0].livenessProbe: Required value: must specify a handler type",
    ],
    [
      "a probe with two handlers",
      withContainer({ livenessProbe: { httpGet: { port: 1 }, tcpSocket: { port: 1 } } }),
      "spec.containers[0].livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type",
    ],
    [
      "a liveness probe that wants two successes",
      withContainer({ livenessProbe: { tcpSocket: { port: 1 }, successThreshold: 2 } }),
      "spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1",
    ],
    [
      "a request above its limit",
      withContainer({ resources: { requests: { cpu: "2" }, limits: { cpu: "1" } } }),
      'spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
    ],
    [
      "a probe of an init container that is no sidecar",
      pod({
        initContainers: [{ name: "i", image: "i", livenessProbe: { tcpSocket: { port: 1 } } }],
      }),
      "spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always",
    ],
    [
      "an environment variable of two sources",
      withContainer({
        env: [{ name: "A", value: "x", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }],
      }),
      'spec.containers[0].env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty',
    ],
    [
      "a volume of two kinds",
      pod({ volumes: [{ name: "v", emptyDir: {}, hostPath: { path: "/x" } }] }),
      "spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type",
    ],
    [
      "a path that leaves its volume",
      pod({
        volumes: [{ name: "v", configMap: { name: "c", items: [{ key: "k", path: "../x" }] } }],
      }),
      "spec.volumes[0].configMap.items[0].path: Invalid value: \"../x\": must not contain '..'",
    ],
    [
      "a toleration without a key that matches by value",
      pod({ tolerations: [{ operator: "Equal", value: "x" }] }),
      'spec.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when `key` is empty, which means "match all values and all keys"',
    ],
    [
      "a bad amount",
      withContainer({ resources: { limits: { cpu: "-1" } } }),
      'spec.containers[0].resources.limits[cpu]: Invalid value: "-1": must be greater than or equal to 0',
    ],
  ])("refuses %s", (_name, given, expected) => {
    expect(problemsOnCreate(POD, given)).toContain(expected);
  });
});

describe("an update of a pod", () => {
  const before = pod({ nodeName: "n1" });

  test.each<[string, object]>([
    ["its image", withContainer({ image: "example.org/app:2" }, { nodeName: "n1" })],
    ["another toleration", pod({ nodeName: "n1", tolerations: [{ operator: "Exists" }] })],
    ["a deadline", pod({ nodeName: "n1", activeDeadlineSeconds: 5 })],
  ])("may change %s", (_name, after) => {
    expect(problemsOnUpdate(POD, before, after)).toEqual([]);
  });

  test("may not change its command", () => {
    const [problem] = problemsOnUpdate(
      POD,
      before,
      withContainer({ args: ["x"] }, { nodeName: "n1" }),
    );
    expect(problem).toMatch(/^spec: Forbidden: pod updates may not change fields other than/);
  });

  test("may bind it once", () => {
    expect(problemsOnUpdate(POD, pod({}), before)).toEqual([]);
    expect(problemsOnUpdate(POD, before, pod({ nodeName: "n2" }))).toHaveLength(1);
  });
});

describe("a pod in a table", () => {
  const running = { running: { startedAt: "2026-01-02T03:00:00Z" } };
  const status = (fields: object): object => ({ status: { phase: "Running", ...fields } });

  test.each<[string, object, object, object]>([
    [
      "that runs",
      {},
      status({
        containerStatuses: [{ name: "app", ready: true, restartCount: 0, state: running }],
      }),
      { Ready: "1/1", Status: "Running", Restarts: "0", Age: "4m5s" },
    ],
    [
      "that crashes",
      {},
      status({
        containerStatuses: [
          {
            name: "app",
            ready: false,
            restartCount: 3,
            state: { waiting: { reason: "CrashLoopBackOff" } },
            lastState: { terminated: { exitCode: 1, finishedAt: "2026-01-02T03:02:05Z" } },
          },
        ],
      }),
      { Ready: "0/1", Status: "CrashLoopBackOff", Restarts: "3 (2m ago)" },
    ],
    [
      "that initializes",
      {
        initContainers: [
          { name: "i1", image: "i" },
          { name: "i2", image: "i" },
        ],
      },
      {
        status: {
          phase: "Pending",
          initContainerStatuses: [
            { name: "i1", ready: true, restartCount: 0, state: { terminated: { exitCode: 0 } } },
            { name: "i2", ready: false, restartCount: 0, state: running },
          ],
          containerStatuses: [
            {
              name: "app",
              ready: false,
              restartCount: 0,
              state: { waiting: { reason: "PodInitializing" } },
            },
          ],
        },
      },
      { Ready: "0/1", Status: "Init:1/2" },
    ],
    [
      "whose init container fails",
      { initContainers: [{ name: "i1", image: "i" }] },
      {
        status: {
          phase: "Pending",
          initContainerStatuses: [
            {
              name: "i1",
              ready: false,
              restartCount: 2,
              state: { terminated: { exitCode: 3, reason: "Error" } },
            },
          ],
        },
      },
      { Status: "Init:Error", Restarts: "2" },
    ],
    [
      "with a native sidecar",
      { initContainers: [{ name: "istio-proxy", image: "p", restartPolicy: "Always" }] },
      status({
        conditions: [{ type: "Initialized", status: "True" }],
        initContainerStatuses: [
          { name: "istio-proxy", ready: true, started: true, restartCount: 1, state: running },
        ],
        containerStatuses: [{ name: "app", ready: true, restartCount: 0, state: running }],
      }),
      { Ready: "2/2", Status: "Running", Restarts: "1" },
    ],
    [
      "that is done",
      {},
      {
        status: {
          phase: "Succeeded",
          containerStatuses: [
            {
              name: "app",
              ready: false,
              restartCount: 0,
              state: { terminated: { exitCode: 0, reason: "Completed" } },
            },
          ],
        },
      },
      { Ready: "0/1", Status: "Completed" },
    ],
    [
      "that was killed by a signal",
      {},
      status({
        containerStatuses: [
          {
            name: "app",
            ready: false,
            restartCount: 0,
            state: { terminated: { exitCode: 137, signal: 9 } },
          },
        ],
      }),
      { Status: "Signal:9" },
    ],
    [
      "that was evicted",
      {},
      { status: { phase: "Failed", reason: "Evicted" } },
      { Status: "Evicted" },
    ],
    ["without a status", {}, {}, { Status: "Unknown", IP: "<none>", Node: "<none>" }],
  ])("%s", (_name, spec, rest, cells) => {
    expect(cellsOf(POD, pod(spec, rest))).toMatchObject(cells);
  });

  test("that is being deleted is Terminating", () => {
    const object = pod({}, status({}));
    Object.assign((object as { metadata: object }).metadata, {
      deletionTimestamp: "2026-01-02T03:04:00Z",
    });
    expect(cellsOf(POD, object)).toMatchObject({ Status: "Terminating" });
  });
});

describe("a deletion", () => {
  const grace = (given: object): number => {
    return POD.strategy.gracePeriodSeconds?.(prepared(POD, given)) ?? 0;
  };

  test("gives a bound pod its grace, and an unbound one none", () => {
    expect(grace(pod({ nodeName: "n1" }))).toBe(30);
    expect(grace(pod({ nodeName: "n1", terminationGracePeriodSeconds: 5 }))).toBe(5);
    expect(grace(pod({}))).toBe(0);
  });
});
