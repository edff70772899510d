/** Endpoints, the older form of EndpointSlices. */

import { isIP } from "node:net";
import type { KubeObject } from "#cluster/api/meta.ts";
import type { Endpoints } from "#cluster/api/generated/core-v1.ts";
import { AGE, NAME, shortened, text } from "#cluster/apiserver/kinds/columns.ts";
import type { Column, Strategy } from "#cluster/apiserver/kinds/kind.ts";
import { strategyOf } from "#cluster/apiserver/kinds/strategy.ts";
import * as problem from "#cluster/apiserver/schema/problem.ts";

export const ENDPOINTS_STRATEGY: Strategy = strategyOf<Endpoints>({
  validate: ({ subsets = [] }) =>
    subsets.flatMap(({ addresses = [], notReadyAddresses = [], ports = [] }, index) => {
      const at = `subsets[${index}]`;
      const all = Object.entries({ addresses, notReadyAddresses });
      const problems = all.flatMap(([field, list]) =>
        list.flatMap(({ ip }, place) => {
          if (isIP(ip) !== 0) return [];
          const detail = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
          return [problem.invalid(`${at}.${field}[${place}].ip`, ip, detail)];
        }),
      );
      if (addresses.length + notReadyAddresses.length === 0) {
        const detail = "must specify `addresses` or `notReadyAddresses`";
        problems.push(problem.required(at, detail));
      }
      for (const [place, { name = "" }] of ports.entries()) {
        if (name === "" && ports.length > 1) {
          problems.push(problem.required(`${at}.ports[${place}].name`));
        }
      }
      return problems;
    }),
});

export const ENDPOINTS_COLUMNS: readonly Column[] = [
  NAME,
  text("Endpoints", (object) => shortened(addresses(object))),
  AGE,
];

function addresses(object: KubeObject): string[] {
  const { subsets } = object as unknown as Endpoints;
  return (subsets ?? []).flatMap(({ addresses: ready = [], ports = [] }) =>
    ports.length === 0
      ? ready.map(({ ip }) => ip)
      : ports.flatMap(({ port }) => ready.map(({ ip }) => addressText(ip, port))),
  );
}

function addressText(ip: string, port: number): string {
  return ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`;
}
