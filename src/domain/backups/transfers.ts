/** As much as is worth a transfer of its own: fewer objects are read sooner than a transfer begins. */
const worthATransfer = 2500;

/** Whatever the number of kinds, a backup has no more of them: each costs a run some events of its history. */
export const mostTransfers = 8;

/**
 * Divides kinds among transfers, so that each has about as many objects. A kind stays whole: its pages can only be read
 * one after the other. The small ones beside a large one get no more transfers than they are worth, whatever its size.
 * Always the same for the same kinds in the same order.
 */
export function divide<K extends { estimate: number }>(kinds: readonly K[]): K[][] {
  const small = kinds.filter(({ estimate }) => estimate < worthATransfer);
  const ofSmall = Math.ceil(small.reduce((sum, { estimate }) => sum + estimate, 0) / worthATransfer);
  const count = Math.min(mostTransfers, Math.max(1, kinds.length - small.length + ofSmall));
  const transfers = Array.from({ length: count }, () => ({ objects: 0, kinds: [] as K[] }));
  for (const kind of [...kinds].sort((left, right) => right.estimate - left.estimate)) {
    const emptiest = transfers.reduce((least, one) => (one.objects < least.objects ? one : least));
    emptiest.kinds.push(kind);
    emptiest.objects += kind.estimate;
  }
  return transfers.map((transfer) => transfer.kinds).filter((one) => one.length > 0);
}
