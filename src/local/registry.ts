import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { answers, startServer, untilReady, type Server, type ServerHost } from './server.ts';

/** Starts an OCI registry over plain HTTP; returns its host:port as image references name it. */
export async function startRegistry(
  host: ServerHost,
  program: string,
  address: { host: string; port: number },
  onServer: (server: Server) => void,
): Promise<string> {
  const listen = `${address.host}:${address.port}`;
  const config = {
    version: 0.1,
    log: { level: 'warn' },
    storage: { filesystem: { rootdirectory: join(host.directory, 'registry') }, delete: { enabled: true } },
    http: { addr: listen },
  };
  const file = join(host.directory, 'registry.json');
  writeFileSync(file, JSON.stringify(config), { mode: 0o600 });
  const server = startServer(host, {
    name: 'registry',
    command: program,
    arguments: ['serve', file],
    // Otherwise it looks for a collector of traces on this machine.
    environment: { OTEL_TRACES_EXPORTER: 'none' },
  });
  onServer(server);
  await untilReady(host, server, () => answers(`http://${listen}/v2/`));
  return listen;
}
