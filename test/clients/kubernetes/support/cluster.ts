import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import {
  createKubernetesGateway,
  type KubernetesGateway,
} from '../../../../src/clients/kubernetes/gateway.ts';
import { unique } from '../../../support/stack.ts';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts';

/** The parts of a kubeconfig that tests change. */
export interface KubeconfigContent {
  clusters: { name: string; cluster: Record<string, unknown> }[];
  users: { name: string; user: Record<string, unknown> }[];
  [key: string]: unknown;
}

/** A folder of its own for files of one test file; `remove` takes it away. */
export function scratch(): { file(name: string, content: string): string; remove(): void } {
  const directory = mkdtempSync(join(tmpdir(), 'runbook-kubernetes-test-'));
  return {
    file: (name, content) => {
      const path = join(directory, name);
      writeFileSync(path, content);
      return path;
    },
    remove: () => {
      rmSync(directory, { recursive: true });
    },
  };
}

function realKubeconfig(): KubeconfigContent {
  return parse(readFileSync(process.env['RUNBOOK_TEST_KUBECONFIG'] ?? '', 'utf8')) as KubeconfigContent;
}

/** The real kubeconfig with another way to the same server, whose certificate is still checked. */
export function proxiedKubeconfig(port: number): KubeconfigContent {
  const content = realKubeconfig();
  const cluster = content.clusters[0]!.cluster;
  cluster['tls-server-name'] = 'kubernetes'; // in the certificate of every API server
  cluster['server'] = `https://127.0.0.1:${port}`;
  return content;
}

export async function startProxyToCluster(): Promise<TcpProxy> {
  const { hostname, port } = new URL(String(realKubeconfig().clusters[0]!.cluster['server']));
  return await startTcpProxy({ host: hostname, port: Number(port) });
}

/** Makes a namespace for one test file and removes it at the end. */
export async function ownNamespace(
  gateway: KubernetesGateway,
): Promise<{ name: string; remove(): Promise<void> }> {
  const name = unique('gateway');
  const ref = { apiVersion: 'v1', kind: 'Namespace', namespace: '', name };
  const { metadata } = await gateway.create(
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name } },
    { fieldManager: 'test' },
  );
  return { name, remove: () => gateway.delete(ref, { preconditions: { uid: metadata.uid! } }) };
}

/** A gateway to the real API server, directly. */
export function realGateway(): KubernetesGateway {
  return createKubernetesGateway({ kubeconfigPath: process.env['RUNBOOK_TEST_KUBECONFIG']! });
}
