import { describe, expect, jest, test } from '@jest/globals';
import { openManifest, readPart } from '../../../../src/activities/backups/open-backup.ts';
import { commitBackup } from '../../../../src/activities/backups/commit.ts';
import { transfer } from '../../../../src/activities/backups/transfer.ts';
import { entriesByPart } from '../../../../src/activities/backups/verify.ts';
import { KubernetesError } from '../../../../src/clients/kubernetes/errors.ts';
import { parseLossless, stringifyLossless } from '../../../../src/clients/kubernetes/lossless-json.ts';
import type { KubernetesObject } from '../../../../src/contracts/kubernetes.ts';
import { failureOf } from '../../support/run-activity.ts';
import {
  aContent,
  aKind,
  aPlace,
  configMap,
  listingGateway,
  MemoryStore,
  signal,
  type Pages,
} from './memory.ts';

// Seventy megabytes, and keys made anew in every test.
jest.setTimeout(60_000);

const names = { recipients: [], signer: 'C'.repeat(40) };
const configMaps = aKind('configmaps', 'ConfigMap');
const expired = new KubernetesError({ operation: 'LIST', status: 410, reason: 'Expired', retryable: false });

type Place = Awaited<ReturnType<typeof aPlace>>;

async function run(
  { place }: Place,
  pagesOf: (plural: string, time: number) => Pages,
  change: { kinds?: (typeof configMaps)[]; attempt?: number } = {},
): ReturnType<typeof transfer> {
  const request = {
    namespace: 'shop',
    exclude: [],
    snapshot: { resourceVersion: '41' },
    kinds: [configMaps],
    number: 0,
    attempt: 1,
    ...change,
  };
  return await transfer(listingGateway(pagesOf), place, request, signal, () => undefined);
}

/** Every object of a transfer, read back from the store. */
async function readAll(
  place: Place,
  transferred: Awaited<ReturnType<typeof transfer>>,
): Promise<KubernetesObject[]> {
  await commitBackup(place.place, names, [], { ...aContent(), transferred: [transferred] }, signal);
  const { target, backupId } = place.place;
  const opened = await openManifest(place.store, target, backupId, place.opening.signers, signal);
  const byPart = await entriesByPart(place.store, opened, place.opening, signal);
  const objects: KubernetesObject[] = [];
  for (const part of opened.manifest.parts)
    for await (const { object } of readPart(
      place.store,
      opened,
      part,
      byPart.get(part.name) ?? new Map(),
      place.opening,
      signal,
    ))
      objects.push(object);
  return objects;
}

