import { existsSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { connectClient } from '../clients/temporal/connection.ts';
import type { StackEndpoints } from '../local/stack-types.ts';
import { defaultStackName } from '../local/stack.ts';
import { status } from '../local/status.ts';
import { UsageError } from './exit-codes.ts';

/**
 * Points this process at the local stack when one runs and nothing else is configured, and says so.
 * Anything the user set (TEMPORAL_* or Temporal's own configuration file) wins.
 */
export function preferLocalStack(say: (line: string) => void): void {
  const configured = Object.keys(process.env).some((name) => name.startsWith('TEMPORAL_'));
  if (configured || existsSync(join(homedir(), '.config', 'temporalio', 'temporal.toml'))) return;
  const endpoints = chosenStack();
  if (endpoints === undefined) return;
  Object.assign(process.env, { ...workerEnvironment(endpoints), ...process.env });
  say(`using the local stack "${endpoints.name}" (${endpoints.temporalAddress})`);
}

/** The stack that `RUNBOOK_STACK` names, else the default one, else the only one that is ready, such as the demo's. */
function chosenStack(): StackEndpoints | undefined {
  const { RUNBOOK_STACK: name } = process.env;
  const ready = status().flatMap(({ state, endpoints }) =>
    state === 'ready' && endpoints !== undefined ? [endpoints] : [],
  );
  const names = ready.map((one) => one.name).join(', ');
  if (name !== undefined) {
    const named = ready.find((one) => one.name === name);
    if (named === undefined)
      throw new UsageError(
        `RUNBOOK_STACK: no local stack "${name}" is up; ${names === '' ? 'none is' : `these are: ${names}`}`,
      );
    return named;
  }
  const chosen =
    ready.find((one) => one.name === defaultStackName) ?? (ready.length === 1 ? ready[0] : undefined);
  // Any of several would be a guess.
  if (chosen === undefined && ready.length > 1)
    throw new UsageError(`several local stacks are up: ${names}; choose one: RUNBOOK_STACK=NAME`);
  return chosen;
}

/**
 * Points this process, and what it starts, at one local stack and nothing else: whatever the user configured
 * for servers of their own must not reach a demo, which changes what it is pointed at.
 */
export function useOnly(endpoints: StackEndpoints): void {
  for (const name of Object.keys(process.env)) {
    if (/^(TEMPORAL|AWS|RUNBOOK)_/.test(name) && name !== 'RUNBOOK_LOCAL_DIRECTORY')
      Reflect.deleteProperty(process.env, name);
  }
  // An own file, since Temporal's library would read the one in the home folder and fails on an empty one.
  const configFile = join(endpoints.directory, 'logs', 'temporal.toml');
  writeFileSync(configFile, `[profile.default]\naddress = "${endpoints.temporalAddress}"\n`);
  Object.assign(process.env, workerEnvironment(endpoints), { TEMPORAL_CONFIG_FILE: configFile });
}

/** The environment that a worker of a local stack needs. */
function workerEnvironment(endpoints: StackEndpoints): Record<string, string> {
  const { s3 } = endpoints;
  return {
    TEMPORAL_ADDRESS: endpoints.temporalAddress,
    TEMPORAL_NAMESPACE: endpoints.temporalNamespace,
    RUNBOOK_KUBECONFIG: endpoints.kubeconfig,
    RUNBOOK_STORAGE_BUCKET: s3.bucket,
    RUNBOOK_STORAGE_ENDPOINT: s3.endpoint,
    RUNBOOK_STORAGE_REGION: s3.region,
    AWS_ACCESS_KEY_ID: s3.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
  };
}

/** A client for whatever is configured, else for the local stack. */
export async function openClient(say: (line: string) => void): Promise<Client> {
  preferLocalStack(say);
  return await connectClient();
}
