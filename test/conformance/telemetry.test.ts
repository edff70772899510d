/** Telemetry: which calls are logged, by whose rule. */

import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "@jest/globals";
import { waitUntil } from "#cluster/client/testing/wait-until.ts";
import { describeMesh, istio, virtualService } from "./harness.ts";

const folder = mkdtempSync(path.join(tmpdir(), "lateen-telemetry-"));
/** One file a test, so that no test sees another's lines. */
let files = 0;
const newFile = (): string => path.join(folder, `${(files += 1)}.log`);
const linesOf = (file: string): string[] =>
  existsSync(file) ? readFileSync(file, "utf8").split("\n").slice(0, -1) : [];

/** Providers by name, each with the file of its lines: path and flags of a call. */
function providers(byName: Readonly<Record<string, string>>): string {
  const all = Object.entries(byName).map(
    ([name, file]) =>
      `{ name: ${name}, envoyFileAccessLog: { path: ${file}, logFormat: { text: "%REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS%" } } }`,
  );
  return `
apiVersion: v1
kind: ConfigMap
metadata: { name: istio, namespace: istio-system }
data:
  mesh: |
    extensionProviders: [${all.join(", ")}]
---`;
}
const telemetry = (name: string, namespace: string, spec: string): string =>
  istio("Telemetry", name, spec, namespace).replace("networking.istio.io", "telemetry.istio.io");
const logTo = (provider: string, fields = ""): string =>
  `accessLogging: [{ providers: [{ name: ${provider} }] ${fields} }]`;

describeMesh("telemetry", (mesh) => {
  afterAll(() => rmSync(folder, { recursive: true }));
  const host = "web.example.org";
  /** Calls until a line of a call is in the file. */
  const logged = (file: string, line: string): Promise<void> =>
    waitUntil(
      `"${line}" is logged`,
      async () => {
        await mesh.call({ host, path: line.split(" ")[0] ?? "/" });
        return linesOf(file).includes(line);
      },
      20_000,
    );

  test("of the mesh logs every call, that of a namespace and of a workload before it", async () => {
    const [all, some, one] = [newFile(), newFile(), newFile()];
    mesh.apply(
      providers({ all, some, one }) + telemetry("mesh", "istio-system", `{ ${logTo("all")} }`),
    );
    await logged(all, "/mesh 200 -");
    mesh.apply(telemetry("namespace", "default", `{ ${logTo("some")} }`));
    await logged(some, "/namespace 200 -");
    const selector = "selector: { matchLabels: { app: client } }";
    mesh.apply(telemetry("workload", "default", `{ ${selector}, ${logTo("one")} }`));
    await logged(one, "/workload 200 -");
  });

  test("tells why the proxy answered itself", async () => {
    const file = newFile();
    mesh.apply(
      providers({ file }) +
        telemetry("mesh", "istio-system", `{ ${logTo("file")} }`) +
        virtualService(`
  hosts: [${host}]
  http: [{ fault: { abort: { httpStatus: 555, percentage: { value: 100 } } }, route: [{ destination: { host: ${host} } }] }]`),
    );
    await logged(file, "/aborted 555 FI");
  });

  test("logs only what its expression selects", async () => {
    const file = newFile();
    const filter = ", filter: { expression: response.code >= 400 }";
    mesh.apply(
      providers({ file }) + telemetry("mesh", "istio-system", `{ ${logTo("file", filter)} }`),
    );
    await mesh.call({ host, path: "/fine" });
    await logged(file, "/status/404 404 -");
    await mesh.call({ host, path: "/fine" });
    await logged(file, "/status/403 403 -");
    expect(linesOf(file)).not.toContain("/fine 200 -");
  });

  test("is told by a workload not to log", async () => {
    const [loud, quiet] = [newFile(), newFile()];
    const own = (fields: string): string =>
      telemetry("workload", "default", `{ selector: { matchLabels: { app: client } }, ${fields} }`);
    mesh.apply(
      providers({ loud, quiet }) +
        telemetry("mesh", "istio-system", `{ ${logTo("quiet")} }`) +
        own("accessLogging: [{ disabled: true }]"),
    );
    const mark = `headers: { response: { set: { x-rule: there } } }`;
    mesh.apply(
      virtualService(
        `{ hosts: [${host}], http: [{ ${mark}, route: [{ destination: { host: ${host} } }] }] }`,
      ),
    );
    await mesh.answers({ host }, { headers: { "x-rule": "there" } });
    await mesh.call({ host, path: "/unheard" });
    mesh.apply(own(logTo("loud")));
    await logged(loud, "/heard 200 -");
    expect(linesOf(quiet)).toEqual([]);
  });
});
