import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import {
  createKubernetesGateway,
  type KubernetesGateway,
} from '../../../../src/clients/kubernetes/gateway.ts';
import type { KubernetesObject } from '../../../../src/contracts/kubernetes.ts';
import { waitFor } from '../../../../src/local/wait.ts';
import { unique } from '../../../support/stack.ts';
import { withUser } from '../../support/narrow-worker.ts';
import type { Ground } from './ground.ts';

interface Rule {
  apiGroups: string[];
  resources: string[];
  verbs: string[];
}

/**
 * A gateway that may do only this, in the namespace of a ground or (`everywhere`) in the whole cluster; `probe` is a path
 * that works once the rules do.
 */
export async function narrowGateway(
  ground: Ground,
  rules: Rule[],
  probe: string,
  { everywhere = false } = {},
): Promise<KubernetesGateway> {
  const { namespace } = ground;
  const name = unique('reader');
  const group = 'rbac.authorization.k8s.io';
  const prefix = everywhere ? 'Cluster' : '';
  const create = (object: KubernetesObject): Promise<KubernetesObject> =>
    everywhere ? ground.createInCluster(object) : ground.create(object);
  await ground.create({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name } });
  await create({ apiVersion: `${group}/v1`, kind: `${prefix}Role`, metadata: { name }, rules });
  await create({
    apiVersion: `${group}/v1`,
    kind: `${prefix}RoleBinding`,
    metadata: { name },
    roleRef: { apiGroup: group, kind: `${prefix}Role`, name },
    subjects: [{ kind: 'ServiceAccount', name, namespace }],
  });
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} };
  const { text } = await ground.gateway.raw(
    'POST',
    `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`,
    { body: { contentType: 'application/json', text: JSON.stringify(body) } },
  );
  const { token } = (JSON.parse(text) as { status: { token: string } }).status;
  const kubeconfigPath = join(ground.folder, `${name}.kubeconfig`);
  writeFileSync(kubeconfigPath, stringify(withUser({ token })));
  const gateway = createKubernetesGateway({ kubeconfigPath });
  // The authoriser learns of new roles a moment later.
  await waitFor(() => gateway.raw('GET', probe), {
    what: 'the role to take effect',
    timeoutMilliseconds: 20_000,
  });
  return gateway;
}
