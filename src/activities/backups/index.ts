import { Context } from '@temporalio/activity';
import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import type { ObjectStorageOptions } from '../../clients/object-storage.ts';
import type { Runs } from '../../clients/temporal/runs.ts';
import type { BackupHook, BackupPolicy } from '../../contracts/backup-policy.ts';
import type { CollectedLogs, CommittedBackup, HookOutcome, Transferred } from '../../contracts/backup.ts';
import type { RunRef } from '../../contracts/run-ref.ts';
import type { Target } from '../../contracts/target.ts';
import type { BackupVerdict, ChosenBackup } from '../../contracts/verify-backup.ts';
import { failure } from '../failures.ts';
import { withHeartbeat } from '../heartbeat.ts';
import { translate } from '../kubernetes/failures.ts';
import { beginBackup } from './begin.ts';
import { chooseBackups } from './choose.ts';
import { collectLogs } from './collect-logs.ts';
import { commitBackup, type BackupContent } from './commit.ts';
import {
  checkOnlineKey,
  describeExpiring,
  readBackupKeys,
  readPublicKeys,
  readSealingKeys,
  type BackupPublicKeys,
} from './keys.ts';
import { policyOf, withStore, withStores } from './places.ts';
import { takeSnapshot, type Snapshot, type SnapshotKind } from './read/snapshot.ts';
import { runHook } from './run-hook.ts';
import type { BackupTarget } from './seal.ts';
import { tellOfBackup, tellOfVerification, tellThatUnverified } from './tell.ts';
import { transfer } from './transfer.ts';
import { verifyBackup } from './verify.ts';

/** What the backup activities need. */
export interface BackupDependencies {
  gatewayFor: (target: Target) => KubernetesGateway;
  targetsFolder: string;
  /** The worker's own bucket, for profiles without locations. */
  bucket?: ObjectStorageOptions | undefined;
  runs: Runs;
}

/** Whose backup, and which. */
interface BackupOf {
  target: Target;
  backupId: string;
}

