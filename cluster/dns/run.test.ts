import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { RecordType } from "dns-packet";
import { SERVICES } from "#cluster/api/resources.ts";
import type { FakeApi } from "#cluster/client/testing/fake-api.ts";
import { waitUntil } from "#cluster/client/testing/wait-until.ts";
import { ask, send } from "#cluster/dns/testing/ask.ts";
import { createObjects, putService, putSlice, startDns } from "#cluster/dns/testing/world.ts";

const stop = new AbortController();
let api: FakeApi;
let port: number;

beforeAll(async () => {
  api = await createObjects();
  port = await startDns(api, [], stop.signal);
});
afterAll(() => stop.abort());

const web = "web.default.svc.cluster.local";
const db = "db.default.svc.cluster.local";

describe("names of the cluster", () => {
  test.each<[string, RecordType, string[]]>([
    [web, "A", [`${web} A 10.129.1.1`]],
    [db, "A", [`${db} A 10.128.1.5`, `${db} A 10.128.1.6`]],
    ["early.default.svc.cluster.local", "A", ["early.default.svc.cluster.local A 10.128.1.8"]],
    [`db-0.${db}`, "A", [`db-0.${db} A 10.128.1.5`]],
    [`10-128-1-6.${db}`, "A", [`10-128-1-6.${db} A 10.128.1.6`]],
    [`_http._tcp.${web}`, "SRV", [`_http._tcp.${web} SRV 0 100 80 ${web}`]],
    [
      `_http._tcp.${db}`,
      "SRV",
      [
        `_http._tcp.${db} SRV 0 50 8080 db-0.${db}`,
        `_http._tcp.${db} SRV 0 50 8080 10-128-1-6.${db}`,
      ],
    ],
    ["1.1.129.10.in-addr.arpa", "PTR", [`1.1.129.10.in-addr.arpa PTR ${web}`]],
    ["5.1.128.10.in-addr.arpa", "PTR", [`5.1.128.10.in-addr.arpa PTR db-0.${db}`]],
    ["10-1-2-3.default.pod.cluster.local", "A", ["10-1-2-3.default.pod.cluster.local A 10.1.2.3"]],
    ["dns-version.cluster.local", "TXT", ["dns-version.cluster.local TXT 1.1.0"]],
    ["ns.dns.cluster.local", "A", ["ns.dns.cluster.local A 10.129.0.10"]],
    ["cluster.local", "NS", ["cluster.local NS ns.dns.cluster.local"]],
    [
      "alias.default.svc.cluster.local",
      "A",
      [`alias.default.svc.cluster.local CNAME ${web}`, `${web} A 10.129.1.1`],
    ],
  ])("%s %s", async (name, type, answers) => {
    const reply = await ask(name, type, { port, transport: "tcp" });
    expect(reply.answers.toSorted()).toEqual(answers.toSorted());
    expect(reply).toMatchObject({ rcode: "NOERROR", isAuthoritative: true, authorities: [] });
  });

  test("come in the case that was asked, with the addresses of SRV targets", async () => {
    const upper = await ask("WEB.Default.SVC.cluster.LOCAL", "A", { port });
    expect(upper.answers).toEqual(["WEB.Default.SVC.cluster.LOCAL A 10.129.1.1"]);
    const srv = await ask(`_http._tcp.${web}`, "SRV", { port });
    expect(srv.additionals).toEqual([`${web} A 10.129.1.1`]);
  });

  test.each<[string, RecordType]>([
    [web, "AAAA"],
    [db, "TXT"],
    ["default.svc.cluster.local", "A"],
    ["empty.svc.cluster.local", "A"],
    ["svc.cluster.local", "A"],
    ["cluster.local", "A"],
    [`_tcp.${web}`, "SRV"],
    ["1.1.129.10.in-addr.arpa", "A"],
  ])("%s exists but has no %s: NODATA with the SOA", async (name, type) => {
    const reply = await ask(name, type, { port });
    expect(reply).toMatchObject({ rcode: "NOERROR", answers: [], isAuthoritative: true });
    expect(reply.authorities).toEqual([expect.stringMatching(/ SOA 5$/)]);
  });

  test.each<[string, RecordType]>([
    ["nosuch.default.svc.cluster.local", "A"],
    ["web.nosuch.svc.cluster.local", "A"],
    ["nosuch.svc.cluster.local", "A"],
    ["idle.default.svc.cluster.local", "A"],
    [`x.${web}`, "A"],
    [`10-128-1-7.${db}`, "A"],
    [`_https._tcp.${web}`, "SRV"],
    [`_http._udp.${web}`, "SRV"],
    [`${web}.default.svc.cluster.local`, "A"],
    ["10-1-2-3.nosuch.pod.cluster.local", "A"],
    ["300-1-2-3.default.pod.cluster.local", "A"],
    ["nosuch.cluster.local", "A"],
    ["9.9.129.10.in-addr.arpa", "PTR"],
  ])("%s %s doesn't exist: NXDOMAIN with the SOA", async (name, type) => {
    const reply = await ask(name, type, { port });
    expect(reply).toMatchObject({ rcode: "NXDOMAIN", answers: [], isAuthoritative: true });
    expect(reply.authorities).toEqual([expect.stringMatching(/ SOA 5$/)]);
  });
});

