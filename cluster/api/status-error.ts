/** meta/v1 Status: how the API server says what went wrong, and the error that carries one. */

export interface StatusCause {
  reason?: string;
  message?: string;
  /** JSON path of the field, for example `spec.http[0].route[0].weight`. */
  field?: string;
}

export interface Status {
  kind: "Status";
  apiVersion: "v1";
  metadata: Record<string, unknown>;
  status: "Success" | "Failure";
  message?: string;
  reason?: string;
  details?: {
    name?: string;
    group?: string;
    kind?: string;
    uid?: string;
    causes?: StatusCause[];
    retryAfterSeconds?: number;
  };
  /** The HTTP status. */
  code?: number;
}

/** HTTP code of every reason that Lateen answers with (apimachinery `metav1.StatusReason`). */
export const REASON_CODES = {
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  NotAcceptable: 406,
  AlreadyExists: 409,
  Conflict: 409,
  Gone: 410,
  Expired: 410,
  RequestEntityTooLarge: 413,
  UnsupportedMediaType: 415,
  Invalid: 422,
  TooManyRequests: 429,
  InternalError: 500,
  ServiceUnavailable: 503,
  Timeout: 504,
} as const;

export type StatusReason = keyof typeof REASON_CODES;

/** Thrown by the API server's handlers and by the client; `status` is what goes over the wire. */
export class StatusError extends Error {
  readonly status: Status;

  constructor(status: Status, options?: ErrorOptions) {
    super(status.message ?? status.reason ?? "unknown error", options);
    this.name = "StatusError";
    this.status = status;
  }
}

/** A failure Status of the given reason, as an error to throw. */
export function statusError(
  reason: StatusReason,
  message: string,
  details?: Status["details"],
): StatusError {
  return new StatusError({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message,
    reason,
    ...(details === undefined ? {} : { details }),
    code: REASON_CODES[reason],
  });
}

/** Whether an error is a Status of this reason. */
export function hasReason(error: unknown, reason: StatusReason): boolean {
  return error instanceof StatusError && error.status.reason === reason;
}

/** Whether a create was refused because its namespace is being deleted: no reason to try again. */
export function isNamespaceTerminating(error: unknown): boolean {
  return (
    error instanceof StatusError &&
    error.status.details?.causes?.some(({ reason }) => reason === "NamespaceTerminating") === true
  );
}
