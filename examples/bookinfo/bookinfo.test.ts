import { afterEach, describe, expect, test } from "@jest/globals";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readdirSync } from "node:fs";
import { request } from "node:http";
import path from "node:path";
import { loadAll } from "js-yaml";
import { bookinfoImages } from "./images.ts";

const PROGRAMS = path.join(import.meta.dirname, "programs");
const MANIFESTS = path.join(import.meta.dirname, "manifests");
const running: ChildProcess[] = [];

afterEach(async () => {
  for (const child of running.splice(0)) {
    child.kill("SIGINT");
    if (child.exitCode === null) await once(child, "exit");
  }
});

/** Starts a program on a free port and answers with that port. */
async function start(file: string, env: Record<string, string> = {}): Promise<number> {
  const child = spawn(process.execPath, [path.join(PROGRAMS, file)], {
    env: { PORT: "0", ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  running.push(child);
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  return Number(/ on ([0-9]+)/.exec(line.toString())?.[1]);
}

/** All services behind one another; `reviews` takes the given environment. */
async function startAll(reviewsEnv: Record<string, string>): Promise<number> {
  const host = (name: string, port: number) => ({
    [`${name}_HOSTNAME`]: "127.0.0.1",
    [`${name}_SERVICE_PORT`]: String(port),
  });
  const [details, ratings] = await Promise.all([start("details.js"), start("ratings.js")]);
  const reviews = await start("reviews.js", { ...reviewsEnv, ...host("RATINGS", ratings) });
  return start("productpage.js", {
    ...host("DETAILS", details),
    ...host("REVIEWS", reviews),
    ...host("RATINGS", ratings),
  });
}

interface Got {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

async function get(port: number, at: string, headers: Record<string, string> = {}): Promise<Got> {
  return new Promise((resolve, reject) => {
    const call = request({ host: "127.0.0.1", port, path: at, headers }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (part: string) => (body += part));
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
      );
    });
    call.on("error", reject).end();
  });
}

describe("the demo's services", () => {
  test("answer with the shapes of Istio's Bookinfo", async () => {
    const page = await startAll({
      ENABLE_RATINGS: "true",
      STAR_COLOR: "red",
      HOSTNAME: "reviews-v3-1",
    });
    const details = await get(page, "/api/v1/products/0");
    expect(JSON.parse(details.body)).toMatchObject({ id: 0, author: "William Shakespeare" });
    const reviews: unknown = JSON.parse((await get(page, "/api/v1/products/0/reviews")).body);
    expect(reviews).toMatchObject({
      id: "0",
      podname: "reviews-v3-1",
      clustername: "null",
      reviews: [
        { reviewer: "Reviewer1", rating: { stars: 5, color: "red" } },
        { reviewer: "Reviewer2", rating: { stars: 4, color: "red" } },
      ],
    });
    const html = await get(page, "/productpage");
    expect(html.headers["content-type"]).toContain("text/html");
    expect(html.body).toContain("★★★★☆");
    expect(html.body).toContain("<code>reviews-v3-1</code>");
    expect((await get(page, "/api/v1/products/x")).status).toBe(400);
    expect((await get(page, "/nothing")).status).toBe(404);
  });

  test("reviews v1 has no stars", async () => {
    const page = await startAll({});
    const { body } = await get(page, "/api/v1/products/0/reviews");
    expect(body).not.toContain("rating");
    expect((await get(page, "/productpage")).body).toContain('<b data-v="v1">v1</b></p></section>');
  });

  test("a service that is away leaves a page that says so", async () => {
    const gone = { DETAILS_HOSTNAME: "127.0.0.1", DETAILS_SERVICE_PORT: "1" };
    const page = await start("productpage.js", {
      ...gone,
      REVIEWS_HOSTNAME: "127.0.0.1",
      REVIEWS_SERVICE_PORT: "1",
    });
    expect((await get(page, "/api/v1/products/0/reviews")).status).toBe(500);
    const html = await get(page, "/productpage");
    expect(html.status).toBe(200);
    expect(html.body).toContain("Sorry, product details are currently unavailable for this book.");
  });

  test("signing in sets a cookie that shows the name, escaped; signing out clears it", async () => {
    const page = await startAll({});
    const login = await get(page, "/login?username=jason%3Cb%3E", {
      referer: "http://example.org/productpage",
    });
    expect(login.status).toBe(302);
    expect(login.headers.location).toBe("/productpage");
    expect(String(login.headers["set-cookie"])).toContain("bookinfo-user=jasonb;");
    const html = await get(page, "/productpage", { cookie: "bookinfo-user=jason" });
    expect(html.body).toContain("<span>jason</span>");
    const logout = await get(page, "/logout", { referer: "http://evil.example.org//x" });
    expect(logout.headers.location).toBe("/productpage");
    expect(String(logout.headers["set-cookie"])).toContain("Max-Age=0");
  });

  test("SIGTERM: goes on for a while, asks clients to leave, and ends with 0", async () => {
    const port = await start("details.js");
    const [child] = running;
    child?.kill("SIGTERM");
    let answer = await get(port, "/health");
    while (answer.headers.connection !== "close") answer = await get(port, "/health");
    expect(answer.status).toBe(200);
    const [code] = (await once(child!, "exit")) as [number];
    expect(code).toBe(0);
  }, 60_000);
});

describe("the demo's manifests and images", () => {
  test("every image of the manifests is a host image", () => {
    const { hostImages } = bookinfoImages({ node: "/node", programs: import.meta.dirname });
    const names = new Set(hostImages.map(({ name }) => name));
    const text = readdirSync(MANIFESTS).map((file) =>
      readFileSync(path.join(MANIFESTS, file), "utf8"),
    );
    const images = text
      .join("\n")
      .matchAll(/image: (\S+):1$/gm)
      .map(([, image]) => image);
    expect([...images].filter((image) => !names.has(image ?? ""))).toEqual([]);
    expect(names.size).toBe(6);
  });

  test("Istio's published image names lead to our programs", () => {
    const { aliases } = bookinfoImages({ node: "/node", programs: import.meta.dirname });
    expect(aliases).toContainEqual({
      match: "registry.istio.io/release/examples-bookinfo-reviews-v2*",
      image: "lateen.dev/bookinfo-reviews-v2:1",
    });
  });

  test("every manifest is YAML of objects with a kind and a name", () => {
    for (const file of readdirSync(MANIFESTS)) {
      const objects = loadAll(readFileSync(path.join(MANIFESTS, file), "utf8"));
      expect(objects.length).toBeGreaterThan(0);
      for (const object of objects) {
        expect(object).toMatchObject({
          kind: expect.any(String),
          metadata: { name: expect.any(String) },
        });
      }
    }
  });
});
