import { Client, Connection, type ConnectionOptions } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';

/** Address and namespace, from `temporal.toml` and TEMPORAL_* variables, as Temporal's own command line reads them. */
export function readTemporalConfig(): { connectionOptions: ConnectionOptions; namespace: string } {
  const { connectionOptions, namespace } = loadClientConnectConfig();
  return { connectionOptions, namespace: namespace ?? 'default' };
}

/** Connects a client. @throws an Error that names the address when the server does not answer. */
export async function connectClient(): Promise<Client> {
  const { connectionOptions, namespace } = readTemporalConfig();
  try {
    const connection = await Connection.connect({ ...connectionOptions, connectTimeout: '5 seconds' });
    return new Client({ connection, namespace });
  } catch (error) {
    const address = connectionOptions.address ?? 'localhost:7233';
    throw new Error(
      `Temporal does not answer at ${address}. Set TEMPORAL_ADDRESS, or start a local stack with: runbook up`,
      { cause: error },
    );
  }
}
