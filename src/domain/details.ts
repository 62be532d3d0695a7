import type { RunDescription, StepRecord, StepState } from '../contracts/run.ts';
import { exampleFor } from './decisions.ts';
import { code, escapeMarkdown } from './markdown.ts';

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
      `**Waits for a decision** until ${waitingFor.deadline}: ${escapeMarkdown(waitingFor.question)}`,
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
  lines.push('| | step | |', '|---|---|---|', ...description.steps.map(stepRow), '');
  if (plan !== undefined)
    lines.push('Plan:', '', ...plan.summary.slice(0, 20).map((line) => `- ${escapeMarkdown(line)}`));
  return lines.join('\n');
}

function stepRow(step: StepRecord): string {
  return `| ${marks[step.state]} | ${escapeMarkdown(step.name)} | ${escapeMarkdown(step.note ?? '')} |`;
}
