import { request } from 'undici';
import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import { httpGetThroughPod } from '../../clients/kubernetes/pod-http.ts';
import type { TargetProfile } from '../../contracts/target.ts';
import { probeOf, type ProbeAnswer } from '../../domain/health.ts';
import type { Pod } from '../../domain/rollout-health.ts';

/** Bodies beyond this are cut: a health answer is small, and a hostile one is not worth more memory. */
const mostBodyBytes = 64 * 1024;

/** Asks one pod the way the profile says. Never throws for a service that does not answer; only the signal ends it so. */
export async function askPod(
  gateway: KubernetesGateway,
  profile: TargetProfile,
  workload: string,
  pod: Pod,
  signal: AbortSignal,
): Promise<ProbeAnswer> {
  try {
    return await ask(gateway, profile, workload, pod, signal);
  } catch (error) {
    signal.throwIfAborted();
    return { unreachable: reasonOf(error) };
  }
}

async function ask(
  gateway: KubernetesGateway,
  profile: TargetProfile,
  workload: string,
  pod: Pod,
  signal: AbortSignal,
): Promise<ProbeAnswer> {
  const health = probeOf(profile, workload);
  const namespace = profile.namespace;
  const container = profile.workloads[workload]?.container ?? '';
  const { timeoutSeconds } = health;
  switch (health.via) {
    case 'port-forward':
      return await httpGetThroughPod(
        gateway,
        { namespace, pod: pod.metadata.name, port: health.port ?? 0, path: health.path },
        { signal, timeoutSeconds, maxBodyBytes: mostBodyBytes },
      );
    case 'pod-address': {
      if (pod.status?.podIP === undefined) return { unreachable: 'the pod has no address' };
      const host = pod.status.podIP.includes(':') ? `[${pod.status.podIP}]` : pod.status.podIP;
      return await get(`http://${host}:${health.port ?? 0}${health.path}`, timeoutSeconds, signal);
    }
    case 'exec': {
      const command = health.command ?? [];
      const result = await gateway.exec(
        { namespace, pod: pod.metadata.name, container, command },
        { signal, timeoutSeconds, maxOutputBytes: mostBodyBytes },
      );
      return {
        status: result.exitCode === 0 ? 200 : 500 + Math.min(result.exitCode, 99),
        body: result.stdout,
      };
    }
    case 'url':
      return await get(new URL(health.path, health.url).href, timeoutSeconds, signal);
  }
}

async function get(url: string, timeoutSeconds: number, signal: AbortSignal): Promise<ProbeAnswer> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutSeconds * 1000)]);
  const answer = await request(url, { signal: limit, headers: { accept: 'application/json' } });
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer.body as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > mostBodyBytes) break;
  }
  return { status: answer.statusCode, body: Buffer.concat(chunks).toString('utf8') };
}

/** Codes and names only: messages of network errors may carry addresses with credentials in them. */
function reasonOf(error: unknown): string {
  const { reason, code, name } = error as { reason?: unknown; code?: unknown; name?: unknown };
  return [reason, code, name].find((word) => typeof word === 'string') ?? 'no reason given';
}
