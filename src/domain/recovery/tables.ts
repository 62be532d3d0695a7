import { documentedDifferences } from './compare.ts';
import { drillRules } from './drill-rules.ts';
import { restoreOrder, type Wait } from './order.ts';
import { referencePlaces } from './rewrite-references.ts';
import { restoreRules } from './rules/index.ts';
import type { KindRules } from './rules/rule.ts';
import { neverReplaced } from './verdict.ts';

const waits: Record<Wait, string> = {
  established: 'until every definition is established',
  active: 'until every namespace is active',
  bound: 'until every claim is bound, but those of a class that waits for a pod',
  backendsReady: 'until the Services that they name have a ready endpoint; what waits in vain is not written',
};

/** The tables of the page about recovery, by the name of their place in it. Made from the data that the code goes by. */
export function recoveryTables(): Record<string, string[]> {
  return {
    order: table(
      ['', 'kinds', 'why here', 'waits'],
      restoreOrder.map(({ name, kinds, because, before, after }, index) => [
        `${index + 1} ${name}`,
        kinds.length === 0 ? 'every other kind' : kinds.map((kind) => `\`${kind}\``).join(', '),
        because,
        [
          ...(before === undefined ? [] : [`before: ${waits[before]}`]),
          ...(after === undefined ? [] : [`after: ${waits[after]}`]),
        ].join('; '),
      ]),
    ),
    rules: ruleTable(restoreRules),
    references: table(
      ['kind', 'what is rewritten', 'why'],
      referencePlaces.map(({ kinds = ['every kind'], about, because }) => [kinds.join(', '), about, because]),
    ),
    differences: table(
      ['kind', 'difference', 'why'],
      documentedDifferences.map(({ kinds = ['every kind'], about, because }) => [
        kinds.join(', '),
        about,
        because,
      ]),
    ),
    neverReplaced: table(['kind', 'why it is never deleted'], Object.entries(neverReplaced)),
  };
}

/** The table of the page about drills: rules of a drill alone, and those of recovery that only count in one. */
export function drillTables(): Record<string, string[]> {
  const others = restoreRules.map(({ rules, ...kinds }) => ({
    ...kinds,
    rules: rules.filter(({ when }) => when === 'in a drill'),
  }));
  return { drill: ruleTable([...drillRules, ...others]) };
}

function ruleTable(all: readonly KindRules[]): string[] {
  return table(
    ['kind', 'what', 'rule', 'why'],
    all.flatMap(({ kinds = ['every kind'], rules }) =>
      rules.map(({ about, does, because, when }) => [
        kinds.length > 5 ? 'see there' : kinds.join(', '),
        about,
        when === undefined ? does : `${when}: ${does}`,
        because,
      ]),
    ),
  );
}

function table(head: string[], rows: string[][]): string[] {
  const line = (cells: string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(line)];
}
