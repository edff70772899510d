/** The `lateen` command. */

import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import type { InjectCommandOptions } from "./commands/inject.ts";
import type { ManifestCommandOptions } from "./commands/manifest.ts";
import type { MeshCommandOptions } from "./commands/mesh.ts";
import type { PilotOptions } from "./commands/pilot.ts";
import type { ClusterOptions } from "./state.ts";
import { completePath } from "./setup/tools.ts";
import { UsageError } from "./state.ts";
import type { UpCommandOptions } from "./up/options.ts";

const print = (line: string): void => {
  console.log(line);
};

function positiveInteger(value: string): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 1 || number > 50) {
    throw new InvalidArgumentError("must be a whole number from 1 to 50.");
  }
  return number;
}

function port(value: string): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 1 || number > 65_535) {
    throw new InvalidArgumentError("must be a port from 1 to 65535.");
  }
  return number;
}

/** A subcommand of a cluster: with `--name` and `--home`. */
function clusterCommand(program: Command, name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .option("--name <name>", "the cluster's name", "default")
    .option("--home <dir>", "folder of all clusters' state (default: $LATEEN_HOME or ~/.lateen)");
}

/** Each command loads what it needs when it runs: the rest would only cost time. */
function buildProgram(finish: (code: number) => void): Command {
  const program = new Command("lateen")
    .description("A Kubernetes-compatible cluster, an Istio-compatible mesh and an ingress in one")
    .exitOverride()
    .showHelpAfterError("(see lateen --help)");
  clusterCommand(program, "up", "start a cluster with its mesh")
    .option("--nodes <k>", "number of nodes", positiveInteger)
    .option("--demo", "apply the Bookinfo demo and show the live split", false)
    .option("--detach", "return when all is ready, and leave the cluster running", false)
    .option("--api-port <port>", "localhost port of the API server", port)
    .addOption(new Option("--supervise", "run as the detached supervisor").hideHelp())
    .action(async (options: UpCommandOptions) => {
      const { runUp } = await import("./up/run-up.ts");
      finish(await runUp(options));
    });
  clusterCommand(program, "down", "stop a cluster and leave nothing running")
    .option("--purge", "remove its state folder too", false)
    .action(async (options: ClusterOptions & { purge: boolean }) => {
      const { down } = await import("./down/down.ts");
      await down(options, print);
    });
  clusterCommand(program, "status", "show where a cluster is and how its processes are")
    .addOption(new Option("-o, --output <format>", "output format").choices(["text", "json"]))
    .action(async (options: ClusterOptions & { output?: string }) => {
      const { printStatus } = await import("./commands/status.ts");
      finish(await printStatus(options, options.output === "json", print));
    });
  clusterCommand(program, "kubeconfig", "print the path of a cluster's kubeconfig").action(
    async (options: ClusterOptions) => {
      const { printKubeconfig } = await import("./commands/kubeconfig.ts");
      await printKubeconfig(options, print);
    },
  );
  clusterCommand(program, "doctor", "check this machine's prerequisites").action(async () => {
    const { doctor } = await import("./setup/doctor.ts");
    finish(await doctor(print));
  });
  program
    .command("pilot")
    .description("run the discovery server alone: on a folder of YAML, or on a cluster")
    .option("--config-dir <dir>", "serve the objects of a folder of YAML; changes are picked up")
    .option("--kubeconfig <file>", "serve the objects of a Kubernetes cluster")
    .option("--grpc <address>", "address of the ADS server", "127.0.0.1:15010")
    .option("--http <address>", "address of debug endpoints and metrics")
    .option("--insecure", "serve ADS without TLS (loopback only)", false)
    .action(async (options: PilotOptions) => {
      const { runPilot } = await import("./commands/pilot.ts");
      await runPilot(options);
    });
  addInject(program, finish);
  addManifest(program);
  addMesh(program);
  return program;
}

