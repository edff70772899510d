/** Operations and matches of listeners, chains and filters. */

import { describe, expect, test } from "@jest/globals";
import { type Patched, patchResources } from "./apply.ts";
import type { PatchSource } from "./decode.ts";
import type { PatchContext } from "./patch.ts";
import {
  HCM,
  HCM_NAME,
  LUA,
  OBJECT,
  ROUTER,
  TCP,
  apply,
  resource,
  setOf,
} from "./testing/harness.ts";

const only = (patched: Patched): unknown => patched.resources.map((one) => one.message);

const http = (name: string): object => ({ name, typedConfig: { "@type": ROUTER } });

function listener(fields: object = {}): { name: string; [field: string]: unknown } {
  return {
    name: "0.0.0.0_80",
    address: { socketAddress: { address: "0.0.0.0", portValue: 80 } },
    listenerFilters: [{ name: "a" }, { name: "b" }],
    filterChains: [
      {
        name: "web",
        filterChainMatch: { serverNames: ["web.example.org"], applicationProtocols: ["h2", "x"] },
        filters: [
          {
            name: HCM_NAME,
            typedConfig: {
              "@type": HCM,
              statPrefix: "web",
              httpFilters: [http("one"), http("envoy.filters.http.router")],
            },
          },
        ],
      },
      {
        filterChainMatch: { transportProtocol: "tls", destinationPort: 443 },
        filters: [{ name: "envoy.filters.network.tcp_proxy", typedConfig: { "@type": TCP } }],
      },
    ],
    ...fields,
  };
}

interface Chain {
  name?: string;
  filters: { name: string; typedConfig: { httpFilters?: { name: string }[] } }[];
}

/** Names of everything inside, for a short comparison. */
function outline(patched: Patched): unknown {
  return patched.resources.map((one) => {
    const { name, listenerFilters, filterChains } = one.message as {
      name: string;
      listenerFilters: { name: string }[];
      filterChains: Chain[];
    };
    return [
      name,
      listenerFilters.map((filter) => filter.name),
      ...filterChains.map((chain) =>
        chain.filters.map((filter) => [
          filter.name.replace(/^envoy\.filters\.network\./, ""),
          ...(filter.typedConfig.httpFilters ?? []).map((inner) =>
            inner.name.replace(/^envoy\.filters\.http\./, ""),
          ),
        ]),
      ),
    ];
  });
}

const WHOLE = [
  "0.0.0.0_80",
  ["a", "b"],
  [["http_connection_manager", "one", "router"]],
  [["tcp_proxy"]],
];

const withFilters = (...names: string[]): unknown => [WHOLE[0], names, ...WHOLE.slice(2)];

const toRouter = (more: object = {}): object => ({
  listener: {
    filterChain: { filter: { name: HCM_NAME, subFilter: { name: "envoy.filters.http.router" } } },
    ...more,
  },
});

const lua = { name: "lua", typed_config: { "@type": LUA } };

function httpWorld(...names: string[]): unknown {
  return [[WHOLE[0], WHOLE[1], [["http_connection_manager", ...names]], WHOLE[3]]];
}

