import type { RunDescription, StepRecord, StepState } from '../contracts/run.ts';
import { exampleFor } from './decisions.ts';
import { code, escapeMarkdown } from './markdown.ts';
import { excerpt } from './text.ts';

/** The newest steps; a run that plans again and again has many. */
const mostSteps = 30;

const marks: Record<StepState, string> = { done: '✓', running: '▶', waiting: '⏸', failed: '✗' };

/**
 * The run as Markdown for the Temporal UI's current details. The UI passes the text through a URL,
 * so it holds names and sentences only, nothing private, and stays short.
 */
export function renderDetails(description: RunDescription): string {
  const { waitingFor, plan, outcome } = description;
  const lines = [
    `**${escapeMarkdown(description.run.procedure)}** on ${code(description.target ?? '…')}`,
    '',
  ];
  if (outcome !== undefined) lines.push(`Ended: **${outcome}**`, '');
  if (waitingFor !== undefined) {
    lines.push(
      `**Waits for a decision** until ${waitingFor.deadline}: ${short(waitingFor.question, 1000)}`,
      '',
      'More Actions → *Update* → `decide`, with your name in it:',
      '',
      '```json',
      exampleFor(waitingFor),
      '```',
      '',
      'or send the signal `approve` (or `reject`):',
      '',
      '```json',
      exampleFor(waitingFor, 'approve'),
      '```',
      '',
    );
  }
  lines.push('| | step | |', '|---|---|---|', ...description.steps.slice(-mostSteps).map(stepRow), '');
  if (plan !== undefined)
    lines.push('Plan:', '', ...plan.summary.slice(0, 20).map((line) => `- ${short(line, 300)}`));
  return lines.join('\n');
}

function stepRow(step: StepRecord): string {
  return `| ${marks[step.state]} | ${escapeMarkdown(step.name)} | ${short(step.note ?? '', 300)} |`;
}

function short(text: string, most: number): string {
  return escapeMarkdown(excerpt(text, most));
}
