import type { Duplex } from 'node:stream';
import { createWebSocketStream, type WebSocket } from 'ws';
import { openChannels, sendOnChannel } from './channel-socket.ts';
import type { Credentials } from './credentials.ts';
import type { CallOptions } from './deadline.ts';
import { KubernetesError, errorFromStatus, invalidInput } from './errors.ts';
import { isJsonObject, parseAnswer } from './objects.ts';
import { checkName, checkPod } from './resource-path.ts';
import type { Json, JsonObject } from '../../contracts/json.ts';

/** A command in a container. */
export interface PodCommand {
  namespace: string;
  pod: string;
  container: string;
  /** Program and arguments; no shell takes part. */
  command: string[];
}

/** How to run a command; `timeoutSeconds` bounds the whole command. */
export interface ExecOptions extends CallOptions {
  /** Kept bytes of stdout and stderr together; what comes after is read and dropped. */
  maxOutputBytes: number;
  /** Written to the command's standard input, which then ends. */
  stdin?: string | Uint8Array;
}

/** What a command that ran to its end left. */
export interface ExecResult {
  exitCode: number;
  stdout: string;
  stderr: string;
  /** More was written than `maxOutputBytes`. */
  truncated: boolean;
}

/** Only v5 can end the input without ending the whole connection; older servers know v4 only. */
const V5 = 'v5.channel.k8s.io';
const V4 = 'v4.channel.k8s.io';

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const STATUS = 3;
const CLOSE_CHANNEL = 255;

/** Bytes per message of the input. */
const INPUT_CHUNK = 32 * 1024;

/**
 * Runs a command and returns when the server has said how it ended.
 *
 * @throws {@link KubernetesError} `CommandNotRun` when the command could not be started, `NetworkError`
 * when the connection ended before the status: the command may then have run, or still be running.
 */
export async function exec(
  credentials: Credentials,
  target: PodCommand,
  options: ExecOptions,
  signal: AbortSignal,
): Promise<ExecResult> {
  const operation = checkTarget(target);
  const path = `/api/v1/namespaces/${target.namespace}/pods/${target.pod}/exec`;
  const protocols = options.stdin === undefined ? [V5, V4] : [V5];
  const request = { path, query: execQuery(target, options), protocols, operation, signal };
  const { socket, messages } = await openChannels(credentials, request, (opened) => ({
    socket: opened,
    // One object per message, read only as fast as we take them.
    messages: createWebSocketStream(opened, { readableObjectMode: true }),
  }));
  const end = (): void => {
    socket.terminate();
  };
  signal.addEventListener('abort', end, { once: true });
  try {
    // Input that cannot be delivered shows in how the command ends.
    if (options.stdin !== undefined) void sendInput(socket, options.stdin).catch(() => undefined);
    return await readToStatus(operation, messages, new Output(options.maxOutputBytes));
  } finally {
    signal.removeEventListener('abort', end);
    end();
  }
}

function checkTarget(target: PodCommand): string {
  const operation = checkPod('EXEC', target);
  checkName(operation, target.container);
  if (target.command.length === 0) throw invalidInput(operation, 'the command is empty');
  return operation;
}

function execQuery({ container, command }: PodCommand, { stdin }: ExecOptions): URLSearchParams {
  const query = new URLSearchParams({ container, stdout: 'true', stderr: 'true' });
  if (stdin !== undefined) query.set('stdin', 'true');
  for (const part of command) query.append('command', part);
  return query;
}

async function sendInput(socket: WebSocket, stdin: string | Uint8Array): Promise<void> {
  const bytes = Buffer.from(stdin);
  for (let sent = 0; sent < bytes.length; sent += INPUT_CHUNK) {
    await sendOnChannel(socket, STDIN, bytes.subarray(sent, sent + INPUT_CHUNK));
  }
  await sendOnChannel(socket, CLOSE_CHANNEL, Buffer.of(STDIN));
}

async function readToStatus(operation: string, messages: Duplex, output: Output): Promise<ExecResult> {
  try {
    for await (const message of messages as AsyncIterable<Buffer>) {
      const content = message.subarray(1);
      if (message[0] === STATUS)
        return { exitCode: exitCode(operation, content.toString('utf8')), ...output.result() };
      if (message[0] === STDOUT) output.add('stdout', content);
      if (message[0] === STDERR) output.add('stderr', content);
    }
  } catch (error) {
    if (error instanceof KubernetesError) throw error;
  }
  throw new KubernetesError({
    operation,
    reason: 'NetworkError',
    retryable: true,
    explanation: 'the connection ended before the command did',
  });
}

function exitCode(operation: string, text: string): number {
  const status = parseAnswer(operation, text);
  if (status['status'] === 'Success') return 0;
  const code = Number(exitCodeCause(status));
  if (status['reason'] === 'NonZeroExitCode' && Number.isInteger(code)) return code;
  throw notRun(operation, status);
}

function exitCodeCause({ details }: JsonObject): Json | undefined {
  const causes = isJsonObject(details) ? details['causes'] : undefined;
  if (!Array.isArray(causes)) return undefined;
  return causes.filter(isJsonObject).find(({ reason }) => reason === 'ExitCode')?.['message'];
}

/** The server's own words hold the command line and host paths: left out. */
function notRun(operation: string, status: JsonObject): KubernetesError {
  const code = typeof status['code'] === 'number' ? status['code'] : 500;
  const { retryable } = errorFromStatus(operation, status, code);
  const explanation = 'the container or the program could not be started';
  return new KubernetesError({ operation, status: code, reason: 'CommandNotRun', retryable, explanation });
}

/** Collects stdout and stderr up to a common limit. */
class Output {
  #left: number;
  #truncated = false;
  readonly #parts: Record<'stdout' | 'stderr', Buffer[]> = { stdout: [], stderr: [] };

  constructor(limit: number) {
    this.#left = limit;
  }

  add(stream: 'stdout' | 'stderr', bytes: Buffer): void {
    const kept = bytes.subarray(0, this.#left);
    this.#left -= kept.length;
    this.#truncated ||= kept.length < bytes.length;
    this.#parts[stream].push(kept);
  }

  result(): Omit<ExecResult, 'exitCode'> {
    return { stdout: this.#text('stdout'), stderr: this.#text('stderr'), truncated: this.#truncated };
  }

  /** In stream mode the decoder holds a character back that the limit has cut in two. */
  #text(stream: 'stdout' | 'stderr'): string {
    return new TextDecoder().decode(Buffer.concat(this.#parts[stream]), { stream: this.#truncated });
  }
}
