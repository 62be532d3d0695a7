import { describe, expect, test } from '@jest/globals';
import type { RunDescription } from '../../src/contracts/run.ts';
import { exampleFor } from '../../src/domain/decisions.ts';
import { renderDetails } from '../../src/domain/details.ts';
import { signingCommand } from '../../src/domain/statement.ts';
import { aGate, at, hostileTexts } from '../support/builders.ts';

function aDescription(change: Partial<RunDescription> = {}): RunDescription {
  return {
    run: { workflowId: 'web/1', firstRunId: 'run-1', procedure: 'rollingUpdate' },
    target: 'shop',
    steps: [
      { name: 'Check the request', state: 'done', startedAt: at(0), endedAt: at(1), note: 'all well' },
      { name: 'Plan the change', state: 'running', startedAt: at(1) },
    ],
    decisions: [],
    controls: [],
    ...change,
  };
}

describe('the details of a run', () => {
  test('name procedure, target and steps', () => {
    expect(renderDetails(aDescription())).toBe(
      [
        '**rollingUpdate** on `shop`',
        '',
        '| | step | |',
        '|---|:--|:--|',
        '| ✓ | Check\u00A0the\u00A0request | all well |',
        '| ▶ | Plan\u00A0the\u00A0change |  |',
        '',
      ].join('\n'),
    );
  });

  test('are there before anything is known', () => {
    const { target: _target, ...nothing } = aDescription({ steps: [] });
    expect(renderDetails(nothing)).toContain('**rollingUpdate** on `…`');
  });

  test('at a gate show until when, and exactly what to paste', () => {
    const gate = aGate();
    const text = renderDetails(aDescription({ waitingFor: gate }));
    expect(text).toContain(`**Waits for a decision** until ${gate.deadline}: Roll out these images?`);
    const blocks = [...text.matchAll(/```json\n(.*?)\n```/gs)].map(
      ([, json]) => JSON.parse(json!) as unknown,
    );
    expect(blocks).toEqual([JSON.parse(exampleFor(gate)), JSON.parse(exampleFor(gate, 'approve'))]);
  });

  test('at a gate show the plan before how to decide, and the steps last', () => {
    const plan = { hash: 'h', summary: ['one more pod'], findings: [] };
    for (const signed of [false, true]) {
      const text = renderDetails(aDescription({ plan, waitingFor: aGate({ signed }) }));
      const order = ['Waits for a decision', '- one more pod', '```json', '| step |'];
      const places = order.map((part) => text.indexOf(part));
      expect(places).toEqual(places.toSorted((a, b) => a - b));
      expect(places).not.toContain(-1);
    }
  });

  test('at a gate that takes signed decisions show the command as one line, and what to paste', () => {
    const gate = aGate({ signed: true, runId: 'run-1' });
    const text = renderDetails(aDescription({ waitingFor: gate }));
    const { runId, id, planHash } = gate;
    const command = signingCommand({ workflowId: 'web/1', runId, gate: id, planHash, decision: 'approve' });
    expect(text).toContain(`\n\n\`${command}\`\n\n`);
    const blocks = [...text.matchAll(/```json\n(.*?)\n```/gs)].map(
      ([, json]) => JSON.parse(json!) as unknown,
    );
    expect(blocks).toEqual([JSON.parse(exampleFor(gate))]);
    expect(renderDetails(aDescription({ waitingFor: aGate() }))).not.toContain('gpg');
  });

  test.each([
    ['200 characters', 'w'.repeat(200), true],
    ['201 characters', 'w'.repeat(201), false],
    ['quotes', "it's `web` 🚒", true],
    ['two spaces', 'two  spaces', false],
    ['a space that is none', 'a\u00A0space', false],
  ])('show the command only where the UI leaves it as it is: an id of %s', (_what, workflowId, shown) => {
    const run = { workflowId, firstRunId: 'run-1', procedure: 'rollingUpdate' };
    const text = renderDetails(aDescription({ run, waitingFor: aGate({ signed: true }) }));
    expect(text.includes('gpg --detach-sign')).toBe(shown);
    expect(text.includes('runbook approve <workflow id> --sign')).toBe(!shown);
  });

  test('show how the run ended', () => {
    expect(renderDetails(aDescription({ outcome: 'undone' }))).toContain('Ended: **undone**');
  });

  test.each([
    [19, 19],
    [20, 20],
    [21, 20],
  ])('of a plan of %d lines show %d', (lines, shown) => {
    const summary = Array.from({ length: lines }, (_, index) => `line ${index}`);
    const text = renderDetails(aDescription({ plan: { hash: 'h', summary, findings: [] } }));
    expect(text.match(/^- line/gm)).toHaveLength(shown);
  });

  test.each([
    [30, 'step 0 '],
    [31, 'step 1 '],
  ])('of %d steps show the newest thirty', (count, first) => {
    const steps = Array.from({ length: count }, (_, index) => ({
      name: `step ${index} `,
      state: 'done' as const,
      startedAt: at(0),
    }));
    const rows = renderDetails(aDescription({ steps })).match(/^\| ✓ .*$/gm) ?? [];
    expect(rows).toHaveLength(30);
    expect(rows[0]).toContain(first.replaceAll(' ', '\u00A0'));
  });

  test.each(hostileTexts.map((text) => [text.slice(0, 20), text]))(
    '%j cannot format, and stays short',
    (_name, text) => {
      const details = renderDetails(
        aDescription({
          target: text.slice(0, 63),
          waitingFor: aGate({ question: text }),
          plan: { hash: 'h', summary: [text], findings: [] },
          steps: [{ name: 'Plan', state: 'failed', startedAt: at(0), note: text }],
        }),
      );
      expect(details.length).toBeLessThan(4000);
      const outsideCode = details.replaceAll(/```json[\s\S]*?```/g, '').replaceAll(/`+ ?.*?`+/g, '');
      expect(outsideCode).not.toMatch(/(?<!\\)[<{[]/);
      expect(details).not.toMatch(/[^\P{Cc}\n]/u);
    },
  );
});