/** Everything that a backup reads, stores and verifies. What stands in Secrets is in memory in `transferObjects` only. */
export function createBackupActivities({ gatewayFor, targetsFolder, bucket, runs }: BackupDependencies) {
  const act = <T>(work: (signal: AbortSignal, say: (sentence: string) => void) => Promise<T>): Promise<T> =>
    translate(() => withHeartbeat(work));

  const withPlace = <T>(
    { target, backupId }: BackupOf,
    signal: AbortSignal,
    work: (place: BackupTarget, policy: BackupPolicy, publicKeys: BackupPublicKeys) => Promise<T>,
  ): Promise<T> =>
    withStores({ target, bucket }, async (stores, policy) => {
      const gateway = gatewayFor(target);
      const { publicKeys, sealer } = await readSealingKeys(gateway, targetsFolder, target, policy, signal);
      const place = { target: target.profile.target, backupId, stores, sealer };
      return await work(place, policy, publicKeys);
    });

  return {
    /** Reading only: what a backup would hold. */
    previewBackup: ({ target }: { target: Target }): Promise<Snapshot> =>
      act((signal) => {
        const { exclude } = policyOf(target);
        const { namespace } = target.profile;
        return takeSnapshot(gatewayFor(target), { namespace, exclude }, signal);
      }),

    /** Tier change. Idempotency in its file. @throws NotFound (a key), StorageUnavailable, Refused */
    beginBackup: ({
      target,
      backupId,
      run,
      startedAt,
    }: BackupOf & { run: RunRef; startedAt: string }): Promise<Snapshot> =>
      act((signal) =>
        withStores({ target, bucket }, async (stores, policy) => {
          // Whoever has no keys should learn it before anything is stored.
          const gateway = gatewayFor(target);
          const { publicKeys } = await readSealingKeys(gateway, targetsFolder, target, policy, signal);
          await checkOnlineKey(gateway, target, publicKeys.recipients, signal);
          const { exclude } = policy;
          const { namespace, target: name } = target.profile;
          const begun = { run, at: startedAt, ...(await whereRunsAre(runs)) };
          const asked = { begun, namespace, exclude };
          const snapshot = await beginBackup(gateway, { target: name, backupId, stores }, asked, signal);
          const expiring = describeExpiring(publicKeys, target);
          return expiring.length === 0 ? snapshot : { ...snapshot, expiring };
        }),
      ),

    /** Tier change. A hook may run twice: see the profile's description of hooks. */
    runBackupHook: ({
      target,
      hook,
      when,
    }: {
      target: Target;
      hook: BackupHook;
      when: HookOutcome['when'];
    }): Promise<HookOutcome> =>
      act((signal) => runHook(gatewayFor(target), target.profile.namespace, hook, when, signal)),

    /**
     * Tier secret: reads every object, Secrets too, and stores them encrypted. Each attempt writes files under names of its
     * own; what an earlier one wrote is not in the manifest and is pruned. @throws NotFound (a key), StorageUnavailable
     */
    transferObjects: ({
      target,
      backupId,
      snapshot,
      kinds,
      number,
    }: BackupOf & {
      snapshot: Pick<Snapshot, 'resourceVersion'>;
      kinds: SnapshotKind[];
      number: number;
    }): Promise<Transferred> =>
      act((signal, say) => {
        const expected = kinds.reduce((sum, { estimate }) => sum + estimate, 0);
        const progress = progressOf(expected, say);
        const { namespace } = target.profile;
        const { attempt } = Context.current().info;
        return withPlace({ target, backupId }, signal, (place, { exclude }) => {
          const request = { namespace, exclude, snapshot, kinds, number, attempt };
          return transfer(gatewayFor(target), place, request, signal, progress);
        });
      }),

    /** Tier secret: logs may hold anything. Names as with `transferObjects`. */
    collectLogs: ({ target, backupId }: BackupOf): Promise<CollectedLogs> =>
      act((signal, say) => {
        const { namespace } = target.profile;
        const { attempt } = Context.current().info;
        return withPlace({ target, backupId }, signal, (place, { logs }) =>
          collectLogs(gatewayFor(target), place, { namespace, ...logs, attempt }, signal, say),
        );
      }),

    /** Tier secret: signs. Idempotency in its file. @throws NotFound (a key), StorageUnavailable, BackupRefused */
    commitBackup: ({
      backupId,
      ...content
    }: { backupId: string } & Omit<BackupContent, 'server'>): Promise<CommittedBackup> =>
      act((signal) => {
        const { target } = content;
        const gateway = gatewayFor(target);
        return withPlace({ target, backupId }, signal, async (place, _policy, publicKeys) => {
          const { fingerprints, signing } = publicKeys;
          const names = {
            recipients: [fingerprints.online, fingerprints.escrow],
            signer: fingerprints.signing[0] ?? '',
          };
          const committed = await commitBackup(
            place,
            names,
            signing,
            { ...content, server: gateway.server },
            signal,
          );
          tellOfBackup(place.target, committed);
          return committed;
        });
      }),

    /** Reading only. @throws NotFound, StorageUnavailable */
    chooseBackups: ({
      target,
      backup,
      location,
    }: {
      target: Target;
      backup?: string | undefined;
      location?: string | undefined;
    }): Promise<ChosenBackup[]> =>
      act((signal) =>
        withStores({ target, location, bucket }, (stores) =>
          chooseBackups(stores, { target: target.profile.target, backup }, Date.now(), signal),
        ),
      ),

    /** Tier secret: decrypts. Idempotency in its file. @throws NotFound (a key), StorageUnavailable */
    verifyBackup: ({
      target,
      backupId,
      location,
      run,
    }: BackupOf & { location: string; run: RunRef }): Promise<BackupVerdict> =>
      act(async (signal, say) => {
        try {
          return await withStore({ target, location, bucket }, async (store, { keys }) => {
            const gateway = gatewayFor(target);
            const [publicKeys, privateKeys, [signingKey]] = await Promise.all([
              readPublicKeys(targetsFolder, keys),
              readBackupKeys(gateway, target, 'online', signal),
              readBackupKeys(gateway, target, 'signing', signal),
            ]);
            if (signingKey === undefined) throw failure('NotFound', 'there is no key that signs backups');
            const opening = { privateKeys, signers: publicKeys.signing, signingKey };
            const asked = { run, target: target.profile.target, backupId };
            const verdict = await verifyBackup(store, asked, opening, signal, say);
            tellOfVerification(asked.target, verdict, Date.now());
            return verdict;
          });
        } catch (error) {
          tellThatUnverified(target.profile.target, location);
          throw error;
        }
      }),
  };
}

/** Pruning has to know whom to ask whether the run has ended. @throws Unavailable */
async function whereRunsAre(runs: Runs): Promise<Awaited<ReturnType<Runs['identity']>>> {
  try {
    return await runs.identity();
  } catch {
    throw failure('Unavailable', 'Temporal does not say which cluster it is');
  }
}

/** Objects, bytes, time left; said at most once a second. */
function progressOf(
  expected: number,
  say: (sentence: string) => void,
): (objects: number, bytes: number) => void {
  const begun = Date.now();
  let said = 0;
  return (objects, bytes) => {
    const now = Date.now();
    if (now - said < 1000) return;
    said = now;
    const seconds = ((now - begun) / 1000 / Math.max(objects, 1)) * Math.max(expected - objects, 0);
    say(
      `${objects} of about ${expected} objects read, ${(bytes / 1024 / 1024).toFixed(1)} MiB stored, about ${Math.ceil(seconds)} s left`,
    );
  };
}