describe("HTTP filters", () => {
  test.each([
    ["INSERT_BEFORE", toRouter(), ["one", "lua", "router"]],
    ["INSERT_AFTER", toRouter(), ["one", "router", "lua"]],
    ["INSERT_FIRST", toRouter(), ["lua", "one", "router"]],
    ["INSERT_FIRST", {}, ["lua", "one", "router"]],
    ["ADD", {}, ["one", "router", "lua"]],
    ["REPLACE", toRouter(), ["one", "lua"]],
    ["REMOVE", toRouter(), ["one"]],
    ["REMOVE", {}, ["one", "router"]],
    ["INSERT_BEFORE", toRouter({ portNumber: 81 }), ["one", "router"]],
    ["INSERT_BEFORE", toRouter({ portNumber: 80 }), ["one", "lua", "router"]],
    ["INSERT_BEFORE", toRouter({ name: "other" }), ["one", "router"]],
  ])("%s at %j", (operation, match, names) => {
    const patch: PatchSource = { applyTo: "HTTP_FILTER", match, patch: { operation, value: lua } };
    expect(outline(apply(resource("listener", listener()), [patch]))).toEqual(httpWorld(...names));
  });

  test("are found by the names that they had in the past", () => {
    const match = {
      listener: {
        filterChain: {
          filter: { name: "envoy.http_connection_manager", subFilter: { name: "envoy.router" } },
        },
      },
    };
    const patch = {
      applyTo: "HTTP_FILTER",
      match,
      patch: { operation: "INSERT_BEFORE", value: lua },
    };
    expect(outline(apply(resource("listener", listener()), [patch]))).toEqual(
      httpWorld("one", "lua", "router"),
    );
  });

  test("are merged inside, and a different type is told", () => {
    const merge = (typed_config: object): Patched =>
      apply(resource("listener", listener()), [
        {
          applyTo: "HTTP_FILTER",
          match: toRouter(),
          patch: { operation: "MERGE", value: { typed_config } },
        },
      ]);
    const { resources } = merge({ "@type": ROUTER, suppress_envoy_headers: true });
    expect(JSON.stringify(resources[0]?.message)).toContain('"suppressEnvoyHeaders":true');
    const wrong = merge({ "@type": LUA });
    expect(outline(wrong)).toEqual([WHOLE]);
    expect(wrong.problems).toMatchObject([
      { object: OBJECT, path: "spec.configPatches[0].patch", reason: "PatchNotApplied" },
    ]);
  });
});

describe("network filters", () => {
  const tcp = { name: "mine", typed_config: { "@type": TCP } };
  const at = (name: string): object => ({ listener: { filterChain: { filter: { name } } } });
  const proxy = "envoy.tcp_proxy";
  test.each([
    ["INSERT_BEFORE", at(proxy), [["mine"], ["tcp_proxy"]]],
    ["INSERT_AFTER", at(proxy), [["tcp_proxy"], ["mine"]]],
    ["REPLACE", at(proxy), [["mine"]]],
    ["REMOVE", at(proxy), []],
    ["ADD", { listener: { filterChain: { destinationPort: 443 } } }, [["tcp_proxy"], ["mine"]]],
    ["ADD", { listener: { filterChain: { transportProtocol: "tls" } } }, [["tcp_proxy"], ["mine"]]],
  ])("%s at %j", (operation, match, filters) => {
    const patch = { applyTo: "NETWORK_FILTER", match, patch: { operation, value: tcp } };
    expect(outline(apply(resource("listener", listener()), [patch]))).toEqual([
      [...WHOLE.slice(0, 3), filters],
    ]);
  });

  test("MERGE changes what is inside, and appends to lists or replaces them", () => {
    const merge = (operation: string): unknown =>
      only(
        apply(
          resource("listener", {
            name: "x",
            filterChains: [
              {
                filters: [
                  {
                    name: HCM_NAME,
                    typedConfig: {
                      "@type": HCM,
                      useRemoteAddress: true,
                      upgradeConfigs: [{ upgradeType: "websocket" }],
                    },
                  },
                ],
              },
            ],
          } as { name: string }),
          [
            {
              applyTo: "NETWORK_FILTER",
              match: at(HCM_NAME),
              patch: {
                operation,
                value: {
                  name: HCM_NAME,
                  typed_config: {
                    "@type": HCM,
                    use_remote_address: false,
                    stream_idle_timeout: "7s",
                    upgrade_configs: [{ upgrade_type: "CONNECT" }],
                  },
                },
              },
            },
          ],
        ),
      );
    const expected = (...upgrades: string[]): unknown => [
      {
        name: "x",
        filterChains: [
          {
            filters: [
              {
                name: HCM_NAME,
                typedConfig: {
                  "@type": HCM,
                  useRemoteAddress: false,
                  streamIdleTimeout: "7s",
                  upgradeConfigs: upgrades.map((upgradeType) => ({ upgradeType })),
                },
              },
            ],
          },
        ],
      },
    ];
    expect(merge("MERGE")).toEqual(expected("websocket", "CONNECT"));
    expect(merge("MERGE_AND_REPLACE_LIST")).toEqual(expected("CONNECT"));
  });
});

