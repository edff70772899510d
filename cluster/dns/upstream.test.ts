import { afterEach, describe, expect, test } from "@jest/globals";
import dnsPacket from "dns-packet";
import { ask } from "#cluster/dns/testing/ask.ts";
import { createObjects, startDns } from "#cluster/dns/testing/world.ts";
import { parseResolvConf, runDnsRelay } from "./relay.ts";
import type { Responder } from "./responder.ts";
import { serveDns } from "./serve.ts";

let stop = new AbortController();
afterEach(() => {
  stop.abort();
  stop = new AbortController();
});

interface Resolver {
  address: string;
  asked: string[];
}

/** Plays the world: example.org has an address, big.example.org many. */
async function startResolver(respond?: Responder): Promise<Resolver> {
  const asked: string[] = [];
  const answer: Responder = (message, transport) => {
    const { id, questions = [] } = dnsPacket.decode(message);
    const name = questions[0]?.name ?? "";
    asked.push(`${transport} ${name}`);
    const count = name === "big.example.org" ? 100 : 1;
    const answers = Array.from({ length: name === "nosuch.example.org" ? 0 : count }, (_, n) => ({
      type: "A" as const,
      name,
      ttl: 60,
      data: `192.0.2.${n + 1}`,
    }));
    const isTruncated = transport === "udp" && count > 20;
    return dnsPacket.encode({
      type: "response",
      id,
      flags: isTruncated ? dnsPacket.TRUNCATED_RESPONSE : answers.length === 0 ? 3 : 0,
      questions,
      answers: isTruncated ? [] : answers,
    });
  };
  const listen = { address: "127.0.0.1", port: 0 };
  const { port } = await serveDns(listen, respond ?? answer, stop.signal);
  return { address: `127.0.0.1:${port}`, asked };
}

function startRelay(resolvers: string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const listen = { address: "127.0.0.1", port: 0 };
    const options = { listen, resolvers, signal: stop.signal, onListening: resolve };
    runDnsRelay(options).catch(reject);
  });
}

describe("names outside of the cluster", () => {
  test("are asked once, then come from the cache, through DNS and relay", async () => {
    const resolver = await startResolver();
    const relay = await startRelay([resolver.address]);
    const port = await startDns(await createObjects(), [`127.0.0.1:${relay}`], stop.signal);
    for (const name of ["example.org", "EXAMPLE.org"]) {
      const reply = await ask(name, "A", { port });
      expect(reply).toMatchObject({ rcode: "NOERROR", answers: ["example.org A 192.0.2.1"] });
    }
    const alias = "outside.default.svc.cluster.local";
    expect((await ask(alias, "A", { port })).answers).toEqual([
      `${alias} CNAME example.org`,
      "example.org A 192.0.2.1",
    ]);
    expect((await ask("nosuch.example.org", "A", { port })).rcode).toBe("NXDOMAIN");
    expect(resolver.asked).toEqual(["udp example.org", "udp nosuch.example.org"]);
  });

  test("that need TCP get it, on both ways", async () => {
    const resolver = await startResolver();
    const port = await startRelay([resolver.address]);
    const udp = await ask("big.example.org", "A", { port });
    expect(udp).toMatchObject({ isTruncated: true, answers: [] });
    const tcp = await ask("big.example.org", "A", { port, transport: "tcp" });
    expect(tcp.answers).toHaveLength(100);
    expect(resolver.asked).toEqual(["udp big.example.org", "tcp big.example.org"]);
  });

  test("are asked of the next resolver when the first is gone or talks nonsense", async () => {
    const good = await startResolver();
    const port = await startRelay(["127.0.0.1:1", good.address]);
    expect((await ask("example.org", "A", { port })).rcode).toBe("NOERROR");
    const nonsense = await startResolver((message) => {
      const cutOff = Buffer.from(message);
      cutOff.writeUInt16BE(0x8000, 2);
      cutOff.writeUInt16BE(7, 6);
      return cutOff;
    });
    const other = await startRelay([nonsense.address, good.address]);
    expect((await ask("example.org", "A", { port: other })).rcode).toBe("NOERROR");
  });

  test("asked by many at once are one question", async () => {
    const resolver = await startResolver();
    const port = await startRelay([resolver.address]);
    await Promise.all(Array.from({ length: 20 }, () => ask("example.org", "A", { port })));
    expect(resolver.asked).toEqual(["udp example.org"]);
  });
});

describe("resolv.conf", () => {
  test("names resolvers in several lines, with comments around", () => {
    const text =
      "# x\nnameserver 192.0.2.1\nsearch example.org\n nameserver\tfd00::1 \nnameserver\n";
    expect(parseResolvConf(text)).toEqual(["192.0.2.1", "fd00::1"]);
  });

  test("a resolver that is no address is named", async () => {
    await expect(startRelay(["dns.example.org:53"])).rejects.toThrow(
      '"dns.example.org:53" is no resolver\'s address:port',
    );
  });

  test("are SERVFAIL at once where no route leads to a resolver, and the relay goes on", async () => {
    // The kernel refuses this address as it refuses any other on a host without a network.
    const relay = await startRelay(["255.255.255.255"]);
    for (const name of ["example.org", "other.example.org"]) {
      expect((await ask(name, "A", { port: relay })).rcode).toBe("SERVFAIL");
    }
  });
});
