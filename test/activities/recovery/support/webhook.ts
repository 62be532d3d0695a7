import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import type { KubernetesGateway } from '../../../../src/clients/kubernetes/gateway.ts';
import { createAuthority, issueCertificate } from '../../../../src/local/certificates.ts';
import { unique } from '../../../support/stack.ts';

/** What the API server asks. */
interface Review {
  request: { uid: string; name: string };
}

/** A webhook that the API server really asks about each new ConfigMap of one namespace, and that must answer. */
export class Webhook {
  readonly #server: Server;
  readonly #gateway: KubernetesGateway;
  readonly #object = unique('webhook');
  readonly name = `${this.#object}.example.org`;
  /** Names that it was asked about. */
  readonly asked: string[] = [];

  private constructor(server: Server, gateway: KubernetesGateway) {
    this.#server = server;
    this.#gateway = gateway;
  }

  /** `refuses` says why a name is refused, when it likes to; undefined admits it. */
  static async open(
    gateway: KubernetesGateway,
    namespace: string,
    refuses: (name: string) => string | undefined | Promise<string | undefined>,
  ): Promise<Webhook> {
    const commonName = 'webhook of a test';
    const authority = createAuthority(commonName);
    const { certificate, key } = issueCertificate({ ...authority, commonName }, { commonName: 'webhook' }, [
      '127.0.0.1',
    ]);
    const server = createServer({ cert: certificate, key });
    const webhook = new Webhook(server, gateway);
    server.on('request', (request, response) => {
      void json(request).then(async (body) => {
        const { uid, name } = (body as Review).request;
        webhook.asked.push(name);
        const message = await refuses(name);
        const status = message === undefined ? {} : { status: { message } };
        response.setHeader('content-type', 'application/json');
        response.end(
          JSON.stringify({
            apiVersion: 'admission.k8s.io/v1',
            kind: 'AdmissionReview',
            response: { uid, allowed: message === undefined, ...status },
          }),
        );
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    await webhook.#register(namespace, certificateOf(authority));
    return webhook;
  }

  /** It answers nobody any more, and is still asked. */
  async leave(): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  async close(): Promise<void> {
    const { metadata } = await this.#gateway.get(this.#ref);
    await this.#gateway.delete(this.#ref, { preconditions: { uid: metadata.uid ?? '' } });
    await this.leave();
  }

  get #ref(): { apiVersion: string; kind: string; namespace: string; name: string } {
    const apiVersion = 'admissionregistration.k8s.io/v1';
    return { apiVersion, kind: 'ValidatingWebhookConfiguration', namespace: '', name: this.#object };
  }

  async #register(namespace: string, caBundle: string): Promise<void> {
    const { apiVersion, kind } = this.#ref;
    const { port } = this.#server.address() as AddressInfo;
    const rule = { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] };
    const asked = {
      name: this.name,
      clientConfig: { url: `https://127.0.0.1:${port}/`, caBundle },
      rules: [rule],
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
      failurePolicy: 'Fail',
      sideEffects: 'None',
      admissionReviewVersions: ['v1'],
      timeoutSeconds: 5,
    };
    const object = { apiVersion, kind, metadata: { name: this.#object }, webhooks: [asked] };
    await this.#gateway.create(object, { fieldManager: 'test' });
  }
}

function certificateOf({ certificate }: { certificate: string }): string {
  return Buffer.from(certificate).toString('base64');
}
