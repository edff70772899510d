/** Events of pods and of their containers. */

import type { Pod } from "#cluster/api/generated/core-v1.ts";
import { PODS } from "#cluster/api/resources.ts";
import { type EventRecorder, referenceTo } from "#cluster/client/events.ts";
import { containerFieldPath } from "./pod-parts.ts";

export class PodEvents {
  readonly #recorder: EventRecorder;

  constructor(recorder: EventRecorder) {
    this.#recorder = recorder;
  }

  /** Something that happened to the pod as a whole. */
  pod(pod: Pod, type: "Normal" | "Warning", reason: string, message: string): void {
    this.#recorder.record({ involved: referenceTo(PODS, pod), type, reason, message });
  }

  /** Something that happened to one container. */
  container(
    at: { pod: Pod; name: string },
    type: "Normal" | "Warning",
    reason: string,
    message: string,
  ): void {
    const fieldPath = containerFieldPath(at.pod, at.name);
    const involved = { ...referenceTo(PODS, at.pod), fieldPath };
    this.#recorder.record({ involved, type, reason, message });
  }
}
