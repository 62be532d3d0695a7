import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  createAuthority,
  createSigningKey,
  issueCertificate,
  type KeyPair,
  type Subject,
} from './certificates.ts';

/** Addresses of one stack's cluster. */
export interface ClusterAddresses {
  /** Where the API server listens: loopback, or with a real node the host's end of the link to it. */
  apiAddress: string;
  apiPort: number;
  nodeAddress: string;
  nodeName: string;
  serviceRange: string;
  podRange: string;
}

/** Keys, certificates and kubeconfigs of one cluster; every value is the path of a file. */
export interface ClusterFiles {
  authority: string;
  serving: { certificate: string; key: string };
  kubeletClient: { certificate: string; key: string };
  kubeletServing: { certificate: string; key: string };
  serviceAccounts: { privateKey: string; publicKey: string };
  admin: KeyPair;
  authorityCertificate: string;
  kubeconfigs: {
    admin: string;
    controllerManager: string;
    scheduler: string;
    kubelet: string;
    proxy: string;
    kwok: string;
  };
}

const commonName = 'runbooks-local-authority';
/** Name of the cluster, context and user in the kubeconfig for people. */
const kubeconfigName = 'runbooks-local';

/** Writes new keys and kubeconfigs into the folder; nothing of them outlives the stack. */
export function writeClusterFiles(directory: string, addresses: ClusterAddresses): ClusterFiles {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const write = (name: string, content: string): string => {
    const file = join(directory, name);
    writeFileSync(file, content, { mode: 0o600 });
    return file;
  };
  const pair = (name: string, { certificate, key }: KeyPair): { certificate: string; key: string } => ({
    certificate: write(`${name}.crt`, certificate),
    key: write(`${name}.key`, key),
  });
  const authority = { ...createAuthority(commonName), commonName };
  const issue = (subject: Subject, hosts?: string[]): KeyPair => issueCertificate(authority, subject, hosts);
  const server = `https://${addresses.apiAddress}:${addresses.apiPort}`;
  const kubeconfig = (name: string, user: KeyPair): string =>
    write(`${name}.kubeconfig`, kubeconfigText(server, authority.certificate, user));
  const admin = issue({ commonName: 'runbooks-local-admin', organization: 'system:masters' });
  const serviceAccounts = createSigningKey();
  return {
    authority: write('authority.crt', authority.certificate),
    authorityCertificate: authority.certificate,
    admin,
    serving: pair('api-server', issue({ commonName: 'kube-apiserver' }, apiServerHosts(addresses))),
    kubeletClient: pair(
      'kubelet-client',
      issue({ commonName: 'kube-apiserver-kubelet-client', organization: 'system:masters' }),
    ),
    kubeletServing: pair(
      'kubelet-serving',
      issue({ commonName: addresses.nodeName }, [addresses.nodeAddress, addresses.nodeName]),
    ),
    serviceAccounts: {
      privateKey: write('service-accounts.key', serviceAccounts.privateKey),
      publicKey: write('service-accounts.pub', serviceAccounts.publicKey),
    },
    kubeconfigs: {
      admin: kubeconfig('admin', admin),
      controllerManager: kubeconfig(
        'controller-manager',
        issue({ commonName: 'system:kube-controller-manager' }),
      ),
      scheduler: kubeconfig('scheduler', issue({ commonName: 'system:kube-scheduler' })),
      kubelet: kubeconfig(
        'kubelet',
        issue({ commonName: `system:node:${addresses.nodeName}`, organization: 'system:nodes' }),
      ),
      proxy: kubeconfig('proxy', issue({ commonName: 'system:kube-proxy' })),
      // kwok plays nodes, pods and leases of any name: no built-in role allows that.
      kwok: kubeconfig('kwok', issue({ commonName: 'runbooks-local-kwok', organization: 'system:masters' })),
    },
  };
}

function apiServerHosts({ apiAddress, serviceRange }: ClusterAddresses): string[] {
  const firstService = serviceRange.replace(/\d+\/\d+$/, '1');
  const service = [
    'kubernetes',
    'kubernetes.default',
    'kubernetes.default.svc',
    'kubernetes.default.svc.cluster.local',
  ];
  return [...new Set(['127.0.0.1', apiAddress, firstService]), 'localhost', ...service];
}

/** A kubeconfig with everything inside; JSON is YAML, and every client reads it. */
function kubeconfigText(server: string, authority: string, user: KeyPair): string {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const name = kubeconfigName;
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': name,
    clusters: [{ name, cluster: { server, 'certificate-authority-data': base64(authority) } }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    users: [
      {
        name,
        user: { 'client-certificate-data': base64(user.certificate), 'client-key-data': base64(user.key) },
      },
    ],
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}
