import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cgroupName, createCgroups, removeCgroups } from './cgroups.ts';
import type { ClusterAddresses, ClusterFiles } from './cluster-files.ts';
import { runCommand } from './command.ts';
import { findPlugins, type DebianTools } from './debian.ts';
import { required, type NodeNamespace } from './node-namespace.ts';
import { buildImage, imageArchive } from './oci-image.ts';
import { startServer, untilReady, type Server, type ServerHost } from './server.ts';
import { createTar } from './tar.ts';
import { waitFor } from './wait.ts';

export interface RealNodeOptions {
  host: ServerHost;
  tools: DebianTools;
  programs: { kubelet: string; proxy: string };
  namespace: NodeNamespace;
  addresses: ClusterAddresses;
  files: ClusterFiles;
  /** host:port of a registry that is spoken to over plain HTTP. */
  registry?: string;
}

// Inside the node /run is its own, so the short fixed paths of a real machine can be used.
const socket = '/run/containerd/containerd.sock';
const pauseReference = 'runbooks.local/pause:1';

/** Starts containerd and puts the pause image into it; needs no API server yet. */
export async function startContainerd(
  options: RealNodeOptions,
  onServer: (server: Server) => void,
): Promise<void> {
  const { tools, namespace } = options;
  createCgroups(namespace.index);
  mkdirSync(nodeFile(options, ''), { recursive: true, mode: 0o700 });
  const server = startInside(options, 'containerd', required('containerd', tools), [
    '--config',
    writeContainerdConfig(options),
  ]);
  onServer(server);
  const ctr = nodeCommand(options, 'ctr', ['version']);
  await untilReady(
    options.host,
    server,
    async () => (await runCommand(ctr.command, ctr.arguments, { environment: ctr.environment })) !== '',
  );
  const archive = nodeFile(options, 'pause.tar');
  writeFileSync(archive, pauseArchive(tools));
  await importImages(options, archive);
}

/** Starts the kubelet and kube-proxy. */
export function startNodeAgents(options: RealNodeOptions, onServer: (server: Server) => void): void {
  const { programs, files, addresses } = options;
  onServer(
    startInside(options, 'kubelet', programs.kubelet, [
      `--config=${writeKubeletConfig(options)}`,
      `--kubeconfig=${files.kubeconfigs.kubelet}`,
      `--root-dir=${nodeFile(options, 'kubelet')}`,
      `--hostname-override=${addresses.nodeName}`,
      `--node-ip=${addresses.nodeAddress}`,
    ]),
  );
  onServer(startInside(options, 'kube-proxy', programs.proxy, [`--config=${writeProxyConfig(options)}`]));
}

/** Ends everything inside the node at once and removes its cgroups. */
export async function removeRealNode(namespace: NodeNamespace): Promise<void> {
  // The first process ignores SIGTERM as every pid 1 does; the kernel ends all others with it.
  process.kill(namespace.holder.identity.pid, 'SIGKILL');
  await namespace.holder.exited;
  await untilCgroupsRemoved(namespace.index);
}

/** Killed processes leave their cgroup a moment later. */
export async function untilCgroupsRemoved(index: number): Promise<void> {
  await waitFor(() => Promise.resolve(removeCgroups(index).length === 0 ? true : undefined), {
    what: `the cgroups ${cgroupName(index)} to be empty`,
    timeoutMilliseconds: 10_000,
  });
}

/** Puts an image archive into the node. */
async function importImages(options: RealNodeOptions, archive: string): Promise<void> {
  const ctr = nodeCommand(options, 'ctr', ['--namespace', 'k8s.io', 'images', 'import', archive]);
  await runCommand(ctr.command, ctr.arguments, { environment: ctr.environment });
}

export interface NodeCommand {
  command: string;
  arguments: string[];
  environment: Record<string, string>;
}

/** A program of the node's packages, run inside the node. */
export function nodeCommand(
  options: Pick<RealNodeOptions, 'tools' | 'namespace'>,
  program: string,
  commandArguments: readonly string[],
): NodeCommand {
  const { tools, namespace } = options;
  return {
    ...namespace.enter(required(program, tools), commandArguments),
    environment: nodeEnvironment(tools),
  };
}

function nodeEnvironment(tools: DebianTools): Record<string, string> {
  return {
    PATH: [...tools.binaries, process.env['PATH'] ?? '', '/usr/sbin', '/sbin'].join(':'),
    LD_LIBRARY_PATH: tools.libraries.join(':'),
    CONTAINERD_ADDRESS: socket,
  };
}

function startInside(
  options: RealNodeOptions,
  name: string,
  program: string,
  programArguments: string[],
): Server {
  const inside = options.namespace.enter(program, programArguments);
  return startServer(options.host, { name, ...inside, environment: nodeEnvironment(options.tools) });
}

function nodeFile({ host }: Pick<RealNodeOptions, 'host'>, name: string): string {
  return join(host.directory, 'node', name);
}

