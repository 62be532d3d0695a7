import { Context } from '@temporalio/activity';
import type { BackupStore } from '../../clients/backup-storage.ts';
import type { DrillConclusion, DrillFindings, DrillResult, Scratch } from '../../contracts/drill.ts';
import { drillPolicyOf } from '../../contracts/drill-policy.ts';
import { metrics, setGauge } from '../../contracts/metrics.ts';
import type { Target } from '../../contracts/target.ts';
import { resultOfDrill } from '../../domain/drill.ts';
import { mostShown, readResult, trendPicture } from '../../domain/drill-trend.ts';
import { storing } from '../backups/failures.ts';
import { failure } from '../failures.ts';
import { policyOfBackups, withStores, type RecoveryDependencies } from '../recovery/source.ts';

/** A result has a few sentences. */
const mostResultBytes = 256 * 1024;
/** Of two years; somebody who drills every hour sees the first of these. */
const mostListed = 20_000;
const lookBackMilliseconds = 2 * 366 * 24 * 3600 * 1000;

const fileName = /\/\d{8}T\d{6}Z-[0-9a-f]{8}\.json$/;

/**
 * Keeps the result of a drill in the first location of the target, with a picture of the last ones beside it. Idempotent:
 * both names belong to this drill, and what was written first stays and is what is returned.
 * @throws StorageUnavailable
 */
export async function concludeDrill(
  dependencies: RecoveryDependencies,
  { target, scratch, findings }: { target: Target; scratch: Scratch; findings: DrillFindings },
  signal: AbortSignal,
): Promise<DrillConclusion> {
  const { rpoSeconds } = policyOfBackups(target);
  const { rtoSeconds } = drillPolicyOf(target.profile);
  const result = resultOfDrill(scratch, findings, { rtoSeconds, rpoSeconds });
  return await withStores(dependencies, target, undefined, async ([store]) => {
    if (store === undefined) throw failure('InvalidProfile', 'there is no place to keep the result');
    const folder = `drills/${result.target}`;
    const time = result.startedAt.replaceAll(/[-:]|\.\d+/g, '');
    const key = `${folder}/${time}-${result.id}.json`;
    const kept = await keepOnce(store, key, result, signal);
    const trend = await readTrend(store, folder, result.startedAt, signal);
    const pictureKey = `${folder}/trend-${result.id}.svg`;
    await storing(signal, `write the picture to ${store.name}`, () =>
      store.putOnce(pictureKey, trendPicture(result.target, trend), 'image/svg+xml', signal),
    );
    tell(kept);
    return { result: kept, trend, at: store.locationOf(key), picture: store.locationOf(pictureKey) };
  });
}

function tell({ target, startedAt, verdict, recoverySeconds, dataLossSeconds }: DrillResult): void {
  const { metricMeter } = Context.current();
  setGauge(metricMeter, metrics.drillLast, { target }, Date.parse(startedAt) / 1000);
  setGauge(metricMeter, metrics.drillPassed, { target }, verdict === 'pass' ? 1 : 0);
  setGauge(metricMeter, metrics.drillRecovery, { target }, recoverySeconds ?? NaN);
  setGauge(metricMeter, metrics.drillDataLoss, { target }, dataLossSeconds ?? NaN);
}

async function keepOnce(
  store: BackupStore,
  key: string,
  result: DrillResult,
  signal: AbortSignal,
): Promise<DrillResult> {
  const text = `${JSON.stringify(result, undefined, 2)}\n`;
  return await storing(signal, `write the result to ${store.name}`, async () => {
    if ((await store.putOnce(key, text, 'application/json', signal)) === 'written') return result;
    return (await readOne(store, key, signal)) ?? result;
  });
}

/** The last results up to `until`, oldest first. Files that are none are passed over. */
async function readTrend(
  store: BackupStore,
  folder: string,
  until: string,
  signal: AbortSignal,
): Promise<DrillResult[]> {
  const since = new Date(Date.parse(until) - lookBackMilliseconds).toISOString().slice(0, 10);
  const startAfter = `${folder}/${since.replaceAll('-', '')}`;
  return await storing(signal, `read former results from ${store.name}`, async () => {
    const last: string[] = [];
    let listed = 0;
    for await (const found of store.list(`${folder}/`, { startAfter }, signal)) {
      if (++listed > mostListed) break;
      if (!('key' in found) || !fileName.test(found.key)) continue;
      last.push(found.key);
      if (last.length > mostShown) last.shift();
    }
    const results: DrillResult[] = [];
    for (const key of last) {
      const one = await readOne(store, key, signal);
      if (one !== undefined && one.startedAt <= until) results.push(one);
    }
    return results;
  });
}

async function readOne(
  store: BackupStore,
  key: string,
  signal: AbortSignal,
): Promise<DrillResult | undefined> {
  const bytes = await store.read(key, signal, mostResultBytes);
  return bytes === undefined ? undefined : readResult(Buffer.from(bytes).toString('utf8'));
}
