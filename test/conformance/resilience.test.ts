/** VirtualService, http[]: retries, timeout, fault, mirror, weights. */

import { expect, test } from "@jest/globals";
import { waitUntil } from "#cluster/client/testing/wait-until.ts";
import { describeMesh, virtualService } from "./harness.ts";

const host = "web.example.org";
const route = "route: [{ destination: { host: web.example.org, subset: v1 } }]";
const rule = (fields: string): string =>
  virtualService(`
  hosts: [web.example.org]
  http:
  - ${fields}`);
/** Rules tell which one of them is in force. */
const marked = (mark: number): string => `headers: { response: { set: { x-rule: "${mark}" } } }`;

describeMesh("a rule", (mesh) => {
  let marks = 0;
  const inForce = async (fields: string): Promise<void> => {
    const mark = (marks += 1);
    mesh.apply(rule(`{ ${marked(mark)}, ${fields} }`));
    await mesh.answers({ host }, { headers: { "x-rule": String(mark) } });
  };

  test("tries again as often as it says on the answers it names", async () => {
    await inForce(`retries: { attempts: 3, retryOn: "503" }, ${route}`);
    const before = mesh.calls.get("web-v1") ?? 0;
    expect((await mesh.call({ host, path: "/status/503" })).status).toBe(503);
    expect((mesh.calls.get("web-v1") ?? 0) - before).toBe(4);
  });

  test("does not try again where attempts are 0", async () => {
    await inForce(`retries: { attempts: 0 }, ${route}`);
    const before = mesh.calls.get("web-v1") ?? 0;
    await mesh.call({ host, path: "/status/503" });
    expect((mesh.calls.get("web-v1") ?? 0) - before).toBe(1);
  });

  test("answers 504 after its timeout", async () => {
    await inForce(`timeout: 0.1s, retries: { attempts: 0 }, ${route}`);
    expect((await mesh.call({ host, path: "/never" })).status).toBe(504);
  });

  test("aborts the share of requests that it says", async () => {
    mesh.apply(
      rule(`{ fault: { abort: { httpStatus: 555, percentage: { value: 100 } } }, ${route} }`),
    );
    await mesh.answers({ host }, { status: 555 });
  });

  test("delays requests", async () => {
    const delay = "{ fixedDelay: 5s, percentage: { value: 100 } }";
    await inForce(`timeout: 0.1s, ${route}`);
    mesh.apply(
      rule(
        `{ fault: { delay: ${delay}, abort: { httpStatus: 556, percentage: { value: 0 } } }, match: [{ headers: { slow: {} } }], ${route} }`,
      ),
    );
    await mesh.answers({ host }, { status: 404 });
    const slow = mesh.call({ host, headers: { slow: "1" } }).then(() => "slow");
    const quick = mesh.call({ host }).then(() => "quick");
    expect(await Promise.race([slow, quick])).toBe("quick");
    expect(await slow).toBe("slow");
  }, 30_000);

  test("sends copies to a mirror, whose answers nobody sees", async () => {
    await inForce(`mirror: { host: other.example.org }, ${route}`);
    expect((await mesh.call({ host })).workload).toBe("web-v1");
    await waitUntil("a copy comes", () => (mesh.calls.get("other") ?? 0) > 0);
  });

  test("splits by weight, and gives nothing to what has none", async () => {
    const split = (first: number): string =>
      rule(`{ route: [
        { destination: { host: web.example.org, subset: v1 }, weight: ${first} },
        { destination: { host: web.example.org, subset: v2 }, weight: ${100 - first} } ] }`);
    mesh.apply(split(0));
    await mesh.answers({ host }, { workload: "web-v2" });
    const all = await Promise.all(Array.from({ length: 50 }, () => mesh.call({ host })));
    expect(new Set(all.map((one) => one.workload))).toEqual(new Set(["web-v2"]));
    mesh.apply(split(50));
    await mesh.answers({ host }, { workload: "web-v1" });
    await mesh.answers({ host }, { workload: "web-v2" });
  });
});
