/** Requests as a client outside the cluster makes them, alone and as steady load. */

import { Agent, request } from "node:http";
import type { IncomingHttpHeaders } from "node:http";

export interface Answer {
  /** 0 when there was no HTTP answer at all. */
  status: number;
  body: string;
  headers: IncomingHttpHeaders;
  durationMs: number;
  /** Why there was no answer. */
  error?: string;
}

const REQUEST_BOUND_MS = 20_000;

/** One GET; a broken connection is an answer with status 0, never a rejection. */
export function ask(
  url: string,
  options: { headers?: Record<string, string>; agent?: Agent } = {},
): Promise<Answer> {
  const started = performance.now();
  const { headers, agent } = options;
  return new Promise((resolve) => {
    const finish = (answer: Omit<Answer, "durationMs">): void => {
      resolve({ ...answer, durationMs: performance.now() - started });
    };
    const fail = (error: Error): void => {
      finish({ status: 0, body: "", headers: {}, error: error.message });
    };
    const call = request(url, { headers, agent, timeout: REQUEST_BOUND_MS }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (body += chunk));
      response.on("error", fail);
      response.on("end", () => {
        finish({ status: response.statusCode ?? 0, body, headers: response.headers });
      });
    });
    call.on("timeout", () => call.destroy(new Error("no answer in time")));
    call.on("error", fail);
    call.end();
  });
}

/** `count` GETs, `concurrency` at a time over kept connections; answers in no order. */
export async function askMany(url: string, count: number, concurrency = 8): Promise<Answer[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: concurrency });
  const answers: Answer[] = [];
  let started = 0;
  const worker = async (): Promise<void> => {
    while (started < count) {
      started += 1;
      answers.push(await ask(url, { agent }));
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  agent.destroy();
  return answers;
}

/** Steady load until `stop`, which answers with everything that was answered. */
export interface Load {
  readonly answers: readonly Answer[];
  stop(): Promise<readonly Answer[]>;
}

/** Keeps `concurrency` GETs going over kept connections. */
export function startLoad(
  url: string,
  concurrency = 4,
  headers: Record<string, string> = {},
): Load {
  const agent = new Agent({ keepAlive: true, maxSockets: concurrency });
  const answers: Answer[] = [];
  const stopped = new AbortController();
  const worker = async (): Promise<void> => {
    while (!stopped.signal.aborted) answers.push(await ask(url, { agent, headers }));
  };
  const workers = Promise.all(Array.from({ length: concurrency }, worker));
  return {
    answers,
    async stop() {
      stopped.abort();
      await workers;
      agent.destroy();
      return answers;
    },
  };
}

/** Answers that are no 200, for a readable failure. */
export function failuresOf(answers: readonly Answer[]): string[] {
  return answers
    .filter(({ status }) => status !== 200)
    .map(({ status, body, error }) => `${status} ${error ?? body.slice(0, 200)}`);
}

/** Share of answers, 0 to 1, whose reviews pod has this version. */
export function shareOf(answers: readonly Answer[], version: string): number {
  const of = answers.filter(({ body }) => reviewsVersion(body) === version);
  return of.length / answers.length;
}

/** `v1` … `v3` of the pod that answered; undefined when the body names none. */
export function reviewsVersion(body: string): string | undefined {
  return /"podname"\s*:\s*"reviews-(v\d)/.exec(body)?.[1];
}