function writeNodeFile(options: RealNodeOptions, name: string, content: string): string {
  const file = nodeFile(options, name);
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, content, { mode: 0o600 });
  return file;
}

function writeContainerdConfig(options: RealNodeOptions): string {
  const plugins = findPlugins(options.tools) ?? '';
  writeNodeFile(options, 'net.d/10-runbooks.conflist', JSON.stringify(podNetwork(options), null, 2));
  if (options.registry !== undefined) {
    const hosts = `server = "http://${options.registry}"\n[host."http://${options.registry}"]\n  capabilities = ["pull", "resolve"]\n`;
    writeNodeFile(options, `registries/${options.registry}/hosts.toml`, hosts);
  }
  const lines = [
    'version = 2',
    `root = "${nodeFile(options, 'containerd')}"`,
    'state = "/run/containerd"',
    'oom_score = 0',
    '[grpc]',
    `  address = "${socket}"`,
    '[plugins."io.containerd.grpc.v1.cri"]',
    `  sandbox_image = "${pauseReference}"`,
    // A process may not lower its own score here; without this every pod sandbox fails.
    '  restrict_oom_score_adj = true',
    '[plugins."io.containerd.grpc.v1.cri".cni]',
    `  bin_dir = "${plugins}"`,
    `  conf_dir = "${nodeFile(options, 'net.d')}"`,
    '[plugins."io.containerd.grpc.v1.cri".registry]',
    `  config_path = "${nodeFile(options, 'registries')}"`,
  ];
  return writeNodeFile(options, 'containerd.toml', `${lines.join('\n')}\n`);
}

/**
 * Every pod has a link of its own to the node. With a bridge, answers between two pods would pass
 * kube-proxy's rules by, unless the kernel has one more module.
 */
function podNetwork({ namespace }: RealNodeOptions): unknown {
  const ipam = {
    type: 'host-local',
    dataDir: '/run/cni',
    ranges: [[{ subnet: namespace.podRange }]],
    routes: [{ dst: '0.0.0.0/0' }],
  };
  return { cniVersion: '0.4.0', name: 'runbooks', plugins: [{ type: 'ptp', ipMasq: false, ipam }] };
}

function writeKubeletConfig(options: RealNodeOptions): string {
  const { files, namespace, addresses } = options;
  const resolver = writeNodeFile(
    options,
    'resolv.conf',
    existsSync('/etc/resolv.conf') ? readFileSync('/etc/resolv.conf', 'utf8') : '',
  );
  const config = {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    address: addresses.nodeAddress,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: files.authority },
    },
    authorization: { mode: 'Webhook' },
    tlsCertFile: files.kubeletServing.certificate,
    tlsPrivateKeyFile: files.kubeletServing.key,
    containerRuntimeEndpoint: `unix://${socket}`,
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${cgroupName(namespace.index)}`,
    cgroupsPerQOS: true,
    enforceNodeAllocatable: [],
    failCgroupV1: false,
    failSwapOn: false,
    makeIPTablesUtilChains: false,
    // The machine is shared with everything else on it: only a truly full disk evicts pods.
    evictionHard: { 'memory.available': '50Mi', 'nodefs.available': '1%', 'imagefs.available': '1%' },
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
    // An image that was loaded under one name and pulled by digest under another would be pulled again under the first.
    imagePullCredentialsVerificationPolicy: 'NeverVerify',
    podLogsDir: nodeFile(options, 'pod-logs'),
    volumePluginDir: nodeFile(options, 'volume-plugins'),
    resolvConf: resolver,
    // Pulls from the local registry and starts of many pods at once must not wait for each other.
    serializeImagePulls: false,
    registryPullQPS: 0,
  };
  return writeNodeFile(options, 'kubelet.json', JSON.stringify(config, null, 2));
}

function writeProxyConfig(options: RealNodeOptions): string {
  const config = {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    clientConnection: { kubeconfig: options.files.kubeconfigs.proxy },
    hostnameOverride: options.addresses.nodeName,
    mode: 'nftables',
    clusterCIDR: options.namespace.podRange,
    metricsBindAddress: '127.0.0.1:10249',
    // The table of connections is sized for the whole machine: leave it as it is.
    conntrack: { maxPerCore: 0, min: 0 },
  };
  return writeNodeFile(options, 'kube-proxy.json', JSON.stringify(config, null, 2));
}

/** There is no registry to pull a pause image from; a static shell that waits is one. */
function pauseArchive(tools: DebianTools): Buffer {
  const layer = createTar([
    { path: 'busybox', content: readFileSync(required('busybox', tools)), mode: 0o755 },
  ]);
  const command = ['/busybox', 'sh', '-c', 'trap "exit 0" TERM INT; /busybox sleep 2147483647 & wait'];
  return imageArchive([
    buildImage({ reference: pauseReference, layers: [layer], command, user: '65535:65535' }),
  ]);
}
