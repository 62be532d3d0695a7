import { z } from 'zod';
import { KubernetesError } from '../../clients/kubernetes/errors.ts';
import { createKubernetesGateway, type KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import type { Config } from '../../config.ts';
import { auditNames } from '../../contracts/audit.ts';
import { fieldManager, lockNamespace } from '../../contracts/names.ts';
import type { TargetProfile } from '../../contracts/target.ts';
import { permissionsFor, resourceName, ruleLine, type Permission } from '../../domain/permissions.ts';
import { sentenceOf, statusOf } from './answers.ts';
import { checkBackupSecret } from './backup-keys.ts';
import { judgeClock, type ClockReading } from './clock.ts';
import { failed, passed, questionSeconds, unknown, type Finding, type Section } from './finding.ts';

const limit = { timeoutSeconds: questionSeconds };

/** The cluster of one target: does it answer, is everything there that the profile names, is enough allowed. */
export async function checkCluster(config: Config, profile: TargetProfile): Promise<Section> {
  const { gateway, finding } = openCluster(config, profile);
  if (gateway === undefined) return { findings: [finding], clocks: [] };
  try {
    const { findings, clocks } = await checkOpened(gateway, profile);
    if (clocks.length === 0) return { findings, clocks };
    const [backupKeys, auditKey] = await Promise.all([
      checkBackupSecret(gateway, profile),
      // Without a bucket there is no audit log; that is said of the storage.
      config.storage === undefined ? undefined : checkAuditKey(gateway, profile.target),
    ]);
    return { findings: [...findings, ...backupKeys, ...(auditKey === undefined ? [] : [auditKey])], clocks };
  } finally {
    await gateway.close();
  }
}

/** A gateway to the cluster of a target, or the finding why there is none. Nothing is sent. */
export function openCluster(
  { kubeconfigPath }: Config,
  { target, cluster }: TargetProfile,
): { gateway: KubernetesGateway; finding?: never } | { gateway?: never; finding: Finding } {
  try {
    const gateway = createKubernetesGateway({
      ...(kubeconfigPath === undefined ? {} : { kubeconfigPath }),
      ...(cluster === undefined ? {} : { context: cluster.context }),
    });
    return { gateway };
  } catch (error) {
    const mend =
      cluster === undefined
        ? 'Set RUNBOOK_KUBECONFIG to a kubeconfig whose current context is the cluster.'
        : `Set RUNBOOK_KUBECONFIG to a kubeconfig with that context, or correct cluster.context in the profile.`;
    return { finding: failed(`target ${target}, API server`, sentenceOf(error), mend) };
  }
}

async function checkOpened(gateway: KubernetesGateway, profile: TargetProfile): Promise<Section> {
  const { target } = profile;
  const { server, reading } = await checkServer(gateway, target);
  if (reading === undefined) return { findings: [server], clocks: [] };
  const [{ namespace, workloads }, lock, permissions] = await Promise.all([
    checkPlaces(gateway, profile),
    checkLockNamespace(gateway, target),
    checkPermissions(gateway, profile),
  ]);
  return {
    findings: [server, namespace, ...workloads, lock, ...permissions],
    clocks: [judgeClock(`clock of the API server of target ${target}`, reading)],
  };
}

const versionSchema = z.object({ gitVersion: z.string() });
const reviewSchema = z.object({ status: z.object({ userInfo: z.object({ username: z.string() }) }) });

async function checkServer(
  gateway: KubernetesGateway,
  target: string,
): Promise<{ server: Finding; reading?: ClockReading }> {
  const check = `target ${target}, API server`;
  try {
    const asked = Date.now();
    const { text, date } = await gateway.raw('GET', '/version', limit);
    const reading = { asked, answered: Date.now(), date };
    const { gitVersion } = versionSchema.parse(JSON.parse(text));
    const who = await identityOf(gateway);
    return { server: passed(check, `${gitVersion} answers at ${gateway.server}, as ${who}`), reading };
  } catch (error) {
    const found = `${gateway.server}: ${sentenceOf(error)}; nothing else of this cluster was looked at`;
    return { server: failed(check, found, mendForServer(error, gateway.server)) };
  }
}

/** What to do when a call did not get through. */
export function mendForServer(error: unknown, server: string): string {
  const { status, reason } = error instanceof KubernetesError ? error : {};
  if (status === 401 || reason === 'NoCredentials')
    return 'Renew the credentials that the kubeconfig (RUNBOOK_KUBECONFIG) names; kubectl auth whoami tells when they are right.';
  if (status === 403) return 'Bind the ClusterRole system:public-info-viewer to this account.';
  if (reason === 'CertificateNotTrusted')
    return 'Put the certificate authority of the cluster into the kubeconfig (certificate-authority-data).';
  return `Start the cluster, or set RUNBOOK_KUBECONFIG to one that answers; try: curl --insecure ${server}/version`;
}

async function identityOf(gateway: KubernetesGateway): Promise<string> {
  try {
    const path = '/apis/authentication.k8s.io/v1/selfsubjectreviews';
    const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' };
    const { text } = await post(gateway, path, review);
    return reviewSchema.parse(JSON.parse(text)).status.userInfo.username;
  } catch {
    return 'somebody whom it does not name';
  }
}

async function checkPlaces(
  gateway: KubernetesGateway,
  profile: TargetProfile,
): Promise<{ namespace: Finding; workloads: Finding[] }> {
  const { target, namespace } = profile;
  const check = `target ${target}, namespace`;
  const [state, workloads] = await Promise.all([
    lookForNamespace(gateway, namespace),
    Promise.all(Object.keys(profile.workloads).map((name) => checkWorkload(gateway, profile, name))),
  ]);
  if (state === 'missing') {
    const mend = `Correct namespace in the profile, or: kubectl create namespace ${namespace}`;
    const found = `there is no namespace ${namespace}, so its workloads were not looked for`;
    return { namespace: failed(check, found, mend), workloads: [] };
  }
  // Whoever sees a workload has seen its namespace.
  const seen = state === 'there' || workloads.some((workload) => workload.state === 'pass');
  if (seen) return { namespace: passed(check, `${namespace} is there`), workloads };
  const mend = `Ask someone who may: kubectl get namespace ${namespace}`;
  return { namespace: unknown(check, `whether ${namespace} is there cannot be read`, mend), workloads };
}

/** Whether a namespace is there; `hidden` when that is not answered, since a worker need not read namespaces. */
async function lookForNamespace(
  gateway: KubernetesGateway,
  name: string,
): Promise<'there' | 'missing' | 'hidden'> {
  try {
    await gateway.get({ apiVersion: 'v1', kind: 'Namespace', namespace: '', name }, limit);
    return 'there';
  } catch (error) {
    return statusOf(error) === 404 ? 'missing' : 'hidden';
  }
}

const workloadSchema = z.object({
  spec: z.object({
    template: z.object({ spec: z.object({ containers: z.array(z.object({ name: z.string() })) }) }),
  }),
});

async function checkWorkload(
  gateway: KubernetesGateway,
  { target, namespace, workloads }: TargetProfile,
  name: string,
): Promise<Finding> {
  const check = `target ${target}, workload ${name}`;
  const { kind, container } = workloads[name] ?? { kind: 'Deployment', container: '' };
  try {
    const live = workloadSchema.parse(
      await gateway.get({ apiVersion: 'apps/v1', kind, namespace, name }, limit),
    );
    const names = live.spec.template.spec.containers.map((one) => one.name);
    if (names.includes(container)) return passed(check, `${kind} with the container ${container}`);
    const found = `the ${kind} has no container ${container}, only ${names.join(', ')}`;
    return failed(check, found, `Correct workloads.${name}.container in the profile.`);
  } catch (error) {
    if (statusOf(error) === 404)
      return failed(
        check,
        `there is no ${kind} ${name} in namespace ${namespace}`,
        `Correct workloads in the profile, or deploy it; see: kubectl --namespace ${namespace} get deployments`,
      );
    const mend = 'Add what is missing under permissions, then run doctor again.';
    return unknown(check, sentenceOf(error), mend);
  }
}

/** Whether the namespace of locks is there, also for an account that may not read namespaces. */
export async function lookForLockNamespace(
  gateway: KubernetesGateway,
): Promise<'there' | 'missing' | 'hidden'> {
  const state = await lookForNamespace(gateway, lockNamespace);
  if (state !== 'hidden') return state;
  try {
    // A dry run is refused with 404 where the namespace is missing, and stores nothing.
    const metadata = { name: 'runbook-doctor', namespace: lockNamespace };
    const lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata };
    await gateway.create(lease, { fieldManager, dryRun: true, ...limit });
    return 'there';
  } catch (error) {
    const status = statusOf(error);
    if (status === 409) return 'there';
    return status === 404 ? 'missing' : 'hidden';
  }
}

