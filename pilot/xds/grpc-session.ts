/** The life of a client's connection: pings, and an end to it so that replicas share the load. */

import { constants } from "node:http2";
import type { ServerHttp2Session } from "node:http2";

export interface SessionLimits {
  /** A peer that doesn't answer a ping until the next is due is gone. */
  keepaliveMs: number;
  /** After so long, a tenth more or less, the client is asked to connect again. */
  maxAgeMs: number;
  /** Between 0 and 1; spreads the ends of connections that began together. */
  random: () => number;
}

const FAREWELL_MS = 10_000;

/** Calls `onAged` when the connection has its age; it is told by GOAWAY before. */
export function superviseSession(
  session: ServerHttp2Session,
  limits: SessionLimits,
  onAged: () => void,
): void {
  let answered = true;
  const pings = setInterval(() => {
    if (!answered) {
      session.destroy();
      return;
    }
    answered = false;
    session.ping((error) => {
      answered = error === null;
    });
  }, limits.keepaliveMs);
  const age = setTimeout(
    () => {
      session.goaway(constants.NGHTTP2_NO_ERROR);
      onAged();
      // A client that doesn't even read its farewell goes without.
      setTimeout(() => session.destroy(), FAREWELL_MS).unref();
    },
    limits.maxAgeMs * (0.9 + 0.2 * limits.random()),
  );
  pings.unref();
  age.unref();
  session.once("close", () => {
    clearInterval(pings);
    clearTimeout(age);
  });
}
