import type { ResourceInterner } from "#pilot/cache/interner.ts";
import type { EncodedResource } from "#pilot/cache/resource.ts";
import { ResourceTable } from "#pilot/cache/table.ts";
import { CLUSTER } from "#pilot/cache/type-url.ts";
import type { TypeUrl } from "#pilot/cache/type-url.ts";
import type { ClientForm, EnvoyResource } from "#pilot/envoy/build.ts";
import { arePatchedAlone, patchResources } from "#pilot/envoy/patch/apply.ts";
import type { PatchSet } from "#pilot/envoy/patch/patch.ts";
import type { IrProblem, ScopeIr } from "#pilot/ir/scope-ir.ts";
import { joinExtents } from "#pilot/model/extent.ts";
import type { Extent } from "#pilot/model/extent.ts";
import type { IrList } from "#pilot/model/impact.ts";
import type { PushContext } from "#pilot/model/push-context.ts";
import type { ProxyScope } from "#pilot/model/scope.ts";
import { ScopeTranslation } from "#pilot/translate/translate.ts";
import { PARTS, RESOURCE_TYPES, TYPES, partOf } from "./scope-parts.ts";
import type { PartName, PartSpec, ResourceChanges } from "./scope-parts.ts";
import { patchesOf } from "./scope-patches.ts";
import { UnpatchedForms } from "./unpatched-forms.ts";

/** A resource that could not be encoded; the last good one, if any, is still served. */
export interface PushProblem extends IrProblem {
  readonly resource: string;
}

/** A part of the IR that is built and kept up to date as one, once someone asks for it. */
interface Part {
  readonly list: IrList;
  readonly tables: ReadonlyMap<TypeUrl, ResourceTable>;
  readonly build: (ir: ScopeIr) => EnvoyResource[];
  readonly pick: PartSpec["pick"];
  readonly form: ClientForm | undefined;
  /** By type and name. */
  readonly problems: Map<string, readonly PushProblem[]>;
  readonly unpatched: UnpatchedForms;
  /** Of patches that could not be made. */
  patchProblems: readonly IrProblem[];
}

/**
 * One class of proxies: its translation and the tables of its resources. Parts are filled when the
 * first stream looks at them; from then on only what has changed is built and encoded.
 */
export class ScopeState {
  readonly scope: ProxyScope;
  readonly #interner: ResourceInterner;
  readonly #parts = new Map<PartName, Part>();
  /** What no update has brought up to date yet. */
  readonly #stale = new Map<IrList, Extent>();
  readonly #ir: ScopeTranslation;
  /** Whether an update has failed since the last that hasn't. */
  #failed = false;
  #patches: PatchSet | undefined;

  constructor(context: PushContext, scope: ProxyScope, interner: ResourceInterner) {
    this.scope = scope;
    this.#interner = interner;
    this.#ir = new ScopeTranslation(context, scope);
    this.#patches = patchesOf(context, scope);
  }

  get ir(): ScopeIr {
    return this.#ir;
  }

