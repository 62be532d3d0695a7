import type { ObjectStorageOptions } from '../../clients/object-storage.ts';
import type { Runs } from '../../clients/temporal/runs.ts';
import type { BackupPolicy } from '../../contracts/backup-policy.ts';
import type { LocationPlan, Removal } from '../../contracts/prune-backups.ts';
import type { Target } from '../../contracts/target.ts';
import { planOf } from '../../domain/backups/pruning.ts';
import { withHeartbeat } from '../heartbeat.ts';
import { readPublicKeys } from '../backups/keys.ts';
import { withStore } from '../backups/places.ts';
import { removeBackups, pruneLeftovers } from './remove.ts';
import { surveyLocation, type Place } from './survey.ts';

/** What the pruning activities need. They read no private key and ask no cluster. */
export interface PruningDependencies {
  targetsFolder: string;
  /** The worker's own bucket, for profiles without locations. */
  bucket?: ObjectStorageOptions | undefined;
  runs: Runs;
}

/** One location of a target. */
interface At {
  target: Target;
  location: string;
}

/** Decides what of a target's backups stays, and removes the rest; each call in one location. */
export function createPruningActivities({ targetsFolder, bucket, runs }: PruningDependencies) {
  const inPlace = <T>(
    { target, location }: At,
    work: (
      place: Place,
      policy: BackupPolicy,
      signal: AbortSignal,
      say: (sentence: string) => void,
    ) => Promise<T>,
  ): Promise<T> =>
    withHeartbeat((signal, say) =>
      withStore({ target, location, bucket }, async (store, policy) => {
        const { signing } = await readPublicKeys(targetsFolder, policy.keys);
        const place = { store, target: target.profile.target, signers: signing };
        return await work(place, policy, signal, say);
      }),
    );
  return {
    /** Reading only: every backup of the target in one location, and what becomes of it. @throws StorageUnavailable */
    planPruning: (at: At): Promise<LocationPlan> =>
      inPlace(at, async (place, { keep }, signal, say) =>
        planOf(await surveyLocation(place, runs, Date.now(), signal, say), keep),
      ),

    /** Tier change. Idempotency in its file. @throws StorageUnavailable */
    removeBackups: ({ backupIds, ...at }: At & { backupIds: string[] }): Promise<Removal> =>
      inPlace(at, (place, _policy, signal, say) => removeBackups(place, backupIds, signal, say)),

    /** Tier change. Idempotency in its file. @throws StorageUnavailable */
    pruneLeftovers: ({ names, ...at }: At & { names: string[] }): Promise<Removal> =>
      inPlace(at, (place, _policy, signal) =>
        pruneLeftovers(place, names, { runs, now: Date.now() }, signal),
      ),
  };
}
