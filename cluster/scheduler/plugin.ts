/** What a scheduling plugin is: pure functions of a pod, a node and the snapshot. */

import type { Pod } from "#cluster/api/generated/core-v1.ts";
import type { NodeInfo, Snapshot } from "./snapshot.ts";

/** Computed once a pod and handed to each node's check. */
export interface PodView {
  readonly pod: Pod;
  readonly snapshot: Snapshot;
}

/** Why a node is out, in Kubernetes' words (`Insufficient cpu`); empty when it isn't. */
export type Filter = (view: PodView, info: NodeInfo) => readonly string[];

/** From 0 (worst) to 100, for nodes that passed all filters. */
export type Score = (view: PodView, info: NodeInfo) => number;

export interface Plugin {
  name: string;
  filter?: Filter;
  score?: Score;
  /** Of the score; default 1. */
  weight?: number;
}
