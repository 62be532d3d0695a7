import type { Client } from '@temporalio/client';
import proto from '@temporalio/proto';
import { connectClient, readTemporalConfig } from '../../clients/temporal/connection.ts';
import type { Config } from '../../config.ts';
import { deploymentName } from '../../contracts/names.ts';
import { searchAttributes } from '../../contracts/search-attributes.ts';
import { failed, passed, questionSeconds, unknown, type Finding, type Section } from './finding.ts';

const { IndexedValueType, TaskQueueType } = proto.temporal.api.enums.v1;

/** Below this a run that ended on Friday cannot be shown on Monday. */
const leastRetentionDays = 3;

/** A poll waits for one minute; a worker that lives has begun another one a moment later. */
const silentAfterSeconds = 90;

/** gRPC's codes in words; messages of servers stay out. */
const reasons: Record<number, string> = {
  4: 'no answer in time',
  7: 'permission denied',
  12: 'this server does not know the question',
  14: 'not available',
  16: 'the credentials are refused',
};

const notFound = 5;

/** Everything that a worker and its runs need of Temporal. */
export async function checkTemporal(config: Config): Promise<Section> {
  const { client, finding } = await connect();
  if (client === undefined) return { findings: [finding], clocks: [] };
  const server = await checkServer(client, finding);
  if (server.state !== 'pass') return { findings: [server], clocks: [] };
  const namespace = await checkNamespace(client);
  if (namespace.some(({ state }) => state === 'fail'))
    return { findings: [server, ...namespace], clocks: [] };
  const [attributes, workflows, activities, version] = await Promise.all([
    checkSearchAttributes(client),
    checkPollers(client, config, 'workflow'),
    checkPollers(client, config, 'activity'),
    config.useWorkerVersioning ? checkCurrentVersion(client, config) : undefined,
  ]);
  const findings = [server, ...namespace, ...attributes, workflows, activities];
  return { findings: version === undefined ? findings : [...findings, version], clocks: [] };
}

/** A client, or the finding why there is none. */
export async function connect(): Promise<{ client?: Client; finding: Finding }> {
  const check = 'Temporal, server';
  let address: string;
  try {
    address = readTemporalConfig().connectionOptions.address ?? 'localhost:7233';
  } catch {
    const mend = 'Correct the TEMPORAL_* variables, or the file that TEMPORAL_CONFIG_FILE names.';
    return { finding: failed(check, "Temporal's configuration cannot be read", mend) };
  }
  try {
    return { client: await connectClient(), finding: passed(check, `answers at ${address}`) };
  } catch {
    const mend =
      'Set TEMPORAL_ADDRESS, and TEMPORAL_TLS or TEMPORAL_API_KEY where it wants them; or start a local one: runbook up';
    return { finding: failed(check, `there is no answer from ${address}`, mend) };
  }
}

async function ask<T>(client: Client, question: () => Promise<T>): Promise<T> {
  return await client.connection.withDeadline(Date.now() + questionSeconds * 1000, question);
}

/** Why a question failed, in words of ours. */
export function reasonOf(error: unknown): string {
  return reasons[codeOf(error)] ?? 'the server gave no reason that is known here';
}

function codeOf(error: unknown): number {
  const { code } = error as { code?: unknown };
  return typeof code === 'number' ? code : -1;
}

async function checkServer(client: Client, { check, found }: Finding): Promise<Finding> {
  try {
    const { serverVersion } = await ask(client, () => client.workflowService.getSystemInfo({}));
    return passed(check, `${serverVersion} ${found}`);
  } catch (error) {
    const mend = 'Check TEMPORAL_ADDRESS, TEMPORAL_API_KEY and TEMPORAL_TLS; is it a Temporal server at all?';
    return failed(check, `${found}, but does not say its version: ${reasonOf(error)}`, mend);
  }
}

async function checkNamespace(client: Client): Promise<Finding[]> {
  const { namespace } = client.options;
  const check = 'Temporal, namespace';
  const mendWith = (verb: string): string =>
    `temporal operator namespace ${verb} --namespace ${namespace} --retention 168h`;
  try {
    const { config } = await ask(client, () => client.workflowService.describeNamespace({ namespace }));
    const days = Number(config?.workflowExecutionRetentionTtl?.seconds ?? 0) / 86_400;
    const kept = `ended runs are kept for ${days === 1 ? 'a day' : `${Number(days.toFixed(1))} days`}`;
    const retention = 'Temporal, retention';
    return [
      passed(check, `${namespace} is there`),
      days < leastRetentionDays
        ? unknown(retention, `${kept}, less than a weekend`, `Keep them for a week: ${mendWith('update')}`)
        : passed(retention, kept),
    ];
  } catch (error) {
    if (codeOf(error) === notFound) {
      const mend = `Set TEMPORAL_NAMESPACE to one that exists, or make it: ${mendWith('create')}`;
      return [failed(check, `there is no namespace ${namespace}`, mend)];
    }
    const mend =
      'Let these credentials read the namespace (DescribeNamespace), or look into the Temporal UI.';
    return [unknown(check, `${namespace} cannot be read: ${reasonOf(error)}`, mend)];
  }
}

