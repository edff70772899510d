/** A stream of YAML → the same with sidecars; what has no pods keeps its bytes. */

import { dump } from "js-yaml";
import type { InjectorConfig } from "#sidecar-injector/inject/config.ts";
import { inject } from "#sidecar-injector/inject/inject.ts";
import { mapDocuments } from "./documents.ts";
import { findPod, isRecord } from "./workload-templates.ts";

export interface StreamResult {
  yaml: string;
  /** One for each object with pods: `Deployment/default/hello: injected …`. */
  decisions: string[];
  warnings: string[];
  /** Objects that can't be injected; they stay as they are. */
  problems: string[];
}

type Json = Record<string, unknown>;

/** `namespace` is that of objects that name none. */
export function injectStream(
  stream: string,
  options: { config: InjectorConfig; namespace: string },
): StreamResult {
  const result: StreamResult = { yaml: "", decisions: [], warnings: [], problems: [] };
  const one = (object: unknown): Json | undefined => {
    if (!isRecord(object)) return undefined;
    if (Array.isArray(object.items)) {
      const items = object.items.map((item: unknown) => one(item) ?? item);
      const same = items.every((item, at) => item === (object.items as unknown[])[at]);
      return same ? undefined : { ...object, items };
    }
    return injectObject(object, options, result);
  };
  result.yaml = mapDocuments(stream, (object) => {
    const changed = one(object);
    return changed && dump(changed, { lineWidth: -1, noRefs: true });
  });
  return result;
}

function injectObject(
  object: Json,
  { config, namespace: fallback }: { config: InjectorConfig; namespace: string },
  result: StreamResult,
): Json | undefined {
  const found = findPod(object);
  if (found === undefined) return undefined;
  const namespace = found.namespace ?? fallback;
  const title = `${String(object.kind)}/${namespace}/${found.name}`;
  // In a template `metadata.name` is the object's, so that the pod is named by its maker.
  const injection = inject(found.pod, { namespace, config, owner: found.owner });
  if (injection.kind === "refused") {
    const texts = injection.problems.map(({ path, message }) => `${path}: ${message}`);
    result.problems.push(`${title}: ${texts.join("; ")}`);
    return undefined;
  }
  result.decisions.push(`${title}: ${injection.kind}, ${injection.reason}`);
  if (injection.kind === "skipped") return undefined;
  if (!hasNativeProxy(injection.pod) && ["Job", "CronJob"].includes(String(object.kind))) {
    result.warnings.push(
      `${title}: the proxy beside the app keeps a Job from ending: leave ` +
        "sidecar.istio.io/nativeSidecar on, or POST to http://127.0.0.1:15020/quitquitquit at its end",
    );
  }
  result.warnings.push(...injection.warnings.map((text) => `${title}: ${text}`));
  return found.replace(injection.pod);
}

function hasNativeProxy(pod: { spec?: { initContainers?: readonly { name: string }[] } }): boolean {
  return pod.spec?.initContainers?.some(({ name }) => name === "istio-proxy") === true;
}
