import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { workerProcess } from '../bin/bootstrap.mjs';
import type { StackEndpoints } from '../src/local/stack-types.ts';

/** What a run cost the process that did its work. */
export interface Cost {
  /** Resident memory at its peak. */
  peakMib: number;
  /** How long the event loop was busy with one thing. */
  p999Milliseconds: number;
  worstMilliseconds: number;
}

/** A worker of the package in a process of its own, started as bin/runbook.mjs and the image start it. */
export class MeasuredWorker {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start(
    endpoints: StackEndpoints,
    env: { targetsFolder: string; queue: string },
  ): Promise<MeasuredWorker> {
    const { s3 } = endpoints;
    const child = fork(join(import.meta.dirname, 'worker.mjs'), [], {
      execArgv: workerProcess.flags,
      env: {
        ...process.env,
        ...workerProcess.env,
        TEMPORAL_ADDRESS: endpoints.temporalAddress,
        TEMPORAL_NAMESPACE: endpoints.temporalNamespace,
        RUNBOOK_KUBECONFIG: endpoints.kubeconfig,
        RUNBOOK_TARGETS: env.targetsFolder,
        RUNBOOK_TASK_QUEUE: env.queue,
        RUNBOOK_STORAGE_BUCKET: s3.bucket,
        RUNBOOK_STORAGE_ENDPOINT: s3.endpoint,
        RUNBOOK_STORAGE_REGION: s3.region,
        AWS_ACCESS_KEY_ID: s3.accessKeyId,
        AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
      },
    });
    await once(child, 'message');
    return new MeasuredWorker(child);
  }

  async measure<T>(work: () => Promise<T>): Promise<{ result: T; cost: Cost; seconds: number }> {
    this.#child.send('begin');
    await once(this.#child, 'message');
    const started = performance.now();
    const result = await work();
    const seconds = (performance.now() - started) / 1000;
    this.#child.send('tell');
    const [cost] = (await once(this.#child, 'message')) as [Cost];
    return { result, cost, seconds };
  }

  async stop(): Promise<void> {
    this.#child.send('end');
    await once(this.#child, 'exit');
  }
}
