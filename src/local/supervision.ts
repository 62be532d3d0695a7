import type { Server } from './server.ts';

/** Keeps the servers of a stack: says which one died, and stops them all, once. */
export interface Supervision {
  onServer: (server: Server) => void;
  /** Work to do before the servers are stopped, last given first. */
  beforeStop: (work: () => Promise<void>) => void;
  /** Settles with a sentence when a server died that should not have. */
  failed: Promise<string>;
  /** Aborted with that sentence, or when the stack is stopped: the end of every wait for a server. */
  signal: AbortSignal;
  stop: () => Promise<void>;
}

export function supervise(afterStop: () => Promise<void>): Supervision {
  const servers: Server[] = [];
  const works: (() => Promise<void>)[] = [];
  const { promise: failed, resolve: fail } = Promise.withResolvers<string>();
  const waits = new AbortController();
  let stopping: Promise<void> | undefined;
  const stopAll = async (): Promise<void> => {
    waits.abort(new Error('the stack is being stopped'));
    for (const work of works.toReversed()) await work();
    await Promise.all(servers.map((server) => server.stop()));
    await afterStop();
  };
  return {
    onServer: (server) => {
      servers.push(server);
      // Started by a part that had not heard yet that the whole is being stopped.
      if (stopping !== undefined) void server.stop();
      void server.exited.then((reason) => {
        if (stopping !== undefined) return;
        waits.abort(new Error(reason));
        fail(reason);
      });
    },
    beforeStop: (work) => {
      works.push(work);
    },
    failed,
    signal: waits.signal,
    stop: () => (stopping ??= stopAll()),
  };
}
