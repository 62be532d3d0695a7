import { describe, expect, test } from '@jest/globals';
import type { Outcome, Proof, RunRecord } from '../../src/contracts/run.ts';
import { headline, renderReport, type EndState } from '../../src/domain/report.ts';
import { aChange, aGate, aRecord, at, hostileTexts } from '../support/builders.ts';

function anEnd(change: Partial<EndState> = {}): EndState {
  return {
    outcome: 'succeeded',
    target: 'shop',
    what: 'Rolled out: 3 of 3 replicas',
    proofs: [],
    error: undefined,
    errorType: undefined,
    changed: true,
    drift: [],
    kept: [],
    left: undefined,
    breakGlass: undefined,
    followUps: [],
    ...change,
  };
}

const proof = (verdict: Proof['verdict']): Proof => ({
  name: 'health',
  verdict,
  evidence: ['3 of 3 pods answered'],
});

describe('the first line says what happened', () => {
  test.each<[Outcome, string]>([
    ['succeeded', 'Rolled out: 3 of 3 replicas.'],
    ['planned', 'Planned only; nothing was changed.'],
    ['rejected', 'Rejected; nothing was changed. Ada said no.'],
    ['timedOut', 'Nobody approved before the deadline; nothing was changed. Ada said no.'],
    ['aborted', 'Aborted; nothing was changed. Ada said no.'],
    ['undone', 'The change failed and was undone. Ada said no.'],
    ['undoFailed', 'The change failed, and undoing it failed too. Ada said no.'],
    ['failed', 'Failed; nothing was changed. Ada said no.'],
  ])('%s', (outcome, line) => {
    expect(headline(anEnd({ outcome, error: 'Ada said no' }))[0]).toBe(line);
  });

  test('with one full stop, whether the error has one or not', () => {
    expect(headline(anEnd({ outcome: 'failed', error: 'No.' }))[0]).toBe('Failed; nothing was changed. No.');
    expect(headline(anEnd({ outcome: 'failed' }))[0]).toBe('Failed; nothing was changed.');
  });
});

describe('the second line says whether the service is healthy', () => {
  test.each<[string, Partial<EndState>, string]>([
    ['untouched', { changed: false }, 'This run did not touch the service and did not check its health.'],
    ['no proof', {}, 'Whether the service is healthy now is unknown.'],
    ['a pass', { proofs: [proof('pass')] }, 'The service is healthy now: 3 of 3 pods answered.'],
    ['a fail', { proofs: [proof('fail')] }, 'The service is NOT healthy now: 3 of 3 pods answered.'],
    [
      'unknown',
      { proofs: [proof('unknown')] },
      'Whether the service is healthy now is unknown: 3 of 3 pods answered.',
    ],
    [
      'the last proof counts',
      { proofs: [proof('fail'), proof('pass')] },
      'The service is healthy now: 3 of 3 pods answered.',
    ],
    ['no evidence', { proofs: [{ ...proof('pass'), evidence: [] }] }, 'The service is healthy now: health.'],
  ])('%s', (_case, change, line) => {
    expect(headline(anEnd(change))[1]).toBe(line);
  });
});

describe('the third line says what the reader must do', () => {
  const toDo = (change: Partial<EndState>): string => headline(anEnd(change))[2];

  test('nothing, after a success that was proven', () => {
    expect(toDo({ proofs: [proof('pass')] })).toBe('Nothing to do.');
  });

  test('watch, after a success that someone accepted without a proof', () => {
    expect(toDo({ proofs: [proof('unknown')] })).toBe('Watch the service.');
  });

  test('nothing urgent, after an undo that was proven', () => {
    expect(
      toDo({ outcome: 'undone', proofs: [proof('fail'), proof('pass')], errorType: 'ProofFailed' }),
    ).toBe('Nothing is urgent. Read what the proof found before the next try.');
  });

  test.each<[string, Proof[]]>([
    ['failed', [proof('fail')]],
    ['is unknown', [proof('unknown')]],
    ['is missing', []],
  ])('act now, after an undo whose proof %s: it once said that nothing was urgent', (_case, proofs) => {
    expect(toDo({ outcome: 'undone', proofs })).toMatch(
      /^Act now: look at shop, which is not proven healthy/,
    );
  });

  test('act now, after an undo that failed, even when something drifted as well', () => {
    const line = toDo({ outcome: 'undoFailed', drift: ['spec/a'] });
    expect(line).toMatch(/^Act now: look at shop/);
    expect(line).toContain('Look at what someone else changed meanwhile and was left: spec/a.');
    expect(toDo({ outcome: 'undoFailed', target: undefined })).toContain('look at the target');
  });

  test.each([
    [5, 'p4.'],
    [6, 'p4 and 1 more.'],
  ])('of %d drifted paths five are named', (count, end) => {
    const drift = Array.from({ length: count }, (_, index) => `p${index}`);
    expect(toDo({ outcome: 'undone', drift }).endsWith(end)).toBe(true);
  });

  test.each<[Outcome, string]>([
    ['planned', 'Start again without dryRun to make the change.'],
    ['rejected', 'Nothing to do.'],
    ['aborted', 'Nothing to do.'],
    ['timedOut', 'Start again when someone can approve.'],
  ])('%s', (outcome, line) => {
    expect(toDo({ outcome })).toBe(line);
  });

  test.each([
    ['Forbidden', 'Give the worker the permission that the message names.'],
    ['constructor', 'Read the error.'],
    ['Whatever', 'Read the error.'],
    [undefined, 'Read the error.'],
  ])('the advice for %s', (errorType, line) => {
    expect(toDo({ outcome: 'failed', errorType })).toBe(line);
  });
});

