/** How writes of the lock stand among the effects of a run. */
export const lockEffects = {
  taken: 'lock taken',
  noted: 'lock noted',
  released: 'lock released',
  signed: 'lock told of a checkpoint',
} as const;

/** How the namespace of a drill begins, with the names of the run taken out. */
const drillNamespace = 'drill-<namespace>-';

/** Effects without what a second attempt wrote once more alike, and what that was. */
export interface Effects {
  once: string[];
  repeated: string[];
}

/**
 * A note on the lock, a checkpoint, and giving it back are written again by a second attempt, alike but for the time:
 * harmless, and said. Taking it is not, nor is anything else.
 */
export function withoutRepeats(effects: string[]): Effects {
  const isRepeat = (effect: string, index: number): boolean =>
    effect === effects[index - 1] &&
    [lockEffects.noted, lockEffects.released, lockEffects.signed].some((name) => effect.startsWith(name));
  return {
    once: effects.filter((effect, index) => !isRepeat(effect, index)),
    repeated: [...new Set(effects.filter(isRepeat))],
  };
}

/** What is said of repeated writes. */
export function repeatRemark({ repeated }: Effects): string {
  const what = repeated.map((effect) => effect.replace(/:.*/, ''));
  return what.length === 0 ? '' : `written again alike, harmless: ${[...new Set(what)].join(', ')}`;
}

/** Everything but the writes of the lock. */
export function changesOf(effects: string[]): string[] {
  return effects.filter((effect) => !isOfLock(effect));
}

/** What a run wrote outside of its lock, or a lock that it took twice; undefined when there is no such thing. */
export function outsideOfLock(effects: string[]): string | undefined {
  let held = false;
  // A checkpoint of the audit log lies on the same object, and needs no lock. Nor does what a drill does in its own namespace.
  const ofService = effects.filter((one) => one !== lockEffects.signed && !one.includes(drillNamespace));
  for (const effect of ofService) {
    if (effect === lockEffects.taken ? held : !effect.startsWith(lockEffects.released) && !held)
      return effect;
    if (effect === lockEffects.taken) held = true;
    if (effect.startsWith(lockEffects.released)) held = false;
  }
  return held ? 'lock not released' : undefined;
}

function isOfLock(effect: string): boolean {
  return Object.values(lockEffects).some((name) => effect.startsWith(name));
}
