/** The access log of the mesh's settings. */

import type { AccessLog } from "#pilot/ir/listener.ts";
import { cached } from "#pilot/model/cached.ts";
import type { MeshConfig } from "#pilot/model/mesh-config.ts";

/** Istio's default text format (Istio, "Envoy Access Logs"). */
const DEFAULT_FORMAT =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" ' +
  "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% " +
  '"%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% %BYTES_SENT% %DURATION% ' +
  '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" ' +
  '"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER_RAW% ' +
  "%UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% " +
  "%REQUESTED_SERVER_NAME% %ROUTE_NAME%\n";

/** Undefined where nothing is logged. */
export const accessLogOf = cached((mesh: MeshConfig): AccessLog | undefined => {
  if (mesh.accessLogFile === "") return undefined;
  return {
    path: mesh.accessLogFile,
    format: mesh.accessLogFormat === "" ? DEFAULT_FORMAT : withNewline(mesh.accessLogFormat),
    encoding: mesh.accessLogEncoding,
  };
});

function withNewline(format: string): string {
  return format.endsWith("\n") ? format : `${format}\n`;
}
