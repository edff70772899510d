import { describe, expect, test } from "@jest/globals";
import dnsPacket from "dns-packet";
import { isAnswerTo, readdress, readLifetimes } from "./message.ts";
import { createResponder } from "./responder.ts";
import { soa } from "./soa.ts";

const { respond } = createResponder({
  answerZone: ({ labels }) =>
    labels.at(-1) === "local"
      ? {
          rcode: 3,
          answers: [],
          authorities: [soa("cluster.local", "cluster.local")],
          additionals: [],
        }
      : undefined,
  upstream: { resolve: () => Promise.resolve(undefined) },
});

const query = dnsPacket.encode({
  type: "query",
  id: 7,
  questions: [{ name: "web.default.svc.cluster.local", type: "A" }],
  additionals: [{ type: "OPT", name: ".", udpPayloadSize: 4096, flags: 0, options: [] } as never],
});
const answer = dnsPacket.encode({
  type: "response",
  id: 7,
  questions: [{ name: "example.org", type: "A" }],
  answers: [{ type: "A", name: "example.org", ttl: 60, data: "192.0.2.1" }],
});

/** Cuts, flips and extends a message, the same in every run. */
function* mutations(message: Buffer, count: number): Generator<Buffer> {
  let state = 1;
  const random = (below: number): number => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * below);
  };
  for (let made = 0; made < count; made++) {
    const copy = Buffer.concat([message, Buffer.alloc(random(4), random(256))]);
    for (let flips = random(6); flips >= 0; flips--) copy[random(copy.length)] = random(256);
    yield copy.subarray(0, random(3) === 0 ? random(copy.length) : copy.length);
  }
}

describe("malformed packets", () => {
  test("to the server never throw, and what is answered can be read", async () => {
    for (const message of mutations(query, 20_000)) {
      const reply = await respond(message, "udp");
      if (reply === undefined) continue;
      expect(reply.readUInt16BE(0)).toBe(message.readUInt16BE(0));
      expect(readLifetimes(reply)).toBeDefined();
    }
  });

  test("from resolvers never throw", () => {
    const question = answer.subarray(12, 29);
    for (const message of mutations(answer, 20_000)) {
      const lifetimes = readLifetimes(message);
      if (lifetimes === undefined || !isAnswerTo(message, 7, question)) continue;
      const to = { id: 9, question, ageSeconds: 61 };
      expect(readdress(message, to, lifetimes)).toHaveLength(message.length);
    }
  });
});