async function checkLockNamespace(gateway: KubernetesGateway, target: string): Promise<Finding> {
  const check = `target ${target}, namespace of locks`;
  const state = await lookForLockNamespace(gateway);
  if (state === 'there') return passed(check, `${lockNamespace} is there`);
  if (state === 'missing') {
    const mend = `Run: runbook setup; or: kubectl create namespace ${lockNamespace}`;
    return failed(check, `there is no namespace ${lockNamespace}, so no run can lock the target`, mend);
  }
  const mend = `Ask someone who may: kubectl get namespace ${lockNamespace}`;
  return unknown(check, `whether ${lockNamespace} is there cannot be read`, mend);
}

const auditKeyRef = {
  apiVersion: 'v1',
  kind: 'Secret',
  namespace: lockNamespace,
  name: auditNames.keySecret,
};

/** Whether the key that signs checkpoints is there; its values never leave the server. */
async function checkAuditKey(gateway: KubernetesGateway, target: string): Promise<Finding> {
  const check = `target ${target}, audit key`;
  try {
    await gateway.getMetadata(auditKeyRef, limit);
    return passed(check, `Secret ${auditNames.keySecret} is there`);
  } catch (error) {
    if (statusOf(error) === 404) {
      const found = `there is no Secret ${auditNames.keySecret} in namespace ${lockNamespace}, so checkpoints of the audit log are not signed`;
      return unknown(check, found, 'Run: runbook setup');
    }
    const mend = 'Add what is missing under permissions, then run doctor again.';
    return unknown(check, sentenceOf(error), mend);
  }
}

