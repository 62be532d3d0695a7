import { describe, expect, test } from '@jest/globals';
import type { KubernetesObject } from '../../src/contracts/kubernetes.ts';
import { lockAnnotations, type Freeze, type Holder, type Leftover } from '../../src/contracts/lock.ts';
import {
  describeFreeze,
  describeHolder,
  describeLeftover,
  judgeLock,
  leaseName,
  readLease,
  sameRun,
  updatedLease,
  type LockContent,
  type LockSituation,
} from '../../src/domain/lock.ts';
import { at, hostileTexts, now } from '../support/builders.ts';

const me = { workflowId: 'me', firstRunId: 'me-1' };
const root = { workflowId: 'root', firstRunId: 'root-1' };

function aHolder(change: Partial<Holder> = {}): Holder {
  return {
    workflowId: 'other',
    firstRunId: 'other-1',
    procedure: 'rollingUpdate',
    since: at(-600),
    temporalNamespace: 'default',
    temporalCluster: 'cluster',
    ...change,
  };
}

const aFreeze: Freeze = { by: 'Ann', at: at(-60), reason: 'audit' };

const aLeftover: Leftover = {
  run: { workflowId: 'dead', firstRunId: 'dead-1', procedure: 'rollingUpdate' },
  step: 'Change the image',
  at: at(-300),
  planHash: 'a'.repeat(64),
  undo: [
    {
      changes: [],
      write: {
        pin: {
          apiVersion: 'apps/v1',
          kind: 'Deployment',
          namespace: 'shop',
          name: 'web',
          uid: 'uid',
          resourceVersion: '7',
        },
        operations: [],
        hasAnnotations: true,
        expected: [],
      },
      images: {},
      formerImages: { app: 'web:1' },
    },
  ],
};

/** A Lease with these annotations. */
function aLease(
  annotations: Record<string, string>,
  change: Partial<KubernetesObject> = {},
): KubernetesObject {
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: 'shop.shop', namespace: 'runbooks', uid: 'lease', resourceVersion: '5', annotations },
    ...change,
  };
}

function read(annotations: Record<string, string>): LockContent {
  return readLease(aLease(annotations));
}

