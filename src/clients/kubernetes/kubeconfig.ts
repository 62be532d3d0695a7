import { KubeConfig } from '@kubernetes/client-node';
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { parse } from 'yaml';
import type { KubernetesError } from './errors.ts';
import { invalidInput, errorCode } from './errors.ts';

/** Where the kubeconfig is, and which of its contexts to use. */
export interface CredentialSource {
  /** This file only; without it: `KUBECONFIG`, the pod's service account, `~/.kube/config`. */
  kubeconfigPath?: string;
  /** Name of a context; without it the file's current one. */
  context?: string;
}

/** The cluster of a loaded kubeconfig's context. */
type Cluster = NonNullable<ReturnType<KubeConfig['getCurrentCluster']>>;

const SERVICE_ACCOUNT_TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount/token';

/**
 * Loads a kubeconfig and selects its context.
 *
 * @throws {@link KubernetesError} `InvalidInput`; it names the file and never quotes it.
 */
export function loadKubeconfig(source: CredentialSource): KubeConfig {
  const kubeConfig = readAny(source.kubeconfigPath);
  selectContext(kubeConfig, source.context);
  return kubeConfig;
}

/** @throws {@link KubernetesError} `InvalidInput` when the context names no usable cluster. */
export function clusterOf(kubeConfig: KubeConfig): Cluster {
  const cluster = kubeConfig.getCurrentCluster();
  if (!cluster || !URL.canParse(cluster.server)) {
    throw configError('its context names no cluster with a valid server URL');
  }
  return cluster;
}

function readAny(path: string | undefined): KubeConfig {
  const fromEnvironment = (process.env['KUBECONFIG'] ?? '').split(delimiter).filter((file) => file !== '');
  const home = join(homedir(), '.kube', 'config');
  if (path !== undefined) return readFiles([path]);
  if (fromEnvironment.length > 0) return readFiles(fromEnvironment);
  if (process.env['KUBERNETES_SERVICE_HOST'] && existsSync(SERVICE_ACCOUNT_TOKEN))
    return readServiceAccount();
  if (existsSync(home)) return readFiles([home]);
  throw configError('no kubeconfig was given, KUBECONFIG is not set, and there is no ~/.kube/config');
}

function readServiceAccount(): KubeConfig {
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromCluster();
  return kubeConfig;
}

function readFiles(files: string[]): KubeConfig {
  const all = new KubeConfig();
  for (const file of files) {
    try {
      all.mergeConfig(readFile(file), Boolean(all.currentContext)); // the first that names one decides
    } catch (error) {
      // The YAML parser quotes the file around a fault, tokens included: its message is dropped.
      throw configError(`the kubeconfig ${file} cannot be read or is not valid (${errorCode(error)})`);
    }
  }
  return all;
}

function readFile(file: string): KubeConfig {
  const kubeConfig = new KubeConfig();
  const content: unknown = parse(readFileSync(file, 'utf8'));
  for (const user of usersOf(content)) readTokenFileOnUse(user, dirname(file));
  kubeConfig.loadFromString(JSON.stringify(content));
  kubeConfig.makePathsAbsolute(dirname(file));
  return kubeConfig;
}

function usersOf(content: unknown): Record<string, unknown>[] {
  const { users = [] } = content as { users?: { user?: Record<string, unknown> | null }[] };
  return users.flatMap(({ user }) => (user ? [user] : []));
}

/**
 * client-node does not know a user's `tokenFile`, but reads the file of this auth provider again every
 * 60 s, as kubectl does with `tokenFile`, which there wins over `token`.
 */
function readTokenFileOnUse(user: Record<string, unknown>, directory: string): void {
  const { tokenFile } = user;
  if (typeof tokenFile !== 'string') return;
  delete user['token'];
  user['auth-provider'] = { name: 'tokenFile', config: { tokenFile: resolve(directory, tokenFile) } };
}

function selectContext(kubeConfig: KubeConfig, context: string | undefined): void {
  const names = kubeConfig.getContexts().map(({ name }) => name);
  const wanted = context ?? kubeConfig.getCurrentContext();
  if (!names.includes(wanted)) {
    throw configError(`the kubeconfig has no context ${JSON.stringify(wanted)}, only: ${names.join(', ')}`);
  }
  kubeConfig.setCurrentContext(wanted);
  const { server, skipTLSVerify } = clusterOf(kubeConfig);
  if (server.startsWith('http:') && !skipTLSVerify) {
    throw configError('its server uses plain http: set insecure-skip-tls-verify if that is meant');
  }
}

function configError(explanation: string): KubernetesError {
  return invalidInput('load kubeconfig', explanation);
}