describe("listeners, their filters and chains", () => {
  test.each([
    ["LISTENER", "REMOVE", { listener: { name: "0.0.0.0_80" } }, undefined, []],
    ["LISTENER", "REMOVE", { listener: { portNumber: 81 } }, undefined, [WHOLE]],
    ["LISTENER_FILTER", "ADD", {}, { name: "c" }, [withFilters("a", "b", "c")]],
    ["LISTENER_FILTER", "INSERT_FIRST", {}, { name: "c" }, [withFilters("c", "a", "b")]],
    [
      "LISTENER_FILTER",
      "INSERT_BEFORE",
      { listener: { listenerFilter: "b" } },
      { name: "c" },
      [withFilters("a", "c", "b")],
    ],
    [
      "LISTENER_FILTER",
      "REMOVE",
      { listener: { listenerFilter: "a" } },
      undefined,
      [withFilters("b")],
    ],
    [
      "LISTENER_FILTER",
      "REPLACE",
      { listener: { listenerFilter: "a" } },
      { name: "c" },
      [withFilters("c", "b")],
    ],
    [
      "FILTER_CHAIN",
      "REMOVE",
      { listener: { filterChain: { sni: "web.example.org" } } },
      undefined,
      [["0.0.0.0_80", ["a", "b"], [["tcp_proxy"]]]],
    ],
    [
      "FILTER_CHAIN",
      "REMOVE",
      { listener: { filterChain: { applicationProtocols: "h2,x" } } },
      undefined,
      [["0.0.0.0_80", ["a", "b"], [["tcp_proxy"]]]],
    ],
    [
      "FILTER_CHAIN",
      "REMOVE",
      { listener: { filterChain: { applicationProtocols: "h2,y" } } },
      undefined,
      [WHOLE],
    ],
    [
      "FILTER_CHAIN",
      "ADD",
      {},
      { filters: [{ name: "added", typed_config: { "@type": TCP } }] },
      [[...WHOLE, [["added"]]]],
    ],
  ])("%s %s at %j", (applyTo, operation, match, value, expected) => {
    const patch = { applyTo, match, patch: { operation, value } };
    expect(outline(apply(resource("listener", listener()), [patch]))).toEqual(expected);
  });

  test("a port of a virtual listener is that of its chains", () => {
    const virtual = listener({ name: "virtualInbound" });
    const patch = {
      applyTo: "FILTER_CHAIN",
      match: { listener: { portNumber: 443 } },
      patch: { operation: "REMOVE" },
    };
    expect(outline(apply(resource("listener", virtual), [patch]))).toEqual([
      ["virtualInbound", ...WHOLE.slice(1, 3)],
    ]);
  });

  test("an added listener goes to clients and gateways unless it is meant for a server", () => {
    const add = (context: string): PatchSource => ({
      applyTo: "LISTENER",
      match: { context },
      patch: { operation: "ADD", value: { name: "mine" } },
    });
    const added = (wanted: string, context: PatchContext): number =>
      patchResources([], setOf([add(wanted)], context), ["listener"]).resources.length;
    expect(added("ANY", "SIDECAR_OUTBOUND")).toBe(1);
    expect(added("ANY", "GATEWAY")).toBe(1);
    expect(added("ANY", "SIDECAR_INBOUND")).toBe(0);
    expect(added("SIDECAR_INBOUND", "SIDECAR_INBOUND")).toBe(1);
  });

  test("a name that exists already isn't added again", () => {
    const value = { name: "0.0.0.0_80" };
    const patch = { applyTo: "LISTENER", patch: { operation: "ADD", value } };
    const { resources, problems } = apply(resource("listener", listener()), [patch]);
    expect(resources).toHaveLength(1);
    expect(problems).toMatchObject([{ reason: "PatchNotApplied" }]);
  });
});
