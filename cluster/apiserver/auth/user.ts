/** Who asks: the outcome of authentication. */
export interface User {
  name: string;
  uid?: string;
  groups: readonly string[];
  /** For example the pod that a ServiceAccount token is bound to. */
  extra?: Readonly<Record<string, readonly string[]>>;
}

export const MASTERS = "system:masters";
export const AUTHENTICATED = "system:authenticated";
export const NODES = "system:nodes";

/** Who gives no credentials. */
export const ANONYMOUS: User = { name: "system:anonymous", groups: ["system:unauthenticated"] };

/** The API server itself, for what it writes on its own account. */
export const API_SERVER: User = { name: "system:apiserver", groups: [MASTERS, AUTHENTICATED] };
