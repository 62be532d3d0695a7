import type { TargetProfile } from '../contracts/target.ts';

/** What one probe of one pod brought. `unreachable`: no answer could be had, which says nothing about the service. */
export type ProbeAnswer = { status: number; body: string } | { unreachable: string };

export type ProbeVerdict = { verdict: 'pass' | 'fail' | 'unknown'; sentence: string };

/** How the pods of a workload are asked: its own way, or the target's. */
export function probeOf(profile: TargetProfile, workload: string): TargetProfile['health'] {
  return profile.workloads[workload]?.health ?? profile.health;
}

/** Judges an answer by what the profile expects. The body is never quoted: it may hold anything. */
export function judgeAnswer(
  answer: ProbeAnswer,
  expected: Pick<TargetProfile['health'], 'path' | 'expectStatus' | 'expectBody'>,
): ProbeVerdict {
  if ('unreachable' in answer)
    return { verdict: 'unknown', sentence: `no answer from ${expected.path}: ${answer.unreachable}` };
  if (answer.status !== expected.expectStatus) {
    return {
      verdict: 'fail',
      sentence: `${expected.path} answered ${answer.status}, expected ${expected.expectStatus}`,
    };
  }
  const wanted = Object.entries(expected.expectBody);
  if (wanted.length === 0) return { verdict: 'pass', sentence: `${expected.path} answered ${answer.status}` };
  const body = parseObject(answer.body);
  if (body === undefined)
    return { verdict: 'fail', sentence: `${expected.path} answered ${answer.status} without a JSON object` };
  const wrong = wanted.find(([key, value]) => !Object.hasOwn(body, key) || body[key] !== value);
  if (wrong !== undefined)
    return {
      verdict: 'fail',
      sentence: `${expected.path} answered without ${wrong[0]}: ${String(wrong[1])}`,
    };
  return {
    verdict: 'pass',
    sentence: `${expected.path} answered ${answer.status} with ${wanted.map(([key, value]) => `${key}: ${String(value)}`).join(', ')}`,
  };
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
