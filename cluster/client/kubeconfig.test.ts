import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { inClusterConfig, loadKubeconfig } from "./kubeconfig.ts";

let directory = "";
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "lateen-kubeconfig-"));
});
afterAll(async () => {
  await rm(directory, { recursive: true });
});

async function write(name: string, content: string): Promise<string> {
  const file = join(directory, name);
  await writeFile(file, content);
  return file;
}

const CONFIG = `
current-context: here
contexts:
- name: here
  context: { cluster: local, user: admin, namespace: other }
- name: elsewhere
  context: { cluster: local, user: plugin }
clusters:
- name: local
  cluster: { server: "https://127.0.0.1:6443", certificate-authority: ca.crt }
users:
- name: admin
  user:
    client-certificate-data: ${Buffer.from("CERT").toString("base64")}
    client-key-data: ${Buffer.from("KEY").toString("base64")}
    tokenFile: token
- name: plugin
  user: { exec: { command: gke-gcloud-auth-plugin } }
`;

describe("kubeconfig", () => {
  test("resolves the current context; file names are relative to the file", async () => {
    await write("ca.crt", "CA");
    const file = await write("config", CONFIG);
    expect(await loadKubeconfig(file)).toEqual({
      server: "https://127.0.0.1:6443",
      ca: "CA",
      cert: "CERT",
      key: "KEY",
      tokenFile: join(directory, "token"),
      insecureSkipTlsVerify: false,
      namespace: "other",
    });
  });

  test.each([
    ["a missing context", "nowhere", 'contexts has no entry named "nowhere"'],
    ["a credential plugin", "elsewhere", "user plugin: exec is not supported"],
  ])("says what is wrong: %s", async (_, context, message) => {
    const file = await write("config", CONFIG);
    await expect(loadKubeconfig(file, context)).rejects.toThrow(message);
  });

  test("says which file is no kubeconfig", async () => {
    await expect(loadKubeconfig(await write("list", "- a"))).rejects.toThrow("not a kubeconfig");
    await expect(loadKubeconfig(await write("empty", "{}"))).rejects.toThrow("no current-context");
  });

  test("a pod finds the server by its environment and the mounted account", async () => {
    await write("ca.crt", "CA");
    await write("namespace", "other\n");
    const environment = { KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "443" };
    expect(await inClusterConfig(environment, directory)).toEqual({
      server: "https://[fd00::1]:443",
      ca: "CA",
      tokenFile: `${directory}/token`,
      namespace: "other",
    });
    await expect(inClusterConfig({}, directory)).rejects.toThrow("not in a pod");
  });
});