async function checkPermissions(gateway: KubernetesGateway, profile: TargetProfile): Promise<Finding[]> {
  const needed = permissionsFor(profile);
  const findings = await Promise.all(
    needed.map((permission) => checkPermission(gateway, profile.target, permission)),
  );
  const wanting = findings.filter((finding) => finding !== undefined);
  if (wanting.length > 0) return wanting;
  return [
    passed(`target ${profile.target}, permissions`, `all on the ${needed.length} resources that runs use`),
  ];
}

/** What is missing of one permission; undefined when nothing is. */
async function checkPermission(
  gateway: KubernetesGateway,
  target: string,
  permission: Permission,
): Promise<Finding | undefined> {
  const { namespace, names = [], why, optional = false, instead = 'says "unknown"' } = permission;
  const resource = resourceName(permission);
  const check = `target ${target}, permission on ${resource}${namespace === undefined ? ' of the cluster' : ''}`;
  try {
    const missing = await missingVerbs(gateway, permission);
    if (missing.length === 0) return undefined;
    const what = [resource, names.join(', ')].filter((part) => part !== '').join(' ');
    const where = namespace === undefined ? 'in the whole cluster' : `in namespace ${namespace}`;
    const found = `may not ${missing.join(', ')} ${what} ${where}; a run needs it to ${why}`;
    const role = namespace === undefined ? 'ClusterRole' : 'Role';
    const mend = `Add to the rules of a ${role} that is bound to this account ${where}: ${ruleLine(permission, missing)}`;
    return optional
      ? unknown(check, `${found}, and ${instead} without it`, mend)
      : failed(check, found, mend);
  } catch (error) {
    const mend = 'Bind the ClusterRole system:basic-user to this account, so that it may ask what it may.';
    return unknown(check, sentenceOf(error), mend);
  }
}

async function missingVerbs(gateway: KubernetesGateway, permission: Permission): Promise<string[]> {
  const { verbs, names = [''] } = permission;
  const answers = await Promise.all(
    verbs.map((verb) => Promise.all(names.map((name) => isAllowed(gateway, permission, verb, name)))),
  );
  return verbs.filter((_, index) => answers[index]?.includes(false));
}

const accessSchema = z.object({ status: z.object({ allowed: z.boolean() }) });

async function isAllowed(
  gateway: KubernetesGateway,
  { apiGroup, resource, subresource, namespace = '' }: Permission,
  verb: string,
  name: string,
): Promise<boolean> {
  const attributes = { group: apiGroup, resource, namespace, verb, name };
  const { text } = await post(gateway, '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectAccessReview',
    spec: { resourceAttributes: subresource === undefined ? attributes : { ...attributes, subresource } },
  });
  return accessSchema.parse(JSON.parse(text)).status.allowed;
}

async function post(gateway: KubernetesGateway, path: string, body: unknown): Promise<{ text: string }> {
  return await gateway.raw('POST', path, {
    ...limit,
    body: { contentType: 'application/json', text: JSON.stringify(body) },
  });
}
