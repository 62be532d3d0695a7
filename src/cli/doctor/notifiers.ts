import { createChannels, type Channels } from '../../activities/notifications/channels.ts';
import type { Config } from '../../config.ts';
import type { TargetProfile } from '../../contracts/target.ts';
import { messageOf } from '../../local/wait.ts';
import { logChannel } from '../../notifiers/log.ts';
import { failed, passed, type Finding } from './finding.ts';

/** Every channel's file, and whether every channel that a profile names is there. Nothing is sent. */
export async function checkNotifiers(
  { notifiersFolder }: Config,
  profiles: TargetProfile[],
): Promise<Finding[]> {
  const channels = createChannels(notifiersFolder);
  let files: string[];
  try {
    files = await channels.files();
  } catch (error) {
    const mend = 'Mount the folder where the worker is started, or leave RUNBOOK_NOTIFIERS out.';
    return [failed('notification channels', messageOf(error), mend)];
  }
  return [
    ...(await Promise.all(files.map((name) => checkChannel(channels, name)))),
    ...profiles.flatMap((profile) => checkNames(profile, [...new Set([logChannel, ...files])])),
  ];
}

async function checkChannel(channels: Channels, name: string): Promise<Finding> {
  const check = `notification channel ${name}`;
  if (name === logChannel)
    return failed(check, "log.json is never read: this channel is the worker's log", 'Rename the file.');
  try {
    await channels.open(name);
    return passed(check, `${name}.json is valid`);
  } catch (error) {
    const mend = 'Correct the file; docs/notifications.md says what it may hold.';
    return failed(check, messageOf(error), mend);
  }
}

/** Only what is missing: a profile that names none, or `log` alone, needs no line. */
function checkNames({ target, approvals }: TargetProfile, known: string[]): Finding[] {
  const missing = approvals.notify.filter((name) => !known.includes(name));
  if (missing.length === 0) return [];
  const found = `approvals.notify names ${missing.join(', ')}; there is ${known.join(', ')}`;
  const mend = `Put ${missing[0] ?? ''}.json into the folder of RUNBOOK_NOTIFIERS, or correct the profile.`;
  return [failed(`target ${target}, notifications`, found, mend)];
}
