/** What one run is called; another of the same scenario has other names. */
interface Names {
  namespace: string;
  workflowId: string;
  /** Empty as long as there is no run. */
  firstRunId: string;
}

const times = /\d{4}-\d\d-\d\dT[\d:.]+Z/g;
/** What names one version of one object or profile, also in JSON within JSON. */
const identities = /((?:uid|resourceVersion|generation|digest|hash)\\*":\\*"?)[\w-]+/g;

/** What differs between two backups or drills of the same objects: session keys and signatures are made anew. */
const ofBackups = /\d{8}-\d{6}-[0-9a-f]{8}|\d+(\.\d+)? (bytes|KiB|MiB)|\d+ s (of|old)/g;

/**
 * A second attempt of a restore finds there what the first has written: both count. One of a pruning finds gone what the
 * first has removed.
 */
function withoutAttempts(text: string): string {
  return text
    .replaceAll(
      /(\d+) written(?:, (\d+) were there)?/g,
      (_, written: string, there = '0') => `${Number(written) + Number(there)} written or there`,
    )
    .replaceAll(
      /Removed (nothing|\d+ backups? with \d+ objects? \([^)]*\))(, \d+ backups? (was|were) gone already)?/g,
      'Removed <any>',
    );
}

/** A text as every run of the same scenario would have it: without names, times, and what attempts leave in it. */
export function masked(text: string, { namespace, workflowId, firstRunId }: Names): string {
  const names = { '<namespace>': namespace, '<run>': workflowId, '<first run>': firstRunId };
  const named = Object.entries(names).reduce(
    (plain, [name, value]) => (value === '' ? plain : plain.replaceAll(value, name)),
    text,
  );
  const plain = withoutAttempts(named)
    .replaceAll(times, '<time>')
    .replaceAll(ofBackups, '<any>')
    .replaceAll(identities, '$1<any>');
  // Backups and namespaces of drills end with this part of the run's id.
  const tail = firstRunId.slice(-8);
  return tail === '' ? plain : plain.replaceAll(tail, '<tail>');
}
