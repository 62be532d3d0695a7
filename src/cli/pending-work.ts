import { defaultPayloadConverter } from '@temporalio/common';
import type { Client } from '@temporalio/client';
import type { temporal } from '@temporalio/proto';
import { excerpt } from '../domain/text.ts';

/** One activity under way, as Temporal tells it. */
export type PendingActivity = Pick<
  temporal.api.workflow.v1.IPendingActivityInfo,
  'activityType' | 'attempt' | 'heartbeatDetails' | 'lastFailure'
>;

const mostCharacters = 300;

/** What the activities of a run are at, by name; empty while Temporal does not answer. */
export async function pendingWork(client: Client, workflowId: string): Promise<Map<string, string>> {
  try {
    const { raw } = await client.connection.withDeadline(Date.now() + 5000, () =>
      client.workflow.getHandle(workflowId).describe(),
    );
    return new Map((raw.pendingActivities ?? []).flatMap(saysOf));
  } catch {
    return new Map();
  }
}

/** Name and sentence of an activity that has said something, or failed before; else nothing. */
export function saysOf(pending: PendingActivity): [string, string][] {
  const { activityType, attempt, lastFailure } = pending;
  const said = lastWord(pending);
  const again = (attempt ?? 1) > 1 && lastFailure?.message;
  const parts = [
    ...(said === undefined ? [] : [said]),
    ...(again ? [`attempt ${attempt}, after: ${again}`] : []),
  ];
  if (parts.length === 0) return [];
  return [[activityType?.name ?? 'activity', parts.map((part) => excerpt(part, mostCharacters)).join('; ')]];
}

/** The sentence of the last heartbeat; others hold what the next attempt goes on from. */
function lastWord({ heartbeatDetails }: PendingActivity): string | undefined {
  const [payload] = heartbeatDetails?.payloads ?? [];
  if (payload === undefined) return undefined;
  const details: unknown = defaultPayloadConverter.fromPayload(payload);
  return typeof details === 'string' ? details : undefined;
}
