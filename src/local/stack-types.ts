import type { ObjectStorageEndpoint } from './object-storage.ts';
import type { OnPhase } from './phases.ts';

export type NodeKind = 'real' | 'simulated';

/** Everything that a client of a stack needs, as plain data; also the content of its stack.json. */
export interface StackEndpoints {
  name: string;
  directory: string;
  temporalAddress: string;
  temporalNamespace: string;
  temporalUi: string;
  kubernetesServer: string;
  /** Path of a kubeconfig with cluster-admin rights. */
  kubeconfig: string;
  kubectl: string;
  node: NodeKind | 'given';
  /** One sentence for people: which node, why, and what of the host it touches. */
  nodeNote: string;
  s3: ObjectStorageEndpoint;
  /** host:port of the OCI registry, as image references name it; absent unless asked for. */
  registry?: string;
  /** Puts an image archive, appended as the last argument, into the real node. */
  imageImport?: { command: string; arguments: string[]; environment: Record<string, string> };
  phases: { phase: string; seconds: number }[];
}

export interface StackOptions {
  /** The stack's name; it also names its folder. Default "default". */
  name?: string;
  /** Forces one kind of node; by default the real one where it can run. */
  node?: NodeKind;
  /** A kubeconfig of a cluster to use instead of starting one. */
  kubeconfig?: string;
  /** Keeps Temporal's histories in a file instead of in memory. */
  temporalDatabase?: boolean;
  /** Starts an OCI registry, too. */
  registry?: boolean;
  onPhase?: OnPhase;
  /** Gives the start up: what already runs is stopped. Of no effect once the stack is ready. */
  signal?: AbortSignal;
}

export interface Stack {
  endpoints: StackEndpoints;
  /** Settles with a sentence when a server died that should not have; never after stop() was called. */
  failed: Promise<string>;
  /** Ends every server and removes what the stack put on the host. May be called twice. */
  stop: () => Promise<void>;
}
