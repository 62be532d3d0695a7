import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Notification } from '../../../src/contracts/notification.ts';
import type { WebhookConfig } from '../../../src/notifiers/webhook.ts';

/** What a receiver got, whatever it answered. */
export interface Received {
  method: string | undefined;
  path: string | undefined;
  headers: IncomingHttpHeaders;
  body: string;
}

/** How it answers one request: a status with headers, never, or by hanging up. */
export type Answer =
  { status: number; headers?: Record<string, string>; body?: string } | 'silence' | 'hang up';

/** A receiver as its docs ask for one: it checks the signature, and knows what it had by its key. */
export class Receiver {
  readonly received: Received[] = [];
  /** Keys that it took, each once. */
  readonly taken: string[] = [];
  /** Answers of the next requests; afterwards it takes everything. */
  readonly answers: Answer[] = [];
  readonly #secret: string;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;

  private constructor(secret: string) {
    this.#secret = secret;
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { method, url: path, headers } = request;
        const one = { method, path, headers, body: Buffer.concat(chunks).toString() };
        this.received.push(one);
        const answer = this.answers.shift() ?? this.#take(one);
        if (answer === 'silence') return;
        if (answer === 'hang up') {
          request.socket.destroy();
          return;
        }
        response.writeHead(answer.status, answer.headers).end(answer.body);
      });
    });
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => this.#sockets.delete(socket));
    });
  }

  static async start(secret = 'a secret of a test, long enough'): Promise<Receiver> {
    const receiver = new Receiver(secret);
    await new Promise<void>((resolve) => receiver.#server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hook/path-secret?token=query-secret`;
  }

  /** A configuration that reaches it. */
  config(change: Partial<WebhookConfig> = {}): WebhookConfig {
    return { kind: 'webhook', url: this.url, secret: this.#secret, allowInsecure: false, ...change };
  }

  get connections(): number {
    return this.#sockets.size;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #take({ headers, body }: Received): Answer {
    if (!this.#isSigned(headers, body)) return { status: 401 };
    const key = String(headers['idempotency-key']);
    if (this.taken.includes(key)) return { status: 409 };
    this.taken.push(key);
    return { status: 204 };
  }

  #isSigned(headers: IncomingHttpHeaders, body: string): boolean {
    const timestamp = String(headers['runbook-timestamp']);
    if (Math.abs(Date.now() / 1000 - Number(timestamp)) > 300) return false;
    const expected = `sha256=${createHmac('sha256', this.#secret).update(`${timestamp}.${body}`).digest('hex')}`;
    const given = String(headers['runbook-signature']);
    return given.length === expected.length && timingSafeEqual(Buffer.from(given), Buffer.from(expected));
  }
}

/** A notification with everything in it. */
export function aNotification(change: Partial<Notification> = {}): Notification {
  return {
    id: 'first-run/gate-1/opened',
    event: 'gateOpened',
    at: '2026-03-01T03:00:00.000Z',
    target: 'shop',
    run: { workflowId: 'update-1', firstRunId: 'first-run', procedure: 'rollingUpdate' },
    sentence: 'update-1 waits for an approval until 07:00',
    planHash: 'a'.repeat(64),
    gate: 'gate-1',
    deadline: '2026-03-01T07:00:00.000Z',
    ...change,
  };
}