describe("answers", () => {
  test("follow the objects", async () => {
    const name = "late.default.svc.cluster.local";
    expect((await ask(name, "A", { port })).rcode).toBe("NXDOMAIN");
    await putService(api, "late", { clusterIP: "10.129.1.9" });
    await waitUntil("the new Service has its name", async () => {
      return (await ask(name, "A", { port })).answers.includes(`${name} A 10.129.1.9`);
    });
    await api.delete(SERVICES, { namespace: "default", name: "late" });
    await waitUntil("the name is gone", async () => {
      return (await ask(name, "A", { port })).rcode === "NXDOMAIN";
    });
  });

  test("that don't fit into UDP are truncated, and whole by TCP or EDNS0", async () => {
    const endpoints = Array.from({ length: 60 }, (_, n) => ({ addresses: [`10.128.2.${n + 1}`] }));
    await putService(api, "many", { clusterIP: "None" });
    await putSlice(api, "many", endpoints);
    const name = "many.default.svc.cluster.local";
    await waitUntil("the Service has its name", async () => {
      return (await ask(name, "A", { port })).rcode === "NOERROR";
    });
    const plain = await ask(name, "A", { port });
    expect(plain).toMatchObject({ isTruncated: true, answers: [] });
    for (const options of [{ transport: "tcp" as const }, { ednsBytes: 4096 }]) {
      const whole = await ask(name, "A", { port, ...options });
      expect(whole.isTruncated).toBe(false);
      expect(whole.answers).toHaveLength(60);
    }
    expect((await ask(name, "A", { port, ednsBytes: 4096 })).additionals).toEqual(["OPT"]);
  });

  test("begin with any of several addresses", async () => {
    const firsts = new Set<string>();
    await waitUntil("both addresses came first", async () => {
      firsts.add((await ask(db, "A", { port })).answers[0] ?? "");
      return firsts.size === 2;
    });
  });

  test("about names outside are SERVFAIL at once when there is no upstream", async () => {
    expect((await ask("example.org", "A", { port })).rcode).toBe("SERVFAIL");
    expect((await ask("9.9.9.9.in-addr.arpa", "PTR", { port })).rcode).toBe("SERVFAIL");
  });

  test("an alias of itself ends", async () => {
    const reply = await ask("loop.default.svc.cluster.local", "A", { port });
    expect(reply.answers.length).toBeLessThan(20);
  });

  test.each([
    ["a status request", "000010000001000000000000", 4],
    ["no question", "000001000000000000000000", 1],
    ["a question cut off", "0000010000010000000000000377", 1],
    ["a compressed question", "000001000001000000000000c00c00010001", 1],
    ["another class", "0000010000010000000000000000010003", 5],
  ])("to %s are refusals", async (_what, hex, rcode) => {
    const answer = await send(Buffer.from(hex, "hex"), { port });
    expect(answer.readUInt16BE(2) & 0x800f).toBe(0x8000 | rcode);
  });

  test("stay while the API server is away", async () => {
    api.breakWatches();
    expect((await ask(web, "A", { port })).answers).toEqual([`${web} A 10.129.1.1`]);
  });
});
