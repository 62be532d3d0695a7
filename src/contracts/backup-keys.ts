/** Keys whose private part lies in the target's cluster, for workers. */
export type ClusterKey = 'signing' | 'online';

/** The keys of a target's backups. The private part of `escrow` is kept offline. */
export type BackupKeyKind = ClusterKey | 'escrow';

/** How many digits of a fingerprint tell the former online keys of one target apart. */
const shortFingerprint = 8;

/** Where the keys of a target's backups lie: `runbook keys create` writes there, workers read there. */
export const backupKeyNames = {
  /** Name of the Secret, in the namespace of locks of the target's cluster. */
  secret: (target: string): string => `runbook-backup-${target}`,
  /** Data key of the armored private key. */
  privateKey: (which: ClusterKey): string => `${which}.asc`,
  /** Data key of the passphrase, where the private key has one. */
  passphrase: (which: ClusterKey): string => `${which}.passphrase`,
  /** Data keys of an online key that was rotated away: backups from before are still encrypted to it. */
  former: (fingerprint: string): { privateKey: string; passphrase: string } => {
    const name = `online-${fingerprint.slice(0, shortFingerprint).toUpperCase()}`;
    return { privateKey: `${name}.asc`, passphrase: `${name}.passphrase` };
  },
  /** What `former` names, among the data keys of a Secret. */
  formerPrivateKeys: (dataKeys: string[]): string[] =>
    dataKeys.filter((name) => /^online-[0-9A-F]{8}\.asc$/.test(name)).sort(),
  /** File of the public key, below the folder of profiles. */
  publicFile: (target: string, kind: BackupKeyKind): string => `keys/${target}-${kind}.asc`,
} as const;
