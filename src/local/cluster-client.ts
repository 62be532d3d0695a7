import { Agent, request } from 'undici';

/** The few calls that the local stack makes to its own API server while it starts. */
export interface ClusterClient {
  get: (path: string) => Promise<unknown>;
  create: (path: string, object: unknown) => Promise<unknown>;
  close: () => Promise<void>;
}

export interface ClusterAccess {
  server: string;
  authority: string;
  certificate: string;
  key: string;
}

/** A client with a certificate for a user; every answer but a success throws with the server's sentence. */
export function createClusterClient({ server, authority, certificate, key }: ClusterAccess): ClusterClient {
  const dispatcher = new Agent({ connect: { ca: authority, cert: certificate, key } });
  const call = async (method: 'GET' | 'POST', path: string, body?: unknown): Promise<unknown> => {
    const response = await request(`${server}${path}`, {
      method,
      dispatcher,
      headers: { accept: 'application/json', 'content-type': 'application/json' },
      bodyTimeout: 5_000,
      headersTimeout: 5_000,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.body.text();
    if (response.statusCode >= 300)
      throw new Error(`${method} ${path}: ${response.statusCode} ${text.slice(0, 300)}`);
    return text.startsWith('{') ? (JSON.parse(text) as unknown) : text;
  };
  return {
    get: (path) => call('GET', path),
    create: (path, object) => call('POST', path, object),
    close: () => dispatcher.close(),
  };
}
