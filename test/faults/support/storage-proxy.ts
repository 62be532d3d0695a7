import { Agent } from 'node:http';
import { startServerProxy, type RequestTap, type ServerProxy } from './server-proxy.ts';

/** Forwards between one worker and the object storage; requests keep the host that they were signed for. */
export async function startStorageProxy(endpoint: string, tap: RequestTap): Promise<ServerProxy> {
  const access = {
    server: new URL(endpoint),
    agent: new Agent({ keepAlive: true }),
    keepsHost: true,
    readsBodies: false,
    isMutating: (method: string): boolean => method !== 'GET' && method !== 'HEAD',
  };
  return await startServerProxy(access, tap);
}
