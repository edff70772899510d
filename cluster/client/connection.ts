/** How requests travel: the seam between the client and HTTP/2 or HTTP/1.1. */

export interface HttpRequest {
  method: string;
  /** With query, without host. */
  path: string;
  headers: Record<string, string>;
  body?: string;
  signal: AbortSignal;
}

export interface HttpResponse {
  code: number;
  body: AsyncIterable<Buffer>;
}

export interface Connection {
  /** Whether another request may be put on it: alive, and below the peer's stream limit. */
  readonly hasRoom: boolean;
  readonly alive: boolean;
  /** Rejects with an ordinary Error when the connection breaks before the answer's head. */
  request(request: HttpRequest): Promise<HttpResponse>;
  close(): void;
}

/** The request was never looked at (RFC 9113, 8.7), so any method may be sent again. */
export class RefusedRequestError extends Error {
  override readonly name = "RefusedRequestError";
}
