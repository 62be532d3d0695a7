import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { openBackupStore, type BackupStore } from '../../src/clients/backup-storage.ts';
import { backupFiles } from '../../src/contracts/backup-manifest.ts';
import type { Removal } from '../../src/contracts/prune-backups.ts';
import type { RunReport } from '../../src/contracts/run.ts';
import { waitFor } from '../../src/local/wait.ts';
import { refuse, startScriptedStore, type ScriptedStore } from '../clients/support/scripted-store.ts';
import { stack, unique } from '../support/stack.ts';
import { idAt, StoredBackups } from '../support/stored-backups.ts';
import { demoProfile, World, type TestRun } from '../support/world.ts';

const { bucket, endpoint, region } = stack().s3;
const keep = { hourly: 2, daily: 0, weekly: 0, monthly: 0 };
const ids = Array.from({ length: 5 }, (_, hour) => idAt(`2026-11-27T1${hour}:00:00Z`));
const [first, second, third] = ids as [string, string, string];

let world: World;
let backups: StoredBackups;
/** Stands for a second store, which can be made to misbehave. */
let farAway: ScriptedStore;
let near: BackupStore;
let far: BackupStore;

beforeAll(async () => {
  world = await World.create({ profiles: () => ({}) });
});

afterAll(async () => {
  await world.close();
});

beforeEach(async () => {
  farAway = await startScriptedStore();
  // It keeps no versions, and knows no multipart uploads.
  farAway.misbehave = misbehaviour(() => false);
  backups = await StoredBackups.create(unique('target'));
  const places = [
    { name: 'near', bucket, endpoint, region, prefix: unique('prefix') },
    { name: 'far', bucket: 'far-bucket', endpoint: farAway.endpoint, region, prefix: '' },
  ];
  [near, far] = places.map((place) => openBackupStore({ ...place, writeOnce: 'ifNoneMatch' })) as [
    BackupStore,
    BackupStore,
  ];
  const backup = await backups.section(world.targetsFolder, { locations: places, keep });
  world.writeProfile(backups.target, { ...demoProfile('none'), target: backups.target, backup });
});

afterEach(async () => {
  for (const store of [near, far]) store.close();
  world.removeProfile(backups.target);
  await farAway.close();
});

/** What the second store does beside what such a store cannot do at all. */
function misbehaviour(more: ScriptedStore['misbehave']): ScriptedStore['misbehave'] {
  return (request, response) => {
    const { query, method } = request;
    if (query.has('versions') || (method === 'GET' && query.has('uploads')))
      return method === 'GET' && query.has('uploads')
        ? answerNoUploads(response)
        : refuse(response, 501, 'NotImplemented');
    return more(request, response);
  };
}

function answerNoUploads(response: Parameters<ScriptedStore['misbehave']>[1]): true {
  response.writeHead(200, { 'content-type': 'application/xml' });
  response.end('<ListMultipartUploadsResult><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>');
  return true;
}

async function prune(input: Record<string, unknown> = {}): Promise<TestRun> {
  return await world.start({ target: backups.target, ...input }, undefined, 'pruneBackups');
}

async function idsIn(store: BackupStore): Promise<string[]> {
  const found: string[] = [];
  const folder = backupFiles.folder(backups.target);
  for await (const one of store.list(folder))
    if ('key' in one) found.push(one.key.slice(folder.length).split('/')[0]!);
  return [...new Set(found)];
}

const removedIn = (report: RunReport): Removal[] => (report.result as { removed: Removal[] }).removed;

async function addEverywhere(): Promise<void> {
  for (const store of [near, far]) for (const id of ids) await backups.add(store, id);
}

test('a dry run shows the fate of every backup in every location, and removes nothing', async () => {
  await addEverywhere();
  await backups.verify(near, first);
  const run = await prune({ dryRun: true });
  const { report } = await run.end();
  expect(report.outcome).toBe('planned');
  expect(report.headline).toEqual([
    'Planned only; nothing was changed.',
    'This run did not touch the service and did not check its health.',
    'Start again without dryRun to make the change.',
  ]);
  const fate = (kept: string[]): string[][] =>
    ids.toReversed().map((id) => [id, kept.includes(id) ? 'keep' : 'remove']);
  const rowsOf = (location: string): string[][] =>
    report.table!.rows.flatMap(([where = '', id = '', verdict = '', why = '']) => {
      expect(why).not.toBe('');
      return where === location ? [[id, verdict]] : [];
    });
  expect(rowsOf('near')).toEqual(fate([first, ...ids.slice(-2)]));
  expect(rowsOf('far')).toEqual(fate(ids.slice(-2)));
  for (const store of [near, far]) expect(await idsIn(store)).toEqual(ids);
  await run.saveHistory('planned');
});

test('a run removes exactly what a dry run has named, and asks nobody', async () => {
  await addEverywhere();
  const run = await prune({ reason: 'a test' });
  const { report } = await run.end();
  expect(report.outcome).toBe('succeeded');
  expect(report.headline[0]).toMatch(
    /^Removed 6 backups with 24 objects \(.*\); near: 2 stay, 3 go; far: 2 stay, 3 go\.$/,
  );
  expect(report.decisions).toEqual([]);
  expect(report.steps.map(({ name, state }) => [name, state])).toEqual([
    ['Check the request', 'done'],
    ['Decide what stays', 'done'],
    ['Remove old backups', 'done'],
    ['Remove leftovers', 'done'],
  ]);
  expect(removedIn(report)).toHaveLength(2);
  for (const store of [near, far]) expect(await idsIn(store)).toEqual(ids.slice(-2));
  await run.saveHistory('succeeded');
});

