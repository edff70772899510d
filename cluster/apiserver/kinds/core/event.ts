/** Events. */

import type { KubeObject } from "#cluster/api/meta.ts";
import type { Event } from "#cluster/api/generated/core-v1.ts";
import { integer, NAME, text, UNKNOWN, wide } from "#cluster/apiserver/kinds/columns.ts";
import type { Column, Strategy } from "#cluster/apiserver/kinds/kind.ts";
import { strategyOf } from "#cluster/apiserver/kinds/strategy.ts";
import { ageSince } from "#cluster/apiserver/tables/age.ts";
import * as problem from "#cluster/apiserver/schema/problem.ts";

export const EVENT_STRATEGY: Strategy = strategyOf<Event>({
  validate: ({ metadata, involvedObject }) => {
    const namespace = involvedObject?.namespace ?? "";
    if (namespace === "" || namespace === metadata.namespace) return [];
    const detail = "does not match event.namespace";
    return [problem.invalid("involvedObject.namespace", namespace, detail)];
  },
  selectableFields: (event) => {
    const { involvedObject, source, reportingComponent = "" } = event;
    return {
      "involvedObject.kind": involvedObject?.kind ?? "",
      "involvedObject.namespace": involvedObject?.namespace ?? "",
      "involvedObject.name": involvedObject?.name ?? "",
      "involvedObject.uid": involvedObject?.uid ?? "",
      "involvedObject.apiVersion": involvedObject?.apiVersion ?? "",
      "involvedObject.resourceVersion": involvedObject?.resourceVersion ?? "",
      "involvedObject.fieldPath": involvedObject?.fieldPath ?? "",
      reason: event.reason ?? "",
      reportingComponent,
      source: source?.component || reportingComponent,
      type: event.type ?? "",
    };
  },
});

const event = (object: KubeObject): Event => object as unknown as Event;

export const EVENT_COLUMNS: readonly Column[] = [
  text("Last Seen", (object, now) => lastSeen(event(object), now)),
  text("Type", (object) => event(object).type ?? ""),
  text("Reason", (object) => event(object).reason ?? ""),
  text("Object", (object) => {
    const { kind = "", name = "" } = event(object).involvedObject ?? {};
    return name === "" ? kind.toLowerCase() : `${kind.toLowerCase()}/${name}`;
  }),
  wide(text("Subobject", (object) => event(object).involvedObject?.fieldPath ?? "")),
  wide(text("Source", (object) => sourceText(event(object)))),
  text("Message", (object) => (event(object).message ?? "").trim()),
  wide(text("First Seen", (object, now) => firstSeen(event(object), now))),
  wide(integer("Count", (object) => event(object).series?.count ?? event(object).count ?? 1)),
  wide(NAME),
];

function firstSeen({ firstTimestamp, eventTime }: Event, now: number): string {
  const time = firstTimestamp ?? eventTime;
  return time === undefined ? UNKNOWN : ageSince(time, now);
}

function lastSeen(given: Event, now: number): string {
  const time = given.series?.lastObservedTime ?? given.lastTimestamp;
  return time === undefined ? firstSeen(given, now) : ageSince(time, now);
}

function sourceText({ source, reportingComponent, reportingInstance }: Event): string {
  const component = source?.component || reportingComponent || "";
  const host = source?.host || reportingInstance || "";
  return host === "" ? component : `${component}, ${host}`;
}
