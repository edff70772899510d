/** Patches of route configurations, virtual hosts and routes (RouteConfigurationMatch). */

import type { JsonObject } from "#pilot/proto/json.ts";
import { editList } from "./edit-list.ts";
import { listIn, messagesIn, textIn } from "./fields.ts";
import { mergeMessage } from "./merge.ts";
import { type Pass, type Patch, isMerge, optionsOf, patchesTo } from "./patch.ts";

const ROUTES = "envoy.config.route.v3.RouteConfiguration";
const HOST = "envoy.config.route.v3.VirtualHost";
const ROUTE = "envoy.config.route.v3.Route";

/** With the virtual hosts that it holds itself; the same object where no patch has an effect. */
export function patchRouteConfiguration(pass: Pass, original: JsonObject): JsonObject {
  const configuration = patchRouteFrame(pass, original);
  const name = nameOf(configuration);
  const before = messagesIn(configuration, "virtualHosts");
  const hosts = before.flatMap((host) => patchVirtualHost(pass, name, host) ?? []);
  hosts.push(...addedVirtualHosts(pass, name));
  if (hosts.length === before.length && hosts.every((one, at) => one === before[at])) {
    return configuration;
  }
  return { ...configuration, virtualHosts: hosts };
}

/** The configuration itself. */
export function patchRouteFrame(pass: Pass, original: JsonObject): JsonObject {
  let configuration = original;
  for (const patch of patchesTo(pass.set, "ROUTE_CONFIGURATION")) {
    if (!isConfiguration(pass, patch, nameOf(original))) continue;
    pass.touched.add(patch);
    configuration = mergeMessage(ROUTES, configuration, patch.value, optionsOf(patch));
  }
  return configuration;
}

/** Virtual hosts that patches add to the configuration of this name. */
export function addedVirtualHosts(pass: Pass, routeName: string): JsonObject[] {
  const adding = patchesTo(pass.set, "VIRTUAL_HOST").filter(
    (patch) => patch.operation === "ADD" && isConfiguration(pass, patch, routeName),
  );
  for (const patch of adding) pass.touched.add(patch);
  return adding.map((patch) => patch.value);
}

/** Undefined where a patch removes the host. */
export function patchVirtualHost(
  pass: Pass,
  routeName: string,
  original: JsonObject,
): JsonObject | undefined {
  let host = original;
  for (const patch of patchesTo(pass.set, "VIRTUAL_HOST")) {
    if (patch.operation === "ADD" || !isConfiguration(pass, patch, routeName)) continue;
    if (!isVirtualHost(patch, host)) continue;
    pass.touched.add(patch);
    if (patch.operation === "REMOVE") return undefined;
    host = isMerge(patch) ? mergeMessage(HOST, host, patch.value, optionsOf(patch)) : patch.value;
  }
  return patchRoutes(pass, routeName, host);
}

function patchRoutes(pass: Pass, routeName: string, host: JsonObject): JsonObject {
  const patches = patchesTo(pass.set, "HTTP_ROUTE").filter(
    (patch) => isConfiguration(pass, patch, routeName) && isVirtualHost(patch, host),
  );
  if (patches.length === 0) return host;
  const before = messagesIn(host, "routes");
  let routes: readonly JsonObject[] = before.flatMap((route) => patchRoute(pass, patches, route));
  for (const patch of patches) {
    if (patch.operation === "REMOVE" || isMerge(patch)) continue;
    const after = insertRoute(routes, patch);
    if (after === routes) continue;
    pass.touched.add(patch);
    routes = after;
  }
  const isSame = routes.length === before.length && routes.every((one, at) => one === before[at]);
  return isSame ? host : { ...host, routes: [...routes] };
}

/** None where a patch removes it. */
function patchRoute(pass: Pass, patches: readonly Patch[], original: JsonObject): JsonObject[] {
  let route = original;
  for (const patch of patches) {
    if (!(isMerge(patch) || patch.operation === "REMOVE") || !isRoute(patch, route)) continue;
    pass.touched.add(patch);
    if (patch.operation === "REMOVE") return [];
    route = mergeMessage(ROUTE, route, patch.value, optionsOf(patch));
  }
  return [route];
}

/** At the very front only where the route that is named exists (as in Istio). */
function insertRoute(routes: readonly JsonObject[], patch: Patch): readonly JsonObject[] {
  const isTarget =
    patch.route?.vhost?.route === undefined
      ? undefined
      : (route: JsonObject): boolean => isRoute(patch, route);
  const isMissing = isTarget !== undefined && !routes.some(isTarget);
  if (patch.operation === "INSERT_FIRST" && isMissing) return routes;
  return editList(routes, patch, patch.value, isTarget);
}

/**
 * By name, or by the port in the name. A gateway's port is matched by the service's, too, and its
 * names say more: `http.8080`, `https.443.port-name.gateway.namespace`.
 */
function isConfiguration(pass: Pass, patch: Patch, routeName: string): boolean {
  const { name = "", portNumber = 0, portName = "", gateway = "" } = patch.route ?? {};
  if (name !== "" && name !== routeName) return false;
  if (pass.set.context !== "GATEWAY") {
    return portNumber === 0 || portNumber === portInName(routeName);
  }
  const own = gatewayOfName(routeName);
  if (portName !== "" && portName !== own.portName) return false;
  if (gateway !== "" && gateway !== own.gateway) return false;
  if (portNumber === 0) return true;
  const ports = pass.set.servicePorts.get(own.port);
  return ports === undefined ? own.port === portNumber : ports.has(portNumber);
}

function portInName(routeName: string): number {
  const [, port = ""] = routeName.startsWith("inbound|") ? routeName.split("|") : ["", routeName];
  return /^\d+$/.test(port) ? Number(port) : 0;
}

function gatewayOfName(name: string): { port: number; portName: string; gateway: string } {
  const [protocol, port = "", portName = "", gateway = "", namespace = ""] = name.split(".");
  const isNamed = protocol === "https" && namespace !== "";
  return {
    port: Number(port),
    portName: isNamed ? portName : "",
    gateway: isNamed ? `${namespace}/${gateway}` : "",
  };
}

function isVirtualHost(patch: Patch, host: JsonObject): boolean {
  const { name = "", domainName = "" } = patch.route?.vhost ?? {};
  return (
    (name === "" || name === nameOf(host)) &&
    (domainName === "" || listIn(host, "domains").includes(domainName))
  );
}

const ACTIONS: ReadonlyMap<string, string> = new Map([
  ["ROUTE", "route"],
  ["REDIRECT", "redirect"],
  ["DIRECT_RESPONSE", "directResponse"],
]);

function isRoute(patch: Patch, route: JsonObject): boolean {
  const { name = "", action = "ANY" } = patch.route?.vhost?.route ?? {};
  if (name !== "" && name !== nameOf(route)) return false;
  const field = ACTIONS.get(action);
  return field === undefined || route[field] !== undefined;
}

function nameOf(message: JsonObject): string {
  return textIn(message, "name");
}
