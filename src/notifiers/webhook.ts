import { createHmac } from 'node:crypto';
import { Agent, request } from 'undici';
import { z } from 'zod';
import { besideFaults } from '../contracts/beside-faults.ts';
import type { Notification } from '../contracts/notification.ts';
import { NotifierError, type Notifier } from './notifier.ts';

/** An answer that takes longer holds the run's other channels up, and the receiver may answer before it works. */
const answerMilliseconds = 5000;

/** A receiver that asks for more would hold the notification longer than it is news. */
const longestRetryAfterSeconds = 60;

/** A receiver that knows the key answers so: it had the notification already. */
const conflict = 409;

/** Configuration of a webhook. The address counts as a secret, too: many services need no more to post there. */
export const webhookSchema = z
  .strictObject({
    kind: z.literal('webhook'),
    url: z.string().max(2000),
    secret: z.string().min(16).max(1000),
    allowInsecure: z.boolean().default(false),
  })
  .superRefine(
    ({ url, allowInsecure }, context) => {
      const fault = faultOf(url, allowInsecure);
      if (fault !== undefined) context.addIssue({ code: 'custom', path: ['url'], message: fault });
    },
    besideFaults('url', 'allowInsecure'),
  );

export type WebhookConfig = z.infer<typeof webhookSchema>;

/**
 * Posts every notification as JSON. Idempotent for a receiver that keeps the `Idempotency-Key`, which is the same at
 * every attempt; 409 from it counts as taken. Redirects are not followed: they would carry the notification, and a
 * signature that is valid for a while, to an address that nobody configured.
 */
export function createWebhookNotifier(name: string, config: WebhookConfig): Notifier {
  return {
    name,
    async send(notification, signal) {
      const { status, retryAfter } = await post(name, config, notification, signal);
      judge(name, status, retryAfter);
    },
  };
}

/** HMAC-SHA256 over `<timestamp>.<body>`, as the header `Runbook-Signature` carries it. */
export function signatureOf(secret: string, timestamp: string, body: string): string {
  return `sha256=${createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex')}`;
}

async function post(
  name: string,
  { url, secret }: WebhookConfig,
  notification: Notification,
  signal: AbortSignal,
): Promise<{ status: number; retryAfter: string | undefined }> {
  const body = JSON.stringify(notification);
  const timestamp = String(Math.floor(Date.now() / 1000));
  // Notifications are rare: a connection of its own leaves nothing open, and its end discards what was not read.
  const agent = new Agent({ connect: { timeout: answerMilliseconds } });
  try {
    const answer = await request(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'user-agent': 'runbook',
        'idempotency-key': headerSafe(notification.id),
        'runbook-timestamp': timestamp,
        'runbook-signature': signatureOf(secret, timestamp, body),
      },
      body,
      dispatcher: agent,
      signal: AbortSignal.any([signal, AbortSignal.timeout(answerMilliseconds)]),
    });
    answer.body.on('error', () => undefined);
    const retryAfter = answer.headers['retry-after'];
    return { status: answer.statusCode, retryAfter: Array.isArray(retryAfter) ? retryAfter[0] : retryAfter };
  } catch (error) {
    signal.throwIfAborted();
    throw new NotifierError(`channel ${name} cannot be reached (${reasonOf(error)})`, { retryable: true });
  } finally {
    await agent.destroy();
  }
}

function judge(name: string, status: number, retryAfter: string | undefined): void {
  if ((status >= 200 && status < 300) || status === conflict) return;
  if (status === 429 || status >= 500)
    throw new NotifierError(`channel ${name} answered ${status}`, {
      retryable: true,
      retryAfterSeconds: secondsOf(retryAfter),
    });
  if (status >= 300 && status < 400)
    throw new NotifierError(
      `channel ${name} answered ${status}, a redirect, which is not followed; put the final address into its file`,
      { retryable: false },
    );
  throw new NotifierError(`channel ${name} refused with ${status}; look at its address and secret`, {
    retryable: false,
  });
}

/** `Retry-After` is a number of seconds or a date. Anything else is no advice. */
function secondsOf(retryAfter: string | undefined): number | undefined {
  if (retryAfter === undefined) return undefined;
  const seconds = /^\d+$/.test(retryAfter)
    ? Number(retryAfter)
    : Math.ceil((Date.parse(retryAfter) - Date.now()) / 1000);
  if (Number.isNaN(seconds)) return undefined;
  return Math.min(Math.max(seconds, 0), longestRetryAfterSeconds);
}

/** Workflow ids may hold any character, a header may not: what is not plain ASCII is percent-encoded. */
function headerSafe(id: string): string {
  return id.toWellFormed().replace(/[^\x21-\x7e]/gu, encodeURIComponent);
}

/** The code of a foreign error only: its message may hold the address. */
function reasonOf(error: unknown): string {
  const { name, code } = error as { name?: unknown; code?: unknown };
  if (name === 'TimeoutError') return `no answer within ${answerMilliseconds / 1000} s`;
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{2,60}$/.test(code) ? code : 'no further reason';
}

function faultOf(text: string, allowInsecure: boolean): string | undefined {
  const url = URL.parse(text);
  if (url === null || !['https:', 'http:'].includes(url.protocol)) return 'must be an https address';
  if (url.username !== '' || url.password !== '') return 'must not hold credentials';
  if (url.protocol === 'https:' || allowInsecure || isLoopback(url.hostname)) return undefined;
  return 'must be https; with "allowInsecure": true it may be http, and whoever listens on the way reads it';
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname);
}
