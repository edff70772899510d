import { expect, test } from "@jest/globals";
import { formatReference, parseImageReference } from "./reference.ts";

const DIGEST = `sha256:${"a".repeat(64)}`;

test.each([
  ["nginx", "docker.io/library/nginx:latest"],
  ["nginx:1.27", "docker.io/library/nginx:1.27"],
  ["istio/proxyv2:1.31", "docker.io/istio/proxyv2:1.31"],
  ["127.0.0.1:5000/a/b", "127.0.0.1:5000/a/b:latest"],
  ["localhost/x", "localhost/x:latest"],
  ["example.org/a-b/c_d:v1.0_x", "example.org/a-b/c_d:v1.0_x"],
  [`example.org/x@${DIGEST}`, `example.org/x@${DIGEST}`],
  [`example.org/x:1@${DIGEST}`, `example.org/x:1@${DIGEST}`],
])("%s is %s", (text, complete) => {
  const parsed = parseImageReference(text);
  expect(parsed.ok && formatReference(parsed.reference)).toBe(complete);
});

test.each([
  "",
  "Nginx",
  "a//b",
  "../etc",
  "example.org/../x",
  "x:",
  "x:a b",
  "x@sha256:short",
  "-a.example/x",
  `x${"y".repeat(300)}`,
])("%j is refused", (text) => {
  expect(parseImageReference(text).ok).toBe(false);
});