describe('the page', () => {
  const full: RunRecord = aRecord({
    outcome: 'undone',
    requestedBy: 'Ada',
    reason: 'CVE',
    plan: { hash: 'h'.repeat(64), changes: [aChange()], summary: ['web:1 → web:2'], findings: [] },
    steps: [{ name: 'Plan the change', state: 'done', startedAt: at(0), endedAt: at(1), note: '1 value' }],
    decisions: [
      {
        at: at(2),
        via: 'update',
        accepted: true,
        note: 'answers gate "gate-1"',
        decision: { decision: 'approve', gate: aGate().id, planHash: 'h', approver: 'Grace', reason: 'go' },
      },
      { at: at(3), via: 'signal', accepted: false, note: 'too late' },
    ],
    ignoredDecisions: 7,
    proofs: [{ ...proof('fail'), evidence: ['one', 'two'] }],
    undo: [
      { name: 'Put back', state: 'done', note: 'done', drift: ['spec/a', 'spec/b'] },
      { name: 'Put back more', state: 'failed', note: 'no', drift: [] },
    ],
  });

  test('begins with what happened, the health, and what to do', () => {
    expect(renderReport(full).split('\n').slice(0, 7)).toEqual([
      '# rollingUpdate: undone',
      '',
      '**Rolled out.**',
      '',
      '**The service is healthy now.**',
      '',
      '**Nothing to do.**',
    ]);
  });

  test('holds everything that the record holds', () => {
    const page = renderReport(full);
    for (const part of [
      '| target | shop |',
      '| requested by | Ada |',
      '| reason | CVE |',
      '| plan hash | hhhh',
      '## Plan\n\n- web:1 → web:2',
      '| Plan the change | done |',
      'by update, accepted: approve by Grace (declared identity): go. answers gate "gate-1"',
      'by signal, ignored: too late',
      '- and 7 more that were ignored',
      '- ✗ fail: health: one; two',
      '- ✓ Put back: done; drift left: spec/a, spec/b',
      '- ✗ Put back more: no',
    ])
      expect(page).toContain(part);
  });

  test('says who asked is unknown, and leaves out what is not there', () => {
    const page = renderReport(aRecord());
    expect(page).toContain('| requested by | unknown |');
    for (const absent of ['reason', 'plan hash', '## ']) expect(page).not.toContain(absent);
  });

  test.each(hostileTexts.slice(0, -1).map((text) => [text.slice(0, 20), text]))(
    '%j cannot format it',
    (_name, text) => {
      const page = renderReport({
        ...full,
        headline: [text, text, text],
        target: text,
        requestedBy: text,
        reason: text,
        steps: [{ name: text, state: 'failed', startedAt: at(0), note: text }],
        decisions: [{ at: at(0), via: 'signal', accepted: false, note: text }],
        proofs: [{ name: text, verdict: 'fail', evidence: [text] }],
        undo: [{ name: text, state: 'failed', note: text, drift: [text] }],
      });
      expect(page).not.toMatch(/(?<!\\)[<{[`]/);
      expect(page).not.toMatch(/[^\P{Cc}\n]/u);
      const cells = (page.match(/^\| (target|reason) .*$/gm) ?? []).map(
        (row) => row.split(/(?<!\\)\|/).length,
      );
      expect(cells).toEqual([4, 4]);
    },
  );
});

describe('a proof of something else than the service', () => {
  const backup: Proof = {
    ...proof('unknown'),
    about: 'backup',
    evidence: ['metrics.example could not be read'],
  };

  test('says nothing about the health of the service, and tells the reader to look', () => {
    const [, health, todo] = headline(anEnd({ changed: false, proofs: [backup] }));
    expect(health).toBe('This run did not touch the service and did not check its health.');
    expect(todo).toBe('Look at this: metrics.example could not be read.');
  });

  test('leaves the proof of the service in its place', () => {
    const proofs = [proof('pass'), { ...backup, verdict: 'pass' as const }];
    expect(headline(anEnd({ proofs })).slice(1)).toEqual([
      'The service is healthy now: 3 of 3 pods answered.',
      'Nothing to do.',
    ]);
  });
});
