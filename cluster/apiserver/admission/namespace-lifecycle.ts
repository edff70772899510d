/** No new objects in a namespace that is missing or ending; some namespaces must stay. */

import { NAMESPACES } from "#cluster/api/resources.ts";
import { statusError } from "#cluster/api/status-error.ts";
import type {
  AdmissionPlugin,
  AdmissionRequest,
  RegistryContext,
} from "#cluster/apiserver/registry/context.ts";
import { forbidden, notFound } from "#cluster/apiserver/registry/errors.ts";
import { findObject } from "#cluster/apiserver/registry/read.ts";

/** Without them the cluster can't work (Kubernetes' immortal namespaces). */
const IMMORTAL = new Set(["default", "kube-system", "kube-public"]);

export const NAMESPACE_LIFECYCLE: AdmissionPlugin = {
  name: "NamespaceLifecycle",
  admit(request, context) {
    const { kind, operation, name } = request;
    if (kind.group === "" && kind.plural === "namespaces") {
      if (operation === "DELETE" && IMMORTAL.has(name)) {
        throw forbidden(kind, name, "this namespace may not be deleted");
      }
    } else if (kind.namespaced && operation === "CREATE") {
      requireNamespace(context, request);
    }
  },
};

function requireNamespace(
  context: RegistryContext,
  { kind, namespace, name }: AdmissionRequest,
): void {
  const found = findObject(context, NAMESPACES, { name: namespace });
  if (found === undefined) throw notFound(NAMESPACES, namespace);
  if (found.metadata.deletionTimestamp === undefined) return;
  const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
  const { message, details } = forbidden(kind, name, why).status;
  throw statusError("Forbidden", message ?? why, {
    ...details,
    causes: [
      {
        reason: "NamespaceTerminating",
        message: `namespace ${namespace} is being terminated`,
        field: "metadata.namespace",
      },
    ],
  });
}
