import { join } from 'node:path';
import { createClusterClient, type ClusterClient } from './cluster-client.ts';
import type { ClusterAddresses, ClusterFiles } from './cluster-files.ts';
import { answers, startServer, untilReady, type Server, type ServerHost } from './server.ts';

export interface ControlPlaneOptions {
  host: ServerHost;
  programs: { etcd: string; apiServer: string; controllerManager: string; scheduler: string };
  addresses: ClusterAddresses;
  files: ClusterFiles;
  ports: { etcd: number; etcdPeer: number; controllerManager: number; scheduler: number };
}

function startEtcd({ host, programs, ports }: ControlPlaneOptions): Server {
  const client = `http://127.0.0.1:${ports.etcd}`;
  const peer = `http://127.0.0.1:${ports.etcdPeer}`;
  return startServer(host, {
    name: 'etcd',
    command: programs.etcd,
    arguments: [
      `--data-dir=${join(host.directory, 'etcd')}`,
      `--listen-client-urls=${client}`,
      `--advertise-client-urls=${client}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=default=${peer}`,
      // The data goes with the stack, so losing it in a power cut costs nothing.
      '--unsafe-no-fsync',
      '--log-level=warn',
    ],
  });
}

function startApiServer({ host, programs, addresses, files, ports }: ControlPlaneOptions): Server {
  return startServer(host, {
    name: 'kube-apiserver',
    command: programs.apiServer,
    arguments: [
      `--etcd-servers=http://127.0.0.1:${ports.etcd}`,
      `--bind-address=${addresses.apiAddress}`,
      `--advertise-address=${addresses.apiAddress}`,
      `--secure-port=${addresses.apiPort}`,
      `--cert-dir=${join(host.directory, 'cluster')}`,
      `--tls-cert-file=${files.serving.certificate}`,
      `--tls-private-key-file=${files.serving.key}`,
      `--client-ca-file=${files.authority}`,
      `--kubelet-certificate-authority=${files.authority}`,
      `--kubelet-client-certificate=${files.kubeletClient.certificate}`,
      `--kubelet-client-key=${files.kubeletClient.key}`,
      '--kubelet-preferred-address-types=InternalIP',
      '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
      `--service-account-key-file=${files.serviceAccounts.publicKey}`,
      `--service-account-signing-key-file=${files.serviceAccounts.privateKey}`,
      '--authorization-mode=Node,RBAC',
      '--enable-admission-plugins=NodeRestriction',
      `--service-cluster-ip-range=${addresses.serviceRange}`,
      '--allow-privileged=true',
      '--anonymous-auth=false',
      '--profiling=false',
    ],
  });
}

function startControllerManager({ host, programs, files, ports }: ControlPlaneOptions): Server {
  const kubeconfig = files.kubeconfigs.controllerManager;
  return startServer(host, {
    name: 'kube-controller-manager',
    command: programs.controllerManager,
    arguments: [
      `--kubeconfig=${kubeconfig}`,
      `--authentication-kubeconfig=${kubeconfig}`,
      `--authorization-kubeconfig=${kubeconfig}`,
      '--bind-address=127.0.0.1',
      `--secure-port=${ports.controllerManager}`,
      `--cert-dir=${join(host.directory, 'cluster')}`,
      `--root-ca-file=${files.authority}`,
      `--service-account-private-key-file=${files.serviceAccounts.privateKey}`,
      '--use-service-account-credentials',
      // The default of 20 requests a second makes the start take four seconds longer.
      '--kube-api-qps=500',
      '--kube-api-burst=500',
      // One of each per cluster: an election would only cost seconds at the start.
      '--leader-elect=false',
    ],
  });
}

function startScheduler({ host, programs, files, ports }: ControlPlaneOptions): Server {
  const kubeconfig = files.kubeconfigs.scheduler;
  return startServer(host, {
    name: 'kube-scheduler',
    command: programs.scheduler,
    arguments: [
      `--kubeconfig=${kubeconfig}`,
      `--authentication-kubeconfig=${kubeconfig}`,
      `--authorization-kubeconfig=${kubeconfig}`,
      '--bind-address=127.0.0.1',
      `--secure-port=${ports.scheduler}`,
      `--cert-dir=${join(host.directory, 'cluster')}`,
      '--leader-elect=false',
    ],
  });
}

/** Starts the four servers; returns when the API server is ready and pods can be created. */
export async function startControlPlane(
  options: ControlPlaneOptions,
  onServer: (server: Server) => void,
): Promise<ClusterClient> {
  const { host, addresses, files, ports } = options;
  const etcd = startEtcd(options);
  onServer(etcd);
  const apiServer = startApiServer(options);
  onServer(apiServer);
  const client = createClusterClient({
    server: `https://${addresses.apiAddress}:${addresses.apiPort}`,
    authority: files.authorityCertificate,
    certificate: files.admin.certificate,
    key: files.admin.key,
  });
  await untilReady(host, etcd, () => answers(`http://127.0.0.1:${ports.etcd}/health`));
  await untilReady(host, apiServer, async () => (await client.get('/readyz')) === 'ok');
  // Started earlier, these two would only fail and wait with growing delays.
  const controllerManager = startControllerManager(options);
  onServer(controllerManager);
  onServer(startScheduler(options));
  await untilReady(host, controllerManager, async () => {
    // A pod without its service account is refused, and this account is made a moment after the namespace.
    await client.get('/api/v1/namespaces/default/serviceaccounts/default');
    return true;
  });
  return client;
}
