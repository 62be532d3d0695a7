import type { KubeConfig } from '@kubernetes/client-node';
import type { Agent, RequestOptions } from 'node:https';
import { KubernetesError, errorCode } from './errors.ts';
import { clusterOf, loadKubeconfig, type CredentialSource } from './kubeconfig.ts';

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
type TlsOptions = Pick<
  RequestOptions,
  'ca' | 'cert' | 'key' | 'pfx' | 'passphrase' | 'rejectUnauthorized' | 'servername'
>;

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
    this.#kubeConfig = loadKubeconfig(source);
    this.server = publicUrl(clusterOf(this.#kubeConfig).server);
  }

  /** Counts the renewals, so that twenty refused calls lead to one renewal. */
  get generation(): number {
    return this.#generation;
  }

  /** Forgets every cached credential and reads the kubeconfig again, unless that happened since `generation`. */
  renew(generation: number): void {
    if (generation !== this.#generation) return;
    this.#kubeConfig = loadKubeconfig(this.#source);
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
  for (const [name, value] of Object.entries(applied.headers ?? {})) {
    headers[name.toLowerCase()] = String(value).trim(); // token files often end with a line end
  }
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

/** A plugin that is not installed does not appear by itself; anything else may pass. */
function noCredentials(operation: string, error: unknown): KubernetesError {
  const code = errorCode(error);
  const explanation = `the credential plugin or file failed (${code})`;
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
