import { afterEach, describe, expect, test } from "@jest/globals";
import { LEASES } from "#cluster/api/resources.ts";
import { runAsLeader } from "./leader-lease.ts";
import { FakeApi } from "./testing/fake-api.ts";
import { FakeClock } from "./testing/fake-clock.ts";
import { waitUntil } from "./testing/wait-until.ts";

const stops: AbortController[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop.abort();
});

/** A candidate whose `leads` follows its leadership. */
function stand(
  api: FakeApi,
  clock: FakeClock,
  identity: string,
): { stop: AbortController; leads: () => boolean; done: Promise<void> } {
  const stop = new AbortController();
  stops.push(stop);
  let leads = false;
  const done = runAsLeader({
    client: api,
    namespace: "kube-system",
    name: "controllers",
    identity,
    clock,
    signal: stop.signal,
    log: () => undefined,
    async lead(signal) {
      leads = true;
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      leads = false;
    },
  });
  return { stop, leads: () => leads, done };
}

describe("leader election", () => {
  test("one of two leads; when it stops, the other follows", async () => {
    const api = new FakeApi();
    const clock = new FakeClock();
    const a = stand(api, clock, "a");
    await waitUntil("a leads", a.leads);
    const b = stand(api, clock, "b");
    await waitUntil("b has seen the lease", () =>
      api.requests.some(({ verb, resource }) => verb === "get" && resource === LEASES),
    );
    expect(b.leads()).toBe(false);
    a.stop.abort();
    await a.done;
    await waitUntil("b leads", () => {
      clock.advance(1_000);
      return b.leads();
    });
    expect(api.peek(LEASES)[0]?.spec).toMatchObject({ holderIdentity: "b", leaseTransitions: 1 });
  });

  test("a leader that can't renew stops leading before its lease runs out", async () => {
    const api = new FakeApi();
    const clock = new FakeClock();
    const a = stand(api, clock, "a");
    await waitUntil("a leads", a.leads);
    const startMs = clock.nowMs();
    api.onRequest = () => {
      throw new Error("connection refused");
    };
    await waitUntil("a no longer leads", () => {
      clock.advance(500);
      return !a.leads() || clock.nowMs() - startMs > 60_000;
    });
    expect(a.leads()).toBe(false);
  });
});