/** Name and type of each attribute of ours: `there`, `missing`, or the wrong type that it has. */
export async function lookForSearchAttributes(
  client: Client,
): Promise<{ name: string; state: 'there' | 'missing' | 'wrong' }[]> {
  const { namespace } = client.options;
  const { customAttributes } = await ask(client, () =>
    client.connection.operatorService.listSearchAttributes({ namespace }),
  );
  return Object.values(searchAttributes).map(({ name }) => {
    const type = customAttributes[name];
    if (type === undefined) return { name, state: 'missing' };
    return { name, state: type === IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD ? 'there' : 'wrong' };
  });
}

/** The command of Temporal's own tool that makes or removes one. */
export function attributeCommand(client: Client, name: string, verb: 'create' | 'remove'): string {
  const type = verb === 'create' ? ' --type Keyword' : '';
  return `temporal operator search-attribute ${verb} --namespace ${client.options.namespace} --name ${name}${type}`;
}

async function checkSearchAttributes(client: Client): Promise<Finding[]> {
  try {
    const looked = await lookForSearchAttributes(client);
    return looked.map(({ name, state }) => {
      const check = `Temporal, search attribute ${name}`;
      if (state === 'there') return passed(check, 'registered');
      if (state === 'missing')
        return failed(
          check,
          'not registered, so runs cannot be found by it',
          `Run: runbook setup; or: ${attributeCommand(client, name, 'create')}; then start the worker again.`,
        );
      const mend = `Run: ${attributeCommand(client, name, 'remove')}; then: runbook setup`;
      return failed(check, 'registered with another type than Keyword', mend);
    });
  } catch (error) {
    const mend = 'Let these credentials list search attributes (ListSearchAttributes on the namespace).';
    return [unknown('Temporal, search attributes', `cannot be listed: ${reasonOf(error)}`, mend)];
  }
}

async function checkPollers(
  client: Client,
  { taskQueue }: Config,
  kind: 'workflow' | 'activity',
): Promise<Finding> {
  const check = `Temporal, workers for ${kind} tasks`;
  const start = 'Start one: runbook worker (or: kubectl apply -f deploy/kubernetes/worker.yaml)';
  try {
    const silences = await silencesOf(client, taskQueue, kind);
    const alive = silences.filter((seconds) => seconds < silentAfterSeconds).length;
    if (alive > 0) return passed(check, `${alive} on the queue ${taskQueue}`);
    if (silences.length === 0) return failed(check, `no worker polls the queue ${taskQueue}`, start);
    const seconds = Math.round(Math.min(...silences));
    return failed(check, `the last worker on the queue ${taskQueue} was heard ${seconds} s ago`, start);
  } catch (error) {
    const mend = 'Let these credentials describe task queues, or look at the queue in the Temporal UI.';
    return unknown(check, `the queue ${taskQueue} cannot be described: ${reasonOf(error)}`, mend);
  }
}

/** For how many seconds each worker that polls a queue, or did lately, has been silent. */
async function silencesOf(
  client: Client,
  taskQueue: string,
  kind: 'workflow' | 'activity',
): Promise<number[]> {
  const { TASK_QUEUE_TYPE_WORKFLOW, TASK_QUEUE_TYPE_ACTIVITY } = TaskQueueType;
  const { pollers } = await ask(client, () =>
    client.workflowService.describeTaskQueue({
      namespace: client.options.namespace,
      taskQueue: { name: taskQueue },
      taskQueueType: kind === 'workflow' ? TASK_QUEUE_TYPE_WORKFLOW : TASK_QUEUE_TYPE_ACTIVITY,
    }),
  );
  return pollers.map(({ lastAccessTime }) => Date.now() / 1000 - Number(lastAccessTime?.seconds ?? 0));
}

/** Whether runs on a queue would begin. Errors of the connection pass through. */
export async function hasWorkers(client: Client, taskQueue: string): Promise<boolean> {
  return (await silencesOf(client, taskQueue, 'workflow')).some((seconds) => seconds < silentAfterSeconds);
}

async function checkCurrentVersion(client: Client, { buildId }: Config): Promise<Finding> {
  const check = 'Temporal, current version';
  const { namespace } = client.options;
  const mend =
    `Without one runs wait for ever: temporal worker deployment set-current-version --namespace ${namespace} ` +
    `--deployment-name ${deploymentName} --build-id ${buildId}; or set RUNBOOK_WORKER_VERSIONING=off`;
  try {
    const { workerDeploymentInfo } = await ask(client, () =>
      client.workflowService.describeWorkerDeployment({ namespace, deploymentName }),
    );
    const current = workerDeploymentInfo?.routingConfig?.currentDeploymentVersion?.buildId;
    if (typeof current === 'string' && current !== '') return passed(check, current);
    return failed(check, `versioning is on, but ${deploymentName} has no current version`, mend);
  } catch (error) {
    if (codeOf(error) === notFound)
      return failed(check, `versioning is on, but no worker of ${deploymentName} was ever seen`, mend);
    const allow = 'Let these credentials describe worker deployments, or look into the Temporal UI.';
    return unknown(check, `cannot be read: ${reasonOf(error)}`, allow);
  }
}
