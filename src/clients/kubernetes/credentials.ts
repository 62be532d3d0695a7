import { KubeConfig } from '@kubernetes/client-node';
import { existsSync } from 'node:fs';
import type { Agent, RequestOptions } from 'node:https';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { KubernetesError, invalidInput, transportCode } from './errors.ts';

/** Where the kubeconfig is, and which of its contexts to use. */
export interface CredentialSource {
  /** This file only; without it: `KUBECONFIG`, the pod's service account, `~/.kube/config`. */
  kubeconfigPath?: string;
  /** Name of a context; without it the file's current one. */
  context?: string;
}

/** How to reach the API server at this moment. Holds secrets: never log it. */
export interface ClusterAccess {
  /** Base URL without trailing slash; may have a path (Rancher). */
  server: string;
  /** Authorization and impersonation headers. */
  headers: Record<string, string>;
  /** What a connection is made with; an equal value means that open connections may be reused. */
  tls: TlsOptions;
  /** The kubeconfig's proxy, with an agent that goes through it for WebSockets. */
  proxy?: { url: string; agent: Agent };
}

/** The TLS options that kubeconfigs can set. */
export type TlsOptions = Pick<
  RequestOptions,
  'ca' | 'cert' | 'key' | 'pfx' | 'passphrase' | 'rejectUnauthorized' | 'servername'
>;

const SERVICE_ACCOUNT_TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount/token';

/**
 * Credentials by client-node's rules: client certificates, tokens, token files, exec plugins, OIDC,
 * the pod's service account. Files are read again for every call, plugins when their credential
 * expires, and everything after {@link renew}.
 */
export class Credentials {
  /** The API server's URL without anything secret in it. */
  readonly server: string;
  readonly #source: CredentialSource;
  #kubeConfig: KubeConfig;
  #generation = 0;
  #pending: Promise<ClusterAccess> | undefined;

  /** @throws {@link KubernetesError} when no usable kubeconfig is found; it names the file, not its content. */
  constructor(source: CredentialSource) {
    this.#source = source;
    this.#kubeConfig = load(source);
    this.server = publicUrl(clusterOf(this.#kubeConfig).server);
  }

  /** Counts the renewals, so that twenty refused calls lead to one renewal. */
  get generation(): number {
    return this.#generation;
  }

  /** Forgets every cached credential and reads the kubeconfig again, unless that happened since `generation`. */
  renew(generation: number): void {
    if (generation !== this.#generation) return;
    this.#kubeConfig = load(this.#source);
    this.#generation += 1;
    this.#pending = undefined;
  }

  /** @throws {@link KubernetesError} with reason `NoCredentials`; what a plugin printed is dropped, it may be secret. */
  async access(operation: string): Promise<ClusterAccess> {
    // Shared while it runs: a slow exec plugin is started once for all waiting calls.
    const pending = (this.#pending ??= resolveAccess(this.#kubeConfig));
    try {
      return await pending;
    } catch (error) {
      throw noCredentials(operation, error);
    } finally {
      if (this.#pending === pending) this.#pending = undefined;
    }
  }
}

async function resolveAccess(kubeConfig: KubeConfig): Promise<ClusterAccess> {
  const cluster = clusterOf(kubeConfig);
  const applied: RequestOptions = {};
  await kubeConfig.applyToHTTPSOptions(applied);
  const headers: Record<string, string> = {};
  if (typeof applied.auth === 'string') headers['authorization'] = `Basic ${btoa(applied.auth)}`;
  for (const [name, value] of Object.entries(applied.headers ?? {}))
    headers[name.toLowerCase()] = String(value);
  return {
    server: cluster.server,
    headers,
    tls: tlsOptions(applied),
    ...(cluster.proxyUrl ? { proxy: { url: cluster.proxyUrl, agent: applied.agent as Agent } } : {}),
  };
}

function tlsOptions(applied: RequestOptions): TlsOptions {
  const { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername } = applied;
  const all = { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

function load(source: CredentialSource): KubeConfig {
  const kubeConfig = new KubeConfig();
  try {
    loadFrom(kubeConfig, source.kubeconfigPath);
  } catch (error) {
    if (error instanceof KubernetesError) throw error;
    // The YAML parser quotes the file around a fault, tokens included: its message is dropped.
    const from = source.kubeconfigPath ?? process.env['KUBECONFIG'] ?? 'the default places';
    throw configError(`the kubeconfig from ${from} cannot be read or is not valid (${transportCode(error)})`);
  }
  selectContext(kubeConfig, source.context);
  return kubeConfig;
}

function loadFrom(kubeConfig: KubeConfig, path: string | undefined): void {
  const home = join(homedir(), '.kube', 'config');
  if (path !== undefined) kubeConfig.loadFromFile(path);
  else if (process.env['KUBECONFIG']) kubeConfig.loadFromDefault();
  else if (process.env['KUBERNETES_SERVICE_HOST'] && existsSync(SERVICE_ACCOUNT_TOKEN))
    kubeConfig.loadFromCluster();
  else if (existsSync(home)) kubeConfig.loadFromFile(home);
  else throw configError('no kubeconfig was given, KUBECONFIG is not set, and there is no ~/.kube/config');
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

function clusterOf(kubeConfig: KubeConfig): NonNullable<ReturnType<KubeConfig['getCurrentCluster']>> {
  const cluster = kubeConfig.getCurrentCluster();
  if (!cluster || !URL.canParse(cluster.server)) {
    throw configError('its context names no cluster with a valid server URL');
  }
  return cluster;
}

function configError(explanation: string): KubernetesError {
  return invalidInput('load kubeconfig', explanation);
}

/** A plugin that is not installed does not appear by itself; anything else may pass. */
function noCredentials(operation: string, error: unknown): KubernetesError {
  const code = transportCode(error);
  const explanation = `no credential could be obtained (${code === 'connection failed' ? 'the plugin or file failed' : code})`;
  return new KubernetesError({
    operation,
    reason: 'NoCredentials',
    retryable: code !== 'ENOENT',
    explanation,
  });
}

function publicUrl(server: string): string {
  const { origin, pathname } = new URL(server);
  return origin + pathname.replace(/\/$/, '');
}