describe('a lock', () => {
  const judge = (
    content: Partial<LockContent>,
    change: Partial<LockSituation> = {},
  ): ReturnType<typeof judgeLock> =>
    judgeLock({
      content: { pin: null, faults: [], ...content },
      me,
      root: undefined,
      holder: undefined,
      repair: false,
      now,
      graceSeconds: 15,
      ...change,
    });

  test('that nobody holds is free', () => {
    expect(judge({})).toEqual({ verdict: 'free', sentence: 'the target was free' });
  });

  test('that the run holds already is free for it, frozen or not', () => {
    expect(judge({ holder: aHolder(me), freeze: aFreeze }).verdict).toBe('free');
  });

  test('of another chain of runs with the same workflow id is not the own one', () => {
    const holder = aHolder({ ...me, firstRunId: 'me-2' });
    expect(judge({ holder }, { holder: { state: 'running' } }).verdict).toBe('held');
  });

  test('of a running root is inherited, frozen or not', () => {
    const change = { root, holder: { state: 'running' as const } };
    expect(judge({ holder: aHolder(root), freeze: aFreeze }, change)).toEqual({
      verdict: 'inherited',
      sentence: 'inherited from its root run root',
    });
  });

  test.each(['closed', 'unknown', 'foreign'] as const)('of a root that is %s is not inherited', (state) => {
    const { verdict } = judge({ holder: aHolder(root) }, { root, holder: { state } });
    expect(verdict).toBe({ closed: 'wait', unknown: 'held', foreign: 'refuse' }[state]);
  });

  test('of someone else is not inherited from a root', () => {
    expect(judge({ holder: aHolder() }, { root, holder: { state: 'running' } }).verdict).toBe('held');
  });

  test('that a running run holds says whose it is and at which step', () => {
    expect(judge({ holder: aHolder() }, { holder: { state: 'running', step: 'Verify health' } })).toEqual({
      verdict: 'held',
      sentence: `run other (rollingUpdate) holds the target since ${at(-600)}, now at "Verify health"`,
    });
  });

  test.each([undefined, { state: 'unknown' as const }])(
    'whose holder Temporal says nothing about (%j) is held and never taken over',
    (holder) => {
      const { verdict, sentence } = judge({ holder: aHolder({ since: at(-1e6) }) }, { holder });
      expect(verdict).toBe('held');
      expect(sentence).toMatch(/Temporal does not say whether it still runs$/);
    },
  );

  test('of another Temporal is refused and names where to ask and how to free it', () => {
    const verdict = judge(
      { holder: aHolder({ temporalNamespace: 'elsewhere' }) },
      { holder: { state: 'foreign' } },
    );
    expect(verdict.verdict).toBe('refuse');
    expect(verdict.sentence).toMatch(/namespace elsewhere.*runbook unlock/);
  });

  test('that cannot be read is refused for everyone, the holder, a child and a repair included', () => {
    const faults = ['annotation x of Lease y'];
    expect(judge({ faults, holder: aHolder(me) }, { repair: true })).toEqual({
      verdict: 'refuse',
      sentence:
        'annotation x of Lease y cannot be read; look at it with kubectl, then remove it with: runbook unlock',
    });
    expect(judge({ faults, holder: aHolder(root) }, { root, holder: { state: 'running' } }).verdict).toBe(
      'refuse',
    );
  });

  test('that is frozen stops a run, and not a repair', () => {
    expect(judge({ freeze: aFreeze })).toEqual({
      verdict: 'frozen',
      sentence: `frozen by Ann since ${at(-60)}: audit`,
    });
    expect(judge({ freeze: aFreeze }, { repair: true }).verdict).toBe('free');
  });

  test('that is frozen and held stops a repair by its holder only', () => {
    const content = { freeze: aFreeze, holder: aHolder() };
    const holder = { state: 'running' as const };
    expect(judge(content, { holder }).verdict).toBe('frozen');
    expect(judge(content, { holder, repair: true }).verdict).toBe('held');
  });

  test.each([
    { name: 'under the grace and the clock skew', closedAt: 44.999, verdict: 'wait' },
    { name: 'exactly the grace and the clock skew', closedAt: 45, verdict: 'takeOver' },
    { name: 'over them', closedAt: 45.001, verdict: 'takeOver' },
    { name: 'in the future of this clock', closedAt: -60, verdict: 'wait' },
  ])('whose holder closed $name ago, by the clock of Temporal: $verdict', ({ closedAt, verdict }) => {
    const holder = { state: 'closed' as const, closedAt: now - closedAt * 1000 };
    expect(judge({ holder: aHolder() }, { holder }).verdict).toBe(verdict);
  });

  test.each([
    { name: 'under', seen: 14.999, verdict: 'wait' },
    { name: 'exactly', seen: 15, verdict: 'takeOver' },
    { name: 'over', seen: 15.001, verdict: 'takeOver' },
    { name: 'not yet', seen: undefined, verdict: 'wait' },
  ])('whose holder was seen closed for $name the grace: $verdict', ({ seen, verdict }) => {
    const firstSeenClosed = seen === undefined ? {} : { firstSeenClosed: now - seen * 1000 };
    const judged = judge({ holder: aHolder() }, { holder: { state: 'closed', ...firstSeenClosed } });
    expect(judged.verdict).toBe(verdict);
    if (judged.verdict === 'wait') expect(judged.until).toBe(now + (15 - (seen ?? 0)) * 1000);
    else expect(judged.sentence).toMatch(/^taken over from other \(rollingUpdate\)/);
  });

  test('of a closed holder that is frozen is not taken over', () => {
    const holder = { state: 'closed' as const, closedAt: now - 1e9 };
    expect(judge({ holder: aHolder(), freeze: aFreeze }, { holder }).verdict).toBe('frozen');
    expect(judge({ holder: aHolder(), freeze: aFreeze }, { holder, repair: true }).verdict).toBe('takeOver');
  });
});

