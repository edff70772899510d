/** What `/version` says: clients derive from it which features to expect. */
export const API_VERSION_INFO = {
  major: "1",
  minor: "36",
  gitVersion: "v1.36.0+lateen",
  gitCommit: "",
  gitTreeState: "clean",
  buildDate: "1970-01-01T00:00:00Z",
  goVersion: "none",
  compiler: "node",
  platform: `${process.platform}/${process.arch === "x64" ? "amd64" : process.arch}`,
} as const;