function addManifest(program: Command): void {
  const list = (value: string, before: string[]): string[] => [...before, value];
  program
    .command("manifest")
    .description("print YAML that installs the mesh on a Kubernetes cluster, in istio-system")
    .option("-r, --revision <revision>", "name of this installation among several", "default")
    .option("--image <image>", "image of the control plane", "lateen.dev/lateen:0.1.0")
    .option("--proxy-image <image>", "image of sidecars and gateways", "lateen.dev/proxy:0.1.0")
    .addOption(
      new Option("--image-pull-policy <policy>", "of both images")
        .choices(["Always", "IfNotPresent", "Never"])
        .default("IfNotPresent"),
    )
    .option("--image-pull-secret <name>", "of both images; repeatable", list, [])
    .option("--cluster-name <name>", "the cluster's name in the mesh", "Kubernetes")
    .option("--cluster-domain <domain>", "domain of the cluster's DNS", "cluster.local")
    .option("--network <name>", "network of the cluster's pods", "")
    .option("--mesh-config-file <file>", "MeshConfig in YAML")
    .option("--replicas <n>", "of the control plane, at least", positiveInteger, 1)
    .option("--gateway-replicas <n>", "of the ingress gateway, at least", positiveInteger, 1)
    .option("--no-gateway", "without the ingress gateway")
    .action(async (options: ManifestCommandOptions) => {
      const { printManifest } = await import("./commands/manifest.ts");
      await printManifest(options, (text) => process.stdout.write(text));
    });
}

function addMesh(program: Command): void {
  program
    .command("mesh")
    .description("run the mesh's control plane in a pod, as `lateen manifest` installs it")
    .option("--kubeconfig <file>", "instead of the pod's own account", "in-cluster")
    .option("-r, --revision <revision>", "name of this installation", "default")
    .option("--cluster-domain <domain>", "domain of the cluster's DNS", "cluster.local")
    .option("--address <address>", "where it listens", "0.0.0.0")
    .option("--any-port", "on any free ports, not those of the Service", false)
    .action(async (options: MeshCommandOptions) => {
      const { runMeshCommand } = await import("./commands/mesh.ts");
      await runMeshCommand(options);
    });
}

function addInject(program: Command, finish: (code: number) => void): void {
  program
    .command("inject")
    .description("put sidecars into YAML before it is applied; what has no pods keeps its bytes")
    .requiredOption("-f, --filename <file>", "the file; - is stdin")
    .option("-o, --output <file>", "write there instead of stdout")
    .option("-n, --namespace <namespace>", "of objects that name none", "default")
    .option("-r, --revision <revision>", "revision of the mesh", undefined)
    .option("--mesh-config-file <file>", "ConfigMap istio, or its mesh")
    .option("--inject-config-file <file>", "ConfigMap istio-sidecar-injector, or its config")
    .option("--values-file <file>", "values of istio-sidecar-injector")
    .option("-v, --verbose", "tell of each object on stderr", false)
    .action(async (options: InjectCommandOptions) => {
      const { runInject } = await import("./commands/inject.ts");
      finish(
        await runInject(options, {
          input: process.stdin,
          print: (text) => process.stdout.write(text),
          warn: (line) => console.error(line),
        }),
      );
    });
}

async function main(): Promise<void> {
  let code = 0;
  completePath();
  const program = buildProgram((result) => {
    code = result;
  });
  try {
    await program.parseAsync();
  } catch (error) {
    if (error instanceof CommanderError) {
      code = error.exitCode;
    } else if (error instanceof UsageError || isSystemError(error)) {
      console.error(`lateen: ${error.message}`);
      code = 1;
    } else {
      console.error(error);
      code = 1;
    }
  }
  process.exitCode = code;
}

/** What the machine refuses (no space, no permission, …) is said by its message alone. */
function isSystemError(error: unknown): error is Error {
  return error instanceof Error && "errno" in error && "syscall" in error;
}

await main();
