import {
  DeleteObjectCommand,
  GetObjectLegalHoldCommand,
  GetObjectRetentionCommand,
  HeadObjectCommand,
  ListObjectVersionsCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { statusOf, until } from './storage-calls.ts';

interface Place {
  Bucket: string;
  Key: string;
}

/** Oldest first. Without an id: a store that knows no versions. */
interface Versions {
  objects: (string | undefined)[];
  markers: string[];
}

/**
 * Removes an object with all its versions and delete markers. The current version goes last, so that whoever is
 * interrupted finds the object again; a locked version keeps the markers above it, or it would reappear.
 */
export async function removeObject(
  client: S3Client,
  place: Place,
  withoutVersions: boolean,
  signal: AbortSignal | undefined,
): Promise<'removed' | 'locked' | 'absent'> {
  const { objects, markers } = withoutVersions
    ? await onlyVersion(client, place, signal)
    : await versionsOf(client, place, signal);
  if (objects.length + markers.length === 0) return 'absent';
  let locked = 0;
  for (const version of objects)
    if ((await removeVersion(client, place, version, signal)) === 'locked') locked++;
  if (locked > 0) return 'locked';
  for (const marker of markers) await removeVersion(client, place, marker, signal);
  return 'removed';
}

async function versionsOf(
  client: S3Client,
  { Bucket, Key }: Place,
  signal: AbortSignal | undefined,
): Promise<Versions> {
  const found: { objects: string[]; markers: string[] } = { objects: [], markers: [] };
  let marker: { KeyMarker?: string; VersionIdMarker?: string } = {};
  for (;;) {
    const command = new ListObjectVersionsCommand({ Bucket, Prefix: Key, ...marker });
    const page = await client.send(command, until(signal)).catch((error: unknown) => {
      // Not every store knows the question; then it has no versions either.
      if (statusOf(error) === 501) return undefined;
      throw error;
    });
    if (page === undefined) return onlyVersion(client, { Bucket, Key }, signal);
    // Other keys may begin with this one.
    const idsOf = (all: { Key?: string | undefined; VersionId?: string | undefined }[] = []): string[] =>
      all.filter((one) => one.Key === Key).map(({ VersionId = 'null' }) => VersionId);
    found.objects.unshift(...idsOf(page.Versions).toReversed());
    found.markers.unshift(...idsOf(page.DeleteMarkers).toReversed());
    const { IsTruncated, NextKeyMarker, NextVersionIdMarker } = page;
    // Keys come in order: the first page that goes on with another one is the last of interest.
    if (IsTruncated !== true || NextKeyMarker !== Key) return found;
    marker = {
      KeyMarker: NextKeyMarker,
      ...(NextVersionIdMarker === undefined ? {} : { VersionIdMarker: NextVersionIdMarker }),
    };
  }
}

async function onlyVersion(
  client: S3Client,
  place: Place,
  signal: AbortSignal | undefined,
): Promise<Versions> {
  try {
    await client.send(new HeadObjectCommand(place), until(signal));
    return { objects: [undefined], markers: [] };
  } catch (error) {
    if (statusOf(error) === 404) return { objects: [], markers: [] };
    throw error;
  }
}

async function removeVersion(
  client: S3Client,
  place: Place,
  version: string | undefined,
  signal: AbortSignal | undefined,
): Promise<'removed' | 'locked'> {
  const one = version === undefined ? place : { ...place, VersionId: version };
  try {
    await client.send(new DeleteObjectCommand(one), until(signal));
    return 'removed';
  } catch (error) {
    if (statusOf(error) === 404) return 'removed';
    // A lock and a missing permission have the same answer; the version's own lock tells them apart.
    if (statusOf(error) !== 403 || !(await isLocked(client, one, signal))) throw error;
    return 'locked';
  }
}

/** Asked by name: the head of a version that is not the current one does not tell it everywhere. */
async function isLocked(
  client: S3Client,
  version: Place & { VersionId?: string },
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const [retention, hold] = await Promise.allSettled([
    client.send(new GetObjectRetentionCommand(version), until(signal)),
    client.send(new GetObjectLegalHoldCommand(version), until(signal)),
  ]);
  signal?.throwIfAborted();
  // What cannot be told counts as not locked: then the refusal of the delete is what people see.
  const retainedUntil =
    retention.status === 'fulfilled' ? retention.value.Retention?.RetainUntilDate : undefined;
  const held = hold.status === 'fulfilled' && hold.value.LegalHold?.Status === 'ON';
  return held || (retainedUntil !== undefined && retainedUntil.getTime() > Date.now());
}
