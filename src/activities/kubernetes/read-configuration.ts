import { KubernetesError } from '../../clients/kubernetes/errors.ts';
import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import type { GuardFinding } from '../../contracts/plan.ts';
import type { Deployment } from '../../domain/deployment.ts';
import { checkConfiguration, type Lookup } from '../../domain/guards/configuration.ts';
import { referencesOf, type Reference, type ReferringPodSpec } from '../../domain/template-references.ts';

/** Looks whether everything that a template needs is there. Of Secrets only the metadata is asked for. */
export async function readConfiguration(
  gateway: KubernetesGateway,
  deployment: Deployment,
  template: string,
  signal: AbortSignal,
): Promise<GuardFinding> {
  const { namespace = '' } = deployment.metadata;
  const references = referencesOf(deployment.spec.template.spec as ReferringPodSpec);
  const lookups = await Promise.all(
    references.map((reference) => lookUp(gateway, namespace, reference, signal)),
  );
  return checkConfiguration(template, lookups);
}

async function lookUp(
  gateway: KubernetesGateway,
  namespace: string,
  reference: Reference,
  signal: AbortSignal,
): Promise<Lookup> {
  try {
    const missingKeys = await readMissingKeys(gateway, namespace, reference, signal);
    return { ...reference, state: 'found', missingKeys };
  } catch (error) {
    if (!(error instanceof KubernetesError)) throw error;
    if (error.status === 404) return { ...reference, state: 'missing', missingKeys: [] };
    if (error.status === 403) return { ...reference, state: 'forbidden', missingKeys: [] };
    throw error;
  }
}

async function readMissingKeys(
  gateway: KubernetesGateway,
  namespace: string,
  { kind, name, keys }: Reference,
  signal: AbortSignal,
): Promise<string[]> {
  const ref = { apiVersion: 'v1', kind, namespace, name };
  if (kind !== 'ConfigMap') {
    await gateway.getMetadata(ref, { signal });
    return [];
  }
  const { data, binaryData } = await gateway.get(ref, { signal });
  const there = new Set([...Object.keys(data ?? {}), ...Object.keys(binaryData ?? {})]);
  return keys.filter((key) => !there.has(key));
}
