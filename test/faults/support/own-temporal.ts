import { mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { identityOf, signalProcess } from '../../../src/local/identity.ts';
import { freePorts } from '../../../src/local/ports.ts';
import { createRecord } from '../../../src/local/record.ts';
import type { Server } from '../../../src/local/server.ts';
import { startTemporal, type TemporalOptions } from '../../../src/local/temporal.ts';
import { stack } from '../../support/stack.ts';
import { scratch } from './scratch.ts';

/** A Temporal server that keeps its histories in a file, so that it can be killed and started again. */
export class OwnTemporal {
  readonly #options: TemporalOptions;
  #server: Server | undefined;

  private constructor(options: TemporalOptions) {
    this.#options = options;
  }

  static async start(): Promise<OwnTemporal> {
    const directory = scratch('temporal');
    mkdirSync(join(directory, 'logs'));
    const self = identityOf(process.pid) ?? { pid: process.pid, startTime: 'unknown' };
    const [temporal = 0, ui = 0, http = 0, metrics = 0] = await freePorts(4);
    const own = new OwnTemporal({
      host: { directory, record: createRecord(directory, self), signal: new AbortController().signal },
      program: join(dirname(stack().kubectl), 'temporal'),
      ports: { temporal, ui, http, metrics },
      database: true,
    });
    await own.#run();
    return own;
  }

  get address(): string {
    return `127.0.0.1:${this.#options.ports.temporal}`;
  }

  /** Kills the server and starts it again, after what is done while it is away. */
  async restart(whileAway?: () => Promise<unknown>): Promise<undefined> {
    if (this.#server !== undefined) signalProcess(this.#server.identity, 'SIGKILL');
    await this.#server?.exited;
    await whileAway?.();
    await this.#run();
  }

  async stop(): Promise<void> {
    await this.#server?.stop();
    rmSync(this.#options.host.directory, { recursive: true, force: true });
  }

  async #run(): Promise<void> {
    await startTemporal(this.#options, (server) => {
      this.#server = server;
    });
  }
}
