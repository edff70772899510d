/** Where the kubelet of a pod's node answers. */

import { isIP } from "node:net";
import type { Node, Pod } from "#cluster/api/generated/core-v1.ts";
import { NODES } from "#cluster/api/resources.ts";
import { statusError } from "#cluster/api/status-error.ts";
import type { RegistryContext } from "#cluster/apiserver/registry/context.ts";
import { findObject } from "#cluster/apiserver/registry/read.ts";

const DEFAULT_PORT = 10_250;

export interface KubeletAddress {
  nodeName: string;
  host: string;
  port: number;
}

/** Throws when the pod has no node, or the node no address yet. */
export function kubeletOf(context: RegistryContext, pod: Readonly<Pod>): KubeletAddress {
  const { name, namespace } = pod.metadata;
  const nodeName = pod.spec?.nodeName ?? "";
  if (nodeName === "") {
    throw statusError("BadRequest", `pod ${namespace}/${name} does not have a host assigned`);
  }
  const node: Readonly<Node> | undefined = findObject(context, NODES, { name: nodeName });
  const addresses = node?.status?.addresses ?? [];
  const host = addresses.find(({ type, address }) => type === "InternalIP" && isIP(address) > 0);
  if (host === undefined) {
    throw statusError("ServiceUnavailable", `node ${nodeName} has no InternalIP address`);
  }
  const port = node?.status?.daemonEndpoints?.kubeletEndpoint?.Port ?? DEFAULT_PORT;
  return { nodeName, host: host.address, port };
}

/**
 * The container that a request means; throws BadRequest, with the choice, when it can't be told.
 */
export function containerOf(pod: Readonly<Pod>, asked: string): string {
  const { name } = pod.metadata;
  const named = (list: readonly { name: string }[] | undefined): string[] =>
    (list ?? []).map((container) => container.name);
  const main = named(pod.spec?.containers);
  const init = named(pod.spec?.initContainers);
  const ephemeral = named(pod.spec?.ephemeralContainers);
  if (asked === "") {
    const [only] = main;
    if (only !== undefined && main.length === 1) return only;
    const choice = `choose one of: [${main.join(" ")}]`;
    const others = init.length === 0 ? "" : ` or one of the init containers: [${init.join(" ")}]`;
    throw statusError(
      "BadRequest",
      `a container name must be specified for pod ${name}, ${choice}${others}`,
    );
  }
  if (![...main, ...init, ...ephemeral].includes(asked)) {
    throw statusError("BadRequest", `container ${asked} is not valid for pod ${name}`);
  }
  return asked;
}
