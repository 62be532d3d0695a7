import { z } from 'zod';
import type { BackupManifest, VerificationRecord } from '../../contracts/backup-manifest.ts';
import { canonicalJson } from '../plan/canonical-json.ts';

const count = z.number().int().min(0);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const text = (most: number) => z.string().min(1).max(most);
const time = z.iso.datetime();

/** Nothing that could lead out of the backup's folder. */
const fileName = z
  .string()
  .max(300)
  .regex(/^(parts\/)?[A-Za-z0-9][A-Za-z0-9.+-]*$/);

const file = { name: fileName, bytes: count, sha256 };
const run = z.strictObject({ workflowId: text(1000), firstRunId: text(100), procedure: text(100) });

const manifestSchema = z.strictObject({
  format: z.literal('runbook-backup/1'),
  backupId: text(100),
  target: text(63),
  namespace: text(63),
  profileDigest: sha256,
  run,
  startedAt: time,
  completedAt: time,
  cluster: z.strictObject({ version: text(100), server: text(1000) }),
  consistency: z.enum(['snapshot', 'perKind']),
  resourceVersion: text(100),
  kinds: z.array(
    z.strictObject({
      apiVersion: text(400),
      kind: text(100),
      plural: text(300),
      namespaced: z.boolean(),
      objects: count,
      resourceVersion: text(100),
      consistency: z.enum(['snapshot', 'own']),
    }),
  ),
  objects: count,
  parts: z.array(z.strictObject({ ...file, objects: count, plainBytes: count, kinds: z.array(text(600)) })),
  indexes: z.array(z.strictObject({ ...file, entries: count, plainBytes: count })),
  logs: z.array(z.strictObject(file)),
  missing: z.array(z.strictObject({ what: text(1000), why: text(2000) })),
  hooks: z.array(z.strictObject({ name: text(63), when: z.enum(['before', 'after']), outcome: text(500) })),
  encryptedTo: z.array(text(100)),
  signedBy: text(100),
  locations: z.array(z.strictObject({ name: text(63), at: text(2000) })),
  versions: z.strictObject({ runbook: text(100), node: text(100) }),
});

const verificationSchema = z.strictObject({
  format: z.literal('runbook-verification/1'),
  backupId: text(100),
  target: text(63),
  location: text(63),
  run,
  at: time,
  manifestSha256: sha256,
  verdict: z.enum(['pass', 'fail']),
  objects: count,
  bytes: count,
  findings: z.array(text(2000)),
});

/** The text that is signed: one value a line, so that a person can read it, and always the same for the same content. */
export function renderSigned(content: BackupManifest | VerificationRecord): string {
  return `${JSON.stringify(JSON.parse(canonicalJson(content)), null, 1)}\n`;
}

/** Reads a manifest out of a verified text; a sentence says why it is none. */
export function readManifest(
  signed: string,
  expected: { target: string; backupId: string },
): BackupManifest | string {
  const manifest = readSigned(signed, manifestSchema);
  if (manifest === undefined) return 'the signed text is not a manifest as this version writes it';
  if (manifest.target !== expected.target || manifest.backupId !== expected.backupId)
    return `it is the manifest of another backup: ${manifest.target}/${manifest.backupId}`;
  return contradiction(manifest) ?? manifest;
}

/** Reads the record of a verification out of a verified text; undefined when it is none of this backup. */
export function readVerification(
  signed: string,
  expected: { target: string; backupId: string; location: string },
): VerificationRecord | undefined {
  const record = readSigned(signed, verificationSchema);
  if (record === undefined) return undefined;
  const { target, backupId, location } = expected;
  const fits = record.target === target && record.backupId === backupId && record.location === location;
  return fits ? record : undefined;
}

/** Counts that have to agree. A manifest is signed, so this finds a fault of whoever wrote it. */
function contradiction({ kinds, parts, indexes, objects }: BackupManifest): string | undefined {
  const sums = [
    kinds.reduce((sum, kind) => sum + kind.objects, 0),
    parts.reduce((sum, part) => sum + part.objects, 0),
    indexes.reduce((sum, index) => sum + index.entries, 0),
  ];
  if (sums.some((sum) => sum !== objects))
    return `its counts contradict each other: ${objects} objects, by kinds ${sums.join(', by parts and indexes ')}`;
  const names = [...parts, ...indexes].map(({ name }) => name);
  return new Set(names).size === names.length ? undefined : 'it names a file twice';
}

/** Only what this version would write itself, byte for byte. */
function readSigned<T extends BackupManifest | VerificationRecord>(
  signed: string,
  schema: z.ZodType<T>,
): T | undefined {
  try {
    const content = schema.parse(JSON.parse(signed));
    return renderSigned(content) === signed ? content : undefined;
  } catch {
    return undefined;
  }
}
