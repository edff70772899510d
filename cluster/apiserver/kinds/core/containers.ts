/** Validation of the containers of a PodSpec (Kubernetes' `ValidatePodSpec`). */

import { compareQuantities, parseQuantity } from "#cluster/api/quantity.ts";
import type {
  Container,
  ContainerPort,
  EnvVar,
  Lifecycle,
  PodSpec,
  ResourceRequirements,
  VolumeMount,
} from "#cluster/api/generated/core-v1.ts";
import { check } from "#cluster/apiserver/kinds/meta.ts";
import { dns1123Label, envName, portName } from "#cluster/apiserver/kinds/names.ts";
import * as problem from "#cluster/apiserver/schema/problem.ts";
import type { FieldProblem } from "#cluster/apiserver/schema/schema.ts";
import { validateFieldPath } from "./downward-api.ts";
import { validateHandler, validateProbe } from "./probes.ts";

/** What a container's fields may refer to. */
interface Surroundings {
  volumes: ReadonlySet<string>;
  /** Names taken by containers before it. */
  taken: Set<string>;
  isInit: boolean;
}

/** `path` is that of the PodSpec. */
export function validateContainers(spec: PodSpec, path: string): FieldProblem[] {
  const volumes = new Set((spec.volumes ?? []).map((volume) => volume.name));
  const taken = new Set<string>();
  const each = (list: readonly Container[], name: string, isInit: boolean): FieldProblem[] =>
    list.flatMap((container, index) =>
      validateContainer(container, `${path}.${name}[${index}]`, { volumes, taken, isInit }),
    );
  return [
    ...each(spec.containers, "containers", false),
    ...each(spec.initContainers ?? [], "initContainers", true),
  ];
}

function validateContainer(
  container: Container,
  path: string,
  surroundings: Surroundings,
): FieldProblem[] {
  const { name, image = "" } = container;
  const { taken } = surroundings;
  const problems = check(`${path}.name`, name, dns1123Label(name));
  if (taken.has(name)) problems.push(problem.duplicate(`${path}.name`, name));
  taken.add(name);
  if (image === "") {
    problems.push(problem.required(`${path}.image`));
  } else if (image !== image.trim()) {
    const detail = "must not have leading or trailing whitespace";
    problems.push(problem.invalid(`${path}.image`, image, detail));
  }
  return [
    ...problems,
    ...validatePorts(container.ports ?? [], `${path}.ports`),
    ...(container.env ?? []).flatMap((env, index) => validateEnv(env, `${path}.env[${index}]`)),
    ...validateEnvFrom(container, `${path}.envFrom`),
    ...validateMounts(container.volumeMounts ?? [], `${path}.volumeMounts`, surroundings),
    ...validateResources(container.resources ?? {}, `${path}.resources`),
    ...validateLifetime(container, path, surroundings.isInit),
  ];
}

/** Probes and hooks, which an init container has only as a sidecar. */
function validateLifetime(container: Container, path: string, isInit: boolean): FieldProblem[] {
  const { livenessProbe, readinessProbe, startupProbe, lifecycle, restartPolicy } = container;
  const problems: FieldProblem[] = [];
  if (isInit && restartPolicy !== undefined && restartPolicy !== "Always") {
    problems.push(problem.notSupported(`${path}.restartPolicy`, restartPolicy, ["Always"]));
  } else if (!isInit && restartPolicy !== undefined) {
    const detail = "may not be set for non-init containers";
    problems.push(problem.forbidden(`${path}.restartPolicy`, detail));
  }
  const once = isInit && restartPolicy !== "Always";
  const parts = { livenessProbe, readinessProbe, startupProbe, lifecycle };
  for (const [name, part] of Object.entries(parts)) {
    if (part === undefined || !once) continue;
    const detail = "may not be set for init containers without restartPolicy=Always";
    problems.push(problem.forbidden(`${path}.${name}`, detail));
  }
  if (once) return problems;
  return [
    ...problems,
    ...validateProbe(livenessProbe, `${path}.livenessProbe`, { successOnce: true }),
    ...validateProbe(readinessProbe, `${path}.readinessProbe`, { successOnce: false }),
    ...validateProbe(startupProbe, `${path}.startupProbe`, { successOnce: true }),
    ...validateLifecycle(lifecycle, `${path}.lifecycle`),
  ];
}

function validateLifecycle(lifecycle: Lifecycle | undefined, path: string): FieldProblem[] {
  const { postStart, preStop } = lifecycle ?? {};
  return [
    ...(postStart === undefined ? [] : validateHandler(postStart, `${path}.postStart`)),
    ...(preStop === undefined ? [] : validateHandler(preStop, `${path}.preStop`)),
  ];
}

function validatePorts(ports: readonly ContainerPort[], path: string): FieldProblem[] {
  const names = new Set<string>();
  return ports.flatMap(({ name = "" }, index) => {
    if (name === "") return [];
    const at = `${path}[${index}].name`;
    const problems = check(at, name, portName(name));
    if (names.has(name)) problems.push(problem.duplicate(at, name));
    names.add(name);
    return problems;
  });
}

