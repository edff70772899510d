/** Unmodified kubectl against a plain cluster: verbs, what they print, and how they exit. */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
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

/** Two containers: one that tells its stdin, and one that is never run. */
const PAIR = `
apiVersion: v1
kind: Pod
metadata: { name: pair }
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - { name: talks, image: lateen.dev/bookinfo-details:1, stdin: true, command: [sh, -c, "echo out; echo err >&2; cat"] }
    - { name: waits, image: example.org/none:1, imagePullPolicy: Never }
`;

const LIST = `
apiVersion: v1
kind: List
items:
  - { apiVersion: v1, kind: ConfigMap, metadata: { name: one, labels: { set: list } }, data: { a: "1" } }
  - { apiVersion: v1, kind: ConfigMap, metadata: { name: two, labels: { set: list } } }
`;

suite("kubectl", () => {
  let cluster: TestCluster;
  const ok = (...args: string[]): Promise<string> => cluster.kubectlOk(args);
  const rolledOut = (): Promise<string> => ok("rollout", "status", "deploy/web", "--timeout=60s");
  const greeting = (): Promise<string> =>
    ok("exec", "deploy/web", "--", "sh", "-c", "echo $GREETING");

  /** What kubectl says when it must fail. */
  async function refused(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await cluster.kubectl(args);
    if (code === 0) throw new Error(`kubectl ${args.join(" ")} did not fail: ${stdout}`);
    return stderr;
  }

  beforeAll(async () => {
    cluster = await startCluster("verbs", ["--nodes", "2"]);
    await cluster.kubectlOk(["apply", "-f", "-"], WEB);
    await rolledOut();
  }, 120_000);

  afterAll(async () => {
    await cluster.down();
  }, 120_000);

  test("apply tells what is new, changed and the same; diff exits with 1 when it has one", async () => {
    const apply = (text: string): Promise<string> => cluster.kubectlOk(["apply", "-f", "-"], text);
    expect(await apply(WEB)).toMatch(/deployment.apps\/web unchanged\nservice\/web unchanged/);
    const more = WEB.replace("name: http, port: 80", "name: http, port: 81");
    const diff = await cluster.kubectl(["diff", "-f", "-"], more);
    expect(diff).toMatchObject({ code: 1, stdout: expect.stringMatching(/^\+.*port: 81$/m) });
    expect(await apply(more)).toContain("service/web configured");
    expect(await apply(WEB)).toContain("service/web configured");
  }, 30_000);

  test("apply of a List is validated by its items, and prunes what the list no longer has", async () => {
    const prune = ["--prune", "-l", "set=list", "--prune-allowlist=core/v1/ConfigMap"];
    const apply = (text: string): Promise<string> =>
      cluster.kubectlOk(["apply", "-f", "-", ...prune], text);
    expect(await apply(LIST)).toMatch(/configmap\/one created\nconfigmap\/two created/);
    const [first = ""] = LIST.split(/^.*name: two.*$/m);
    expect(await apply(first)).toMatch(/configmap\/one unchanged\nconfigmap\/two pruned/);
    const wrong = await cluster.kubectl(["apply", "-f", "-"], LIST.replace(" data:", " dada:"));
    expect(wrong).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('unknown field "dada"'),
    });
  }, 30_000);

  test("an object is refused with everything that is wrong with it, and nothing is stored", async () => {
    const unknown = WEB.replace("replicas: 2", "replicaz: 2");
    const strict = await cluster.kubectl(["apply", "-f", "-"], unknown);
    expect(strict).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('unknown field "spec.replicaz"'),
    });
    const bad = PAIR.replace("name: pair", "name: Pair").replace("Policy: Never", "Policy: Maybe");
    const { code, stderr } = await cluster.kubectl(["create", "-f", "-"], bad);
    expect(code).toBe(1);
    expect(stderr).toMatch(/metadata\.name: Invalid value: "Pair": a lowercase RFC 1123/);
    expect(stderr).toMatch(/containers\[1\]\.imagePullPolicy: Unsupported value: "Maybe"/);
    expect(await refused("create", "namespace", "default")).toContain("already exists");
    expect(await refused("get", "configmap", "none")).toContain('configmaps "none" not found');
  }, 30_000);

  test("get prints tables, names, paths, sorted and selected", async () => {
    expect(await ok("get", "deploy", "web", "--no-headers")).toMatch(/web\s+2\/2\s+2\s+2\s/);
    expect(await ok("get", "pods", "-o", "wide")).toMatch(
      /NODE\s+NOMINATED NODE\s+READINESS GATES/,
    );
    expect(await ok("get", "svc,deploy,rs,pods", "-l", "app in (web)", "-o", "name")).toMatch(
      /^deployment\.apps\/web\nreplicaset\.apps\/web-\w+\npod\/web-\S+\npod\/web-\S+\n$/,
    );
    const nodes = ["get", "nodes", "--sort-by=.metadata.name", "-o"];
    expect(await ok(...nodes, "jsonpath={.items[*].metadata.name}")).toBe("node-1 node-2");
    expect(await ok(...nodes, "custom-columns=N:.metadata.name")).toBe("N\nnode-1\nnode-2\n");
    const onNode = ["--field-selector", "spec.nodeName=node-1", "-o", "name"];
    expect(await ok("get", "pods", "-A", "--chunk-size=1", ...onNode)).toMatch(/^pod\/\S+\n/);
    expect(await ok("get", "pods", "-A", "--show-labels")).toMatch(/istio-system.*app=/);
    expect(await ok("get", "endpoints,endpointslices")).toMatch(/:9080,.*:9080/);
  }, 30_000);

  test("create, label, annotate, patch, edit, replace, delete", async () => {
    expect(await ok("create", "configmap", "settings", "--from-literal=a=1")).toContain("created");
    expect(await ok("label", "configmap", "settings", "tier=gold")).toContain("labeled");
    expect(await refused("label", "cm", "settings", "tier=tin")).toContain("--overwrite is false");
    expect(await ok("annotate", "configmap", "settings", "note=x")).toContain("annotated");
    expect(await ok("annotate", "configmap", "settings", "note-")).toContain("annotated");
    const patch = (type: string, body: string): Promise<string> =>
      ok("patch", "configmap", "settings", `--type=${type}`, "-p", body);
    expect(await patch("merge", '{"data":{"b":"2"}}')).toContain("patched");
    const replaced = '[{"op":"replace","path":"/data/a","value":"3"}]';
    expect(await patch("json", replaced)).toContain("patched");
    expect(await patch("json", replaced)).toContain("patched (no change)");
    expect(await patch("strategic", '{"data":{"c":"4","b":null}}')).toContain("patched");
    expect(await ok("get", "cm", "settings", "-o", "jsonpath={.data}")).toBe('{"a":"3","c":"4"}');
    const editor = { KUBE_EDITOR: "sed -i s/gold/silver/" };
    const edited = await cluster.kubectl(["edit", "cm", "settings"], undefined, editor);
    expect(edited.stdout).toContain("edited");
    expect(await ok("get", "cm", "settings", "-L", "tier", "--no-headers")).toMatch(/silver\n$/);
    expect(await ok("delete", "configmap", "settings", "--dry-run=server")).toContain("dry run");
    expect(await ok("delete", "configmap", "settings")).toContain('"settings" deleted');
    expect(await ok("delete", "configmap", "settings", "--ignore-not-found")).toBe("");
    expect(await ok("create", "token", "default", "--duration=10m")).toMatch(/^ey[\w.-]+$/);
  }, 60_000);

  test("logs, exec, attach and cp of a pod, and what they say when that can't be", async () => {
    await cluster.kubectlOk(["create", "-f", "-"], PAIR);
    await eventually("both lines", 15_000, async () => {
      const { stdout } = await cluster.kubectl(["logs", "pair", "-c", "talks", "--prefix"]);
      return stdout === "[pod/pair/talks] out\n[pod/pair/talks] err\n";
    });
    const logs = ["logs", "pair", "-c", "talks", "--timestamps", "--tail=1"];
    expect(await ok(...logs)).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z err\n$/);
    expect(await refused("logs", "pair", "-c", "waits")).toMatch(
      /waiting to start: ErrImageNeverPull/,
    );
    expect(await ok("logs", "-l", "app=web", "--prefix", "--tail=1")).toMatch(
      /(\[pod\/web-.*\n){2}/,
    );

    const run = async (...command: string[]): Promise<{ code: number; stderr: string }> =>
      cluster.kubectl(["exec", "pair", "-c", "talks", "--", ...command]);
    expect(await run("sh", "-c", "exit 7")).toMatchObject({ code: 7 });
    expect((await run("nosuchprogram")).stderr).toContain("nosuchprogram");
    expect(await refused("exec", "pair", "-c", "nobody", "--", "id")).toContain(
      "container nobody is not valid for pod pair",
    );
    expect(await refused("exec", "pair", "-c", "waits", "--", "id")).toContain("waiting to start");
    const cat = ["exec", "-i", "pair", "-c", "talks", "--", "cat"];
    expect(await cluster.kubectlOk(cat, "through stdin")).toBe("through stdin");
    const terminal = `${KUBECTL} --kubeconfig ${cluster.kubeconfig} exec -it pair -c talks -- tty`;
    const typed = await runCommand("script", ["-qec", terminal, "/dev/null"]);
    expect(typed).toMatchObject({ code: 0, stdout: expect.stringContaining("/dev/pts/0") });

    await ok("cp", "package.json", "pair:/tmp/copied", "-c", "talks");
    expect(await ok("exec", "pair", "-c", "talks", "--", "cat", "/tmp/copied")).toContain('"name"');
    const port = await refused("port-forward", "deploy/web", "0:9080");
    expect(port).toMatch(/port-forward is not offered: this host reaches pod web-/);
    expect(await ok("delete", "pod", "pair", "--force", "--grace-period=0")).toContain("deleted");
  }, 60_000);

  test("describe tells what happened, in the order in which it did", async () => {
    const described = await ok("describe", "pods", "-l", "app=web");
    expect(described).toMatch(/Scheduled[^]*Pulled[^]*Created[^]*Started/);
    expect(described).toMatch(/Controlled By: +ReplicaSet\/web-/);
    expect(await ok("describe", "svc", "web")).toMatch(/Endpoints: +[\d.]+:9080,[\d.]+:9080/);
    expect(await ok("describe", "node", "node-1")).toMatch(/KubeletReady[^]*Non-terminated Pods/);
    expect(await ok("describe", "deploy", "web")).toContain("Scaled up replica set web-");
  }, 30_000);

  test("scale and rollouts: history, undo, pause, restart", async () => {
    expect(await refused("scale", "deploy/web", "--replicas=1", "--current-replicas=9")).toContain(
      "Expected replicas to be 9, was 2",
    );
    expect(await ok("scale", "deploy/web", "--replicas=3")).toContain("scaled");
    await ok("set", "env", "deploy/web", "GREETING=bye");
    await rolledOut();
    expect(await greeting()).toBe("bye\n");
    expect(await ok("rollout", "history", "deploy/web")).toMatch(/REVISION[^]*^1 [^]*^2 /m);
    expect(await ok("rollout", "undo", "deploy/web")).toContain("rolled back");
    await rolledOut();
    expect(await greeting()).toBe("hello\n");
    await ok("rollout", "pause", "deploy/web");
    expect(await refused("rollout", "restart", "deploy/web")).toContain("paused");
    await ok("rollout", "resume", "deploy/web");
    expect(await ok("rollout", "restart", "deploy/web")).toContain("restarted");
    expect(await rolledOut()).toContain("successfully rolled out");
  }, 120_000);

  test("wait for conditions, paths and deletions; watch with its events", async () => {
    await ok("wait", "--for=condition=Available", "deploy/web", "--timeout=30s");
    await ok("wait", "--for=jsonpath={.status.readyReplicas}=3", "deploy/web", "--timeout=30s");
    expect(await refused("wait", "--for=condition=No", "deploy/web", "--timeout=1s")).toContain(
      "timed out waiting for the condition",
    );
    const listing = ["get", "cm", "-l", "watched=yes", "--no-headers"];
    const watch = cluster.kubectl([
      ...listing,
      "-w",
      "--output-watch-events",
      "--request-timeout=4s",
    ]);
    await ok("create", "configmap", "watched");
    await ok("label", "configmap", "watched", "watched=yes");
    await ok("annotate", "configmap", "watched", "seen=twice");
    const deleted = ok("wait", "--for=delete", "cm/watched", "--timeout=20s");
    await ok("delete", "configmap", "watched");
    await deleted;
    expect((await watch).stdout).toMatch(
      /^ADDED +watched.*\nMODIFIED +watched.*\nDELETED +watched/,
    );
  }, 60_000);

  test("server-side apply: owners, conflicts, force, and the way from client-side apply", async () => {
    const file = join(await mkdtemp(join(tmpdir(), "lateen-apply-")), "m.yaml");
    const write = (data: object, name = "owned"): Promise<void> =>
      writeFile(
        file,
        JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data }),
      );
    const apply = ["apply", "--server-side", "-f", file];
    const owners = (name: string): Promise<string> =>
      ok(
        "get",
        "cm",
        name,
        "--show-managed-fields",
        "-o",
        "jsonpath={.metadata.managedFields[*].manager}",
      );
    await write({ a: "1", b: "1" });
    expect(await ok(...apply)).toBe("configmap/owned serverside-applied\n");
    const version = (): Promise<string> =>
      ok("get", "cm", "owned", "-o", "jsonpath={.metadata.resourceVersion}");
    const before = await version();
    await ok(...apply);
    expect(await version()).toBe(before);
    await write({ a: "2" });
    expect(await refused(...apply, "--field-manager=other")).toContain(
      'Apply failed with 1 conflict: conflict with "kubectl": .data.a',
    );
    const { code, stdout } = await cluster.kubectl(["diff", "--server-side", "-f", file]);
    expect([code, stdout]).toEqual([1, expect.stringContaining('+  a: "2"')]);
    await ok(...apply, "--field-manager=other", "--force-conflicts");
    expect(await owners("owned")).toBe("kubectl other");
    await write({ a: "1" }, "moved");
    await ok("apply", "-f", file);
    expect(await owners("moved")).toBe("kubectl-client-side-apply");
    await write({ a: "2" }, "moved");
    await ok(...apply);
    expect(await owners("moved")).toMatch(/^kubectl\b(?!.*client-side)/);
    expect(await ok("get", "cm", "moved", "-o", "yaml")).toContain('a: "2"');
    await rm(dirname(file), { recursive: true });
  }, 60_000);

  test("explain by either version of OpenAPI; discovery; who am I and what may I", async () => {
    expect(await ok("explain", "pod.spec.containers.livenessProbe")).toContain("httpGet");
    expect(await ok("explain", "virtualservice.spec.http", "--recursive")).toContain("retries");
    expect(await ok("explain", "deploy.spec.strategy", "--output=plaintext-openapiv2")).toContain(
      "rollingUpdate",
    );
    const kinds = await ok("api-resources", "-o", "name");
    expect(kinds).toMatch(/^deployments\.apps$/m);
    expect(kinds).toMatch(/^virtualservices\.networking\.istio\.io$/m);
    expect(await ok("auth", "whoami")).toContain("system:masters");
    expect(await ok("auth", "can-i", "--list")).toMatch(/\*\.\*/);
    const robot = "--as=system:serviceaccount:default:default";
    expect(await refused("get", "pods", robot)).toMatch(
      /cannot list resource "pods" in API group ""/,
    );
    expect(await refused("top", "pods")).toContain("Metrics API not available");
  }, 60_000);
});
