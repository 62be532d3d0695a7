import type { Json, JsonObject } from '../../contracts/json.ts';
import { parseLossless } from './lossless-json.ts';

/** What a {@link KubernetesError} is built from. */
export interface KubernetesErrorDetails {
  /** What was tried, e.g. `PATCH deployments.apps alecs/alecs-server`. */
  operation: string;
  /**
   * The API server's `Status.reason` (e.g. `Conflict`), or one of ours: `InvalidInput`, `UnknownKind`,
   * `NoCredentials`, `CertificateNotTrusted`, `NetworkError`, `Timeout`, `InvalidResponse`, `CommandNotRun`,
   * `GatewayClosed`.
   */
  reason: string;
  retryable: boolean;
  /** HTTP status; missing when no answer came. */
  status?: number;
  /** Seconds that the server asked us to wait. */
  retryAfterSeconds?: number;
  /** Which fields the server objected to. */
  causes?: FieldCause[];
  /** One more safe sentence of our own making; of the server's text at most the name of who refused. */
  explanation?: string;
}

/** One field that the API server objected to, without the value. */
export interface FieldCause {
  field: string;
  reason: string;
}

/**
 * The one error that leaves the gateway, besides the abort reason of the caller's own signal.
 *
 * Its message is built from operation, status, reason, field names and the name of an admission plugin that
 * refused: it never holds other text of a body, header, query, token or certificate, nor the rest of
 * `Status.message` (which may echo secret values), so it may be logged and stored. It has no `cause` for
 * the same reason.
 */
export class KubernetesError extends Error {
  override readonly name = 'KubernetesError';
  readonly status?: number;
  readonly reason: string;
  /** Whether trying the same again later can help; when false, something must change first. */
  readonly retryable: boolean;
  /** Seconds that the server asked us to wait. */
  readonly retryAfterSeconds?: number;
  readonly operation: string;
  readonly causes?: FieldCause[];

  constructor(details: KubernetesErrorDetails) {
    super(sentence(details));
    this.reason = details.reason;
    this.retryable = details.retryable;
    this.operation = details.operation;
    if (details.status !== undefined) this.status = details.status;
    if (details.retryAfterSeconds !== undefined) this.retryAfterSeconds = details.retryAfterSeconds;
    if (details.causes !== undefined && details.causes.length > 0) this.causes = details.causes;
  }
}

function sentence({ operation, status, reason, causes = [], explanation }: KubernetesErrorDetails): string {
  const answer = status === undefined ? reason : `${status} ${reason}`;
  const fields = causes.length > 0 ? ` (${causes.map((c) => `${c.field}: ${c.reason}`).join(', ')})` : '';
  const more = explanation === undefined ? '' : `: ${explanation}`;
  return `${operation} failed: ${answer}${fields}${more}`;
}

/** The error for an input that is refused before any request is made. */
export function invalidInput(operation: string, explanation: string): KubernetesError {
  return new KubernetesError({ operation, reason: 'InvalidInput', retryable: false, explanation });
}

/** The error for an answer that is not what the Kubernetes API promises, e.g. truncated JSON. */
export function invalidResponse(operation: string, explanation: string): KubernetesError {
  return new KubernetesError({ operation, reason: 'InvalidResponse', retryable: true, explanation });
}

/** Translates an HTTP error answer. The body is read for reason, field names and retry hint only. */
export function errorFromAnswer(
  operation: string,
  answer: { status: number; retryAfter?: string | undefined; body: string },
): KubernetesError {
  return errorFromStatus(operation, parseStatus(answer.body), answer.status, answer.retryAfter);
}

/** Translates a Kubernetes `Status` object, as it also arrives inside watch streams and channels. */
export function errorFromStatus(
  operation: string,
  status: JsonObject,
  code: number,
  retryAfter?: string,
): KubernetesError {
  const details = asObject(status['details']);
  const wait = seconds(retryAfter) ?? seconds(details['retryAfterSeconds']);
  return new KubernetesError({
    operation,
    status: code,
    reason: safeWord(status['reason']) ?? REASONS[code] ?? (code >= 500 ? 'ServerError' : 'Refused'),
    retryable: isRetryable(code),
    causes: fieldCauses(details['causes']),
    ...whoRefused(status['message']),
    ...(wait === undefined ? {} : { retryAfterSeconds: wait }),
  });
}

