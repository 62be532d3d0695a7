import { createHash } from 'node:crypto';
import type { ObjectStorage } from '../../clients/object-storage.ts';
import type { Evidence, RunRecord } from '../../contracts/run.ts';
import { canonicalJson } from '../../domain/plan/canonical-json.ts';
import { renderReport } from '../../domain/report.ts';
import { excerpt } from '../../domain/text.ts';
import { failure } from '../failures.ts';
import { withHeartbeat } from '../heartbeat.ts';

/** What the report activities need; without storage, reports stay in the results of runs. */
export interface ReportDependencies {
  storage: ObjectStorage | undefined;
}

/** Stores what runs did. */
export function createReportActivities({ storage }: ReportDependencies) {
  return {
    /**
     * Writes `reports/<target>/<first run id>/report.json` and `.md`. Idempotent: the key and the bytes follow
     * from the record alone, so a second attempt writes the same again. @throws StorageUnavailable
     */
    storeReport: (record: RunRecord): Promise<Evidence> =>
      withHeartbeat((signal) => store(storage, record, signal)),
  };
}

async function store(
  storage: ObjectStorage | undefined,
  record: RunRecord,
  signal: AbortSignal,
): Promise<Evidence> {
  if (storage === undefined)
    return {
      state: 'notConfigured',
      note: 'no bucket is configured; the report is only in the result of this run',
    };
  const json = canonicalJson(record);
  const folder = `reports/${record.target ?? 'unknown-target'}/${record.run.firstRunId}`;
  try {
    await storage.put(`${folder}/report.json`, json, 'application/json', signal);
    await storage.put(`${folder}/report.md`, renderReport(record), 'text/markdown; charset=utf-8', signal);
  } catch (error) {
    // The SDK has an error of its own for a call that was told to stop.
    signal.throwIfAborted();
    throw failure('StorageUnavailable', `the report could not be stored: ${nameOf(error)}`);
  }
  return {
    state: 'stored',
    location: storage.locationOf(`${folder}/report.json`),
    sha256: createHash('sha256').update(json).digest('hex'),
  };
}

/** Code or name only: messages of the SDK may carry request details. */
function nameOf(error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: unknown };
  const word = [code, name].find((one) => typeof one === 'string') ?? 'unknown error';
  return excerpt(word);
}
