import type { KubernetesObject } from '../../../contracts/kubernetes.ts';
import { dropAnnotations, dropAt, editAt, isJsonObject, putAt, valueOf, withoutMembers } from '../edit.ts';
import type { KindRules, RuleContext } from './rule.ts';

const ofTheController = new Set(['controller-uid', 'batch.kubernetes.io/controller-uid']);

export const jobRules: KindRules = {
  kinds: ['Job.batch'],
  rules: [
    {
      about: 'a Job that has ended',
      does: 'leaves the object out',
      because: 'it has done its work; restored it would do it once more',
      leavesOut: (_job, context) => hasEnded(context),
    },
    {
      about: 'spec.selector and label controller-uid of its pods',
      does: 'drops',
      because:
        'they hold the uid of the former Job; the server makes them anew, unless spec.manualSelector is true',
      edit: (job) => (valueOf(job, 'spec', 'manualSelector') === true ? job : withoutControllerUid(job)),
      merge: (wanted, live) => withLiveSelector(wanted, live),
    },
    {
      about: 'annotation batch.kubernetes.io/job-tracking',
      does: 'drops',
      because: 'the controller sets it',
      edit: (job) => dropAnnotations(job, (name) => name === 'batch.kubernetes.io/job-tracking'),
    },
    {
      about: 'spec.suspend',
      does: 'sets',
      when: 'in a drill',
      because: 'a drill must not do the work of the service',
      edit: (job, { purpose }) => (purpose === 'drill' ? putAt(job, ['spec', 'suspend'], true) : job),
    },
  ],
};

export const cronJobRules: KindRules = {
  kinds: ['CronJob.batch'],
  rules: [
    {
      about: 'spec.suspend',
      does: 'sets',
      when: 'in a drill',
      because: 'a drill must not do the work of the service',
      edit: (cronJob, { purpose }) =>
        purpose === 'drill' ? putAt(cronJob, ['spec', 'suspend'], true) : cronJob,
    },
  ],
};

function hasEnded({ dropped: { status } }: RuleContext): boolean {
  if (!isJsonObject(status)) return false;
  const { conditions, completionTime } = status;
  return (
    completionTime !== undefined ||
    (Array.isArray(conditions) ? conditions : [])
      .filter(isJsonObject)
      .some(({ type, status: is }) => (type === 'Complete' || type === 'Failed') && is === 'True')
  );
}

function withoutControllerUid(job: KubernetesObject): KubernetesObject {
  const isUid = (name: string): boolean => ofTheController.has(name);
  const labelled = editAt(job, ['spec', 'template', 'metadata', 'labels'], (value) =>
    withoutMembers(value, isUid),
  );
  return dropAt(labelled, ['spec', 'selector']);
}

/** Selector and labels of a Job that exists cannot be changed. */
function withLiveSelector(wanted: KubernetesObject, live: KubernetesObject): KubernetesObject {
  const selector = valueOf(live, 'spec', 'selector');
  const labels = valueOf(live, 'spec', 'template', 'metadata', 'labels');
  const selecting = selector === undefined ? wanted : putAt(wanted, ['spec', 'selector'], selector);
  return labels === undefined
    ? selecting
    : putAt(selecting, ['spec', 'template', 'metadata', 'labels'], labels);
}
