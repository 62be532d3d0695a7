import { createServer } from 'node:net';

/**
 * Ports that the kernel says are free on an address. All are held open until the last is known, so
 * that they differ. Another process may still take one before its server does: the stack's start
 * is then repeated with new ones.
 */
export async function freePorts(count: number, address = '127.0.0.1'): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(0, address, resolve);
      });
      return server;
    }),
  );
  return Promise.all(
    servers.map(async (server) => {
      const bound = server.address();
      await new Promise((resolve) => server.close(resolve));
      return typeof bound === 'object' && bound !== null ? bound.port : 0;
    }),
  );
}
