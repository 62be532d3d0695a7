import { join } from 'node:path';
import { answers, startServer, untilReady, type Server, type ServerHost } from './server.ts';

export interface TemporalOptions {
  host: ServerHost;
  program: string;
  ports: { temporal: number; ui: number; http: number; metrics: number };
  /** Keeps the histories in a file of the stack's folder instead of in memory; several times slower. */
  database: boolean;
}

export const temporalNamespace = 'default';

/** Starts Temporal's development server with its UI; search attributes are the worker's business. */
export async function startTemporal(
  options: TemporalOptions,
  onServer: (server: Server) => void,
): Promise<void> {
  const { host, program, ports, database } = options;
  const server = startServer(host, {
    name: 'temporal',
    command: program,
    arguments: [
      ...['server', 'start-dev', '--log-level', 'warn', '--namespace', temporalNamespace],
      ...['--ip', '127.0.0.1', '--port', String(ports.temporal)],
      ...['--ui-ip', '127.0.0.1', '--ui-port', String(ports.ui)],
      ...['--http-port', String(ports.http), '--metrics-port', String(ports.metrics)],
      ...(database ? ['--db-filename', join(host.directory, 'temporal.db')] : []),
    ],
  });
  onServer(server);
  // The UI answers this only when the server behind it does.
  const page = `http://127.0.0.1:${ports.ui}/api/v1/namespaces/${temporalNamespace}`;
  await untilReady(host, server, async () => (await answers(page)) && (await keepEndedRuns(ports.http)));
}

/** The server's default, one day, would lose Friday's runs over a weekend. */
async function keepEndedRuns(port: number): Promise<boolean> {
  const url = `http://127.0.0.1:${port}/api/v1/namespaces/${temporalNamespace}/update`;
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ config: { workflowExecutionRetentionTtl: '604800s' } }),
    signal: AbortSignal.timeout(2_000),
  });
  await response.arrayBuffer();
  return response.ok;
}
