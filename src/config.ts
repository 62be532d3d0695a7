import { isIP } from 'node:net';
import { z } from 'zod';
import { describeIssues } from './domain/requests.ts';

const environment = z.object({
  RUNBOOK_TARGETS: z.string().min(1).default('targets').describe('Folder of target profiles.'),
  RUNBOOK_DEFAULT_TARGET: z
    .string()
    .min(1)
    .optional()
    .describe('Target of a request that names none; not needed with one profile.'),
  RUNBOOK_KUBECONFIG: z
    .string()
    .min(1)
    .optional()
    .describe('kubeconfig file; without it the usual places and the service account.'),
  RUNBOOK_NOTIFIERS: z
    .string()
    .min(1)
    .optional()
    .describe('Folder with one file per channel, such as a mounted Secret; without it there is only `log`.'),
  RUNBOOK_TASK_QUEUE: z.string().min(1).max(200).default('runbooks'),
  RUNBOOK_BUILD_ID: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,128}$/, 'must be letters, digits, dots and dashes')
    .default('development')
    .describe('Recorded in every history; in production the version of the image.'),
  RUNBOOK_WORKER_VERSIONING: z
    .enum(['on', 'off'])
    .default('off')
    .describe('on only with a current version set, else runs wait for ever.'),
  RUNBOOK_METRICS_ADDRESS: z
    .string()
    .refine(isAddress, 'must be an IP address and a port, such as 0.0.0.0:9464')
    .optional()
    .describe('Where the worker serves its metrics to Prometheus, at /metrics; without it nowhere.'),
  RUNBOOK_STORAGE_BUCKET: z
    .string()
    .min(3)
    .max(63)
    .optional()
    .describe('Bucket for reports; without it reports stay in the results of runs.'),
  RUNBOOK_STORAGE_ENDPOINT: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('S3-compatible endpoint; without it AWS.'),
  RUNBOOK_STORAGE_REGION: z.string().min(1).default('us-east-1'),
  RUNBOOK_STORAGE_PREFIX: z
    .string()
    .regex(/^[A-Za-z0-9._/-]*$/)
    .default(''),
});

/** The metrics server takes no host names. */
function isAddress(text: string): boolean {
  const match = /^(?:\[([0-9a-f:]+)\]|([0-9.]+)):(\d{1,5})$/i.exec(text);
  if (match === null) return false;
  const [, six, four, port] = match;
  return (
    isIP(six ?? four ?? '') === (six === undefined ? 4 : 6) && Number(port) >= 1 && Number(port) <= 65_535
  );
}

/** Where reports go. Credentials come from the usual AWS variables and files. */
interface StorageConfig {
  bucket: string;
  endpoint?: string;
  region: string;
  prefix: string;
}

export interface Config {
  targetsFolder: string;
  defaultTarget?: string;
  kubeconfigPath?: string;
  notifiersFolder?: string;
  taskQueue: string;
  buildId: string;
  useWorkerVersioning: boolean;
  /** IP address and port. */
  metricsAddress?: string;
  storage?: StorageConfig;
}

/**
 * Reads the worker's configuration from the environment, once. Temporal's own variables are read by
 * its envconfig package. Throws one Error that lists every fault, by variable and without values.
 */
export function readConfig(env: NodeJS.ProcessEnv): Readonly<Config> {
  const given = Object.fromEntries(
    Object.entries(env).filter(([, value]) => value !== undefined && value !== ''),
  );
  const parsed = environment.safeParse(given);
  if (!parsed.success) {
    throw configurationError(describeIssues(parsed.error));
  }
  const values = parsed.data;
  if (values.RUNBOOK_STORAGE_ENDPOINT !== undefined && values.RUNBOOK_STORAGE_BUCKET === undefined) {
    throw configurationError([
      'RUNBOOK_STORAGE_BUCKET: is missing, although RUNBOOK_STORAGE_ENDPOINT is set',
    ]);
  }
  return Object.freeze({
    targetsFolder: values.RUNBOOK_TARGETS,
    ...(values.RUNBOOK_DEFAULT_TARGET === undefined ? {} : { defaultTarget: values.RUNBOOK_DEFAULT_TARGET }),
    ...(values.RUNBOOK_KUBECONFIG === undefined ? {} : { kubeconfigPath: values.RUNBOOK_KUBECONFIG }),
    ...(values.RUNBOOK_NOTIFIERS === undefined ? {} : { notifiersFolder: values.RUNBOOK_NOTIFIERS }),
    taskQueue: values.RUNBOOK_TASK_QUEUE,
    buildId: values.RUNBOOK_BUILD_ID,
    useWorkerVersioning: values.RUNBOOK_WORKER_VERSIONING === 'on',
    ...(values.RUNBOOK_METRICS_ADDRESS === undefined
      ? {}
      : { metricsAddress: values.RUNBOOK_METRICS_ADDRESS }),
    ...(values.RUNBOOK_STORAGE_BUCKET === undefined
      ? {}
      : { storage: readStorage(values.RUNBOOK_STORAGE_BUCKET, values) }),
  });
}

function configurationError(faults: string[]): Error {
  const count = faults.length === 1 ? '1 fault' : `${faults.length} faults`;
  return new Error(`The configuration has ${count}:\n${faults.map((fault) => `  ${fault}`).join('\n')}`);
}

function readStorage(bucket: string, values: z.infer<typeof environment>): StorageConfig {
  return {
    bucket,
    ...(values.RUNBOOK_STORAGE_ENDPOINT === undefined ? {} : { endpoint: values.RUNBOOK_STORAGE_ENDPOINT }),
    region: values.RUNBOOK_STORAGE_REGION,
    prefix: values.RUNBOOK_STORAGE_PREFIX,
  };
}