/** Translates an error thrown by the transport (undici, tls, ws). Only its code is used. */
export function errorFromTransport(operation: string, error: unknown): KubernetesError {
  if (error instanceof KubernetesError) return error;
  const code = errorCode(error);
  const untrusted = /^CERT_|^ERR_TLS_|SELF_SIGNED|^UNABLE_TO_/.test(code);
  return new KubernetesError({
    operation,
    reason: untrusted ? 'CertificateNotTrusted' : 'NetworkError',
    retryable: !untrusted,
    explanation: code,
  });
}

/** What stands for a code where there is none. */
const NO_CODE = 'no further reason';

/** The code of a foreign error (`ECONNRESET`), or a fixed word: never foreign text. */
export function errorCode(error: unknown): string {
  const codes = [property(error, 'code'), property(property(error, 'cause'), 'code')];
  const known = codes.find((code) => typeof code === 'string' && /^[A-Z][A-Z0-9_]{2,60}$/.test(code));
  return typeof known === 'string' ? known : NO_CODE;
}

/** Not by `instanceof`: errors of Node's core may come from another realm. */
function property(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
}

const REASONS: Record<number, string> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  409: 'Conflict',
  410: 'Expired',
  413: 'RequestEntityTooLarge',
  415: 'UnsupportedMediaType',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

/** 410 is retryable because the next attempt lists afresh. */
function isRetryable(code: number): boolean {
  return code === 408 || code === 409 || code === 410 || code === 429 || code >= 500;
}

function parseStatus(body: string): JsonObject {
  try {
    return asObject(parseLossless(body));
  } catch {
    return {}; // proxies and the not-found handler answer in plain text
  }
}

function fieldCauses(causes: Json | undefined): FieldCause[] {
  if (!Array.isArray(causes)) return [];
  return causes.slice(0, 10).flatMap((cause) => {
    const { field, reason } = asObject(cause);
    const safe = typeof field === 'string' && /^[\w.[\]/-]{1,120}$/.test(field);
    return safe ? [{ field, reason: safeWord(reason) ?? 'Invalid' }] : [];
  });
}

/** How the API server begins when something on the way to storage refused; what follows is left out. */
const refusals: readonly [RegExp, (name: string) => string][] = [
  [
    /^admission webhook "([\da-z.-]{1,253})" denied the request/,
    (name) => `admission webhook ${name} refused it`,
  ],
  [
    /^Internal error occurred: failed calling webhook "([\da-z.-]{1,253})"/,
    (name) => `webhook ${name} could not be asked`,
  ],
  [
    /^[\da-z.-]+ "[\da-z.:-]*" is forbidden: exceeded quota: ([\da-z.-]{1,253}),/,
    (name) => `quota ${name} is exhausted`,
  ],
  [
    /^[\da-z.-]+ "[\da-z.:-]*" is forbidden: ValidatingAdmissionPolicy '([\da-z.-]{1,253})'/,
    (name) => `admission policy ${name} refused it`,
  ],
  [
    /^(roles|rolebindings|clusterroles|clusterrolebindings)\.rbac\.authorization\.k8s\.io "[^"]*" is forbidden: user "[^"]*" \([^\n]{0,2000}\) is attempting to grant RBAC permissions not currently held/,
    () => 'it grants more than the worker itself may do',
  ],
];

/** Only a name in its strict form gets out. */
function whoRefused(message: Json | undefined): { explanation?: string } {
  if (typeof message !== 'string') return {};
  for (const [form, say] of refusals) {
    const name = form.exec(message)?.[1];
    if (name !== undefined) return { explanation: say(name) };
  }
  return {};
}

/** Reasons are CamelCase words; anything else could be smuggled text. */
function safeWord(value: Json | undefined): string | undefined {
  return typeof value === 'string' && /^[A-Za-z]{1,64}$/.test(value) ? value : undefined;
}

function seconds(value: Json | undefined): number | undefined {
  const number = typeof value === 'string' && /^\d{1,6}$/.test(value) ? Number(value) : value;
  return typeof number === 'number' && Number.isInteger(number) && number >= 0 ? number : undefined;
}

function asObject(value: Json | undefined): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
}
