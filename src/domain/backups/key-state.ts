/** How a key stands: `expiring` is still good, and will not be in less than thirty days. */
export type KeyState = 'ok' | 'expiring' | 'expired' | 'revoked';

const warningDays = 30;
const day = 86_400_000;

/** Judges a key by what its public part says. */
export function keyStateOf(
  { expiresAt, revoked }: { expiresAt?: Date; revoked: boolean },
  now: Date,
): KeyState {
  if (revoked) return 'revoked';
  if (expiresAt === undefined) return 'ok';
  const left = expiresAt.getTime() - now.getTime();
  if (left <= 0) return 'expired';
  return left < warningDays * day ? 'expiring' : 'ok';
}

/** What that means for backups, as a sentence; undefined when there is nothing to say. */
export function describeKeyState(state: KeyState, expiresAt: Date | undefined): string | undefined {
  const at = expiresAt?.toISOString().slice(0, 10) ?? 'some time';
  switch (state) {
    case 'ok':
      return undefined;
    case 'expiring':
      return `expires at ${at}; no backup can be made from then on`;
    case 'expired':
      return `expired at ${at}: no backup can be made with it; those from before stay readable and verifiable`;
    case 'revoked':
      return 'is revoked: no backup can be made with it';
  }
}
