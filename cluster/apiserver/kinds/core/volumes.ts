/** Validation of the volumes of a PodSpec. */

import type {
  DownwardAPIVolumeFile,
  KeyToPath,
  Volume,
  VolumeProjection,
} from "#cluster/api/generated/core-v1.ts";
import { check } from "#cluster/apiserver/kinds/meta.ts";
import { dns1123Label } from "#cluster/apiserver/kinds/names.ts";
import * as problem from "#cluster/apiserver/schema/problem.ts";
import type { FieldProblem } from "#cluster/apiserver/schema/schema.ts";
import { validateLocalPath } from "./containers.ts";
import { validateFieldPath } from "./downward-api.ts";

/** `path` is that of the list. */
export function validateVolumes(volumes: readonly Volume[], path: string): FieldProblem[] {
  const names = new Set<string>();
  return volumes.flatMap((volume, index) => {
    const at = `${path}[${index}]`;
    const problems = check(`${at}.name`, volume.name, dns1123Label(volume.name));
    if (names.has(volume.name)) problems.push(problem.duplicate(`${at}.name`, volume.name));
    names.add(volume.name);
    return [...problems, ...validateSource(volume, at)];
  });
}

function validateSource(volume: Volume, path: string): FieldProblem[] {
  const { name: _, ...sources } = volume;
  const kinds = Object.keys(sources);
  const problems = kinds
    .slice(1)
    .map((kind) => problem.forbidden(`${path}.${kind}`, "may not specify more than 1 volume type"));
  if (kinds.length === 0) problems.push(problem.required(path, "must specify a volume type"));
  const { secret, configMap, hostPath, downwardAPI, projected, persistentVolumeClaim } = volume;
  if (secret !== undefined) {
    if ((secret.secretName ?? "") === "") {
      problems.push(problem.required(`${path}.secret.secretName`));
    }
    problems.push(...validateItems(secret.items, `${path}.secret.items`));
  }
  if (configMap !== undefined) {
    if ((configMap.name ?? "") === "") problems.push(problem.required(`${path}.configMap.name`));
    problems.push(...validateItems(configMap.items, `${path}.configMap.items`));
  }
  if (hostPath?.path.split("/").includes("..") === true) {
    const field = `${path}.hostPath.path`;
    problems.push(problem.invalid(field, hostPath.path, "must not contain '..'"));
  }
  if (downwardAPI !== undefined) {
    problems.push(...validateFiles(downwardAPI.items, `${path}.downwardAPI.items`));
  }
  if (persistentVolumeClaim !== undefined && persistentVolumeClaim.claimName === "") {
    problems.push(problem.required(`${path}.persistentVolumeClaim.claimName`));
  }
  for (const [index, source] of (projected?.sources ?? []).entries()) {
    problems.push(...validateProjection(source, `${path}.projected.sources[${index}]`));
  }
  return problems;
}

function validateProjection(source: VolumeProjection, path: string): FieldProblem[] {
  const kinds = Object.keys(source);
  if (kinds.length > 1) {
    return [problem.forbidden(path, "may not specify more than 1 volume type per source")];
  }
  const { secret, configMap, downwardAPI, serviceAccountToken } = source;
  const problems: FieldProblem[] = [];
  if (secret !== undefined && (secret.name ?? "") === "") {
    problems.push(problem.required(`${path}.secret.name`));
  }
  if (configMap !== undefined && (configMap.name ?? "") === "") {
    problems.push(problem.required(`${path}.configMap.name`));
  }
  return [
    ...problems,
    ...validateItems(secret?.items, `${path}.secret.items`),
    ...validateItems(configMap?.items, `${path}.configMap.items`),
    ...validateFiles(downwardAPI?.items, `${path}.downwardAPI.items`),
    ...validateLocalPath(serviceAccountToken?.path ?? "", `${path}.serviceAccountToken.path`),
  ];
}

function validateItems(items: readonly KeyToPath[] = [], path: string): FieldProblem[] {
  return items.flatMap((item, index) => validateLocalPath(item.path, `${path}[${index}].path`));
}

function validateFiles(files: readonly DownwardAPIVolumeFile[] = [], path: string): FieldProblem[] {
  return files.flatMap((file, index) => {
    const at = `${path}[${index}]`;
    const problems = validateLocalPath(file.path, `${at}.path`);
    const { fieldRef, resourceFieldRef } = file;
    if (fieldRef !== undefined && resourceFieldRef !== undefined) {
      const detail = "fieldRef and resourceFieldRef can not be specified simultaneously";
      problems.push(problem.invalid(at, "resource", detail));
    } else if (fieldRef !== undefined) {
      problems.push(...validateFieldPath(fieldRef, `${at}.fieldRef`, "volume"));
    } else if (resourceFieldRef === undefined) {
      problems.push(problem.required(at, "one of fieldRef and resourceFieldRef is required"));
    }
    return problems;
  });
}
