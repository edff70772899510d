/** A reason to refuse a pod, in the words of its author. */
export interface InjectionProblem {
  /** Field path, for example `metadata.annotations[sidecar.istio.io/proxyCPU]`. */
  path: string;
  message: string;
}
