import { execFile, execFileSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { startTestServer, type TestServer } from "#cluster/apiserver/testing/test-server.ts";

/** Where there is no kubectl these are counted as skipped. */
const withKubectl = hasKubectl() ? test : test.skip;

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
});

afterAll(() => server.remove());

function hasKubectl(): boolean {
  try {
    execFileSync("kubectl", ["version", "--client"], { stdio: "ignore" });
    return true;
  } catch {
    // Not on the PATH: the tests say so by being skipped.
    return false;
  }
}

/** What kubectl prints, and its complaints. */
function kubectl(...args: string[]): Promise<string> {
  return new Promise((resolve) => {
    const env = { ...process.env, KUBECONFIG: server.kubeconfig, HOME: server.folder };
    const options = { env: { ...env, KUBE_EDITOR: "sed -i s/first/edited/" }, timeout: 20_000 };
    execFile("kubectl", args, options, (_, stdout, stderr) => resolve(`${stdout}${stderr}`));
  });
}

async function manifest(name: string, object: object): Promise<string> {
  const file = join(server.folder, `${name}.json`);
  await writeFile(file, JSON.stringify(object));
  return file;
}

const deployment = (image: string): object => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web", annotations: { note: "first" } },
  spec: {
    selector: { matchLabels: { app: "web" } },
    template: {
      metadata: { labels: { app: "web" } },
      spec: { containers: [{ name: "c", image }] },
    },
  },
});

describe("kubectl", () => {
  withKubectl("applies, reads, changes and deletes", async () => {
    const file = await manifest("web", deployment("example.org/web:1"));
    expect(await kubectl("apply", "-f", file)).toBe("deployment.apps/web created\n");
    expect(await kubectl("apply", "-f", file)).toBe("deployment.apps/web unchanged\n");
    await manifest("web", deployment("example.org/web:2"));
    expect(await kubectl("apply", "-f", file)).toBe("deployment.apps/web configured\n");
    expect(await kubectl("get", "deploy", "web", "-o", "wide")).toMatch(
      /^NAME +READY +UP-TO-DATE +AVAILABLE +AGE +CONTAINERS +IMAGES +SELECTOR\nweb +0\/1 .*web:2 +app=web\n$/,
    );
    expect(await kubectl("edit", "deploy/web")).toBe("deployment.apps/web edited\n");
    expect(await kubectl("scale", "deploy/web", "--replicas=3")).toContain("scaled");
    expect(await kubectl("label", "deploy/web", "a=b")).toContain("labeled");
    expect(await kubectl("rollout", "restart", "deploy/web")).toContain("restarted");
    const patch = ["--type=json", "-p", '[{"op":"replace","path":"/spec/paused","value":true}]'];
    expect(await kubectl("patch", "deploy/web", ...patch)).toMatch(/the server rejected|invalid/);
    expect(await kubectl("describe", "deploy/web")).toMatch(/note: edited\n[^]*3 desired/);
    expect(await kubectl("delete", "-f", file)).toContain('deployment.apps "web" deleted');
  });

  withKubectl("validates by the schema that we publish", async () => {
    const wrong = { ...deployment("i"), spec: { replica: 1 } };
    const file = await manifest("wrong", wrong);
    expect(await kubectl("apply", "-f", file)).toContain('unknown field "spec.replica"');
    expect(await kubectl("explain", "deployment.spec.replicas")).toContain("replicas <integer>");
    expect(await kubectl("api-resources")).toMatch(/^deployments +deploy +apps\/v1 +true/m);
  });

  withKubectl("posts protobuf where it likes to", async () => {
    expect(await kubectl("create", "configmap", "typed", "--from-literal=a=b")).toContain(
      "created",
    );
    expect(await kubectl("create", "sa", "robot")).toContain("created");
    expect((await kubectl("create", "token", "robot")).split(".")).toHaveLength(3);
    expect(await kubectl("auth", "can-i", "list", "pods")).toBe("yes\n");
    expect(await kubectl("auth", "whoami")).toMatch(/Username +admin/);
  });

  withKubectl("waits for a deletion that it watches", async () => {
    await kubectl("create", "configmap", "brief");
    const waiting = kubectl("wait", "--for=delete", "configmap/brief", "--timeout=15s");
    await kubectl("delete", "configmap", "brief");
    // It says so, or nothing when the object was gone before it looked; a timeout exits with 1.
    expect(await waiting).toMatch(/condition met|^$/);
  });
});
