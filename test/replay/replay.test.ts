import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';

const root = join(import.meta.dirname, '..', '..');
const folder = join(import.meta.dirname, 'histories');
const files = readdirSync(folder).filter((file) => file.endsWith('.json'));

/** Every way that a run of each procedure can go; one without a recorded history fails below. */
const everyRun = ['succeeded', 'planned', 'rejected', 'timed-out', 'aborted', 'bad-input'];
const paths: Record<string, string[]> = {
  'rolling-update': [
    ...everyRun,
    'undone',
    'guard-stopped',
    'plan-changed',
    'unknown-accepted',
    'unknown-rejected',
    'cancelled-after-change',
    'storage-down',
    'continued',
    'controls-paused-under-lock',
    'controls-abort-at-unknown',
    'controls-reset-under-lock',
    'lock-waited',
    'lock-held',
    'lock-unfrozen',
    'lock-inherited',
    'lock-leftover-undone',
    'lock-leftover-kept',
    'two-approvals',
    'signed',
    'break-glass',
    'owner-paused',
    'owner-resumed',
  ],
  rollback: [
    ...everyRun,
    'undone',
    'refused',
    'unknown-accepted',
    'unknown-rejected',
    'aborted-under-lock',
    'frozen',
    'emergency',
  ],
  'restart-workload': [
    ...everyRun,
    'refused',
    'waves',
    'second-wave-undone',
    'changed-between-waves',
    'aborted-under-lock',
  ],
  'drill-disaster-recovery': [
    'succeeded',
    'planned',
    'aborted',
    'empty',
    'damaged',
    'object-missing',
    'ended-early',
    'serves',
    'too-slow',
  ],
  'prune-backups': ['succeeded', 'planned', 'nothing', 'aborted', 'bad-input', 'location-silent'],
  backup: ['succeeded', 'hooks', 'hook-failed'],
  recover: ['succeeded', 'serves', 'planned', 'rejected', 'aborted', 'partly', 'not-found', 'nothing-to-do'],
  'verify-backup': ['succeeded'],
  'upload-evidence': ['storage-down'],
};

/** What came out for each history of a folder; undefined means that it replays. */
function replayAll(histories: string): Map<string, string | undefined> {
  const { stdout } = spawnSync(process.execPath, [join(root, 'scripts', 'replay.ts'), histories], {
    encoding: 'utf8',
  });
  const lines = stdout
    .trim()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as { file: string; error?: string });
  return new Map(lines.map(({ file, error }) => [file, error]));
}

describe('runs recorded with earlier code replay with this code', () => {
  let results: Map<string, string | undefined>;
  beforeAll(() => {
    results = replayAll(folder);
  }, 60_000);

  test.each(Object.entries(paths))('there is a history of every path of %s', (procedure, all) => {
    expect(files).toEqual(expect.arrayContaining(all.map((path) => `${procedure}-${path}.json`)));
  });

  test.each(files)('%s', (file) => {
    expect(results.has(file)).toBe(true);
    expect(results.get(file)).toBeUndefined();
  });

  test('a history that this code would not have made is refused', () => {
    const altered = mkdtempSync(join(tmpdir(), 'runbook-replay-'));
    const history = readFileSync(join(folder, 'rolling-update-rejected.json'), 'utf8');
    writeFileSync(
      join(altered, 'altered.json'),
      history.replaceAll('"planRollingUpdate"', '"planSomethingElse"'),
    );
    const refused = replayAll(altered);
    rmSync(altered, { recursive: true });
    expect(refused.get('altered.json')).toMatch(/^DeterminismViolationError/);
  }, 60_000);
});
