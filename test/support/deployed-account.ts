import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { KubernetesGateway } from '../../src/clients/kubernetes/gateway.ts';
import type { KubernetesObject } from '../../src/contracts/kubernetes.ts';
import { lockNamespace } from '../../src/contracts/names.ts';
import { waitFor } from '../../src/local/wait.ts';
import { withUser } from '../activities/support/narrow-worker.ts';
import { isRole, manifestOf } from './deploy-manifests.ts';
import { openGateway, unique } from './stack.ts';

/** An account of a worker that has what these manifests grant, for one target, and nothing else. */
export class DeployedAccount {
  readonly kubeconfig: string;
  readonly #folder = mkdtempSync(join(tmpdir(), 'runbook-account-'));
  readonly #gateway: KubernetesGateway = openGateway();
  readonly #made: KubernetesObject[] = [];

  private constructor() {
    this.kubeconfig = join(this.#folder, 'kubeconfig');
  }

  static async make(names: string[], target: string): Promise<DeployedAccount> {
    const account = new DeployedAccount();
    const user = unique('worker');
    await account.#create({
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: user, namespace: lockNamespace },
    });
    const rights = names.flatMap(manifestOf).filter(({ apiVersion }) => apiVersion.startsWith('rbac.'));
    for (const object of rights) await account.#create(renamed(object, user, target));
    const token = await account.#token(user);
    writeFileSync(account.kubeconfig, stringify(withUser({ token })));
    await account.#untilBound(user, target);
    return account;
  }

  async remove(): Promise<void> {
    for (const { apiVersion, kind, metadata } of this.#made.reverse()) {
      const { name, namespace = '', uid = '' } = metadata;
      await this.#gateway.delete({ apiVersion, kind, name, namespace }, { preconditions: { uid } });
    }
    await this.#gateway.close();
    rmSync(this.#folder, { recursive: true });
  }

  async #create(object: KubernetesObject): Promise<void> {
    this.#made.push(await this.#gateway.create(object, { fieldManager: 'test' }));
  }

  async #token(user: string): Promise<string> {
    const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} };
    const path = `/api/v1/namespaces/${lockNamespace}/serviceaccounts/${user}/token`;
    const { text } = await this.#gateway.raw('POST', path, {
      body: { contentType: 'application/json', text: JSON.stringify(body) },
    });
    return (JSON.parse(text) as { status: { token: string } }).status.token;
  }

  /** The authoriser learns of new roles a moment later. */
  async #untilBound(user: string, target: string): Promise<void> {
    const mine = this.#made.filter(isRole);
    for (const { metadata, rules } of mine)
      await waitFor(
        async () => {
          const [rule] = rules;
          const resourceAttributes = {
            group: rule?.apiGroups[0] ?? '',
            resource: rule?.resources[0] ?? '',
            verb: rule?.verbs[0] ?? '',
            namespace: metadata.namespace ?? target,
            name: rule?.resourceNames?.[0] ?? '',
          };
          const review = await this.#gateway.raw(
            'POST',
            '/apis/authorization.k8s.io/v1/subjectaccessreviews',
            {
              body: {
                contentType: 'application/json',
                text: JSON.stringify({
                  apiVersion: 'authorization.k8s.io/v1',
                  kind: 'SubjectAccessReview',
                  spec: { user: `system:serviceaccount:${lockNamespace}:${user}`, resourceAttributes },
                }),
              },
            },
          );
          const { status } = JSON.parse(review.text) as { status: { allowed: boolean } };
          return status.allowed || undefined;
        },
        { what: `role ${metadata.name} to take effect`, timeoutMilliseconds: 20_000 },
      );
  }
}

/** As whoever deploys it changes it: namespace and names of the target, and names that no other test has. */
function renamed(object: KubernetesObject, user: string, target: string): KubernetesObject {
  const changed = JSON.parse(
    JSON.stringify(object)
      .replaceAll('"namespace":"alecs"', `"namespace":"${target}"`)
      .replaceAll('runbook-backup-alecs', `runbook-backup-${target}`),
  ) as KubernetesObject & { roleRef?: { name: string }; subjects?: { name: string }[] };
  const own = (name: string): string => `${user}-${name}`;
  return {
    ...changed,
    metadata: { ...changed.metadata, name: own(changed.metadata.name) },
    ...(changed.roleRef === undefined
      ? {}
      : { roleRef: { ...changed.roleRef, name: own(changed.roleRef.name) } }),
    ...(changed.subjects === undefined
      ? {}
      : { subjects: changed.subjects.map((subject) => ({ ...subject, name: user })) }),
  };
}
