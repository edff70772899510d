/** Keeps the gateway's objects as `manifests.ts` describes them. */

import type { AnyObject } from "#cluster/api/meta.ts";
import {
  DEPLOYMENTS,
  INGRESS_CLASSES,
  type Resource,
  SERVICES,
  SERVICE_ACCOUNTS,
} from "#cluster/api/resources.ts";
import { covers } from "./covers.ts";
import {
  GATEWAY_DEPLOYMENT,
  GATEWAY_INGRESS_CLASS,
  GATEWAY_SERVICE,
  GATEWAY_SERVICE_ACCOUNT,
} from "./manifests.ts";

/** What reconciling needs from the world; tests pass lambdas. */
export interface GatewayWorld {
  get<T extends AnyObject>(resource: Resource<T>, name: string): T | undefined;
  apply<T extends AnyObject>(resource: Resource<T>, object: T): Promise<unknown>;
}

/** With the value `false` an administrator takes one of the objects over. */
export const MANAGED = "lateen.dev/managed";

/** Creates or repairs what is missing or differs; writes nothing when all is as it should be. */
export async function reconcileGateway(world: GatewayWorld): Promise<void> {
  await ensure(world, SERVICE_ACCOUNTS, GATEWAY_SERVICE_ACCOUNT);
  await ensure(world, SERVICES, GATEWAY_SERVICE);
  await ensure(world, DEPLOYMENTS, GATEWAY_DEPLOYMENT);
  await ensure(world, INGRESS_CLASSES, GATEWAY_INGRESS_CLASS);
}

async function ensure<T extends AnyObject>(
  world: GatewayWorld,
  resource: Resource<T>,
  wanted: T,
): Promise<void> {
  const actual = world.get(resource, wanted.metadata.name);
  if (actual?.metadata.annotations?.[MANAGED] === "false") return;
  if (actual !== undefined && covers(actual, wanted)) return;
  await world.apply(resource, wanted);
}
