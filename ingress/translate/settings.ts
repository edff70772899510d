/** What the mesh's settings (`mesh` in the ConfigMap `istio`) say about Ingresses. */

import { load } from "js-yaml";

export interface IngressSettings {
  /** Value of the annotation `kubernetes.io/ingress.class` that means this mesh. */
  readonly className: string;
  /** `DEFAULT` takes Ingresses without a class too, `OFF` none at all. */
  readonly mode: "STRICT" | "DEFAULT" | "OFF";
  /** Label `istio` of the gateway's pods. */
  readonly selector: string;
  /** The Service whose addresses Ingresses show, in `istio-system`. */
  readonly service: string;
}

/** Istio's. */
export const DEFAULT_SETTINGS: IngressSettings = {
  className: "istio",
  mode: "STRICT",
  selector: "ingressgateway",
  service: "istio-ingressgateway",
};

export const SETTINGS_NAMESPACE = "istio-system";
export const SETTINGS_NAME = "istio";

const MODES = ["STRICT", "DEFAULT", "OFF"] as const;

/** What is absent, or can't be read, is Istio's default. Pods are chosen by the Service's name, if only that is given. */
export function parseIngressSettings(mesh: string | undefined): IngressSettings {
  const fields = fieldsOf(mesh ?? "");
  const text = (name: string): string => {
    const value = fields.get(name);
    return typeof value === "string" ? value : "";
  };
  const service = text("ingressService") || DEFAULT_SETTINGS.service;
  const implied = service === DEFAULT_SETTINGS.service ? DEFAULT_SETTINGS.selector : service;
  return {
    className: text("ingressClass") || DEFAULT_SETTINGS.className,
    mode: MODES.find((mode) => mode === fields.get("ingressControllerMode")) ?? "STRICT",
    selector: text("ingressSelector") || implied,
    service,
  };
}

function fieldsOf(text: string): ReadonlyMap<string, unknown> {
  let value: unknown;
  try {
    value = load(text);
  } catch {
    // Whoever reads the whole of it says so.
    return new Map();
  }
  return new Map(typeof value === "object" && value !== null ? Object.entries(value) : []);
}