describe('reading a Lease', () => {
  test('that does not exist gives a pin that only a creation fits', () => {
    expect(readLease(undefined)).toEqual({ pin: null, faults: [] });
  });

  test('without annotations is a free lock at its version', () => {
    const bare = aLease({});
    delete bare.metadata.annotations;
    expect(readLease(bare)).toEqual({ pin: { uid: 'lease', resourceVersion: '5' }, faults: [] });
  });

  test('gives back what was written', () => {
    const written = updatedLease(
      aLease({}),
      'shop.shop',
      { holder: aHolder(), freeze: aFreeze, leftover: aLeftover },
      at(0),
    );
    expect(readLease(written)).toEqual({
      pin: { uid: 'lease', resourceVersion: '5' },
      faults: [],
      holder: aHolder(),
      freeze: aFreeze,
      leftover: aLeftover,
    });
  });

  const junk = [
    '',
    '{',
    'null',
    '7',
    '"text"',
    '[]',
    '{}',
    '{"__proto__":{"workflowId":"x"}}',
    ...hostileTexts,
  ];

  test.each(junk.map((text) => [text.slice(0, 40), text]))(
    'never takes junk (%j) for a holder or a half-done change: it names the annotation',
    (_, text) => {
      for (const key of ['holder', 'leftover'] as const) {
        const content = read({ [lockAnnotations[key]]: text });
        expect(content[key]).toBeUndefined();
        expect(content.faults).toEqual([`annotation runbook/${key} of Lease runbooks/shop.shop`]);
      }
    },
  );

  test.each(junk.map((text) => [text.slice(0, 40), text]))(
    'takes anything in the freeze (%j) for a freeze, in a short sentence',
    (_, text) => {
      const { freeze, faults } = read({ [lockAnnotations.freeze]: text });
      expect(faults).toEqual([]);
      expect(freeze?.by).toBe('someone, by hand');
      expect(describeFreeze(freeze!).length).toBeLessThan(400);
    },
  );

  test('shows the words of a freeze that someone typed with kubectl', () => {
    const { freeze } = read({ [lockAnnotations.freeze]: 'migration until Friday' });
    expect(describeFreeze(freeze!)).toBe(
      'frozen by someone, by hand since an unknown time: migration until Friday',
    );
  });

  test.each([
    ['a number for a name', { workflowId: 7 }],
    ['an empty name', { firstRunId: '' }],
    ['a name of a million characters', { workflowId: 'x'.repeat(1_000_000) }],
    ['no Temporal', { temporalNamespace: undefined }],
  ])('refuses a holder with %s', (_, change) => {
    const { holder, faults } = read({
      [lockAnnotations.holder]: JSON.stringify({ ...aHolder(), ...change }),
    });
    expect(holder).toBeUndefined();
    expect(faults).toHaveLength(1);
  });

  test.each([
    ['a pin without version', { undo: [{ ...aLeftover.undo[0], write: { pin: { kind: 'Deployment' } } }] }],
    ['no list of objects', { undo: {} }],
    ['a run without a name', { run: {} }],
  ])('refuses a half-done change with %s', (_, change) => {
    const { leftover, faults } = read({
      [lockAnnotations.leftover]: JSON.stringify({ ...aLeftover, ...change }),
    });
    expect(leftover).toBeUndefined();
    expect(faults).toHaveLength(1);
  });

  test('is not fooled by prototype keys, and none reaches a prototype', () => {
    const text = JSON.stringify(aHolder()).replace('{', '{"__proto__":{"polluted":true},"constructor":1,');
    const { holder, faults } = read({ [lockAnnotations.holder]: text, __proto__: 'x', constructor: 'y' });
    expect(faults).toEqual([]);
    expect(holder).toEqual(aHolder());
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  test('a faulty holder does not hide the freeze', () => {
    const content = read({ [lockAnnotations.holder]: 'junk', [lockAnnotations.freeze]: 'stop' });
    expect(content.faults).toHaveLength(1);
    expect(content.freeze).toBeDefined();
  });
});

describe('updating a Lease', () => {
  test('a new one has everything that the API server asks for', () => {
    expect(updatedLease(undefined, 'shop.shop', { holder: aHolder() }, at(0))).toEqual({
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: {
        name: 'shop.shop',
        namespace: 'runbooks',
        annotations: { [lockAnnotations.holder]: JSON.stringify(aHolder()) },
      },
      spec: {
        holderIdentity: 'other/other-1',
        acquireTime: '2026-03-01T03:00:00.000000Z',
        renewTime: '2026-03-01T03:00:00.000000Z',
        leaseTransitions: 1,
      },
    });
  });

  test('keeps foreign annotations, labels and fields, and its own version as the pin', () => {
    const metadata = {
      ...aLease({ 'someone/else': 'x', [lockAnnotations.freeze]: 'typed' }).metadata,
      labels: { a: 'b' },
    };
    const spec = { leaseDurationSeconds: 30 };
    const updated = updatedLease(aLease({}, { metadata, spec }), 'shop.shop', { holder: aHolder() }, at(0));
    expect(updated.metadata).toMatchObject({
      labels: { a: 'b' },
      resourceVersion: '5',
      uid: 'lease',
      annotations: { 'someone/else': 'x', [lockAnnotations.freeze]: 'typed' },
    });
    expect(updated.spec).toMatchObject({ leaseDurationSeconds: 30 });
  });

  test('counts a transition per holder, and none for the same one again', () => {
    const first = updatedLease(undefined, 'l', { holder: aHolder() }, at(0));
    const again = updatedLease(first, 'l', { holder: aHolder() }, at(9));
    const next = updatedLease(again, 'l', { holder: aHolder(me) }, at(20));
    expect(again.spec).toMatchObject({
      leaseTransitions: 1,
      acquireTime: '2026-03-01T03:00:00.000000Z',
      renewTime: '2026-03-01T03:00:09.000000Z',
    });
    expect(next.spec).toMatchObject({
      leaseTransitions: 2,
      holderIdentity: 'me/me-1',
      acquireTime: '2026-03-01T03:00:20.000000Z',
    });
  });

  test('counts from one when someone wrote nonsense into the counter', () => {
    const lease = aLease({}, { spec: { leaseTransitions: 'many' } });
    expect(updatedLease(lease, 'l', { holder: aHolder() }, at(0)).spec).toMatchObject({
      leaseTransitions: 1,
    });
  });

  test('a release removes the holder from annotation and spec, and keeps the count', () => {
    const held = updatedLease(undefined, 'l', { holder: aHolder(), leftover: aLeftover }, at(0));
    const released = updatedLease(held, 'l', { holder: null, leftover: null }, at(5));
    expect(released.metadata.annotations).toEqual({});
    expect(released.spec).toEqual({ leaseTransitions: 1, renewTime: '2026-03-01T03:00:05.000000Z' });
  });

  test('without a change still changes something: only a write makes a late one stale', () => {
    const before = updatedLease(undefined, 'l', {}, at(0));
    expect(updatedLease(before, 'l', {}, at(1))).not.toEqual(before);
    expect(updatedLease(before, 'l', {}, at(0))).not.toEqual(before);
  });

  test('does not touch the Lease that it was given', () => {
    const before = updatedLease(undefined, 'l', { holder: aHolder() }, at(0));
    const copy = structuredClone(before);
    updatedLease(before, 'l', { holder: null, freeze: aFreeze }, at(1));
    expect(before).toEqual(copy);
  });
});

describe('names and sentences', () => {
  test('two targets of one name in two namespaces have two locks', () => {
    expect(leaseName({ target: 'shop', namespace: 'a' })).toBe('shop.a');
    expect(leaseName({ target: 'shop', namespace: 'b' })).toBe('shop.b');
  });

  test('no one is not the same run as no one', () => {
    expect(sameRun(undefined, undefined)).toBe(false);
    expect(sameRun(me, { ...me })).toBe(true);
    expect(sameRun(me, { ...me, firstRunId: 'later' })).toBe(false);
  });

  test('a half-done change names the run, the step, the time and every object', () => {
    expect(describeLeftover(aLeftover)).toBe(
      `run dead (rollingUpdate) began "Change the image" at ${at(-300)} and ended without proving or undoing it; it changed Deployment shop/web`,
    );
  });

  test.each(hostileTexts.map((text) => [text.slice(0, 40), text]))(
    'stay short and on one line whatever stands in the Lease (%j)',
    (_, text) => {
      const run = { ...aLeftover.run, workflowId: text, procedure: text };
      const sentences = [
        describeHolder(aHolder({ workflowId: text, procedure: text, since: text }), text),
        describeFreeze({ by: text, at: text, reason: text }),
        describeLeftover({ ...aLeftover, run, step: text, at: text }),
      ];
      for (const sentence of sentences) {
        expect(sentence.length).toBeLessThan(1200);
        expect(sentence).not.toMatch(/[\p{Cc}\p{Zl}]/u);
      }
    },
  );
});
