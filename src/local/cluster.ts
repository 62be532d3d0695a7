import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NodeChoice } from './choose-node.ts';
import type { ClusterClient } from './cluster-client.ts';
import { writeClusterFiles, type ClusterAddresses, type ClusterFiles } from './cluster-files.ts';
import { runCommand } from './command.ts';
import { startControlPlane } from './control-plane.ts';
import { createNodeNamespace, type NodeNamespace } from './node-namespace.ts';
import { untilNodeReady } from './node-ready.ts';
import { runPhase, type OnPhase } from './phases.ts';
import { freePorts } from './ports.ts';
import { program, type Programs } from './programs.ts';
import {
  nodeCommand,
  removeRealNode,
  startContainerd,
  startNodeAgents,
  type RealNodeOptions,
} from './real-node.ts';
import { startRegistry } from './registry.ts';
import type { Server, ServerHost } from './server.ts';
import { startSimulatedNode } from './simulated-node.ts';
import type { StackEndpoints } from './stack-types.ts';

export interface ClusterContext {
  host: ServerHost;
  programs: Programs;
  onPhase: OnPhase;
  onServer: (server: Server) => void;
  beforeStop: (work: () => Promise<void>) => void;
  withRegistry: boolean;
}

type ClusterEndpoints = Pick<
  StackEndpoints,
  'kubernetesServer' | 'kubeconfig' | 'node' | 'nodeNote' | 'registry' | 'imageImport'
>;

/** Starts the cluster that was chosen, or takes the given one. */
export async function startCluster(context: ClusterContext, choice: NodeChoice): Promise<ClusterEndpoints> {
  switch (choice.kind) {
    case 'given':
      return givenCluster(context, choice);
    case 'simulated':
      return simulatedCluster(context, choice);
    case 'real':
      return realCluster(context, choice);
  }
}

async function givenCluster(
  { programs }: ClusterContext,
  { kubeconfig, note }: NodeChoice & { kind: 'given' },
): Promise<ClusterEndpoints> {
  const view = ['config', 'view', '--minify', '--output', 'jsonpath={.clusters[0].cluster.server}'];
  const server = await runCommand(program(programs, 'kubectl'), ['--kubeconfig', kubeconfig, ...view]);
  return { kubernetesServer: server, kubeconfig, node: 'given', nodeNote: note };
}

async function simulatedCluster(
  context: ClusterContext,
  { note }: NodeChoice & { kind: 'simulated' },
): Promise<ClusterEndpoints> {
  const { host, programs, onPhase, onServer } = context;
  const [apiPort = 0, nodePort = 0, registryPort = 0] = await freePorts(3);
  const addresses: ClusterAddresses = {
    apiAddress: '127.0.0.1',
    apiPort,
    nodeAddress: '127.0.0.1',
    nodeName: 'simulated-node',
    serviceRange: '10.212.0.0/24',
    podRange: '10.211.0.0/16',
  };
  const files = writeClusterFiles(join(host.directory, 'cluster'), addresses);
  const [client, registry] = await Promise.all([
    runControlPlane(context, addresses, files),
    runRegistry(context, { host: '127.0.0.1', port: registryPort }),
  ]);
  await runPhase(onPhase, 'simulated node', async () => {
    const kwok = { host, program: program(programs, 'kwok'), client, addresses, files, port: nodePort };
    await startSimulatedNode(kwok, onServer);
    await untilNodeReady(client, addresses.nodeName, host.signal);
  });
  await client.close();
  return { ...clusterEndpoints(host, addresses, files), node: 'simulated', nodeNote: note, ...registry };
}

async function realCluster(
  context: ClusterContext,
  { debian, note }: NodeChoice & { kind: 'real' },
): Promise<ClusterEndpoints> {
  const { host, programs, onPhase, onServer, beforeStop } = context;
  const namespace = await createNodeNamespace(host, debian, onServer);
  beforeStop(() => removeRealNode(namespace));
  const [[apiPort = 0], [registryPort = 0]] = await Promise.all([
    freePorts(1, namespace.hostAddress),
    freePorts(1),
  ]);
  const addresses = realAddresses(namespace, apiPort);
  const files = writeClusterFiles(join(host.directory, 'cluster'), addresses);
  const registryAddress = { host: namespace.hostAddress, port: registryPort };
  const node: RealNodeOptions = {
    host,
    tools: debian,
    programs: { kubelet: program(programs, 'kubelet'), proxy: program(programs, 'proxy') },
    namespace,
    addresses,
    files,
    ...(context.withRegistry ? { registry: `${registryAddress.host}:${registryAddress.port}` } : {}),
  };
  const [client, registry] = await Promise.all([
    runControlPlane(context, addresses, files),
    runRegistry(context, registryAddress),
    runPhase(onPhase, 'containerd', () => startContainerd(node, onServer)),
  ]);
  await runPhase(onPhase, 'real node', async () => {
    startNodeAgents(node, onServer);
    await untilNodeReady(client, addresses.nodeName, host.signal);
  });
  await client.close();
  const imageImport = nodeCommand(node, 'ctr', ['--namespace', 'k8s.io', 'images', 'import']);
  return {
    ...clusterEndpoints(host, addresses, files),
    node: 'real',
    nodeNote: note,
    imageImport,
    ...registry,
  };
}

function realAddresses(namespace: NodeNamespace, apiPort: number): ClusterAddresses {
  return {
    apiAddress: namespace.hostAddress,
    apiPort,
    nodeAddress: namespace.nodeAddress,
    nodeName: `runbooks${namespace.index}`,
    serviceRange: namespace.serviceRange,
    podRange: namespace.podRange,
  };
}

async function runControlPlane(
  { host, programs, onPhase, onServer }: ClusterContext,
  addresses: ClusterAddresses,
  files: ClusterFiles,
): Promise<ClusterClient> {
  const [etcd = 0, etcdPeer = 0, controllerManager = 0, scheduler = 0] = await freePorts(4);
  const options = {
    host,
    programs: {
      etcd: program(programs, 'etcd'),
      apiServer: program(programs, 'apiServer'),
      controllerManager: program(programs, 'controllerManager'),
      scheduler: program(programs, 'scheduler'),
    },
    addresses,
    files,
    ports: { etcd, etcdPeer, controllerManager, scheduler },
  };
  return runPhase(onPhase, 'control plane', async () => {
    const client = await startControlPlane(options, onServer);
    // Where runs lock their targets; in a cluster of your own `runbook setup` makes it.
    await client.create('/api/v1/namespaces', { metadata: { name: 'runbooks' } });
    return client;
  });
}

async function runRegistry(
  { host, programs, onPhase, onServer, withRegistry }: ClusterContext,
  address: { host: string; port: number },
): Promise<{ registry?: string }> {
  if (!withRegistry) return {};
  const registry = await runPhase(onPhase, 'image registry', () =>
    startRegistry(host, program(programs, 'registry'), address, onServer),
  );
  return { registry };
}

function clusterEndpoints(
  host: ServerHost,
  addresses: ClusterAddresses,
  files: ClusterFiles,
): Pick<ClusterEndpoints, 'kubernetesServer' | 'kubeconfig'> {
  const kubeconfig = join(host.directory, 'kubeconfig');
  copyFileSync(files.kubeconfigs.admin, kubeconfig);
  return { kubernetesServer: `https://${addresses.apiAddress}:${addresses.apiPort}`, kubeconfig };
}
