/** Where objects lie in the store: `/registry/<resource or group/resource>/<namespace>/<name>`. */

type KeyKind = { group: string; plural: string; namespaced: boolean };

/** Prefix of all objects of a kind, or of those in one namespace. */
export function collectionPrefix(kind: KeyKind, namespace = ""): string {
  const resource = kind.group === "" ? kind.plural : `${kind.group}/${kind.plural}`;
  const root = `/registry/${resource}/`;
  return kind.namespaced && namespace !== "" ? `${root}${namespace}/` : root;
}

export function objectKey(kind: KeyKind, namespace: string, name: string): string {
  return `${collectionPrefix(kind, namespace)}${name}`;
}
