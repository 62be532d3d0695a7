import { readFileSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { parse } from 'yaml';
import { queryOf, startServerProxy, type Access, type RequestTap, type ServerProxy } from './server-proxy.ts';

/**
 * Forwards between one worker (plain HTTP) and the real API server (TLS, the kubeconfig's credentials). Writes the kubeconfig
 * of that worker.
 */
export async function startKubernetesProxy(
  realKubeconfig: string,
  kubeconfig: string,
  tap: RequestTap,
): Promise<ServerProxy> {
  const proxy = await startServerProxy(readAccess(realKubeconfig), tap);
  writeFileSync(kubeconfig, kubeconfigFor(proxy.address), { mode: 0o600 });
  return proxy;
}

/** Dry runs are stored nowhere; reviews only ask. */
function isMutating(method: string, path: string): boolean {
  if (method === 'GET' || method === 'HEAD') return false;
  return queryOf(path).get('dryRun') !== 'All' && !/\/self[a-z]+reviews/.test(path);
}

interface Kubeconfig {
  clusters: { cluster: { server: string; 'certificate-authority-data': string } }[];
  users: { user: { 'client-certificate-data': string; 'client-key-data': string } }[];
}

/** Of a kubeconfig as the local stack writes it: one cluster, one user, everything inside. */
function readAccess(file: string): Access {
  const { clusters, users } = parse(readFileSync(file, 'utf8')) as Kubeconfig;
  const cluster = clusters[0]?.cluster;
  const user = users[0]?.user;
  if (cluster === undefined || user === undefined) throw new Error(`${file} names no cluster or no user`);
  const decode = (text: string): string => Buffer.from(text, 'base64').toString();
  return {
    server: new URL(cluster.server),
    keepsHost: false,
    readsBodies: true,
    isMutating,
    agent: new Agent({
      keepAlive: true,
      ca: decode(cluster['certificate-authority-data']),
      cert: decode(user['client-certificate-data']),
      key: decode(user['client-key-data']),
    }),
  };
}

function kubeconfigFor(server: string): string {
  const cluster = { server, 'insecure-skip-tls-verify': true };
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'proxy',
    clusters: [{ name: 'proxy', cluster }],
    contexts: [{ name: 'proxy', context: { cluster: 'proxy', user: 'proxy' } }],
    users: [{ name: 'proxy', user: {} }],
  });
}
