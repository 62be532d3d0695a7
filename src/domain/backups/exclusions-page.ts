import { excludedKinds, excludedObjects, type ExcludedKinds } from './exclusions.ts';

/** What a backup leaves out, as Markdown for its page. */
export function renderExclusions(): string {
  const rows = [
    ...excludedKinds.map((one): [string, string] => [nameOf(one), one.reason]),
    [
      'Kinds that cannot be listed, or not created',
      'Answers of a server, such as reviews and tokens, and no objects that it keeps.',
    ] as const,
    ...excludedObjects.map(({ what, reason }): [string, string] => [what, reason]),
  ];
  return ['| left out | why |', '|---|---|', ...rows.map(([what, why]) => `| ${what} | ${why} |`)].join('\n');
}

function nameOf({ apiGroup, kinds }: ExcludedKinds): string {
  if (kinds === undefined) return `Every kind of the group \`${apiGroup}\``;
  const names = kinds.map((kind) => `\`${kind}\``).join(', ');
  return apiGroup === '' ? `${names} of the core group` : `${names} of the group \`${apiGroup}\``;
}
