import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Client } from '@temporalio/client';
import {
  NativeConnection,
  Runtime,
  Worker,
  type NativeConnectionOptions,
  type WorkerOptions,
} from '@temporalio/worker';
import { createActivities } from './activities/index.ts';
import { createChannels } from './activities/notifications/channels.ts';
import { createKubernetesGateway, type KubernetesGateway } from './clients/kubernetes/gateway.ts';
import { createObjectStorage } from './clients/object-storage.ts';
import { readTemporalConfig } from './clients/temporal/connection.ts';
import { createRuns } from './clients/temporal/runs.ts';
import { createSchedules } from './clients/temporal/schedules.ts';
import { registerSearchAttributes } from './clients/temporal/search-attributes.ts';
import { readConfig, type Config } from './config.ts';
import { deploymentName } from './contracts/names.ts';
import type { Target } from './contracts/target.ts';
import { startScheduleMetrics } from './schedule-metrics.ts';
import { createWorkerLog } from './worker-log.ts';

/** How long a worker that was told to stop lets running activities finish. Longer than any single write. */
const shutdownGraceTime = '30 seconds';

/** What a caller may set beside the environment: tests bring a prebuilt bundle. */
export interface WorkerExtras {
  workflowBundle?: WorkerOptions['workflowBundle'];
  log?: (line: string) => void;
}

/** Builds everything a worker needs and returns it, ready to run. `close` frees the connections after it has ended. */
export async function createWorker(
  config: Config,
  extras: WorkerExtras = {},
): Promise<{ worker: Worker; close: () => Promise<void> }> {
  const log = extras.log ?? console.error;
  const { connectionOptions, namespace } = readTemporalConfig();
  const connection = await NativeConnection.connect(connectionOptions as NativeConnectionOptions); // envconfig gives plain strings, valid for both kinds
  const client = new Client({ connection, namespace });
  const attributes = await registerSearchAttributes(client);
  if (!attributes.ok) log(`search attributes are off: ${attributes.why}`);
  const gateways = openGateways(config);
  const storage = config.storage === undefined ? undefined : createObjectStorage(config.storage);
  const { targetsFolder, defaultTarget } = config;
  const activities = createActivities({
    targetsFolder,
    defaultTarget,
    searchAttributes: attributes.ok,
    gatewayFor: gateways.of,
    storage,
    bucket: config.storage,
    runs: createRuns(client),
    channels: createChannels(config.notifiersFolder, log),
  });
  const worker = await Worker.create({
    connection,
    namespace,
    taskQueue: config.taskQueue,
    activities,
    ...workflowCode(extras.workflowBundle),
    dataConverter,
    shutdownGraceTime,
    workerDeploymentOptions: deployment(config),
  });
  const stopMetrics = config.metricsAddress === undefined ? undefined : tellOfSchedules(client, config, log);
  const close = async (): Promise<void> => {
    await stopMetrics?.();
    await gateways.close();
    storage?.close();
    await connection.close();
  };
  return { worker, close };
}

/** The workflow code that the worker bundles: TypeScript on a clone, JavaScript in the package. */
export const workflowsPath = pathOf('workflows/index');

/** Where `npm run build` puts the bundle. A clone has none: its worker bundles when it starts. */
export const bundlePath = fileURLToPath(new URL('./workflow-bundle.js', import.meta.url));

function workflowCode(given: WorkerOptions['workflowBundle']): Partial<WorkerOptions> {
  if (given !== undefined) return { workflowBundle: given };
  return existsSync(bundlePath) ? { workflowBundle: { codePath: bundlePath } } : { workflowsPath };
}

/** Converts payloads and failures in the worker and, in the bundle, in workflow code. */
export const dataConverter = {
  payloadConverterPath: pathOf('clients/temporal/payload-converter'),
  failureConverterPath: pathOf('clients/temporal/failure-converter'),
};
function pathOf(module: string): string {
  return fileURLToPath(
    new URL(`./${module}${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url),
  );
}

/** Runs a worker until it is told to stop (SIGINT, SIGTERM). */
export async function runWorker(env: NodeJS.ProcessEnv): Promise<void> {
  const config = readConfig(env);
  installRuntime(config.metricsAddress);
  const { worker, close } = await createWorker(config);
  console.error(`worker polls ${config.taskQueue}, build ${config.buildId}`);
  await worker.run();
  await close();
  await Runtime.instance().shutdown();
}

/** Before anything connects: there is one native runtime in a process. It has the log, and serves the metrics. */
function installRuntime(bindAddress: string | undefined): void {
  const logger = createWorkerLog();
  if (bindAddress === undefined) {
    Runtime.install({ logger });
    return;
  }
  try {
    Runtime.install({ logger, telemetryOptions: { metrics: { prometheus: { bindAddress } } } });
  } catch (error) {
    throw new Error(`RUNBOOK_METRICS_ADDRESS: metrics cannot be served at ${bindAddress}; is it in use?`, {
      cause: error,
    });
  }
  console.error(`metrics at http://${bindAddress}/metrics`);
}

function tellOfSchedules(
  client: Client,
  { taskQueue }: Config,
  log: (line: string) => void,
): () => Promise<void> {
  const { metricMeter: meter } = Runtime.instance();
  return startScheduleMetrics({ schedules: createSchedules(client), taskQueue, meter, log });
}

/** Recorded in every history. Versioning itself waits for a current version to be set: without one, runs hang silently. */
function deployment(config: Config): NonNullable<WorkerOptions['workerDeploymentOptions']> {
  const version = { deploymentName, buildId: config.buildId };
  return config.useWorkerVersioning
    ? { version, useWorkerVersioning: true, defaultVersioningBehavior: 'PINNED' }
    : { version, useWorkerVersioning: false };
}

function openGateways(config: Config): {
  of: (target: Target) => KubernetesGateway;
  close: () => Promise<void>;
} {
  const opened = new Map<string, KubernetesGateway>();
  return {
    of(target) {
      const context = target.profile.cluster?.context;
      const known = opened.get(context ?? '');
      if (known !== undefined) return known;
      const gateway = createKubernetesGateway({
        ...(config.kubeconfigPath === undefined ? {} : { kubeconfigPath: config.kubeconfigPath }),
        ...(context === undefined ? {} : { context }),
      });
      opened.set(context ?? '', gateway);
      return gateway;
    },
    async close() {
      await Promise.all([...opened.values()].map((gateway) => gateway.close()));
    },
  };
}
