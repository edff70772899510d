/** Defaults of pods and pod templates that depend on other fields; written into the spec. */

import {
  at,
  getOwn,
  isObject,
  objectsAt,
  stringAt,
  type JsonObject,
} from "#cluster/apiserver/schema/json.ts";

/** `spec` is a PodSpec that no schema has checked yet. */
export function defaultPodSpec(spec: unknown): void {
  if (!isObject(spec)) return;
  if (spec["enableServiceLinks"] === undefined) spec["enableServiceLinks"] = true;
  mirrorServiceAccount(spec);
  const containers = [...objectsAt(spec, "initContainers"), ...objectsAt(spec, "containers")];
  for (const container of containers) {
    defaultContainer(container);
    if (spec["hostNetwork"] === true) defaultHostPorts(container);
  }
  for (const container of objectsAt(spec, "ephemeralContainers")) defaultContainer(container);
  for (const volume of objectsAt(spec, "volumes")) defaultVolume(volume);
}

/** `serviceAccount` is the older name of `serviceAccountName`; both are kept alike. */
function mirrorServiceAccount(spec: JsonObject): void {
  const name = stringAt(spec, "serviceAccountName");
  const older = stringAt(spec, "serviceAccount");
  if (name === "" && older === "") return;
  spec["serviceAccountName"] = name === "" ? older : name;
  spec["serviceAccount"] = spec["serviceAccountName"];
}

function defaultContainer(container: JsonObject): void {
  if (stringAt(container, "imagePullPolicy") === "") {
    container["imagePullPolicy"] = pullPolicy(stringAt(container, "image"));
  }
  const limits = at(container, "resources", "limits");
  const resources = container["resources"];
  if (!isObject(resources) || !isObject(limits)) return;
  const requests = isObject(resources["requests"]) ? resources["requests"] : {};
  for (const [resource, limit] of Object.entries(limits)) {
    if (getOwn(requests, resource) === undefined && resource !== "__proto__") {
      requests[resource] = limit;
    }
  }
  resources["requests"] = requests;
}

/** A tag that moves is asked for each time: `latest`, said or meant. */
function pullPolicy(image: string): string {
  if (image.includes("@")) return "IfNotPresent";
  const name = image.slice(image.lastIndexOf("/") + 1);
  const colon = name.indexOf(":");
  return colon < 0 || name.slice(colon + 1) === "latest" ? "Always" : "IfNotPresent";
}

function defaultHostPorts(container: JsonObject): void {
  for (const port of objectsAt(container, "ports")) {
    if (port["hostPort"] === undefined) port["hostPort"] = port["containerPort"];
  }
}

/** A volume without any source is an emptyDir. */
function defaultVolume(volume: JsonObject): void {
  const sources = Object.keys(volume).filter((key) => key !== "name");
  if (sources.length === 0) volume["emptyDir"] = {};
}
