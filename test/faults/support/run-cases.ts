import { messageOf } from '../../../src/local/wait.ts';
import type { Case } from '../cases.ts';
import type { Scenario } from '../scenarios.ts';
import { undisturbed } from './faults.ts';
import { OwnTemporal } from './own-temporal.ts';
import { Stage, type Reference } from './stage.ts';

/** How one case ended. */
export interface CaseResult {
  ok: boolean;
  remark: string;
  seconds: number;
}

/** Cases mostly wait for timeouts of Temporal; two cores carry that many of them. */
const lanes = 6;

/** Runs the scenario without any fault. @throws when it does not end as it should. */
export async function runUndisturbed(scenario: Scenario): Promise<Reference> {
  return await onStage(scenario, undefined, undisturbed);
}

/** Runs one case; a failure is a result, too. */
export async function runCase({
  scenario,
  reference,
  harmsTemporal,
  inflict,
}: Pick<Case, 'scenario' | 'reference' | 'harmsTemporal' | 'inflict'>): Promise<CaseResult> {
  const startedAt = Date.now();
  const took = (): number => Math.round((Date.now() - startedAt) / 100) / 10;
  try {
    const temporal = harmsTemporal === true ? await OwnTemporal.start() : undefined;
    const remark = await onStage(scenario, temporal, (stage) => inflict(stage, reference));
    return { ok: true, remark, seconds: took() };
  } catch (error) {
    return { ok: false, remark: messageOf(error), seconds: took() };
  }
}

/** Works on several items at once; results come in the order of the items. */
export async function inLanes<T, R>(items: T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const left = [...items.entries()];
  const lane = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift())
      results[next[0]] = await work(next[1]);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return results;
}

async function onStage<T>(
  scenario: Scenario,
  temporal: OwnTemporal | undefined,
  work: (stage: Stage) => Promise<T>,
): Promise<T> {
  let stage: Stage | undefined;
  try {
    stage = await Stage.create(scenario, temporal);
    return await work(stage);
  } finally {
    await stage?.close();
    await temporal?.stop();
  }
}
