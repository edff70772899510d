/**
 * Runs in a node's namespace: the cluster's DNS with an API server in memory, asked from the places
 * given as arguments (DNS address, then namespaces). Prints what they got.
 */

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { createObjects, startDns } from "./world.ts";

const [dnsAddress = "", listenAddress = "", ...places] = process.argv.slice(2);
const execute = promisify(execFile);
const stop = new AbortController();
const lookUp = `
  const { Resolver } = require("node:dns").promises;
  const resolver = new Resolver({ timeout: 1000, tries: 2 });
  resolver.setServers([process.argv[1]]);
  resolver.resolve4("web.default.svc.cluster.local").then((found) => console.log(found.join()));`;

await startDns(await createObjects(), [], stop.signal, {
  dnsAddress,
  listen: { address: listenAddress, port: 53 },
});
const answers = await Promise.all(
  places.flatMap((place) =>
    [dnsAddress, listenAddress].map(async (server) => {
      const args = [`--net=/var/run/netns/${place}`, process.execPath, "-e", lookUp, server];
      return (await execute("nsenter", args)).stdout.trim();
    }),
  ),
);
console.log(JSON.stringify(answers));
process.exit();
