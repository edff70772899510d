/**
 * Debug pages over ADS, as istioctl asks for them: the type `istio.io/debug` with the page as the
 * name of a resource, and types of their own for the two that it decodes.
 */

import { configDumpParts } from "./config-dump.ts";
import { isLocalPeer } from "./local.ts";
import { connectedProxies, findProxy } from "./page.ts";
import type { ConnectedProxy, DebugSources } from "./page.ts";
import { PAGES } from "./pages.ts";
import { encode } from "#pilot/proto/encode.ts";
import { answerWith } from "#pilot/xds/question.ts";
import type { Answer, AnswerQuestion, AnswerResource } from "#pilot/xds/question.ts";
import type { SyncState } from "#pilot/xds/subscription-state.ts";

const DEBUG = "istio.io/debug";
const [INVALID_ARGUMENT, NOT_FOUND, PERMISSION_DENIED] = [3, 5, 7];

/** Answers this machine only: what proxies have is nobody else's business. */
export function debugQuestions(sources: DebugSources): AnswerQuestion {
  return (question) => {
    const { typeUrl } = question;
    if (typeUrl !== "istio.io/connections" && !`${typeUrl}/`.startsWith(`${DEBUG}/`)) {
      return undefined;
    }
    if (!isLocalPeer(question)) {
      return refusal(PERMISSION_DENIED, "debug information is given to this machine only");
    }
    switch (typeUrl) {
      case `${DEBUG}/syncz`:
        return answerWith(connectedProxies(sources).map(clientConfig));
      case `${DEBUG}/config_dump`:
        return configDump(sources, question.names);
      case "istio.io/connections":
        return page(sources, typeUrl, "connections");
      case DEBUG:
        return question.names.length === 1
          ? page(sources, typeUrl, question.names[0] ?? "")
          : refusal(INVALID_ARGUMENT, "exactly one debug request is required");
      default:
        return refusal(NOT_FOUND, "there is no such debug request");
    }
  };
}

function refusal(code: number, message: string): Answer {
  return { ok: false, code, message };
}

/** The page's body; what it says when it can't be shown is a body as well, as in Istio. */
function page(sources: DebugSources, typeUrl: string, name: string): Answer {
  const url = URL.parse(`/debug/${name}`, "http://localhost");
  const found = url === null ? undefined : PAGES.get(url.pathname);
  if (url === null || found === undefined) {
    return refusal(NOT_FOUND, "there is no such debug request; `list` names all");
  }
  const bytes = Buffer.from(found.show(sources, url.searchParams).body);
  return answerWith([{ name, typeUrl, bytes }]);
}

/** Envoy's names of states (envoy.service.status.v3.ConfigStatus). */
const STATES: Readonly<Record<SyncState, string>> = {
  "not-sent": "NOT_SENT",
  synced: "SYNCED",
  stale: "STALE",
  error: "ERROR",
};

function clientConfig({ stream, connection: { proxy } }: ConnectedProxy): AnswerResource {
  const genericXdsConfigs = [...stream.subscriptions]
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .map(([typeUrl, one]) => {
      const lastUpdated = stream.dateOf(one.lastSentAt)?.toISOString();
      const details = [...one.refusals][0]?.message;
      const attempt = lastUpdated === undefined ? {} : { lastUpdateAttempt: lastUpdated };
      return {
        typeUrl,
        configStatus: STATES[one.state],
        ...(lastUpdated === undefined ? {} : { lastUpdated }),
        ...(details === undefined ? {} : { errorState: { ...attempt, details } }),
      };
    });
  const metadata = {
    CLUSTER_ID: proxy.cluster,
    NAMESPACE: proxy.namespace,
    ISTIO_VERSION: proxy.istioVersion === "" ? proxy.version : proxy.istioVersion,
  };
  const type = "envoy.service.status.v3.ClientConfig";
  return resource(proxy.id, type, { node: { id: proxy.id, metadata }, genericXdsConfigs });
}

function configDump(sources: DebugSources, names: readonly string[]): Answer {
  const [id] = names;
  if (id === undefined || names.length > 1) {
    return refusal(INVALID_ARGUMENT, "exactly one proxy must be named");
  }
  const proxy = findProxy(sources, id);
  if (proxy === undefined) return answerWith([]);
  const parts = configDumpParts(proxy.connection, { endpoints: false });
  return answerWith(
    parts.map(({ "@type": url, ...fields }) => {
      const typeUrl = url as string;
      return resource("", typeUrl.slice(typeUrl.indexOf("/") + 1), fields);
    }),
  );
}

function resource(name: string, type: string, message: object): AnswerResource {
  const encoded = encode(type, message);
  if (!encoded.ok) throw new Error(JSON.stringify(encoded.problems));
  return { name, typeUrl: `type.googleapis.com/${type}`, bytes: encoded.bytes };
}
