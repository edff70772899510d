import { afterEach, describe, expect, test } from "@jest/globals";
import type { Pod, PodStatus } from "#cluster/api/generated/core-v1.ts";
import { PODS } from "#cluster/api/resources.ts";
import { FakeApi } from "#cluster/client/testing/fake-api.ts";
import { StatusWriter } from "./status-writer.ts";

const REF = { namespace: "default", name: "p" };

function readyIs(status: "True" | "False"): PodStatus {
  return { phase: "Running", conditions: [{ type: "Ready", status }] };
}

let writer: StatusWriter | undefined;
afterEach(() => writer?.stop());

/** A pod of which the writer has told that it is ready. */
async function toldReady(): Promise<{ api: FakeApi; statuses: StatusWriter; pod: Pod }> {
  const api = new FakeApi();
  const pod = await api.create(PODS, { metadata: { ...REF, uid: "u" } });
  const statuses = new StatusWriter(api, () => undefined);
  writer = statuses;
  statuses.set(pod, readyIs("True"));
  await statuses.flush(pod.metadata.uid ?? "");
  return { api, statuses, pod: await api.get(PODS, REF) };
}

describe("statuses", () => {
  test("that come back as they were written need nothing", async () => {
    const { statuses, pod } = await toldReady();
    expect(pod.status).toMatchObject(readyIs("True"));
    expect(statuses.observe(pod)).toBe(false);
  });

  test("that somebody else has changed are noticed, and written again when set", async () => {
    const { api, statuses } = await toldReady();
    const body = { status: readyIs("False") };
    const changed = await api.patch(PODS, REF, { type: "merge", subresource: "status", body });
    expect(statuses.observe(changed)).toBe(true);
    statuses.set(changed, readyIs("True"));
    await statuses.flush(changed.metadata.uid ?? "");
    expect((await api.get(PODS, REF)).status).toMatchObject(readyIs("True"));
  });

  test("that are older than what was written last don't count", async () => {
    const { api, statuses, pod } = await toldReady();
    statuses.set(pod, readyIs("False"));
    await statuses.flush(pod.metadata.uid ?? "");
    expect(statuses.observe(pod)).toBe(false);
    expect((await api.get(PODS, REF)).status).toMatchObject(readyIs("False"));
  });
});
