import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import type { PolicyRule } from "#cluster/api/generated/rbac-v1.ts";
import {
  CUSTOM_RESOURCE_DEFINITIONS,
  MUTATING_WEBHOOKS,
  NAMESPACES,
  SECRETS,
  VALIDATING_WEBHOOKS,
} from "#cluster/api/resources.ts";
import { startTestServer, type TestServer } from "#cluster/apiserver/testing/test-server.ts";
import type { KubeClient } from "#cluster/client/client.ts";
import { createClient } from "#cluster/client/http-client.ts";
import { loadKubeconfig } from "#cluster/client/kubeconfig.ts";
import { loadCrds } from "#crds/load.ts";
import { clusterRules, namespaceRules } from "#install/rbac.ts";
import {
  type AuthorizingProxy,
  startAuthorizingProxy,
} from "#install/testing/authorizing-proxy.ts";

const NAMESPACE = "istio-system";
const LATEEN = path.join(import.meta.dirname, "..", "main.ts");

/** What only happens with rules, Ingresses, refusals or several replicas. */
const RARE = [
  /^(get|patch) .*\/status$/,
  /^get /,
  /^(create|patch) \/events$/,
  /leases$/,
  /^create admissionregistration/,
];

describe("lateen mesh", () => {
  let server: TestServer;
  let admin: KubeClient;
  const started: { child: ChildProcess; proxy: AuthorizingProxy }[] = [];

  beforeAll(async () => {
    server = await startTestServer();
    admin = createClient(await loadKubeconfig(server.kubeconfig));
    await admin.create(NAMESPACES, { metadata: { name: NAMESPACE } });
    await Promise.all(loadCrds().map((crd) => admin.create(CUSTOM_RESOURCE_DEFINITIONS, crd)));
  }, 120_000);

  afterAll(async () => {
    for (const { child, proxy } of started) {
      if (child.exitCode === null) {
        child.kill("SIGTERM");
        await once(child, "exit");
      }
      proxy.close();
    }
    admin.close();
    await server.remove();
  }, 120_000);

  async function start(rules: PolicyRule[]): Promise<AuthorizingProxy> {
    const [ca, cert, key] = await Promise.all(
      [server.admin.caFile, server.admin.certFile, server.admin.keyFile].map((file) =>
        readFile(file, "utf8"),
      ),
    );
    const proxy = await startAuthorizingProxy({
      server: { url: server.url, ca: ca ?? "", cert: cert ?? "", key: key ?? "" },
      clusterRules: rules,
      namespaceRules: namespaceRules(),
      namespace: NAMESPACE,
    });
    const kubeconfig = path.join(server.folder, `mesh-${started.length}`);
    await writeFile(kubeconfig, JSON.stringify(kubeconfigOf(proxy.url)));
    const where = ["--kubeconfig", kubeconfig, "--address", "127.0.0.1", "--any-port"];
    const child = spawn(process.execPath, [LATEEN, "mesh", ...where]);
    started.push({ child, proxy });
    let said = "";
    child.stderr.on("data", (part: Buffer) => (said += part.toString()));
    const ended = once(child, "exit").then(() => {
      throw new Error(`lateen mesh ended: ${said}`);
    });
    const ready = new Promise<void>((resolve) => {
      child.stdout.on("data", (part: Buffer) => part.includes("READY") && resolve());
    });
    await Promise.race([ready, ended]);
    // It ends at the end of the tests, when nobody waits for it to be ready.
    ended.catch(() => undefined);
    return proxy;
  }

  test("needs exactly the rights that it is given", async () => {
    const rules = clusterRules();
    const { allowed, refused } = await start(rules);
    expect([...refused]).toEqual([]);
    const granted = [...rules, ...namespaceRules()].flatMap(({ apiGroups, resources, verbs }) =>
      verbs.flatMap((verb) =>
        (apiGroups ?? []).flatMap((group) =>
          (resources ?? []).map((one) => `${verb} ${group}/${one}`),
        ),
      ),
    );
    const unused = granted.filter(
      (one) => !allowed.has(one) && !RARE.some((rare) => rare.test(one)),
    );
    expect(unused).toEqual([]);
  }, 120_000);

  test("tells the API server where it is, with an authority that a second replica shares", async () => {
    const read = async (): Promise<unknown> => {
      const mutating = await admin.get(MUTATING_WEBHOOKS, { name: "istio-sidecar-injector" });
      const validating = await admin.get(VALIDATING_WEBHOOKS, {
        name: "istio-validator-istio-system",
      });
      const secret = await admin.get(SECRETS, { namespace: NAMESPACE, name: "istio-ca-secret" });
      const bundles = [mutating, validating].flatMap(({ webhooks = [] }) =>
        webhooks.map(({ clientConfig }) => clientConfig.caBundle),
      );
      expect(new Set(bundles)).toEqual(new Set([secret.data?.["ca-cert.pem"]]));
      return secret.data;
    };
    const first = await read();
    await start(clusterRules());
    expect(await read()).toEqual(first);
  }, 120_000);
});

function kubeconfigOf(server: string): object {
  return {
    apiVersion: "v1",
    kind: "Config",
    "current-context": "x",
    contexts: [{ name: "x", context: { cluster: "x", user: "x" } }],
    clusters: [{ name: "x", cluster: { server } }],
    users: [{ name: "x", user: {} }],
  };
}
