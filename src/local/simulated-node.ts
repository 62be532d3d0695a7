import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { ClusterClient } from './cluster-client.ts';
import type { ClusterAddresses, ClusterFiles } from './cluster-files.ts';
import { startServer, type Server, type ServerHost } from './server.ts';
import { nodeStage, podStages } from './simulated-stages.ts';

export interface SimulatedNodeOptions {
  host: ServerHost;
  program: string;
  client: ClusterClient;
  addresses: ClusterAddresses;
  files: ClusterFiles;
  port: number;
}

/** Creates one node and starts kwok, which plays it and its pods. */
export async function startSimulatedNode(
  options: SimulatedNodeOptions,
  onServer: (server: Server) => void,
): Promise<void> {
  const { host, program, client, addresses, files, port } = options;
  const config = join(host.directory, 'kwok.yaml');
  const documents = [configuration(addresses, port), nodeStage, ...podStages, debugging];
  writeFileSync(config, documents.map((document) => stringify(document)).join('---\n'), { mode: 0o600 });
  await client.create('/api/v1/nodes', {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: addresses.nodeName, labels: { 'kubernetes.io/hostname': addresses.nodeName } },
  });
  onServer(
    startServer(host, {
      name: 'kwok',
      command: program,
      arguments: [
        '--kubeconfig',
        files.kubeconfigs.kwok,
        '--config',
        config,
        '--server-address',
        `127.0.0.1:${port}`,
      ],
    }),
  );
}

/** A partial configuration leaves the rest at zero, and zero parallelism stops kwok with an error. */
function configuration(addresses: ClusterAddresses, port: number): unknown {
  return {
    apiVersion: 'config.kwok.x-k8s.io/v1alpha1',
    kind: 'KwokConfiguration',
    options: {
      manageAllNodes: true,
      nodeLeaseParallelism: 4,
      nodePlayStageParallelism: 4,
      podPlayStageParallelism: 4,
      nodeLeaseDurationSeconds: 40,
      cidr: addresses.podRange,
      nodeIP: addresses.nodeAddress,
      nodeName: addresses.nodeName,
      nodePort: port,
      enableDebuggingHandlers: true,
      // Stages come from this file: the cluster stays free of kwok's own kinds.
      enableCRDs: [],
    },
  };
}

/** Without this exec answers that it is disabled; the command runs on this machine, in no container. */
const debugging = {
  apiVersion: 'kwok.x-k8s.io/v1alpha1',
  kind: 'ClusterExec',
  metadata: { name: 'all' },
  spec: { execs: [{ local: { workDir: '/' } }] },
};
