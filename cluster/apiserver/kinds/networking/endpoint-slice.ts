/** EndpointSlices. */

import { isIPv4, isIPv6 } from "node:net";
import type { KubeObject } from "#cluster/api/meta.ts";
import type { EndpointPort, EndpointSlice } from "#cluster/api/generated/discovery-v1.ts";
import { AGE, NAME, shortened, text, UNSET } from "#cluster/apiserver/kinds/columns.ts";
import type { Column, Strategy } from "#cluster/apiserver/kinds/kind.ts";
import { check, immutable } from "#cluster/apiserver/kinds/meta.ts";
import { dns1123Label, dns1123Subdomain } from "#cluster/apiserver/kinds/names.ts";
import { strategyOf } from "#cluster/apiserver/kinds/strategy.ts";
import * as problem from "#cluster/apiserver/schema/problem.ts";
import type { FieldProblem } from "#cluster/apiserver/schema/schema.ts";

export const ENDPOINT_SLICE_STRATEGY: Strategy = strategyOf<EndpointSlice>({
  validate: ({ addressType, endpoints, ports }) => [
    ...(endpoints ?? []).flatMap(({ addresses, hostname }, index) => [
      ...addresses.flatMap((address, place) =>
        check(
          `endpoints[${index}].addresses[${place}]`,
          address,
          addressProblems(addressType, address),
        ),
      ),
      ...(hostname === undefined
        ? []
        : check(`endpoints[${index}].hostname`, hostname, dns1123Label(hostname))),
    ]),
    ...validatePorts(ports ?? []),
  ],
  validateUpdate: (object, old) =>
    object.addressType === old.addressType ? [] : [immutable("addressType", object.addressType)],
});

function addressProblems(addressType: string, address: string): string[] {
  if (addressType === "FQDN") return dns1123Subdomain(address);
  if (addressType === "IPv4") return isIPv4(address) ? [] : ["must be an IPv4 address"];
  return isIPv6(address) ? [] : ["must be an IPv6 address"];
}

function validatePorts(ports: readonly EndpointPort[]): FieldProblem[] {
  const names = new Set<string>();
  return ports.flatMap(({ name = "" }, index) => {
    const at = `ports[${index}].name`;
    const problems = name === "" ? [] : check(at, name, dns1123Label(name));
    if (names.has(name)) problems.push(problem.duplicate(at, name));
    names.add(name);
    return problems;
  });
}

const slice = (object: KubeObject): EndpointSlice => object as unknown as EndpointSlice;

export const ENDPOINT_SLICE_COLUMNS: readonly Column[] = [
  NAME,
  text("AddressType", (object) => slice(object).addressType),
  text("Ports", (object) => portsText(slice(object))),
  text("Endpoints", (object) => {
    const addresses = (slice(object).endpoints ?? []).flatMap((endpoint) => endpoint.addresses);
    return addresses.length === 0 ? UNSET : shortened(addresses);
  }),
  AGE,
];

function portsText({ ports }: EndpointSlice): string {
  const list = ports ?? [];
  if (list.length === 0) return UNSET;
  return shortened(list.map(({ port }) => (port === undefined ? "*" : String(port))));
}