  /** What couldn't be translated or encoded, of the parts that are in use. */
  problems(): readonly IrProblem[] {
    return [
      ...this.#ir.problems,
      ...[...this.#parts.values()].flatMap((part) => [
        ...[...part.problems.values()].flat(),
        ...part.patchProblems,
      ]),
    ];
  }

  /** Tables in use. */
  tables(): ResourceTable[] {
    return [...this.#parts.values()].flatMap((part) => [...part.tables.values()]);
  }

  /** The table of a type; undefined where the scope has none of it, or it travels inside others. */
  table(type: TypeUrl, form: ClientForm): ResourceTable | undefined {
    const name = partOf(type, form);
    return name === undefined ? undefined : this.#tableOf(name, type);
  }

  /** The table of what a type's clients have to name; undefined where there is nothing like it. */
  tableOnDemand(type: TypeUrl): ResourceTable | undefined {
    if (type !== CLUSTER || this.scope.kind !== "outbound") return undefined;
    return this.scope.isOnDemand && this.#tableOf("clusters on demand", type);
  }

  #tableOf(name: PartName, type: TypeUrl): ResourceTable | undefined {
    let part = this.#parts.get(name);
    if (part === undefined) {
      part = newPart(name);
      this.#parts.set(name, part);
      this.#fill(part);
    }
    return part.tables.get(type);
  }

  /** What patches have changed, without them; undefined for what they haven't. */
  unpatched(type: TypeUrl, name: string, form: ClientForm): EncodedResource | undefined {
    const part = this.#parts.get(partOf(type, form) ?? "extensions");
    const key = keyOf({ type: RESOURCE_TYPES.get(type) ?? "cluster", name });
    const resource = part?.unpatched.use(key);
    return resource && this.#encode(resource).encoded;
  }

  /** Notes that these lists may differ from the world's newest state, and where in them. */
  expire(lists: Iterable<IrList>, extent: Extent): void {
    for (const list of lists) this.#stale.set(list, joinExtents(this.#stale.get(list), extent));
  }

  /** Brings what has expired to this world. True if any table changed. */
  update(context: PushContext): boolean {
    if (this.#stale.size === 0) return false;
    const patches = patchesOf(context, this.scope);
    const whole = this.#failed || patches !== this.#patches;
    this.#patches = patches;
    this.#failed = true;
    const changes = this.#ir.update(context, this.#stale);
    let changed = false;
    for (const part of this.#parts.values()) {
      if (!this.#stale.has(part.list)) continue;
      const picked = whole ? undefined : this.#patched(part, part.pick(changes));
      changed = (picked === undefined ? this.#fill(part) : this.#apply(part, picked)) || changed;
    }
    this.#failed = false;
    this.#stale.clear();
    return changed;
  }

  /** Makes a part's tables exactly what is built now. */
  #fill(part: Part): boolean {
    const built = part.build(this.#ir);
    if (this.#patches === undefined || part.form === "grpc") return this.#replace(part, built);
    const types = [...part.tables.keys()].flatMap((type) => RESOURCE_TYPES.get(type) ?? []);
    const { resources, problems } = patchResources(built, this.#patches, types);
    part.patchProblems = problems;
    return this.#replace(part, resources);
  }

  /** Each under the patches; undefined where all have to be looked at together. */
  #patched(part: Part, picked: ResourceChanges | undefined): ResourceChanges | undefined {
    const patches = this.#patches;
    if (picked === undefined || patches === undefined || part.form === "grpc") return picked;
    if (part.patchProblems.length > 0) return undefined;
    if (![picked.gone, picked.fresh].every((list) => arePatchedAlone(list, patches))) {
      return undefined;
    }
    const fresh = patchResources(picked.fresh, patches, []);
    part.patchProblems = fresh.problems;
    return { gone: patchResources(picked.gone, patches, []).resources, fresh: fresh.resources };
  }

  #replace(part: Part, built: readonly EnvoyResource[]): boolean {
    part.problems.clear();
    if ([...part.tables.values()].every((table) => table.size === 0)) {
      return this.#apply(part, { gone: [], fresh: built });
    }
    const present = new Set(built.map(keyOf));
    const gone = [...part.tables].flatMap(([type, table]) =>
      [...table.names()].flatMap((name) => {
        const resource = { type: RESOURCE_TYPES.get(type) ?? "cluster", name };
        return present.has(keyOf(resource)) ? [] : [resource];
      }),
    );
    return this.#apply(part, { gone, fresh: built });
  }

  /** Takes away and puts; what can't be encoded stays as it was. */
  #apply(
    part: Part,
    { gone, fresh }: { gone: readonly Named[]; fresh: readonly EnvoyResource[] },
  ): boolean {
    const put = new Map<TypeUrl, EncodedResource[]>();
    const remove = new Map<TypeUrl, string[]>();
    const present = new Set(gone.length === 0 ? [] : fresh.map(keyOf));
    const others: EnvoyResource[] = [];
    for (const old of gone) {
      part.problems.delete(keyOf(old));
      if (!present.has(keyOf(old))) part.unpatched.delete(keyOf(old));
      if (!present.has(keyOf(old))) append(remove, TYPES[old.type], old.name);
    }
    for (const resource of fresh) {
      const { encoded, problems } = this.#encode(resource);
      if (encoded !== undefined) append(put, encoded.type, encoded);
      if (problems.length > 0) part.problems.set(keyOf(resource), problems);
      if (part.unpatched.keep(keyOf(resource), resource)) others.push(resource);
    }
    let changed = false;
    for (const [type, table] of part.tables) {
      changed = table.apply(put.get(type) ?? [], remove.get(type)) || changed;
    }
    for (const { type, name } of others) part.tables.get(TYPES[type])?.touch(name);
    return changed || others.length > 0;
  }

  /** Problems instead of a resource; what patches have spoilt is served without them. */
  #encode(resource: EnvoyResource): {
    encoded?: EncodedResource;
    problems: readonly PushProblem[];
  } {
    const type = TYPES[resource.type];
    const { name, message, origins, unpatched } = resource;
    const isPatched = unpatched?.resource.name === name;
    const input = { type, name, message, origins, ...(isPatched && { isPatched: true as const }) };
    const result = this.#interner.encode(input);
    if (result.ok) return { encoded: result.resource, problems: [] };
    const blamed = unpatched?.patchedBy ?? origins;
    const anywhere = blamed.length > 0 ? blamed : [{ object: "", path: "" }];
    const problems = anywhere.flatMap((origin) =>
      result.problems.map((problem) => ({
        ...origin,
        severity: "error" as const,
        reason: "NotEncodable",
        message: `${resource.type} ${name}: ${problem.path} ${problem.message}`,
        resource: name,
      })),
    );
    return unpatched === undefined
      ? { problems }
      : { ...this.#encode(unpatched.resource), problems };
  }
}

function newPart(name: PartName): Part {
  const { list, types, build, pick, form, onDemand } = PARTS[name];
  const tables = new Map(types.map((type) => [type, new ResourceTable(type, { onDemand })]));
  return {
    list,
    tables,
    build,
    pick,
    form,
    problems: new Map(),
    unpatched: new UnpatchedForms(),
    patchProblems: [],
  };
}

type Named = Pick<EnvoyResource, "type" | "name">;

function keyOf(resource: Named): string {
  return `${resource.type} ${resource.name}`;
}

function append<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}
