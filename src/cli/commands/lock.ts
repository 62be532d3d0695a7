import { userInfo } from 'node:os';
import type { Command } from 'commander';
import { askAboutHolder } from '../../activities/locks/holder-state.ts';
import { getLease, writeLease } from '../../activities/locks/lease.ts';
import { listTargets } from '../../activities/targets/profiles.ts';
import { KubernetesError } from '../../clients/kubernetes/errors.ts';
import { createKubernetesGateway, type KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import { connectClient } from '../../clients/temporal/connection.ts';
import { createRuns } from '../../clients/temporal/runs.ts';
import { readConfig } from '../../config.ts';
import type { Freeze, Holder, HolderState } from '../../contracts/lock.ts';
import type { Target } from '../../contracts/target.ts';
import {
  describeFreeze,
  describeHolder,
  describeLeftover,
  readLease,
  type LockUpdate,
} from '../../domain/lock.ts';
import { preferLocalStack } from '../environment.ts';
import { messageOf } from '../../local/wait.ts';
import { exitCodes, UsageError } from '../exit-codes.ts';
import { loadNamedTarget } from '../named-target.ts';

interface FreezeOptions {
  target?: string;
  by?: string;
  reason?: string;
  json?: boolean;
}

/** What became of one target. */
interface Done {
  target: string;
  state: string;
  failed?: true;
}

const answerWithinMilliseconds = 10_000;

/** `runbook freeze`, `unfreeze` and `unlock`: the Lease of a target, for people. */
export function addLockCommands(program: Command): void {
  program
    .command('freeze')
    .description('let no changing run begin; repairs go on, and so does a run that holds its target already')
    .option('--target <name>', 'only this target; without it every one whose profile is here')
    .option('--by <name>', 'your name; without it the name of your login')
    .option('--reason <text>', 'shown to everyone whose run is stopped')
    .option('--json', 'as JSON')
    .action(async (options: FreezeOptions) => {
      const { by = userInfo().username, reason } = options;
      const freeze: Freeze = {
        by,
        at: new Date().toISOString(),
        ...(reason === undefined ? {} : { reason }),
      };
      print(await writeAll(options.target, { freeze }, () => describeFreeze(freeze)), options.json);
    });
  program
    .command('unfreeze')
    .description('let changing runs begin again; approved ones that wait for this go on by themselves')
    .option('--target <name>', 'only this target; without it every one whose profile is here')
    .option('--json', 'as JSON')
    .action(async (options: FreezeOptions) => {
      print(
        await writeAll(options.target, { freeze: null }, (was) =>
          was === undefined ? 'was not frozen' : `not frozen any more (was ${describeFreeze(was)})`,
        ),
        options.json,
      );
    });
  program
    .command('unlock')
    .description(
      'free a target by hand whose holder Temporal cannot tell about, or whose Lease cannot be read',
    )
    .requiredOption('--target <name>', 'the target')
    .option('--force', 'free it; without this it is only shown')
    .option('--json', 'as JSON')
    .action(async (options: { target: string; force?: boolean; json?: boolean }) => {
      print([await unlock(options.target, options.force === true)], options.json);
    });
}

function print(done: Done[], json: boolean | undefined): void {
  if (json === true) console.log(JSON.stringify(done, null, 2));
  else for (const { target, state } of done) console.log(`${target}: ${state}`);
  if (done.some(({ failed }) => failed)) process.exitCode = exitCodes.failed;
}

async function writeAll(
  only: string | undefined,
  update: LockUpdate,
  say: (former: Freeze | undefined) => string,
): Promise<Done[]> {
  preferLocalStack((line) => {
    console.error(line);
  });
  const { targetsFolder } = readConfig(process.env);
  const writeOne = async (name: string): Promise<Done> => {
    const target = await loadNamedTarget(targetsFolder, name, undefined);
    const former = await withCluster(target, (gateway) => write(gateway, target, update));
    return { target: name, state: say(former) };
  };
  if (only !== undefined) return [await writeOne(only)];
  const names = await listTargets(targetsFolder);
  if (names.length === 0) throw new UsageError(`there is no target profile in ${targetsFolder}`);
  const done: Done[] = [];
  // A broken profile or a cluster that is away must not keep the others from being frozen.
  for (const name of names)
    done.push(
      await writeOne(name).catch((error: unknown) => ({
        target: name,
        state: `NOT done: ${messageOf(error)}`,
        failed: true,
      })),
    );
  return done;
}

/** Writes at the version read, again when a run writes its lock meanwhile; returns the freeze that was there. */
async function write(
  gateway: KubernetesGateway,
  target: Target,
  update: LockUpdate,
): Promise<Freeze | undefined> {
  const signal = AbortSignal.timeout(answerWithinMilliseconds);
  for (;;) {
    const lease = await getLease(gateway, target, signal);
    try {
      await writeLease(gateway, target, lease, update, signal);
      return readLease(lease).freeze;
    } catch (error) {
      if (!(error instanceof KubernetesError) || error.status !== 409) throw error;
    }
  }
}

/** Frees a target. What its holder left half done stays on the Lease, so that the next run offers its undo. */
async function unlock(name: string, force: boolean): Promise<Done> {
  preferLocalStack((line) => {
    console.error(line);
  });
  const { targetsFolder } = readConfig(process.env);
  const target = await loadNamedTarget(targetsFolder, name, undefined);
  return await withCluster(target, async (gateway) => {
    const signal = AbortSignal.timeout(answerWithinMilliseconds);
    const { holder, leftover, faults } = readLease(await getLease(gateway, target, signal));
    const left = leftover === undefined ? '' : `; ${describeLeftover(leftover)}`;
    if (holder === undefined && faults.length === 0) return { target: name, state: `nobody holds it${left}` };
    if (holder !== undefined) {
      if ((await stateOf(holder)) === 'running')
        throw new UsageError(
          `${describeHolder(holder)} and goes on; end it instead: runbook abort '${holder.workflowId}'`,
        );
    }
    const found = [
      ...(holder === undefined ? [] : [describeHolder(holder)]),
      ...faults.map((fault) => `${fault} cannot be read`),
    ].join('; ');
    if (!force)
      throw new UsageError(
        `${found}${left}. Look whether that run really has ended, then add --force: nothing may write for it any more`,
      );
    const unreadable = faults.some((fault) => fault.includes('leftover'));
    await write(gateway, target, { holder: null, ...(unreadable ? { leftover: null } : {}) });
    return { target: name, state: `freed (${found})${left}` };
  });
}

/** A Temporal that does not answer is a reason to free a target by hand, not one to refuse that. */
async function stateOf(holder: Holder): Promise<HolderState> {
  try {
    return (await askAboutHolder(createRuns(await connectClient()), holder)).state;
  } catch {
    return 'unknown';
  }
}

async function withCluster<T>(target: Target, work: (gateway: KubernetesGateway) => Promise<T>): Promise<T> {
  const { kubeconfigPath } = readConfig(process.env);
  const { cluster } = target.profile;
  const gateway = createKubernetesGateway({
    ...(kubeconfigPath === undefined ? {} : { kubeconfigPath }),
    ...(cluster === undefined ? {} : { context: cluster.context }),
  });
  try {
    return await work(gateway);
  } finally {
    await gateway.close();
  }
}
