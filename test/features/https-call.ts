/** One HTTPS request as a client that checks what it is shown. */

import https from "node:https";
import type { TLSSocket } from "node:tls";
import type { Certificate } from "./certificates.ts";

export interface HttpsCall {
  readonly port: number;
  /** Server name and host of the request; the certificate must be for it. */
  readonly name: string;
  /** PEM of the authority that is trusted. */
  readonly ca: string;
  readonly agent?: https.Agent;
  /** The client's own. */
  readonly certificate?: Certificate;
  /** Takes a trusted certificate of any name. */
  readonly anyName?: boolean;
}

/** The status and the certificate's common name, or `closed` where there is no answer. */
export function callHttps({ name, certificate, anyName, ...call }: HttpsCall): Promise<string> {
  return new Promise((resolve) => {
    const options: https.RequestOptions = {
      host: "127.0.0.1",
      servername: name,
      headers: { host: name },
      agent: false,
      ...call,
      ...certificate,
      ...(anyName === true ? { checkServerIdentity: () => undefined } : {}),
    };
    const request = https.get(options, (response) => {
      const { subject } = (response.socket as TLSSocket).getPeerCertificate();
      response.resume();
      response.on("end", () => resolve(`${response.statusCode ?? 0} ${String(subject.CN)}`));
    });
    request.on("error", () => resolve("closed"));
  });
}
