import { auditNames } from '../../../src/contracts/audit.ts';
import type { Json } from '../../../src/contracts/json.ts';
import type { KubernetesObject } from '../../../src/contracts/kubernetes.ts';
import { lockAnnotations, type Leftover } from '../../../src/contracts/lock.ts';
import { lockEffects } from './effects.ts';
import type { ApiAnswer } from './server-proxy.ts';
import type { ActivityTask } from './temporal-proxy.ts';
import type { TracedRequest } from './worker-process.ts';

/** What one activity of a run did, over all its attempts. */
export interface ActivityRecord {
  /** Its type and the how manieth of that it is. */
  id: string;
  type: string;
  requests: number;
  writes: number;
  /** Of the object storage. */
  storeRequests: number;
  storeWrites: number;
  /** How many answers it had when it first wrote; undefined when it never did. */
  answersBeforeWrite?: number;
}

/** Everything that a run's workers did, as seen on their wires. */
export class Journal {
  readonly activities = new Map<string, ActivityRecord>();
  /** Accepted writes that changed something, in their order. */
  readonly effects: string[] = [];
  readonly #versions = new Set<string>();
  #checkpoint: string | undefined;
  readonly #plain: (text: string) => string;

  /** `plain` takes out of a text what differs between two runs of one scenario. */
  constructor(plain: (text: string) => string) {
    this.#plain = plain;
  }

  /** What stands on the lock before the run: its first write carries it on. */
  beginsWith(lease: KubernetesObject | undefined): void {
    this.#checkpoint = lease?.metadata.annotations?.[auditNames.checkpoint];
  }

  began(task: ActivityTask): void {
    if (this.activities.has(task.id)) return;
    const { id, type } = task;
    this.activities.set(id, { id, type, requests: 0, writes: 0, storeRequests: 0, storeWrites: 0 });
  }

  stored({ task, mutating }: TracedRequest): void {
    const record = task === undefined ? undefined : this.activities.get(task.id);
    if (record === undefined) return;
    record.storeRequests += 1;
    if (mutating) record.storeWrites += 1;
  }

  answered(request: TracedRequest, answer: ApiAnswer): void {
    this.#count(request);
    const version = versionIn(answer);
    const changed = version === undefined || !this.#versions.has(version);
    if (version !== undefined) this.#versions.add(version);
    if (!request.mutating || answer.status >= 300 || !changed) return;
    const { pathname } = new URL(request.path, 'http://api');
    if (pathname.includes('/leases')) {
      this.effects.push(this.#lockEffect(JSON.parse(request.body) as KubernetesObject));
      return;
    }
    this.effects.push(this.#plain(`${request.method} ${pathname} ${withoutPins(request.body)}`));
  }

  /** What a write makes of the lock; its times and versions differ from run to run. */
  #lockEffect({ metadata: { annotations = {} } }: KubernetesObject): string {
    const checkpoint = annotations[auditNames.checkpoint];
    if (checkpoint !== this.#checkpoint) {
      this.#checkpoint = checkpoint;
      return lockEffects.signed;
    }
    const leftover = annotations[lockAnnotations.leftover];
    const noted = leftover === undefined ? '' : describeLeftover(JSON.parse(leftover) as Leftover);
    if (annotations[lockAnnotations.holder] === undefined)
      return `${lockEffects.released}${noted === '' ? '' : `, still ${noted}`}`;
    return noted === '' ? lockEffects.taken : `${lockEffects.noted} ${noted}`;
  }

  #count({ task, mutating }: TracedRequest): void {
    const record = task === undefined ? undefined : this.activities.get(task.id);
    if (record === undefined) return;
    if (mutating) {
      record.writes += 1;
      record.answersBeforeWrite ??= record.requests;
    }
    record.requests += 1;
  }
}

function describeLeftover({ step, undo }: Leftover): string {
  return `${step}: ${undo.map(({ write }) => write.pin.name).join(', ')}`;
}

/** The object's identity and version in an answer that holds one object. */
function versionIn({ body }: ApiAnswer): string | undefined {
  try {
    const { metadata } = JSON.parse(body) as { metadata?: { uid?: string; resourceVersion?: string } };
    if (metadata?.uid === undefined || metadata.resourceVersion === undefined) return undefined;
    return `${metadata.uid}@${metadata.resourceVersion}`;
  } catch {
    return undefined;
  }
}

/** The body of a write without the version that it is pinned to. */
function withoutPins(body: string): string {
  if (body === '') return '';
  const content = JSON.parse(body) as Json;
  if (!Array.isArray(content)) return JSON.stringify(content, leaveOutPin);
  return JSON.stringify(content.filter((operation) => !isPin(operation)));
}

function isPin(operation: Json): boolean {
  const { path } = operation as { path?: string };
  return path === '/metadata/resourceVersion' || path === '/metadata/uid';
}

function leaveOutPin(key: string, value: unknown): unknown {
  return key === 'resourceVersion' || key === 'uid' ? undefined : value;
}