const ENV_SOURCES = [
  "fieldRef",
  "resourceFieldRef",
  "configMapKeyRef",
  "secretKeyRef",
  "fileKeyRef",
] as const;

function validateEnv(env: EnvVar, path: string): FieldProblem[] {
  const { name, value = "", valueFrom } = env;
  const problems = check(`${path}.name`, name, envName(name));
  if (valueFrom === undefined) return problems;
  const at = `${path}.valueFrom`;
  const sources = ENV_SOURCES.filter((source) => valueFrom[source] !== undefined);
  if (sources.length === 0) {
    const list = ENV_SOURCES.map((source) => `\`${source}\``).join(", ");
    problems.push(problem.invalid(at, "", `must specify one of: ${list}`));
  } else if (sources.length > 1) {
    problems.push(problem.invalid(at, "", "may not have more than one field specified at a time"));
  } else if (value !== "") {
    problems.push(problem.invalid(at, "", "may not be specified when `value` is not empty"));
  }
  if (valueFrom.fieldRef !== undefined) {
    problems.push(...validateFieldPath(valueFrom.fieldRef, `${at}.fieldRef`, "env"));
  }
  for (const source of ["configMapKeyRef", "secretKeyRef"] as const) {
    if (valueFrom[source] !== undefined && (valueFrom[source].name ?? "") === "") {
      problems.push(problem.required(`${at}.${source}.name`));
    }
  }
  return problems;
}

function validateEnvFrom(container: Container, path: string): FieldProblem[] {
  return (container.envFrom ?? []).flatMap(({ configMapRef, secretRef }, index) => {
    const at = `${path}[${index}]`;
    if (configMapRef !== undefined && secretRef !== undefined) {
      return [problem.invalid(at, "", "may not have more than one field specified at a time")];
    }
    const [field, reference] =
      configMapRef === undefined ? ["secretRef", secretRef] : ["configMapRef", configMapRef];
    if (reference === undefined) {
      return [problem.invalid(at, "", "must specify one of: `configMapRef` or `secretRef`")];
    }
    return (reference.name ?? "") === "" ? [problem.required(`${at}.${field}.name`)] : [];
  });
}

function validateMounts(
  mounts: readonly VolumeMount[],
  path: string,
  { volumes }: Surroundings,
): FieldProblem[] {
  const paths = new Set<string>();
  return mounts.flatMap(({ name, mountPath, subPath = "", subPathExpr = "" }, index) => {
    const at = `${path}[${index}]`;
    const problems: FieldProblem[] = [];
    if (!volumes.has(name)) problems.push(problem.notFound(`${at}.name`, name));
    if (paths.has(mountPath)) {
      problems.push(problem.invalid(`${at}.mountPath`, mountPath, "must be unique"));
    }
    paths.add(mountPath);
    if (mountPath.split("/").includes("..")) {
      problems.push(problem.invalid(`${at}.mountPath`, mountPath, "must not contain '..'"));
    }
    if (subPath !== "" && subPathExpr !== "") {
      const detail = "subPathExpr and subPath are mutually exclusive";
      problems.push(problem.invalid(`${at}.subPathExpr`, subPathExpr, detail));
    }
    return [...problems, ...validateLocalPath(subPath, `${at}.subPath`)];
  });
}

/** A path inside a volume must not leave it. */
export function validateLocalPath(path: string, field: string): FieldProblem[] {
  if (path.startsWith("/")) return [problem.invalid(field, path, "must be a relative path")];
  if (path.split("/").includes("..")) {
    return [problem.invalid(field, path, "must not contain '..'")];
  }
  return [];
}

/** Not negative, and no request above its limit. */
export function validateResources(
  { requests = {}, limits = {} }: ResourceRequirements,
  path: string,
): FieldProblem[] {
  const problems = [
    ...validateAmounts(limits, `${path}.limits`),
    ...validateAmounts(requests, `${path}.requests`),
  ];
  if (problems.length > 0) return problems;
  for (const [resource, request] of Object.entries(requests)) {
    const limit = Object.hasOwn(limits, resource) ? limits[resource] : undefined;
    if (limit === undefined || compareQuantities(request, limit) <= 0) continue;
    const detail = `must be less than or equal to ${resource} limit of ${limit}`;
    problems.push(problem.invalid(`${path}.requests`, request, detail));
  }
  return problems;
}

function validateAmounts(amounts: Readonly<Record<string, string>>, path: string): FieldProblem[] {
  return Object.entries(amounts).flatMap(([resource, amount]) => {
    const parsed = parseQuantity(amount);
    if (!parsed.ok) return [problem.invalid(`${path}[${resource}]`, amount, parsed.message)];
    if (parsed.value >= 0n) return [];
    const detail = "must be greater than or equal to 0";
    return [problem.invalid(`${path}[${resource}]`, amount, detail)];
  });
}
