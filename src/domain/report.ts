import { failures, type FailureType } from '../contracts/failures.ts';
import type { BreakGlass, Identity, Outcome, Proof, RunRecord } from '../contracts/run.ts';
import { escapeMarkdown } from './markdown.ts';
import { isAboutService } from './proofs.ts';

/** What the first three lines of a report are made from. */
export interface EndState {
  outcome: Outcome;
  target: string | undefined;
  what: string;
  proofs: Proof[];
  error: string | undefined;
  errorType: string | undefined;
  changed: boolean;
  drift: string[];
  /** What was changed and proven before the run ended early; it stays. */
  kept: string[];
  /** What was written and stays, proven or not. */
  left: string | undefined;
  breakGlass: BreakGlass | undefined;
  /** What people have to do later. */
  followUps: string[];
}

/** What happened, whether the service is healthy now, what the reader must do. */
export function headline(end: EndState): RunRecord['headline'] {
  return [`${overridden(end)}${whatHappened(end)}`, healthNow(end), whatToDo(end)];
}

/** Overridden guards come first: nobody may read past them. */
function overridden({ breakGlass }: EndState): string {
  if (breakGlass === undefined) return '';
  const { by, reason, guards } = breakGlass;
  return `BREAK-GLASS by ${by.join(', ')} (${reason}): overrode guard ${guards.join(', ')}. `;
}

function whatHappened(end: EndState): string {
  const error = end.error === undefined ? '' : ` ${sentence(end.error)}`;
  const early = ['Aborted', 'Cancelled', 'Flooded'].includes(end.errorType ?? '');
  const changed =
    end.left ??
    (end.kept.length === 0 ? 'nothing was changed' : `what was proven before stays: ${end.kept.join(', ')}`);
  switch (end.outcome) {
    case 'succeeded':
      return sentence(end.what);
    case 'planned':
      return 'Planned only; nothing was changed.';
    case 'rejected':
      return `Rejected; ${changed}.${error}`;
    case 'timedOut':
      return `Nobody approved before the deadline; ${changed}.${error}`;
    case 'aborted':
      return `Aborted; ${changed}.${error}`;
    case 'undone':
      return end.drift.length === 0
        ? `${early ? 'The run was ended early and its change was undone' : 'The change failed and was undone'}${end.kept.length === 0 ? '' : `; ${changed}`}.${error}`
        : `The change failed; this run took its own changes back and left what someone else changed meanwhile.${error}`;
    case 'undoFailed':
      return `The change failed, and undoing it failed too.${error}`;
    case 'failed':
      return `Failed; ${changed}.${error}`;
  }
}

function healthNow(end: EndState): string {
  if (!end.changed) return 'This run did not touch the service and did not check its health.';
  const last = end.proofs.findLast(isAboutService);
  if (last === undefined) return 'Whether the service is healthy now is unknown.';
  const verdicts = {
    pass: 'The service is healthy now',
    fail: 'The service is NOT healthy now',
    unknown: 'Whether the service is healthy now is unknown',
  };
  return sentence(`${verdicts[last.verdict]}: ${last.evidence[0] ?? last.name}`);
}

function whatToDo(end: EndState): string {
  const first = [whatToDoFirst(end), ...end.followUps.map((one) => `Later: ${sentence(one)}`)].join(' ');
  if (end.drift.length === 0) return first;
  const more = end.drift.length > 5 ? ` and ${end.drift.length - 5} more` : '';
  return `${first} Look at what someone else changed meanwhile and was left: ${end.drift.slice(0, 5).join(', ')}${more}.`;
}

function whatToDoFirst(end: EndState): string {
  const health = end.proofs.findLast(isAboutService)?.verdict;
  const doubt = end.proofs.find((proof) => !isAboutService(proof) && proof.verdict !== 'pass');
  switch (end.outcome) {
    case 'succeeded':
      if (doubt !== undefined) return sentence(`Look at this: ${doubt.evidence[0] ?? doubt.name}`);
      return health === 'fail' || health === 'unknown' ? 'Watch the service.' : 'Nothing to do.';
    case 'planned':
      return 'Start again without dryRun to make the change.';
    case 'rejected':
    case 'aborted':
      return 'Nothing to do.';
    case 'timedOut':
      return 'Start again when someone can approve.';
    case 'undone':
      return health === 'pass' || !end.changed
        ? `Nothing is urgent. ${advice(end)}`
        : `Act now: look at ${end.target ?? 'the target'}, which is not proven healthy. ${advice(end)}`;
    case 'undoFailed':
      return `Act now: look at ${end.target ?? 'the target'} and put it right by hand; the page of the procedure has the commands.`;
    case 'failed':
      return advice(end);
  }
}

