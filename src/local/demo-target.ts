import { join } from 'node:path';
import { runCommand } from './command.ts';
import { demoArchive } from './demo-image.ts';
import { projectDirectory } from './paths.ts';
import { runPhase, type OnPhase } from './phases.ts';
import type { StackEndpoints } from './stack-types.ts';

export interface DemoTargetOptions {
  /** Created when it does not exist; several copies of the service may live side by side. */
  namespace: string;
  onPhase: OnPhase;
  readyTimeoutSeconds?: number;
}

const manifest = join(projectDirectory, 'demo', 'alecs.yaml');

/**
 * Deploys the demo's ALECS service and waits until its pods are ready. Loading the images into a
 * real node is part of it; may be called again for another namespace. Throws at the deadline.
 */
export async function deployDemo(endpoints: StackEndpoints, options: DemoTargetOptions): Promise<void> {
  const { namespace, onPhase, readyTimeoutSeconds = 120 } = options;
  if (endpoints.imageImport !== undefined) await loadImages(endpoints, await demoArchive(onPhase), onPhase);
  await runPhase(onPhase, `demo service in namespace ${namespace}`, async () => {
    const run = (...line: string[]): Promise<string> =>
      kubectl(endpoints, ['--namespace', namespace, ...line]);
    await createNamespace(endpoints, namespace);
    await run('apply', '--server-side', '--force-conflicts', '--filename', manifest);
    await run('rollout', 'status', 'deployment/alecs-server', `--timeout=${readyTimeoutSeconds}s`);
  });
}

/** Puts an image archive into the stack's real node; does nothing twice, as containerd knows its layers. */
export async function loadImages(
  endpoints: StackEndpoints,
  archive: string,
  onPhase: OnPhase,
): Promise<void> {
  const { imageImport } = endpoints;
  if (imageImport === undefined) throw new Error('only a real node of the local stack takes image archives');
  const { command, arguments: line, environment } = imageImport;
  await runPhase(onPhase, 'loading images into the node', async () => {
    await runCommand(command, [...line, archive], { environment });
  });
}

/** Runs the pinned kubectl against the stack's cluster and returns what it printed. */
export async function kubectl(endpoints: StackEndpoints, line: readonly string[]): Promise<string> {
  // Its cache would go to the home folder and outlive the cluster.
  const common = [
    '--kubeconfig',
    endpoints.kubeconfig,
    '--cache-dir',
    join(endpoints.directory, 'kubectl-cache'),
  ];
  return runCommand(endpoints.kubectl, [...common, ...line]);
}

async function createNamespace(endpoints: StackEndpoints, namespace: string): Promise<void> {
  const existing = await kubectl(endpoints, [
    'get',
    'namespace',
    namespace,
    '--ignore-not-found',
    '--output',
    'name',
  ]);
  if (existing === '') await kubectl(endpoints, ['create', 'namespace', namespace]);
  await kubectl(endpoints, ['label', '--overwrite', 'namespace', namespace, 'app=alecs', 'version=v1.7.4']);
  // Pods are refused, and retried with growing delays, until the namespace has its service account.
  const wait = ['wait', '--for=create', 'serviceaccount/default', '--timeout=30s'];
  await kubectl(endpoints, ['--namespace', namespace, ...wait]);
}
