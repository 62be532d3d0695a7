import { request, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { settleOnAbort, withDeadline, type CallOptions } from './deadline.ts';
import { errorFromTransport, invalidInput } from './errors.ts';
import type { PodPort } from './pod-port-forward.ts';

/** Anything that reaches into a pod, i.e. a gateway. */
export interface PodDialer {
  portForward(target: PodPort, options: CallOptions): Promise<Duplex>;
}

/** How to ask; `timeoutSeconds` bounds tunnel and answer together, 30 if not given. */
export interface PodHttpOptions extends CallOptions {
  /** Kept bytes of the body, 64 KiB if not given; the rest is not read. */
  maxBodyBytes?: number;
}

/** The answer of a program in a pod. Its body is foreign text: bounded, but not safe to show unseen. */
export interface PodHttpAnswer {
  status: number;
  body: string;
  truncated: boolean;
  /** From sending the request to the end of the body, without opening the tunnel. */
  milliseconds: number;
}

const DEFAULT_BODY_BYTES = 64 * 1024;

/**
 * One HTTP GET to a port of a pod, as a health check does it. Any status is an answer.
 *
 * @throws {@link KubernetesError} when there was no complete answer; the signal's reason.
 */
export async function httpGetThroughPod(
  dialer: PodDialer,
  target: PodPort & { path: string },
  options: PodHttpOptions = {},
): Promise<PodHttpAnswer> {
  const { maxBodyBytes = DEFAULT_BODY_BYTES } = options;
  const operation = `HTTP GET through pods ${target.namespace}/${target.pod} port ${target.port}`;
  if (!/^\/[\x21-\x7e]*$/.test(target.path)) throw invalidInput('HTTP GET through pods', 'not a valid path');
  return await withDeadline(operation, options, undefined, async (signal) => {
    const tunnel = await dialer.portForward(target, { signal });
    try {
      return await settleOnAbort(get(tunnel, target.path, maxBodyBytes), signal);
    } catch (error) {
      throw signal.aborted ? signal.reason : errorFromTransport(operation, error);
    } finally {
      tunnel.destroy();
    }
  });
}

async function get(tunnel: Duplex, path: string, maxBodyBytes: number): Promise<PodHttpAnswer> {
  // node:http would wait for ever on a stream that broke before it listened.
  if (tunnel.errored !== null) throw tunnel.errored;
  const start = performance.now();
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const headers = { host: 'localhost', connection: 'close', 'user-agent': 'alecs-runbooks' };
    request({ path, headers, createConnection: () => tunnel }, resolve)
      .on('error', reject)
      .end();
  });
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > maxBodyBytes) break;
  }
  return {
    status: response.statusCode ?? 0,
    body: Buffer.concat(chunks).subarray(0, maxBodyBytes).toString('utf8'),
    truncated: length > maxBodyBytes,
    milliseconds: performance.now() - start,
  };
}
