/** The addresses that an Ingress shows: those of the gateway's Service. */

import type { Service } from "#cluster/api/generated/core-v1.ts";
import type {
  Ingress,
  IngressClass,
  IngressLoadBalancerIngress,
} from "#cluster/api/generated/networking-v1.ts";
import { isOurs } from "#ingress/translate/ingress-class.ts";
import { DEFAULT_SETTINGS, type IngressSettings } from "#ingress/translate/settings.ts";

/** The status to write, or undefined when the Ingress is another's or already says it. */
export function wantedStatus(
  ingress: Ingress,
  classes: readonly IngressClass[],
  gateway: Service | undefined,
  settings: IngressSettings = DEFAULT_SETTINGS,
): { loadBalancer: { ingress: IngressLoadBalancerIngress[] } } | undefined {
  if (!isOurs(ingress, classes, settings)) return undefined;
  const addresses = (gateway?.status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ({
    ...(ip !== undefined && { ip }),
    ...(hostname !== undefined && { hostname }),
  }));
  const shown = ingress.status?.loadBalancer?.ingress ?? [];
  const same =
    shown.length === addresses.length &&
    addresses.every(({ ip, hostname }, index) => {
      const old = shown[index];
      return old?.ip === ip && old?.hostname === hostname;
    });
  return same ? undefined : { loadBalancer: { ingress: addresses } };
}
