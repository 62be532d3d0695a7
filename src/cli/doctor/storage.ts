import { backupLocations, clientOptionsOf } from '../../clients/backup-storage.ts';
import { createS3Client } from '../../clients/object-storage.ts';
import type { Config } from '../../config.ts';
import type { BackupLocation } from '../../contracts/backup-policy.ts';
import type { TargetProfile } from '../../contracts/target.ts';
import { checkBucket } from './bucket.ts';
import { judgeClock } from './clock.ts';
import { failed, questionSeconds, unknown, type Finding, type Section } from './finding.ts';

type Storage = NonNullable<Config['storage']>;

const silenceMilliseconds = questionSeconds * 1000;

const workerSettings = {
  bucket: 'RUNBOOK_STORAGE_BUCKET',
  region: 'RUNBOOK_STORAGE_REGION',
  endpoint: 'RUNBOOK_STORAGE_ENDPOINT',
  credentials: 'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
};

/** The bucket for reports: can it be used as the worker uses it, and what does it promise about what is in it. */
export async function checkStorage({ storage }: Config): Promise<Section> {
  if (storage === undefined) {
    const found = 'no bucket is configured, so reports stay in the results of runs';
    const mend = 'Set RUNBOOK_STORAGE_BUCKET (and RUNBOOK_STORAGE_ENDPOINT for a store other than AWS).';
    return { findings: [unknown('storage', found, mend)], clocks: [] };
  }
  const client = createS3Client({ ...storage, silenceMilliseconds });
  const checked = {
    ...storage,
    client,
    label: 'storage',
    writeOnce: 'ifNoneMatch',
    locks: false,
    keeps: 'reports',
    folders: { tried: 'doctor/', needed: 'reports/' },
    settings: workerSettings,
  } as const;
  try {
    const [findings, clock] = await Promise.all([checkBucket(checked), checkClock(storage)]);
    return { findings, clocks: clock === undefined ? [] : [clock] };
  } finally {
    client.destroy();
  }
}

/** Every place where the backups of a target go. */
export async function checkLocations(
  { storage }: Config,
  { target, backup }: TargetProfile,
): Promise<Section> {
  if (backup === undefined) return { findings: [], clocks: [] };
  const locations = backupLocations(backup, storage);
  if (locations.length === 0) {
    const mend = 'Name locations in the profile (backup.locations), or set RUNBOOK_STORAGE_BUCKET.';
    return {
      findings: [failed(`target ${target}, locations`, 'there is no place for backups', mend)],
      clocks: [],
    };
  }
  const found = await Promise.all(locations.map((location) => checkLocation(target, location)));
  return { findings: found.flat(), clocks: [] };
}

async function checkLocation(target: string, location: BackupLocation): Promise<Finding[]> {
  const { name, credentials } = location;
  const client = createS3Client({ ...clientOptionsOf(location), silenceMilliseconds });
  const field = (which: string): string => `${which} of location ${name} in the profile`;
  const ofProfile = {
    bucket: field('bucket'),
    region: field('region'),
    endpoint: field('endpoint'),
    credentials:
      credentials === undefined
        ? workerSettings.credentials
        : `profile ${credentials} of the AWS credentials file`,
  };
  try {
    return await checkBucket({
      ...location,
      client,
      label: `target ${target}, location ${name}`,
      locks: location.objectLock !== undefined,
      keeps: 'backups',
      // No target has a dot in its name: what stays there is taken for no backup.
      folders: { tried: 'backups/.doctor/', needed: `backups/${target}/` },
      settings: name === 'default' ? workerSettings : ofProfile,
    });
  } finally {
    client.destroy();
  }
}

/** Any answer shows the time, also one that refuses: no credentials are sent. */
async function checkClock({ endpoint, region }: Storage): Promise<Finding | undefined> {
  const asked = Date.now();
  try {
    const answer = await fetch(endpoint ?? `https://s3.${region}.amazonaws.com`, {
      method: 'HEAD',
      redirect: 'manual',
      signal: AbortSignal.timeout(questionSeconds * 1000),
    });
    const date = answer.headers.get('date') ?? undefined;
    return judgeClock('clock of the storage', { asked, answered: Date.now(), date });
  } catch {
    return undefined; // the bucket's own check says that it does not answer
  }
}
