import { describe, expect, test } from "@jest/globals";
import { mergePrometheus, restorePrometheus } from "./prometheus.ts";

const MERGED = {
  "prometheus.io/scrape": "true",
  "prometheus.io/port": "15020",
  "prometheus.io/path": "/stats/prometheus",
};

describe("mergePrometheus", () => {
  test.each<[string, Record<string, string>, object]>([
    ["an app without metrics", { a: "1" }, { annotations: { a: "1", ...MERGED } }],
    [
      "an app with metrics",
      { "prometheus.io/scrape": "true", "prometheus.io/port": "8080", "prometheus.io/path": "m" },
      { annotations: MERGED, scrape: { port: 8080, path: "/m" } },
    ],
    [
      "Prometheus' own defaults",
      { "prometheus.io/scrape": "true" },
      { annotations: MERGED, scrape: { port: 80, path: "/metrics" } },
    ],
    [
      "another spelling, which must not stand beside ours",
      { "prometheus.io.port": "8080", prometheus_io_scrape: "true" },
      { annotations: MERGED, scrape: { port: 8080, path: "/metrics" } },
    ],
  ])("%s", (_name, annotations, wanted) => {
    expect(mergePrometheus(annotations, 15_020)).toMatchObject(wanted);
    expect(Object.keys(mergePrometheus(annotations, 15_020).annotations)).toHaveLength(
      Object.keys((wanted as { annotations: object }).annotations).length,
    );
  });

  test.each<[string, Record<string, string>]>([
    ["scrape says no", { "prometheus.io/scrape": "false" }],
    ["the author points at the status port himself", { "prometheus.io/port": "15020" }],
  ])("%s: left alone", (_name, annotations) => {
    expect(mergePrometheus(annotations, 15_020)).toEqual({ annotations });
  });

  test.each(["http", "0", "70000", "15090"])("port %s is a problem", (port) => {
    const { problem } = mergePrometheus({ "prometheus.io/port": port }, 15_020);
    expect(problem?.annotation).toBe("prometheus.io/port");
  });

  test("restorePrometheus undoes it", () => {
    const annotations = { "prometheus.io/scrape": "true", "prometheus.io/port": "8080", b: "2" };
    const { annotations: merged, original } = mergePrometheus(annotations, 15_020);
    expect(restorePrometheus(merged, JSON.stringify(original), 15_020)).toEqual(annotations);
    expect(restorePrometheus(merged, "{", 15_020)).toEqual({ b: "2" });
    expect(restorePrometheus(annotations, undefined, 15_020)).toEqual(annotations);
  });
});
