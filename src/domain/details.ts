import type { RunDescription, StepRecord, StepState } from '../contracts/run.ts';
import { exampleFor } from './decisions.ts';
import { code, escapeMarkdown } from './markdown.ts';
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
  if (waitingFor !== undefined) {
    lines.push(
      `**Waits for a decision** until ${waitingFor.deadline}: ${short(waitingFor.question, 1000)}`,
      '',
      'More Actions → *Send an Update* → `decide`, with your name in it:',
      '',
      '```json',
      pretty(exampleFor(waitingFor)),
      '```',
      '',
      'or More Actions → *Send a Signal* → `approve` (or `reject`):',
      '',
      '```json',
      pretty(exampleFor(waitingFor, 'approve')),
      '```',
      '',
    );
  }
  lines.push('| | step | |', '|---|:--|:--|', ...description.steps.slice(-mostSteps).map(stepRow), '');
  if (plan !== undefined)
    lines.push('Plan:', '', ...plan.summary.slice(0, 20).map((line) => `- ${short(line, 300)}`));
  return lines.join('\n');
}

/** Keeps a name in one line, where the UI would wrap it to widen the notes. */
function unbroken(text: string): string {
  return text.replaceAll(' ', '\u00A0');
}

function stepRow(step: StepRecord): string {
  return `| ${marks[step.state]} | ${unbroken(escapeMarkdown(step.name))} | ${short(step.note ?? '', 300)} |`;
}

/** One field a line: a long line would run out of the UI's panel. */
function pretty(json: string): string {
  return JSON.stringify(JSON.parse(json), null, 2);
}

function short(text: string, most: number): string {
  return escapeMarkdown(excerpt(text, most));
}
