import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { controls, type Control } from '../../contracts/run.ts';
import { searchAttributes } from '../../contracts/search-attributes.ts';

/** What Temporal knows about the latest run of a workflow id. */
export interface RunStatus {
  running: boolean;
  /** Of the first run of the chain: the same through reset and continue-as-new. */
  firstRunId: string;
  closedAt?: number;
  /** The step that the run shows, when it may set search attributes. */
  step?: string;
}

/** Asks about runs and aborts them. Errors of the connection pass through. */
export interface Runs {
  /** Where workflow ids of this worker mean something. */
  identity(): Promise<{ temporalNamespace: string; temporalCluster: string }>;
  /**
   * The latest run of that id, or the one named. Undefined: Temporal knows no such workflow; it was deleted or its
   * retention has passed.
   */
  describe(workflowId: string, runId?: string): Promise<RunStatus | undefined>;
  abort(workflowId: string, control: Control): Promise<void>;
}

const answerWithinMilliseconds = 5000;

/** The runs of the namespace that `client` speaks to. */
export function createRuns(client: Client): Runs {
  const bounded = <T>(call: () => Promise<T>): Promise<T> =>
    client.connection.withDeadline(Date.now() + answerWithinMilliseconds, call);
  return {
    async identity() {
      const { clusterId } = await bounded(() => client.workflowService.getClusterInfo({}));
      return { temporalNamespace: client.options.namespace, temporalCluster: clusterId };
    },
    async describe(workflowId, runId) {
      try {
        const found = await bounded(() => client.workflow.getHandle(workflowId, runId).describe());
        const step = found.typedSearchAttributes.get(searchAttributes.step);
        return {
          running: found.status.name === 'RUNNING',
          firstRunId: found.raw.workflowExecutionInfo?.firstRunId ?? '',
          ...(found.closeTime === undefined ? {} : { closedAt: found.closeTime.getTime() }),
          ...(step === undefined ? {} : { step }),
        };
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return undefined;
        throw error;
      }
    },
    async abort(workflowId, control) {
      await bounded(() => client.workflow.getHandle(workflowId).signal(controls.abort, control));
    },
  };
}
