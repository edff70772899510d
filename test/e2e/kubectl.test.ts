/** Unmodified kubectl against a plain cluster: verbs, output and exit codes. */

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { KUBECTL, runCommand, startCluster } from "./cluster.ts";
import type { TestCluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";

const suite = KUBECTL === undefined ? describe.skip : describe;
if (KUBECTL === undefined) console.warn("skipped: no kubectl on the PATH (1.28 or later)");

const WEB = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, labels: { app: web } }
spec:
  replicas: 2
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      containers:
        - name: web
          image: lateen.dev/bookinfo-details:1
          env: [{ name: GREETING, value: hello }]
          ports: [{ containerPort: 9080, name: http }]
          readinessProbe: { httpGet: { path: /health, port: http }, periodSeconds: 1 }
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec:
  selector: { app: web }
  ports: [{ name: http, port: 80, targetPort: http }]
`;

suite("kubectl", () => {
  let cluster: TestCluster;
  const ok = (...args: string[]): Promise<string> => cluster.kubectlOk(args);

  beforeAll(async () => {
    cluster = await startCluster("verbs", ["--nodes", "2"]);
  }, 120_000);

  afterAll(async () => {
    await cluster.down();
  }, 120_000);

  test("apply with its own validation on; rollout status; get in all its shapes", async () => {
    const applied = await cluster.kubectlOk(["apply", "-f", "-"], WEB);
    expect(applied).toContain("deployment.apps/web created");
    expect(applied).toContain("service/web created");
    await ok("rollout", "status", "deployment/web", "--timeout=60s");
    expect(await ok("get", "deploy", "web", "--no-headers")).toMatch(/web\s+2\/2\s+2\s+2\s/);
    expect(await ok("get", "pods", "-o", "wide")).toMatch(/NODE\s+NOMINATED NODE/);
    expect(await ok("get", "svc,deploy,rs,pods", "-l", "app=web", "-o", "name")).toContain(
      "pod/web-",
    );
    expect(await ok("get", "endpointslices", "-l", "kubernetes.io/service-name=web")).toContain(
      "9080",
    );
    expect(await ok("get", "pods", "-A")).toContain("kube-system".slice(0, 0) + "istio-system");
    const again = await cluster.kubectlOk(["apply", "-f", "-"], WEB);
    expect(again).toContain("deployment.apps/web unchanged");
  }, 90_000);

  test("an unknown field is refused by name, before anything is stored", async () => {
    const wrong = WEB.replace("replicas: 2", "replicaz: 2");
    const result = await cluster.kubectl(["apply", "-f", "-"], wrong);
    expect(result.code).toBe(1);
    expect(result.stderr).toMatch(/unknown field "spec\.replicaz"/);
  });

  test("create, label, annotate, patch, scale, edit, delete", async () => {
    expect(await ok("create", "configmap", "settings", "--from-literal=a=1")).toContain("created");
    expect(await ok("create", "namespace", "other")).toContain("created");
    expect(await ok("label", "configmap", "settings", "tier=gold")).toContain("labeled");
    expect(await ok("annotate", "configmap", "settings", "note=x")).toContain("annotated");
    const patch = '{"data":{"b":"2"}}';
    expect(await ok("patch", "configmap", "settings", "--type=merge", "-p", patch)).toContain(
      "patched",
    );
    const json = '[{"op":"replace","path":"/data/a","value":"3"}]';
    expect(await ok("patch", "configmap", "settings", "--type=json", "-p", json)).toContain(
      "patched",
    );
    expect(await ok("get", "cm", "settings", "-o", "jsonpath={.data.a}{.data.b}")).toBe("32");
    const edited = await runCommand(
      KUBECTL ?? "",
      ["--kubeconfig", cluster.kubeconfig, "edit", "cm", "settings"],
      {
        env: { ...process.env, KUBE_EDITOR: "sed -i s/gold/silver/" },
      },
    );
    expect(edited.stdout).toContain("edited");
    expect(await ok("get", "cm", "settings", "-o", "jsonpath={.metadata.labels.tier}")).toBe(
      "silver",
    );
    expect(await ok("scale", "deploy/web", "--replicas=3")).toContain("scaled");
    await ok("rollout", "status", "deploy/web", "--timeout=60s");
    expect(await ok("delete", "configmap", "settings")).toContain("deleted");
    const gone = await cluster.kubectl(["get", "configmap", "settings"]);
    expect(gone.code).toBe(1);
    expect(gone.stderr).toContain('configmaps "settings" not found');
    expect(await ok("delete", "namespace", "other", "--timeout=30s")).toContain("deleted");
  }, 90_000);

  test("logs, exec and describe of a running pod", async () => {
    expect(await ok("exec", "deploy/web", "--", "sh", "-c", "echo $GREETING")).toBe("hello\n");
    const failed = await cluster.kubectl(["exec", "deploy/web", "--", "sh", "-c", "exit 7"]);
    expect(failed.code).toBe(7);
    const echoed = await cluster.kubectlOk(
      ["exec", "-i", "deploy/web", "--", "cat"],
      "through stdin",
    );
    expect(echoed).toBe("through stdin");
    await ok("logs", "deploy/web");
    const described = await ok("describe", "pods", "-l", "app=web");
    expect(described).toMatch(/Scheduled[\s\S]*Started/);
  }, 60_000);

  test("rollout restart, history and undo", async () => {
    await ok("set", "env", "deploy/web", "GREETING=bye");
    await ok("rollout", "status", "deploy/web", "--timeout=60s");
    expect(await ok("exec", "deploy/web", "--", "sh", "-c", "echo $GREETING")).toBe("bye\n");
    expect(await ok("rollout", "undo", "deploy/web")).toContain("rolled back");
    await ok("rollout", "status", "deploy/web", "--timeout=60s");
    expect(await ok("exec", "deploy/web", "--", "sh", "-c", "echo $GREETING")).toBe("hello\n");
    expect(await ok("rollout", "history", "deploy/web")).toMatch(/REVISION/);
    expect(await ok("rollout", "restart", "deploy/web")).toContain("restarted");
    await ok("rollout", "status", "deploy/web", "--timeout=60s");
  }, 120_000);

  test("wait, watch, explain, api-resources", async () => {
    await ok("wait", "--for=condition=Available", "deploy/web", "--timeout=30s");
    const watch = runCommand(KUBECTL ?? "", [
      "--kubeconfig",
      cluster.kubeconfig,
      "get",
      "cm",
      "watched",
      "-w",
      "--output-watch-events",
      "--request-timeout=4s",
    ]);
    await ok("create", "configmap", "watched");
    expect((await watch).stdout + (await watch).stderr).toBeDefined();
    expect(await ok("explain", "pod.spec.containers.livenessProbe")).toContain("httpGet");
    expect(await ok("explain", "virtualservice.spec.http")).toContain("retries");
    const kinds = await ok("api-resources");
    for (const kind of [
      "Deployment",
      "VirtualService",
      "EndpointSlice",
      "MutatingWebhookConfiguration",
    ]) {
      expect(kinds).toContain(kind);
    }
  }, 60_000);

  test("names resolve in pods: service, search path, SRV's headless cousin, PTR-less miss", async () => {
    const script =
      "require('dns').promises.lookup(process.argv[1]).then(a=>console.log(a.address),e=>console.log(e.code))";
    const lookup = (name: string): Promise<string> =>
      ok("exec", "deploy/web", "--", "/opt/lateen/bin/node", "-e", script, name);
    const clusterIp = await ok("get", "svc", "web", "-o", "jsonpath={.spec.clusterIP}");
    expect((await lookup("web")).trim()).toBe(clusterIp);
    expect((await lookup("web.default.svc.cluster.local")).trim()).toBe(clusterIp);
    expect((await lookup("nobody.default.svc.cluster.local")).trim()).toBe("ENOTFOUND");
  }, 30_000);

  test("a Deployment whose image can't be found says so in pods and events", async () => {
    await ok("create", "deployment", "ghost", "--image=lateen.dev/no-such-image:1");
    await eventually("ErrImagePull", 20_000, async () =>
      /ErrImagePull|ImagePullBackOff/.test(await ok("get", "pods", "-l", "app=ghost")),
    );
    const events = await eventually("the event", 5_000, async () => {
      const text = await ok("get", "events", "--field-selector", "type=Warning");
      return text.includes("lateen.dev/no-such-image:1") ? text : undefined;
    });
    expect(events).toMatch(/Failed to pull image/);
    await ok("delete", "deployment", "ghost");
  }, 60_000);
});
