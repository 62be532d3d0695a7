import { once } from 'node:events';
import {
  connect,
  constants,
  createServer,
  type ClientHttp2Session,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import proto from '@temporalio/proto';

const { workflowservice } = proto.temporal.api;

/** One attempt of an activity, as Temporal hands it to a worker. */
export interface ActivityTask {
  /** Number of the activity in its run. */
  id: string;
  type: string;
  attempt: number;
}

/** What a proxy does with a message: hand it on, or lose it. */
export type Verdict = 'forward' | 'lose';

/** Told of every activity task on its way between Temporal and one worker. */
export interface ActivityTap {
  /** Temporal has given the task away; the worker does not have it yet. */
  arriving: (task: ActivityTask) => Promise<void>;
  /** The task was sent to the worker. */
  arrived: (task: ActivityTask) => Promise<void>;
  /** The worker reports how the task ended; Temporal does not know yet. */
  reporting: (task: ActivityTask) => Promise<Verdict>;
}

export interface TemporalProxy {
  address: string;
  /** Lets nothing through until it is mended: what the worker polls for goes to others. */
  cut: () => void;
  mend: () => void;
  close: () => Promise<void>;
}

/** Forwards gRPC between one worker and Temporal, and reads along which activities pass. */
export async function startTemporalProxy(upstream: string, tap: ActivityTap): Promise<TemporalProxy> {
  const server = createServer();
  const wires = new Set<Wire>();
  const wiretap = new Wiretap(tap);
  let isCut = false;
  server.on('session', (session) => {
    const wire = new Wire(session, () => {
      if (isCut) throw new Error('cut off from Temporal');
      return connect(`http://${upstream}`);
    });
    wires.add(wire);
    session.on('close', () => wires.delete(wire));
    session.on('stream', (stream, headers) => {
      stream.on('error', ignore);
      forward({ stream, headers, wire, wiretap }).catch(() => {
        answerUnavailable(stream);
      });
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = (): void => {
    isCut = true;
    for (const wire of wires) wire.cut();
  };
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    mend: () => {
      isCut = false;
    },
    close: async () => {
      cut();
      for (const wire of wires) wire.session.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/**
 * One connection of the worker and its continuation to Temporal. When the worker is gone, Temporal sees that
 * at once: polls of a dead worker must not swallow tasks. When Temporal is gone, the next call tries again.
 */
class Wire {
  readonly session: ServerHttp2Session;
  readonly #connect: () => ClientHttp2Session;
  #onward: ClientHttp2Session | undefined;

  constructor(session: ServerHttp2Session, connectOnward: () => ClientHttp2Session) {
    this.session = session;
    this.#connect = connectOnward;
    session.on('error', ignore);
    session.on('close', () => {
      this.cut();
    });
  }

  onward(): ClientHttp2Session {
    if (this.#onward === undefined || this.#onward.closed || this.#onward.destroyed) {
      this.#onward = this.#connect();
      this.#onward.on('error', ignore);
    }
    return this.#onward;
  }

  cut(): void {
    this.#onward?.destroy();
  }
}

interface Call {
  stream: ServerHttp2Stream;
  headers: IncomingHttpHeaders;
  wire: Wire;
  wiretap: Wiretap;
}

async function forward({ stream, headers, wire, wiretap }: Call): Promise<void> {
  const body = await buffer(stream);
  const method = (headers[':path'] ?? '').split('/').at(-1) ?? '';
  if ((await wiretap.request(method, messageIn(body, headers))) === 'lose') {
    stream.destroy();
    return;
  }
  const request = wire.onward().request(headers);
  stream.on('close', () => {
    request.close(constants.NGHTTP2_CANCEL);
  });
  let trailers: IncomingHttpHeaders = {};
  request.on('trailers', (received: IncomingHttpHeaders) => {
    trailers = received;
  });
  const head = headOf(request);
  request.end(body);
  const answerHeaders = await head;
  const answer = await buffer(request);
  const tasks = wiretap.tasksIn(method, messageIn(answer, answerHeaders));
  for (const task of tasks) await wiretap.tap.arriving(task);
  await respond(stream, answerHeaders, answer, trailers);
  for (const task of tasks) await wiretap.tap.arrived(task);
}

/** As a load balancer answers while no server is there; the worker tries again. */
function answerUnavailable(stream: ServerHttp2Stream): void {
  if (stream.destroyed || stream.headersSent) {
    stream.destroy();
    return;
  }
  stream.respond(
    { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '14', 'grpc-message': 'away' },
    { endStream: true },
  );
}

function headOf(request: ReturnType<ClientHttp2Session['request']>): Promise<IncomingHttpHeaders> {
  return new Promise((resolve, reject) => {
    request.once('response', resolve);
    request.once('error', reject);
    request.once('close', () => {
      reject(new Error('the call ended without an answer'));
    });
  });
}

/** Sends an answer with its trailers; settles when it was written. */
async function respond(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  body: Buffer,
  trailers: IncomingHttpHeaders,
): Promise<void> {
  if (headers['grpc-status'] !== undefined) {
    stream.respond(headers, { endStream: true });
    return;
  }
  const finished = once(stream, 'finish');
  stream.respond(headers, { waitForTrailers: true });
  stream.on('wantTrailers', () => {
    stream.sendTrailers(trailers);
  });
  stream.end(body);
  await finished;
}

/** The protobuf message in a unary gRPC body: a flag for compression, four bytes of length, the message. */
function messageIn(body: Buffer, headers: IncomingHttpHeaders): Buffer | undefined {
  if (body.length < 5) return undefined;
  const message = body.subarray(5, 5 + body.readUInt32BE(1));
  if (body[0] === 0) return message;
  if (headers['grpc-encoding'] !== 'gzip')
    throw new Error(`cannot read ${String(headers['grpc-encoding'])} messages of Temporal`);
  return gunzipSync(message);
}

/** Knows which calls carry activity tasks, and which task a report is about. */
class Wiretap {
  readonly tap: ActivityTap;
  readonly #tasks = new Map<string, ActivityTask>();

  constructor(tap: ActivityTap) {
    this.tap = tap;
  }

  async request(method: string, message: Buffer | undefined): Promise<Verdict> {
    const token = message === undefined ? undefined : reportedToken(method, message);
    const task = token === undefined ? undefined : this.#tasks.get(nameOf(token));
    return task === undefined ? 'forward' : await this.tap.reporting(task);
  }

  /** Tasks come as answers to polls, and eagerly in the answer to a workflow task that scheduled them. */
  tasksIn(method: string, message: Buffer | undefined): ActivityTask[] {
    if (message === undefined) return [];
    return given(method, message).flatMap((given) => {
      if (!given.taskToken?.length) return [];
      const task = {
        id: given.activityId ?? '',
        type: given.activityType?.name ?? '',
        attempt: given.attempt ?? 1,
      };
      this.#tasks.set(nameOf(given.taskToken), task);
      return [task];
    });
  }
}

type GivenTask = proto.temporal.api.workflowservice.v1.IPollActivityTaskQueueResponse;

function given(method: string, message: Buffer): GivenTask[] {
  switch (method) {
    case 'PollActivityTaskQueue':
      return [workflowservice.v1.PollActivityTaskQueueResponse.decode(message)];
    case 'RespondWorkflowTaskCompleted':
      return workflowservice.v1.RespondWorkflowTaskCompletedResponse.decode(message).activityTasks;
    default:
      return [];
  }
}

function reportedToken(method: string, message: Buffer): Uint8Array | undefined {
  switch (method) {
    case 'RespondActivityTaskCompleted':
      return workflowservice.v1.RespondActivityTaskCompletedRequest.decode(message).taskToken;
    case 'RespondActivityTaskFailed':
      return workflowservice.v1.RespondActivityTaskFailedRequest.decode(message).taskToken;
    case 'RespondActivityTaskCanceled':
      return workflowservice.v1.RespondActivityTaskCanceledRequest.decode(message).taskToken;
    default:
      return undefined;
  }
}

function nameOf(token: Uint8Array): string {
  return Buffer.from(token).toString('base64');
}

/** Broken connections are what this proxy is there for: the other side notices by itself. */
function ignore(): void {
  // Nothing to do.
}
