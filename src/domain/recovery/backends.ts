import type { Json } from '../../contracts/json.ts';
import type { KubernetesObject } from '../../contracts/kubernetes.ts';
import { isJsonObject, valueOf } from './edit.ts';

/** A Service that has to answer for what names it. */
export interface Backend {
  namespace: string;
  name: string;
}

/** The Services behind webhook configurations and aggregated APIs; none of other objects. */
export function backendsOf(object: KubernetesObject): Backend[] {
  switch (object.kind) {
    case 'MutatingWebhookConfiguration':
    case 'ValidatingWebhookConfiguration': {
      const webhooks = valueOf(object, 'webhooks');
      const all = (Array.isArray(webhooks) ? webhooks : []).flatMap((webhook) => {
        const client = isJsonObject(webhook) ? webhook['clientConfig'] : undefined;
        return isJsonObject(client) ? backend(client['service']) : [];
      });
      return [...new Map(all.map((one) => [`${one.namespace}/${one.name}`, one])).values()];
    }
    case 'APIService':
      return backend(valueOf(object, 'spec', 'service'));
    default:
      return [];
  }
}

function backend(service: Json | undefined): Backend[] {
  if (!isJsonObject(service)) return [];
  const { namespace, name } = service;
  return typeof namespace === 'string' && typeof name === 'string' ? [{ namespace, name }] : [];
}
