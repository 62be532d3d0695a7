import type { GuardFinding } from '../../contracts/plan.ts';
import type { Reference } from '../template-references.ts';
import { excerpt } from '../text.ts';

/** What became of a reference. Keys of Secrets are never looked at: that would need their values. */
export interface Lookup extends Reference {
  state: 'found' | 'missing' | 'forbidden';
  missingKeys: string[];
}

const mostNamed = 10;

const resources = {
  ConfigMap: 'configmaps',
  Secret: 'secrets',
  ServiceAccount: 'serviceaccounts',
  PersistentVolumeClaim: 'persistentvolumeclaims',
};

/**
 * Stops when a template needs what the namespace no longer has: its pods would not start. A worker without the right
 * to read Secrets goes on and says so, since that right would show it their values.
 */
export function checkConfiguration(template: string, lookups: Lookup[]): GuardFinding {
  const gone = lookups.filter((lookup) => lookup.pullsImages !== true).flatMap(describeMissing);
  if (gone.length > 0) {
    return finding(
      'stops',
      `${template} needs what the namespace does not have: ${listed(gone)}. Put it back, or choose another revision`,
    );
  }
  const denied = lookups.filter(({ kind, state }) => state === 'forbidden' && kind !== 'Secret');
  if (denied.length > 0) {
    const verbs = [...new Set(denied.map(({ kind }) => `get ${resources[kind]}`))];
    return finding(
      'unknown',
      `the worker may not read ${listed(denied.map(nameOf))}; give it the permission to ${verbs.join(', ')}`,
    );
  }
  return finding(
    'clear',
    [`${template} has the configuration that it needs`, ...remarks(lookups)].join('; '),
  );
}

function remarks(lookups: Lookup[]): string[] {
  const secrets = lookups.filter(({ kind }) => kind === 'Secret');
  const unread = secrets.filter(({ state }) => state === 'forbidden');
  const keyed = secrets.filter(({ state, keys }) => state === 'found' && keys.length > 0);
  const pulling = secrets.filter((secret) => secret.pullsImages === true && secret.state === 'missing');
  return [
    ...(unread.length > 0
      ? [`not checked: ${listed(unread.map(nameOf))}, the worker may not read Secrets`]
      : []),
    ...(keyed.length > 0
      ? [`keys not checked: ${listed(keyed.map(nameOf))}, values of Secrets are never read`]
      : []),
    ...(pulling.length > 0
      ? [`${listed(pulling.map(nameOf))} for pulling images does not exist, so a node without them may fail`]
      : []),
  ];
}

function describeMissing(lookup: Lookup): string[] {
  if (lookup.state === 'missing') return [nameOf(lookup)];
  if (lookup.missingKeys.length === 0) return [];
  return [`${nameOf(lookup)} (no key ${listed(lookup.missingKeys)})`];
}

function nameOf({ kind, name }: Reference): string {
  return `${kind} ${excerpt(name)}`;
}

function listed(names: string[]): string {
  const shown = names.slice(0, mostNamed).map((name) => excerpt(name, 120));
  return names.length > mostNamed
    ? `${shown.join(', ')} and ${names.length - mostNamed} more`
    : shown.join(', ');
}

function finding(verdict: GuardFinding['verdict'], sentence: string): GuardFinding {
  return { guard: 'configuration', verdict, sentence };
}