test('with nothing to remove it says so, and writes nothing', async () => {
  for (const store of [near, far]) await backups.add(store, first);
  const run = await prune();
  const { report } = await run.end();
  expect([report.outcome, report.headline[0]]).toEqual([
    'succeeded',
    'Nothing to remove: near: 1 stay; far: 1 stay.',
  ]);
  expect(farAway.seen.filter(({ method }) => method === 'DELETE')).toEqual([]);
  await run.saveHistory('nothing');
});

test('what is no good backup stays, and the report says to look at it', async () => {
  await backups.add(near, first);
  await near.putOnce(`${backupFiles.folder(backups.target)}important/data`, 'x', 'text/plain');
  const { report } = await (await prune()).end();
  expect(report.outcome).toBe('succeeded');
  expect(report.headline[2]).toMatch(/Later: look at what lies below s3:.* and is no good backup \(1\)/);
  expect(report.table?.rows).toContainEqual([
    'near',
    'important/',
    'look at it',
    'its name is not the id of a backup',
  ]);
  expect(await idsIn(near)).toContain('important');
});

describe('a location that does not answer', () => {
  test('does not keep the other from being pruned, and the run does not pass for a success', async () => {
    await addEverywhere();
    farAway.misbehave = misbehaviour((_request, response) => refuse(response, 403, 'AccessDenied'));
    const run = await prune();
    const { report, failure } = await run.end();
    expect([report.outcome, failure?.type]).toEqual(['failed', 'failed']);
    expect(report.headline[0]).toMatch(/^Failed; near: removed 3 backups/);
    expect(report.error).toMatch(/^far was not pruned: could not list .*: AccessDenied$/);
    expect(await idsIn(near)).toEqual(ids.slice(-2));
    await run.saveHistory('location-silent');

    farAway.misbehave = misbehaviour(() => false);
    expect((await (await prune()).end()).report.headline[0]).toMatch(/near: 2 stay; far: 2 stay, 3 go/);
    expect(await idsIn(far)).toEqual(ids.slice(-2));
  }, 180_000);

  test('in the middle of a backup leaves no half a backup behind, and the next run takes the rest', async () => {
    await addEverywhere();
    let deleted = 0;
    farAway.misbehave = misbehaviour(
      ({ method }, response) => method === 'DELETE' && ++deleted > 2 && refuse(response, 403, 'AccessDenied'),
    );
    const { report } = await (await prune()).end();
    expect([report.outcome, report.error]).toEqual(['failed', expect.stringContaining('AccessDenied')]);
    const left = [...farAway.objects.keys()].filter((key) => key.includes(first));
    expect(left).not.toContain(backups.keyOf(first, 'manifest.asc'));
    expect(left).toContain(backups.keyOf(first, 'run.json'));

    farAway.misbehave = misbehaviour(() => false);
    expect((await (await prune()).end()).report.headline[0]).toMatch(/far: 2 stay, 2 go/);
    expect([...farAway.objects.keys()].filter((key) => key.includes(first))).toEqual(left);
  }, 180_000);
});

test('aborted in the middle it stops there, says what is gone, and can be run again', async () => {
  await addEverywhere();
  let stopped = false;
  farAway.misbehave = misbehaviour(({ method, key }) => {
    // The second of three backups: the store takes the question and never answers.
    stopped ||= method === 'DELETE' && key.includes(second);
    return stopped;
  });
  const run = await prune();
  await waitFor(() => Promise.resolve(stopped ? true : undefined), {
    what: 'the store to be asked for the second backup',
    timeoutMilliseconds: 60_000,
  });
  await run.handle.signal('abort', { by: 'tester' });
  const { report } = await run.end();
  expect([report.outcome, report.headline[0]]).toEqual([
    // Not aborted, which would say that nothing was changed.
    'failed',
    expect.stringMatching(
      // How far the other location is by then is a matter of speed.
      /^Failed; near: removed (3 backups with 12 objects \(.*\)|nothing, had begun with 3 backups); far: removed nothing, had begun with 3 backups\. aborted by tester\.$/,
    ),
  ]);
  await run.saveHistory('aborted');
  farAway.misbehave = misbehaviour(() => false);
  expect((await (await prune()).end()).report.outcome).toBe('succeeded');
  for (const store of [near, far]) expect((await idsIn(store)).slice(-2)).toEqual(ids.slice(-2));
  expect(await idsIn(far)).not.toContain(third);
}, 180_000);

describe('a run that cannot begin', () => {
  test.each([
    ['an unknown field', { backup: 'latest' }, /unknown field "backup"/],
    ['a text for dryRun', { dryRun: 'yes' }, /dryRun: must be true or false/],
  ])('because of %s says what is wrong, with an example', async (_what, input, sentence) => {
    const { report, failure } = await (await prune(input)).end();
    expect([report.outcome, failure?.type]).toEqual(['failed', 'failed']);
    expect(report.error).toMatch(sentence);
    expect(report.error).toContain('{"dryRun":true}');
  });

  test('because the profile says nothing of backups says that', async () => {
    world.writeProfile(backups.target, { ...demoProfile('none'), target: backups.target });
    const run = await prune();
    const { report } = await run.end();
    expect([report.outcome, report.error]).toEqual(['failed', expect.stringContaining('no section backup')]);
    await run.saveHistory('bad-input');
  });
});