function advice(end: EndState): string {
  const type = end.errorType ?? '';
  return Object.hasOwn(failures, type) ? failures[type as FailureType].advice : 'Read the error.';
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

/** The report as a page. Made from the record alone, so that data and page cannot say different things. */
export function renderReport(record: RunRecord): string {
  return [
    `# ${escapeMarkdown(record.run.procedure)}: ${record.outcome}`,
    '',
    ...record.headline
      .map((line) => `**${escapeMarkdown(line)}**`)
      .join('\n\n')
      .split('\n'),
    '',
    ...facts(record),
    ...planPart(record),
    ...resultPart(record),
    ...stepPart(record),
    ...decisionPart(record),
    ...controlPart(record),
    ...listPart(
      'Proofs',
      record.proofs.map(
        (proof) =>
          `${mark(proof)} ${escapeMarkdown(proof.name)}: ${proof.evidence.map(escapeMarkdown).join('; ')}`,
      ),
    ),
    ...tablePart(record),
    ...listPart(
      'Undo',
      record.undo.map(
        (undo) =>
          `${undo.state === 'done' ? '✓' : '✗'} ${escapeMarkdown(undo.name)}: ${escapeMarkdown(undo.note)}${drift(undo.drift)}`,
      ),
    ),
    ...auditPart(record),
    '',
  ].join('\n');
}

function drift(paths: string[]): string {
  return paths.length === 0 ? '' : `; drift left: ${paths.map(escapeMarkdown).join(', ')}`;
}

function mark(proof: Proof): string {
  return { pass: '✓ pass:', fail: '✗ fail:', unknown: '? unknown:' }[proof.verdict];
}

function facts(record: RunRecord): string[] {
  const rows: [string, string | undefined][] = [
    ['target', record.target],
    ['requested by', record.requestedBy ?? 'unknown'],
    ['reason', record.reason],
    ['started', record.startedAt],
    ['ended', record.endedAt],
    ['workflow', record.run.workflowId],
    ['first run', record.run.firstRunId],
    ['profile digest', record.profileDigest],
    ['plan hash', record.plan?.hash],
  ];
  return [
    '| | |',
    '|---|---|',
    ...rows.flatMap(([name, value]) =>
      value === undefined ? [] : [`| ${name} | ${escapeMarkdown(value)} |`],
    ),
    '',
  ];
}

function planPart(record: RunRecord): string[] {
  return listPart('Plan', record.plan?.summary.map(escapeMarkdown) ?? []);
}

function tablePart({ table }: RunRecord): string[] {
  if (table === undefined) return [];
  const row = (cells: string[]): string => `| ${cells.map(escapeMarkdown).join(' | ')} |`;
  return [
    `## ${escapeMarkdown(table.title)}`,
    '',
    row(table.head),
    `|${'---|'.repeat(table.head.length)}`,
    ...table.rows.map(row),
    '',
    ...table.notes.flatMap((note) => [escapeMarkdown(note), '']),
  ];
}

/** What a procedure has to tell beside its steps: the field `lines` of its result. */
function resultPart({ result }: RunRecord): string[] {
  if (typeof result !== 'object' || result === null || !('lines' in result)) return [];
  const { lines } = result;
  if (!Array.isArray(lines)) return [];
  return listPart(
    'Result',
    lines.flatMap((line) => (typeof line === 'string' ? [escapeMarkdown(line)] : [])),
  );
}

function stepPart(record: RunRecord): string[] {
  if (record.steps.length === 0) return [];
  const rows = record.steps.map(
    (step) =>
      `| ${escapeMarkdown(step.name)} | ${step.state} | ${step.startedAt} | ${step.endedAt ?? ''} | ${escapeMarkdown(step.note ?? '')} |`,
  );
  return ['## Steps', '', '| step | state | started | ended | |', '|---|---|---|---|---|', ...rows, ''];
}

function decisionPart(record: RunRecord): string[] {
  const lines = record.decisions.map(({ at, via, accepted, note, decision, proof }) => {
    const who =
      decision === undefined
        ? ''
        : ` ${decision.decision} by ${escapeMarkdown(decision.approver)} (${identityOf(proof)})${decision.reason === undefined ? '' : `: ${escapeMarkdown(decision.reason)}`}.`;
    return `${at}, by ${via}, ${accepted ? 'accepted' : 'ignored'}:${who} ${escapeMarkdown(note)}`;
  });
  if (record.ignoredDecisions > 0) lines.push(`and ${record.ignoredDecisions} more that were ignored`);
  return listPart('Decisions', lines);
}

function identityOf(proof: Identity | undefined): string {
  return proof?.identity === 'signed'
    ? `signed with key ${proof.fingerprint} at ${proof.signedAt}`
    : 'declared identity';
}

function auditPart({ audit }: RunRecord): string[] {
  if (audit === undefined) return [];
  if (!('checkpoint' in audit)) return listPart('Audit log', [audit.note]);
  const { sequence, head } = audit.checkpoint;
  const lines = [`entry ${sequence}, SHA-256 ${head}`];
  return listPart('Audit log', [
    ...lines,
    audit.state === 'signed'
      ? `signed with key ${audit.checkpoint.fingerprint} at ${audit.checkpoint.at}`
      : `not signed: ${escapeMarkdown(audit.note)}`,
  ]);
}

function controlPart(record: RunRecord): string[] {
  const lines = record.controls.map(
    ({ at, control, by, reason, note }) =>
      `${at}, ${control}${by === undefined ? '' : ` by ${escapeMarkdown(by)}`}${reason === undefined ? '' : ` (${escapeMarkdown(reason)})`}: ${note}`,
  );
  if (record.ignoredSignals > 0)
    lines.push(`and ${record.ignoredSignals} more signals that were only counted`);
  return listPart('Controls', lines);
}

function listPart(title: string, lines: string[]): string[] {
  return lines.length === 0 ? [] : [`## ${title}`, '', ...lines.map((line) => `- ${line}`), ''];
}
