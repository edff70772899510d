/** `tcp` and `tls` rules of a VirtualService: connections → clusters. */

import type { RouteDestination } from "#crds/types/networking-v1.ts";
import type { TcpForward } from "#pilot/ir/listener.ts";
import type { Origin } from "#pilot/ir/origin.ts";
import { canonicalCidr } from "#pilot/model/cidr.ts";
import type { MeshConfig } from "#pilot/model/mesh-config.ts";
import type { VirtualService } from "#pilot/model/object.ts";
import { type Destinations, clusterOf } from "./http-action.ts";
import { type Viewpoint, appliesTo } from "./http-match.ts";
import { type Reporter, type Translated, error, guarded, originOf, reporter } from "./result.ts";

export interface L4Route {
  readonly clusters: TcpForward["clusters"];
  /** Destinations that the rule itself asks for. */
  readonly subnets: readonly string[];
  readonly serverNames: readonly string[];
  readonly origin: Origin;
}

export interface L4Input {
  readonly view: Viewpoint;
  readonly destinations: Destinations;
  readonly mesh: MeshConfig;
}

/** Routes of `tls` rules that apply, in order. */
export function tlsRoutes(rule: VirtualService, input: L4Input): Translated<readonly L4Route[]> {
  return guarded(rule.key, [], () => {
    const report = reporter(rule.key);
    const routes = (rule.spec.tls ?? []).flatMap((one, at) =>
      (one.match ?? []).flatMap((match, matchAt): L4Route[] => {
        if (!appliesTo(match, input.view, rule.namespace)) return [];
        const path = `spec.tls[${at}]`;
        const clusters = weighted(rule, one.route ?? [], path, { ...input, report });
        if (clusters.length === 0) return [];
        const serverNames = (match.sniHosts ?? []).map((name) => name.toLowerCase());
        if (serverNames.length === 0) {
          const message = "a tls rule needs sniHosts";
          error(report, `${path}.match[${matchAt}].sniHosts`, "NoServerName", message);
          return [];
        }
        return [
          {
            clusters,
            subnets: subnetsOf(match, report, `${path}.match[${matchAt}]`),
            serverNames,
            origin: originOf(rule.key, path),
          },
        ];
      }),
    );
    return { value: routes, problems: report.problems };
  });
}

/** Routes of `tcp` rules that apply, up to the first that takes every connection. */
export function tcpRoutes(rule: VirtualService, input: L4Input): Translated<readonly L4Route[]> {
  return guarded(rule.key, [], () => {
    const report = reporter(rule.key);
    const routes: L4Route[] = [];
    for (const [at, one] of (rule.spec.tcp ?? []).entries()) {
      const path = `spec.tcp[${at}]`;
      const matches = one.match ?? [];
      const applying = matches.filter((match) => appliesTo(match, input.view, rule.namespace));
      if (matches.length > 0 && applying.length === 0) continue;
      const clusters = weighted(rule, one.route ?? [], path, { ...input, report });
      if (clusters.length === 0) continue;
      const all = matches.length === 0 ? [{ destinationSubnets: [] }] : applying;
      for (const match of all) {
        routes.push({
          clusters,
          subnets: subnetsOf(match, report, `${path}.match`),
          serverNames: [],
          origin: originOf(rule.key, path),
        });
      }
      if (all.some((match) => (match.destinationSubnets ?? []).length === 0)) break;
    }
    return { value: routes, problems: report.problems };
  });
}

function subnetsOf(
  match: { readonly destinationSubnets?: readonly string[] },
  report: Reporter,
  path: string,
): string[] {
  return (match.destinationSubnets ?? []).flatMap((text) => {
    const range = canonicalCidr(text);
    if (range !== undefined) return [range];
    error(report, `${path}.destinationSubnets`, "InvalidSubnet", `${text} is no address or CIDR`);
    return [];
  });
}

function weighted(
  rule: VirtualService,
  routes: readonly RouteDestination[],
  path: string,
  input: L4Input & { readonly report: ReturnType<typeof reporter> },
): TcpForward["clusters"] {
  const clusters = routes.flatMap((route, at) => {
    const weight = route.weight ?? 0;
    if (routes.length > 1 && weight === 0) return [];
    const cluster = clusterOf(route.destination, `${path}.route[${at}].destination`, {
      namespace: rule.namespace,
      port: input.view.port,
      destinations: input.destinations,
      mesh: input.mesh,
      report: input.report,
    });
    return [{ cluster, weight: routes.length === 1 ? 1 : weight }];
  });
  if (clusters.length === 0) {
    error(input.report, `${path}.route`, "NoDestination", "no destination has a weight");
  }
  return clusters;
}
