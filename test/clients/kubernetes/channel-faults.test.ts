import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { WebSocketServer, type WebSocket } from 'ws';
import type { ExecOptions, ExecResult } from '../../../src/clients/kubernetes/pod-exec.ts';
import { httpGetThroughPod, type PodDialer } from '../../../src/clients/kubernetes/pod-http.ts';
import { failureOf } from './support/failure.ts';
import { startScriptedApi, type ScriptedApi } from './support/scripted-api.ts';

let api: ScriptedApi;
let sockets: WebSocketServer;
/** What the server does with a new WebSocket. */
let onSocket: (socket: WebSocket) => void;

beforeEach(async () => {
  api = await startScriptedApi();
  sockets = new WebSocketServer({ noServer: true });
  api.upgrade = (message, socket, head) => {
    sockets.handleUpgrade(message, socket, head, (opened) => {
      onSocket(opened);
    });
  };
});

afterEach(async () => {
  sockets.close();
  await api.close();
});

function frame(channel: number, content: string | Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(channel), Buffer.from(content)]);
}

function refuse(status: string, headers = ''): (message: IncomingMessage, socket: Duplex) => void {
  return (_message, socket) => socket.end(`HTTP/1.1 ${status}\r\n${headers}content-length: 6\r\n\r\ncanary`);
}

describe('a command', () => {
  function run(options: Partial<ExecOptions> = {}): Promise<ExecResult> {
    const target = { namespace: 'demo', pod: 'web', container: 'main', command: ['true'] };
    return api.gateway.exec(target, { maxOutputBytes: 100, ...options });
  }

  test.each([
    [
      'is closed normally',
      (socket: WebSocket) => {
        socket.close(1000);
      },
    ],
    [
      'is reset',
      (socket: WebSocket) => {
        socket.terminate();
      },
    ],
  ])('whose socket %s before the status is an error and never a success', async (_what, end) => {
    onSocket = (socket) => {
      socket.send(frame(1, 'half of the output'), () => {
        end(socket);
      });
    };
    expect(await failureOf(run())).toMatchObject({ reason: 'NetworkError', retryable: true });
  });

  test.each([
    ['cut off', '{"status":"Succ'],
    ['empty', ''],
    ['not an object', '[]'],
  ])('whose status is %s is an error', async (_what, status) => {
    onSocket = (socket) => {
      socket.send(frame(3, status));
    };
    expect((await failureOf(run())).reason).toBe('InvalidResponse');
  });

  test('whose failure has no exit code was not run, and the words of the runtime are left out', async () => {
    const status = { status: 'Failure', reason: 'InternalError', code: 500, message: 'canary' };
    onSocket = (socket) => {
      socket.send(frame(3, JSON.stringify(status)));
    };
    const error = await failureOf(run());
    expect(error).toMatchObject({ reason: 'CommandNotRun', status: 500 });
    expect(error.message).not.toContain('canary');
  });

  test('with input is only offered to servers that can end the input', async () => {
    const offered: (string | undefined)[] = [];
    api.upgrade = (message, socket) => {
      offered.push(message.headers['sec-websocket-protocol']);
      socket.destroy();
    };
    await failureOf(run());
    await failureOf(run({ stdin: 'x' }));
    expect(offered).toEqual(['v5.channel.k8s.io,v4.channel.k8s.io', 'v5.channel.k8s.io']);
  });

  test('that a server cut the character of is not shown with half a character', async () => {
    onSocket = (socket) => {
      socket.send(frame(1, 'aü'));
      socket.send(frame(3, '{"status":"Success"}'));
    };
    expect(await run({ maxOutputBytes: 2 })).toEqual({
      exitCode: 0,
      stdout: 'a',
      stderr: '',
      truncated: true,
    });
  });

  test('that is refused says so, with the wait that was asked for', async () => {
    api.upgrade = refuse('429 Too Many Requests', 'retry-after: 3\r\n');
    const error = await failureOf(run());
    expect(error).toMatchObject({ status: 429, retryable: true, retryAfterSeconds: 3 });
    expect(error.message).not.toContain('canary');
  });

  test('is tried once more with fresh credentials after 401', async () => {
    let tries = 0;
    const accept = api.upgrade;
    api.upgrade = (message, socket, head) => {
      tries += 1;
      (tries === 1 ? refuse('401 Unauthorized') : accept)(message, socket, head);
    };
    onSocket = (socket) => {
      socket.send(frame(3, '{"status":"Success"}'));
    };
    expect((await run()).exitCode).toBe(0);
    expect(tries).toBe(2);
  });

  test('closes its socket when it is aborted', async () => {
    const stop = new AbortController();
    const closed = new Promise((resolve) => {
      onSocket = (socket) => {
        socket.on('close', resolve);
        stop.abort(new Error('no longer wanted'));
      };
    });
    await expect(run({ signal: stop.signal })).rejects.toThrow('no longer wanted');
    await closed;
  });
});

