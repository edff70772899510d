import type { Pod } from "#cluster/api/generated/core-v1.ts";
import type { Plugin } from "#cluster/scheduler/plugin.ts";

interface HostPort {
  ip: string;
  protocol: string;
  port: number;
}

const ANY_ADDRESS = "0.0.0.0";

/** Host ports of a node are used once. */
export const nodePorts: Plugin = {
  name: "NodePorts",
  filter({ pod }, { pods }) {
    const wanted = hostPorts(pod);
    if (wanted.length === 0) return [];
    const used = pods.flatMap(hostPorts);
    const isTaken = wanted.some((port) => used.some((other) => conflicts(port, other)));
    return isTaken ? ["node(s) didn't have free ports for the requested pod ports"] : [];
  },
};

function hostPorts(pod: Pod): HostPort[] {
  const { containers = [], initContainers = [] } = pod.spec ?? {};
  const sidecars = initContainers.filter(({ restartPolicy }) => restartPolicy === "Always");
  return [...containers, ...sidecars].flatMap(({ ports = [] }) =>
    ports
      .filter(({ hostPort }) => hostPort !== undefined && hostPort > 0)
      .map(({ hostPort = 0, hostIP = "", protocol = "TCP" }) => ({
        ip: hostIP === "" ? ANY_ADDRESS : hostIP,
        protocol,
        port: hostPort,
      })),
  );
}

function conflicts(a: HostPort, b: HostPort): boolean {
  const isSameAddress = a.ip === b.ip || a.ip === ANY_ADDRESS || b.ip === ANY_ADDRESS;
  return a.port === b.port && a.protocol === b.protocol && isSameAddress;
}