describe('a transfer', () => {
  test('spreads a large kind over several parts of at most 8 MiB', async () => {
    const place = await aPlace();
    const large = Array.from({ length: 70 }, (_, index) =>
      configMap(`large-${index}`, { key: `${index}`.padEnd(1024 * 1024, 'x') }),
    );
    const transferred = await run(place, () => [large.slice(0, 35), large.slice(35)]);
    expect(transferred.parts.length).toBe(10);
    for (const { plainBytes } of transferred.parts) expect(plainBytes).toBeLessThanOrEqual(8 * 1024 * 1024);
    expect(await readAll(place, transferred)).toHaveLength(70);
  });

  test('puts small kinds together into one part', async () => {
    const place = await aPlace();
    const kinds = [configMaps, aKind('secrets', 'Secret')];
    const transferred = await run(place, () => [[configMap('one')]], { kinds });
    expect(transferred.parts).toMatchObject([{ objects: 2, kinds: ['configmaps', 'secrets'] }]);
    expect(transferred.indexes).toMatchObject([{ entries: 2 }]);
  });

  test('of nothing stores nothing', async () => {
    const place = await aPlace();
    expect(await run(place, () => [[]])).toMatchObject({ parts: [], indexes: [], missing: [] });
    expect(place.store.files.size).toBe(0);
  });

  test('keeps integers of 64 bits, odd keys and deep values', async () => {
    const place = await aPlace();
    const text =
      '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"odd","namespace":"shop"},"spec":{"big":9007199254740993,"negative":-9223372036854775808,"__proto__":{"a":null},"list":[[],{}]}}';
    const transferred = await run(place, () => [[parseLossless(text) as unknown as KubernetesObject]]);
    const [object] = await readAll(place, transferred);
    expect(stringifyLossless(object)).toContain('"big":9007199254740993');
    expect(stringifyLossless(object)).toContain('"negative":-9223372036854775808');
    expect(stringifyLossless(object)).toContain('"__proto__":{"a":null}');
  });

  test('that loses the state in the middle of a kind stores no half of it', async () => {
    const place = await aPlace();
    // The first list ends in the middle. The second one says at once that the state is gone; then the newest is read.
    const transferred = await run(place, (_, time) =>
      time === 1 ? [[configMap('old')], expired] : [[configMap('new-1')], [configMap('new-2')]],
    );
    expect(transferred.kinds).toMatchObject([
      { objects: 2, consistency: expect.stringMatching(/snapshot|own/) as unknown },
    ]);
    const objects = await readAll(place, transferred);
    expect(objects.map(({ metadata }) => metadata.name)).toEqual(['new-1', 'new-2']);
  });

  test('under a name that is taken writes beside it and touches nothing', async () => {
    const place = await aPlace();
    const taken = 'backups/shop/20260301-030000-0a1b2c3d/parts/0000-configmaps-1.tar.gz.gpg';
    place.store.files.set(taken, Buffer.from('of an earlier attempt'));
    const { parts } = await run(place, () => [[configMap('a')]]);
    expect(parts.map(({ name }) => name)).toEqual(['parts/0000-configmaps-2.tar.gz.gpg']);
    expect(Buffer.from(place.store.files.get(taken)!).toString()).toBe('of an earlier attempt');
  });

  test('writes the same bytes to every location', async () => {
    const place = await aPlace();
    const second = new MemoryStore('second');
    place.place.stores.push(second);
    await run(place, () => [[configMap('a')]]);
    expect([...second.files]).toEqual([...place.store.files]);
  });

  test.each([401, 403])('into a store that refuses with %i is not tried again', async (httpStatusCode) => {
    const place = await aPlace();
    const refusal = { name: 'AccessDenied', $metadata: { httpStatusCode } };
    place.store.putOnce = () => Promise.reject(Object.assign(new Error('with details'), refusal));
    const failure = await failureOf(run(place, () => [[configMap('a')]]));
    expect(failure).toMatchObject({ type: 'StorageRefused', nonRetryable: true });
    expect(failure.message).toMatch(/default: AccessDenied$/);
  });

  test('into a store that is away fails with the name of the fault alone', async () => {
    const place = await aPlace();
    place.store.putOnce = () =>
      Promise.reject(Object.assign(new Error('with details'), { name: 'SlowDown' }));
    const failure = await failureOf(run(place, () => [[configMap('a')]]));
    expect(failure).toMatchObject({ type: 'StorageUnavailable' });
    expect(failure.message).toMatch(/default: SlowDown$/);
  });
});

describe('committing', () => {
  test('twice is committing once', async () => {
    const place = await aPlace();
    const transferred = [await run(place, () => [[configMap('a')]])];
    // The second attempt is made by a worker that reaches the API server by another address.
    const commit = (completedAt: string, server: string): ReturnType<typeof commitBackup> =>
      commitBackup(
        place.place,
        names,
        place.opening.signers,
        { ...aContent(), transferred, completedAt, server },
        signal,
      );
    const first = await commit('2026-03-01T03:00:05.000Z', 'https://10.0.0.1');
    const bytes = place.store.files.get('backups/shop/20260301-030000-0a1b2c3d/manifest.asc');
    const second = await commit('2026-03-01T03:00:09.000Z', 'https://kubernetes.default.svc');
    expect(second.objects).toBe(first.objects);
    expect(place.store.files.get('backups/shop/20260301-030000-0a1b2c3d/manifest.asc')).toBe(bytes);
  });

  test('over a manifest with other parts is refused', async () => {
    const place = await aPlace();
    const commit = async (attempt: number): Promise<unknown> => {
      const transferred = [await run(place, () => [[configMap('a')]], { attempt })];
      return await commitBackup(
        place.place,
        names,
        place.opening.signers,
        { ...aContent(), transferred },
        signal,
      );
    };
    await commit(1);
    expect(await failureOf(commit(2))).toMatchObject({ type: 'BackupRefused' });
  });
});
