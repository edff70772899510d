import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { ExecCredential } from "./exec-credential.ts";
import { inClusterConfig, loadKubeconfig, parseForeignKubeconfig } from "./kubeconfig.ts";

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
- name: by-program
  context: { cluster: local, user: program }
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
  user: { auth-provider: { name: gcp } }
- name: program
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      command: node
      args: [-e, "console.log(process.env.SAID)"]
      env: [{ name: SAID, value: '{"kind":"ExecCredential","status":{"token":"T"}}' }]
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
    ["a credential plugin", "elsewhere", "user plugin: auth-provider is not supported"],
  ])("says what is wrong: %s", async (_, context, message) => {
    const file = await write("config", CONFIG);
    await expect(loadKubeconfig(file, context)).rejects.toThrow(message);
  });

  test("runs the program that says who we are", async () => {
    const config = await loadKubeconfig(await write("config", CONFIG), "by-program");
    const { signal } = new AbortController();
    if (config.exec === undefined) throw new Error("there is no program");
    expect(await new ExecCredential(config.exec).token(signal)).toBe("T");
    const silent = new ExecCredential({ ...config.exec, env: { SAID: '{"status":{}}' } });
    await expect(silent.token(signal)).rejects.toThrow("user program: node: gave no token");
  });

  test.each([
    ["exec: { command: rm }", "exec is not supported"],
    ["tokenFile: /etc/passwd", "files are not read"],
    ["client-key: /etc/passwd", "files are not read"],
  ])("of somebody else is refused with %s", async (user, message) => {
    const foreign = `
current-context: a
contexts: [{ name: a, context: { cluster: a, user: a } }]
clusters: [{ name: a, cluster: { server: "https://192.0.2.1" } }]
users: [{ name: a, user: { ${user} } }]
`;
    await expect(parseForeignKubeconfig(foreign, "Secret a")).rejects.toThrow(message);
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