describe('a tunnel', () => {
  const target = { namespace: 'demo', pod: 'web', port: 258 };
  const port = Buffer.of(2, 1);

  test('leaves the port number out of the data, also when it comes with the first bytes', async () => {
    onSocket = (socket) => {
      socket.send(frame(0, port));
      socket.send(frame(1, port));
      socket.send(frame(0, 'hello '));
      socket.send(frame(0, 'there'), () => {
        socket.close(1000);
      });
    };
    expect(await text(await api.gateway.portForward(target))).toBe('hello there');
    onSocket = (socket) => {
      socket.send(frame(0, Buffer.concat([port, Buffer.from('hello')])), () => {
        socket.close(1000);
      });
    };
    expect(await text(await api.gateway.portForward(target))).toBe('hello');
  });

  test('that breaks is an error and no end of the data', async () => {
    onSocket = (socket) => {
      socket.send(frame(0, Buffer.concat([port, Buffer.from('half')])), () => {
        socket.terminate();
      });
    };
    await expect(text(await api.gateway.portForward(target))).rejects.toMatchObject({
      reason: 'NetworkError',
    });
  });

  test('whose pod refuses is an error without the words of the node', async () => {
    onSocket = (socket) => {
      socket.send(frame(1, Buffer.concat([port, Buffer.from('canary: connection refused')])));
    };
    const error = await failureOf(text(await api.gateway.portForward(target)));
    expect(error.reason).toBe('NetworkError');
    expect(error.message).not.toContain('canary');
  });

  test('that broke before the HTTP request was sent is a NetworkError at once', async () => {
    onSocket = (socket) => {
      socket.send(frame(1, Buffer.concat([port, Buffer.from('connection refused')])));
    };
    const dialer: PodDialer = {
      portForward: async (pod, options) => {
        const stream = await api.gateway.portForward(pod, options);
        if (!stream.closed) await new Promise((resolve) => stream.once('close', resolve));
        return stream;
      },
    };
    const error = await failureOf(
      httpGetThroughPod(dialer, { ...target, path: '/health' }, { timeoutSeconds: 5 }),
    );
    expect(error.reason).toBe('NetworkError');
  });

  test('waits for a slow reader instead of filling memory', async () => {
    const chunk = Buffer.alloc(64 * 1024, 'x');
    onSocket = (socket) => {
      socket.send(frame(0, port));
      for (let count = 0; count < 200; count += 1) socket.send(frame(0, chunk));
      socket.close(1000);
    };
    const stream = await api.gateway.portForward(target);
    let received = 0;
    for await (const bytes of stream as AsyncIterable<Buffer>) {
      received += bytes.length;
      expect(stream.readableLength).toBeLessThan(4 * chunk.length);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(received).toBe(200 * chunk.length);
  });

  test('an HTTP answer that is cut off is an error', async () => {
    onSocket = (socket) => {
      socket.on('message', () => {
        const answer = 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf';
        socket.send(frame(0, Buffer.concat([port, Buffer.from(answer)])), () => {
          socket.close(1000);
        });
      });
    };
    const error = await failureOf(httpGetThroughPod(api.gateway, { ...target, path: '/health' }));
    expect(error).toMatchObject({ reason: 'NetworkError', retryable: true });
  });

  test('an HTTP answer that never comes is a Timeout', async () => {
    onSocket = () => undefined;
    const asked = httpGetThroughPod(api.gateway, { ...target, path: '/health' }, { timeoutSeconds: 0.1 });
    expect((await failureOf(asked)).reason).toBe('Timeout');
  });
});
