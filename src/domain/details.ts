import type { Gate, RunDescription, StepRecord, StepState } from '../contracts/run.ts';
import { exampleFor } from './decisions.ts';
import { code, escapeMarkdown } from './markdown.ts';
import { signingCommand } from './statement.ts';
import { excerpt } from './text.ts';

/** The newest steps; a run that plans again and again has many. */
const mostSteps = 30;

const marks: Record<StepState, string> = { done: '✓', running: '▶', waiting: '‖', failed: '✗', unknown: '?' };

/**
 * The run as Markdown for the Temporal UI's current details. The UI passes the text through a URL,
 * so it holds names and sentences only, nothing private, and stays short.
 */
export function renderDetails(description: RunDescription): string {
  const { waitingFor, plan, outcome, paused, lock } = description;
  const lines = [
    `**${escapeMarkdown(description.run.procedure)}** on ${code(description.target ?? '…')}`,
    '',
  ];
  if (outcome !== undefined) lines.push(`Ended: **${outcome}**`, '');
  if (paused !== undefined && outcome === undefined)
    lines.push(
      `**Paused** since ${paused.since}${paused.by === undefined ? '' : ` by ${short(paused.by, 100)}`}${paused.reason === undefined ? '' : `: ${short(paused.reason, 200)}`}. Go on: signal \`resume\`; end and undo: \`abort\`.`,
      '',
    );
  if (lock !== undefined && outcome === undefined) lines.push(`Lock: ${short(lock, 300)}`, '');
  const steps = ['| | step | |', '|---|:--|:--|', ...description.steps.slice(-mostSteps).map(stepRow), ''];
  const planned =
    plan === undefined
      ? []
      : ['Plan:', '', ...plan.summary.slice(0, 20).map((line) => `- ${short(line, 300)}`), ''];
  if (waitingFor === undefined) return [...lines, ...steps, ...planned].join('\n');
  lines.push(
    `**Waits for a decision** until ${waitingFor.deadline}: ${short(waitingFor.question, 1000)}`,
    '',
    ...needs(waitingFor),
    // What people answer for comes before how they answer.
    ...planned,
    ...(waitingFor.signed ? howToSign(description.run.workflowId, waitingFor) : howToDecide(waitingFor)),
    ...steps,
  );
  return lines.join('\n');
}

function needs({ needs: missing, approvedBy }: Gate): string[] {
  const sofar =
    approvedBy.length === 0
      ? ''
      : `; approved so far by ${approvedBy.map((one) => short(one, 100)).join(', ')}`;
  return [`Needs ${short(missing, 300)}${sofar}.`, ''];
}

function howToDecide(gate: Gate): string[] {
  return [
    'More Actions → *Send an Update* → `decide`, with your name in it:',
    ...block(exampleFor(gate)),
    'or More Actions → *Send a Signal* → `approve` (or `reject`):',
    ...block(exampleFor(gate, 'approve')),
  ];
}

/**
 * Whether the command comes out of the UI as it went in. Workflow ids are chosen by whoever starts a run: a long one
 * would make the details too long for the UI, and a browser shows and copies odd spaces as single plain ones.
 */
function isCopyable(workflowId: string): boolean {
  return workflowId.length <= 200 && !/[^\S ]| {2}/.test(workflowId);
}

function howToSign(workflowId: string, gate: Gate): string[] {
  if (!isCopyable(workflowId))
    return [
      'This target takes signed decisions only: `runbook approve <workflow id> --sign <key file>`.',
      '',
    ];
  const { runId, id, planHash } = gate;
  const command = signingCommand({ workflowId, runId, gate: id, planHash, decision: 'approve' });
  return [
    'This target takes signed decisions only. Run this in a terminal, with your own key:',
    '',
    // As a paragraph it is wrapped, so that all of it can be read, and copied as the one line that it is.
    code(command),
    '',
    'Then More Actions → *Send an Update* → `decide`, with your name and what it printed:',
    ...block(exampleFor(gate)),
    'To reject, write `reject` for `approve` in both.',
    '',
  ];
}

/** Keeps a name in one line, where the UI would wrap it to widen the notes. */
function unbroken(text: string): string {
  return text.replaceAll(' ', '\u00A0');
}

function stepRow(step: StepRecord): string {
  return `| ${marks[step.state]} | ${unbroken(escapeMarkdown(step.name))} | ${short(step.note ?? '', 300)} |`;
}

/** JSON to paste, one field a line: a long line would run out of the UI's panel. */
function block(json: string): string[] {
  return ['', '```json', JSON.stringify(JSON.parse(json), null, 2), '```', ''];
}

function short(text: string, most: number): string {
  return escapeMarkdown(excerpt(text, most));
}
