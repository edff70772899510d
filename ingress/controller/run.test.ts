import { describe, expect, test } from "@jest/globals";
import {
  DEPLOYMENTS,
  INGRESSES,
  INGRESS_CLASSES,
  SERVICES,
  SERVICE_ACCOUNTS,
} from "#cluster/api/resources.ts";
import { FakeApi } from "#cluster/client/testing/fake-api.ts";
import { waitUntil } from "#cluster/client/testing/wait-until.ts";
import { runIngressController } from "./run.ts";

const NAMESPACE = "istio-system";
const NAME = "istio-ingressgateway";

async function withController(body: (api: FakeApi) => Promise<void>): Promise<void> {
  const api = new FakeApi();
  const abort = new AbortController();
  const running = runIngressController({ client: api, signal: abort.signal, log: () => undefined });
  try {
    await waitUntil("the gateway exists", () => api.peek(INGRESS_CLASSES).length === 1);
    await body(api);
  } finally {
    abort.abort();
    await running;
  }
}

async function giveAddress(api: FakeApi, ip: string): Promise<void> {
  const body = { status: { loadBalancer: { ingress: [{ ip }] } } };
  const patch = { type: "merge" as const, body, subresource: "status" };
  await api.patch(SERVICES, { namespace: NAMESPACE, name: NAME }, patch);
}

function addressesOf(api: FakeApi, name: string): unknown {
  const ingress = api.peek(INGRESSES, "default").find(({ metadata }) => metadata.name === name);
  return ingress?.status?.loadBalancer?.ingress;
}

describe("runIngressController", () => {
  test("deploys the gateway: account, Service, Deployment and default class", () =>
    withController(async (api) => {
      const [service] = api.peek(SERVICES, NAMESPACE);
      expect(service?.spec?.type).toBe("LoadBalancer");
      expect(service?.spec?.ports?.map(({ port, targetPort }) => [port, targetPort])).toEqual([
        [15_021, 15_021],
        [80, 8080],
        [443, 8443],
      ]);
      const [deployment] = api.peek(DEPLOYMENTS, NAMESPACE);
      expect(deployment?.spec?.template.metadata?.labels).toMatchObject({
        istio: "ingressgateway",
        "sidecar.istio.io/inject": "true",
      });
      expect(api.peek(SERVICE_ACCOUNTS, NAMESPACE).map(({ metadata }) => metadata.name)).toContain(
        NAME,
      );
    }));

  test("repairs what is deleted or changed, and leaves replicas to whoever scales", () =>
    withController(async (api) => {
      await api.patch(
        DEPLOYMENTS,
        { namespace: NAMESPACE, name: NAME },
        { type: "merge", body: { spec: { replicas: 3 } } },
      );
      await api.patch(
        SERVICES,
        { namespace: NAMESPACE, name: NAME },
        { type: "merge", body: { spec: { type: "ClusterIP" } } },
      );
      await waitUntil(
        "the Service is repaired",
        () => api.peek(SERVICES, NAMESPACE)[0]?.spec?.type === "LoadBalancer",
      );
      await api.delete(SERVICES, { namespace: NAMESPACE, name: NAME });
      await waitUntil("the Service is back", () => api.peek(SERVICES, NAMESPACE).length === 1);
      expect(api.peek(DEPLOYMENTS, NAMESPACE)[0]?.spec?.replicas).toBe(3);
    }));

  test("an object marked as not managed is left alone", () =>
    withController(async (api) => {
      const at = { namespace: NAMESPACE, name: NAME };
      const metadata = { annotations: { "lateen.dev/managed": "false" } };
      await api.patch(SERVICES, at, {
        type: "merge",
        body: { metadata, spec: { type: "NodePort" } },
      });
      await giveAddress(api, "192.0.2.7");
      await api.create(INGRESSES, {
        metadata: { name: "after", namespace: "default" },
        spec: { ingressClassName: "istio" },
      });
      await waitUntil("a later change was seen", () => addressesOf(api, "after") !== undefined);
      expect(api.peek(SERVICES, NAMESPACE)[0]?.spec?.type).toBe("NodePort");
    }));

  test("Ingresses of our class show the gateway's address and follow it; others' stay", () =>
    withController(async (api) => {
      const create = (name: string, ingressClassName?: string) =>
        api.create(INGRESSES, {
          metadata: { name, namespace: "default" },
          spec: { ...(ingressClassName !== undefined && { ingressClassName }) },
        });
      await create("ours", "istio");
      await create("unsaid");
      await create("theirs", "nginx");
      await giveAddress(api, "192.0.2.7");
      await waitUntil(
        "both of ours have it",
        () => JSON.stringify(addressesOf(api, "unsaid")) === '[{"ip":"192.0.2.7"}]',
      );
      await waitUntil("ours has it", () => addressesOf(api, "ours") !== undefined);
      await giveAddress(api, "192.0.2.8");
      await waitUntil(
        "the new address arrives",
        () => JSON.stringify(addressesOf(api, "ours")) === '[{"ip":"192.0.2.8"}]',
      );
      expect(addressesOf(api, "theirs")).toBeUndefined();
    }));
});
