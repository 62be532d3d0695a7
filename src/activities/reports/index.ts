import { createHash } from 'node:crypto';
import { Context } from '@temporalio/activity';
import type { ObjectStorage } from '../../clients/object-storage.ts';
import type { Evidence, RunRecord } from '../../contracts/run.ts';
import { canonicalJson } from '../../domain/plan/canonical-json.ts';
import { renderReport } from '../../domain/report.ts';
import { failure, isOurs } from '../failures.ts';

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
    async storeReport(record: RunRecord): Promise<Evidence> {
      if (storage === undefined)
        return {
          state: 'notConfigured',
          note: 'no bucket is configured; the report is only in the result of this run',
        };
      const json = canonicalJson(record);
      const folder = `reports/${record.target ?? 'unknown-target'}/${record.run.firstRunId}`;
      try {
        const signal = Context.current().cancellationSignal;
        await storage.put(`${folder}/report.json`, json, 'application/json', signal);
        await storage.put(
          `${folder}/report.md`,
          renderReport(record),
          'text/markdown; charset=utf-8',
          signal,
        );
      } catch (error) {
        throw isOurs(error)
          ? error
          : failure('StorageUnavailable', `the report could not be stored: ${nameOf(error)}`);
      }
      return {
        state: 'stored',
        location: storage.locationOf(`${folder}/report.json`),
        sha256: createHash('sha256').update(json).digest('hex'),
      };
    },
  };
}

/** The error's name only: messages of the SDK may carry request details. */
function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : 'unknown error';
}
