import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { ServerResponse } from 'node:http';
import { KubernetesError } from '../../../src/clients/kubernetes/errors.ts';
import type { WatchEvent } from '../../../src/clients/kubernetes/watch.ts';
import {
  CONFIG_MAPS,
  configMap,
  listOf,
  sendJson,
  sendStatus,
  startScriptedApi,
  type Answer,
  type ScriptedApi,
} from './support/scripted-api.ts';
import { WatchReader } from './support/watch-reader.ts';

let api: ScriptedApi;
let reader: WatchReader;
/** The watch connections so far, newest last. */
let streams: ServerResponse[];
let onList: Answer;
let onWatch: Answer;

beforeEach(async () => {
  api = await startScriptedApi();
  streams = [];
  onList = (_request, response) => sendJson(response, 200, listOf(['a'], '10'));
  onWatch = (_request, response) => {
    response.writeHead(200).flushHeaders();
    streams.push(response);
  };
  api.answer = (request, response) => (request.query.has('watch') ? onWatch : onList)(request, response);
});

afterEach(async () => {
  await reader.stop();
  await api.close();
});

function start(options: { resourceVersion?: string; silenceSeconds?: number } = {}): WatchReader {
  reader = new WatchReader((signal) => api.gateway.watch(CONFIG_MAPS, { ...options, signal }));
  return reader;
}

function event(type: string, name: string, version: string): string {
  return `${JSON.stringify({ type, object: configMap(name, version) })}\n`;
}

function bookmark(version: string): string {
  return `${JSON.stringify({ type: 'BOOKMARK', object: { kind: 'ConfigMap', metadata: { resourceVersion: version } } })}\n`;
}

function errorEvent(code: number, reason: string): string {
  return `${JSON.stringify({ type: 'ERROR', object: { kind: 'Status', code, reason } })}\n`;
}

function told(one: WatchEvent): string {
  return one.type === 'SYNC'
    ? `SYNC ${one.items.map(({ metadata }) => metadata.name).join()} @${one.resourceVersion}`
    : `${one.type} ${one.object.metadata.name}`;
}

async function connected(count: number): Promise<ServerResponse> {
  await reader.until(() => streams.length >= count, `watch connection ${count}`);
  return streams[count - 1]!;
}

/** The versions that the watch connections asked to go on from. */
function versions(): (string | null)[] {
  return api.seen.filter(({ query }) => query.has('watch')).map(({ query }) => query.get('resourceVersion'));
}

describe('a watch', () => {
  test('begins with everything that exists and goes on with the changes', async () => {
    start();
    const stream = await connected(1);
    stream.write(event('ADDED', 'b', '11') + event('MODIFIED', 'b', '12') + event('DELETED', 'b', '13'));
    expect((await reader.take(4)).map(told)).toEqual(['SYNC a @10', 'ADDED b', 'MODIFIED b', 'DELETED b']);
    expect(api.seen[1]?.query.get('allowWatchBookmarks')).toBe('true');
  });

  test('that is given a version begins with the changes after it', async () => {
    start({ resourceVersion: '7' });
    (await connected(1)).write(event('ADDED', 'b', '11'));
    expect((await reader.take(1)).map(told)).toEqual(['ADDED b']);
    expect(versions()).toEqual(['7']);
  });

  test('joins an event that comes in pieces, also inside a character', async () => {
    start();
    const stream = await connected(1);
    const bytes = Buffer.from(event('ADDED', 'b', '11').replace('"kind"', '"note":"ü","kind"'));
    const cut = bytes.indexOf(0xc3) + 1;
    stream.write(bytes.subarray(0, cut));
    await new Promise((resolve) => setImmediate(resolve));
    stream.write(bytes.subarray(cut));
    const [, added] = await reader.take(2);
    expect(added).toMatchObject({ type: 'ADDED', object: { note: 'ü' } });
  });

  test('keeps long integers', async () => {
    start();
    (await connected(1)).write(event('ADDED', 'b', '11').replace('"kind"', '"n":9007199254740993,"kind"'));
    expect(JSON.stringify((await reader.take(2))[1])).toContain('"n":9007199254740993');
  });

  test('hands an event on within milliseconds', async () => {
    start();
    const stream = await connected(1);
    await reader.take(1);
    const delays: number[] = [];
    for (let version = 11; version < 61; version += 1) {
      const sent = performance.now();
      stream.write(event('MODIFIED', 'a', String(version)));
      await reader.take(1);
      delays.push(performance.now() - sent);
    }
    expect(delays.sort((a, b) => a - b)[25]).toBeLessThan(10);
  });
});

describe('after a lost connection a watch goes on from the last version', () => {
  test.each([
    ['the server ends it', (stream: ServerResponse) => stream.end()],
    ['it is reset', (stream: ServerResponse) => stream.socket?.resetAndDestroy()],
    ['it ends inside an event', (stream: ServerResponse) => stream.end('{"type":"ADDED","obj')],
  ])('when %s', async (_what, lose) => {
    start();
    const first = await connected(1);
    first.write(event('ADDED', 'b', '11'));
    await reader.take(2);
    lose(first);
    (await connected(2)).write(event('ADDED', 'c', '12'));
    expect((await reader.take(1)).map(told)).toEqual(['ADDED c']);
    expect(versions()).toEqual(['10', '11']);
  });

  test('that a bookmark named, which itself is not reported', async () => {
    start();
    const first = await connected(1);
    first.end(bookmark('40'));
    (await connected(2)).write(event('ADDED', 'c', '41'));
    expect((await reader.take(2)).map(told)).toEqual(['SYNC a @10', 'ADDED c']);
    expect(versions()).toEqual(['10', '40']);
  });

  test('when nothing is heard for the time of silence, and the dead connection is closed', async () => {
    start({ silenceSeconds: 0.1 });
    await connected(2);
    expect(versions().slice(0, 2)).toEqual(['10', '10']);
    await reader.until(() => streams[0]!.destroyed, 'the end of the silent connection');
  });

  test.each([
    [500, 'InternalError'],
    [429, 'TooManyRequests'],
    [503, 'ServiceUnavailable'],
  ])('also when the next one is refused with %i at first', async (status, reason) => {
    start();
    const works = onWatch;
    onWatch = (_request, response) => {
      onWatch = works;
      sendStatus(response, status, reason);
    };
    (await connected(1)).write(event('ADDED', 'c', '12'));
    expect((await reader.take(2)).map(told)).toEqual(['SYNC a @10', 'ADDED c']);
  });

  test('also when an event was not valid JSON', async () => {
    start();
    (await connected(1)).write('{"type": nonsense}\n');
    (await connected(2)).write(event('ADDED', 'c', '12'));
    expect((await reader.take(2)).map(told)).toEqual(['SYNC a @10', 'ADDED c']);
  });

  test('and obeys a Retry-After', async () => {
    start();
    const works = onWatch;
    let refused = 0;
    onWatch = (_request, response) => {
      onWatch = works;
      refused = performance.now();
      sendStatus(response, 429, 'TooManyRequests', {}, { 'retry-after': '1' });
    };
    await connected(1);
    expect(performance.now() - refused).toBeGreaterThan(950);
  });
});

describe('a version that is too old leads to a new list, reported as SYNC', () => {
  const newState: Answer = (_request, response) => sendJson(response, 200, listOf(['x', 'y'], '90'));

  test('when the server refuses with 410', async () => {
    const works = onWatch;
    onWatch = (_request, response) => {
      onWatch = works;
      onList = newState;
      sendStatus(response, 410, 'Expired');
    };
    start();
    expect((await reader.take(2)).map(told)).toEqual(['SYNC a @10', 'SYNC x,y @90']);
    await connected(1);
    expect(versions()).toEqual(['10', '90']);
  });

  test('when the stream says so', async () => {
    start();
    const stream = await connected(1);
    onList = newState;
    stream.write(errorEvent(410, 'Expired'));
    expect((await reader.take(2)).map(told)).toEqual(['SYNC a @10', 'SYNC x,y @90']);
  });
});

describe('a watch ends', () => {
  test.each([
    [401, 'Unauthorized'],
    [403, 'Forbidden'],
    [404, 'NotFound'],
    [400, 'BadRequest'],
  ])('with an error after %i, which waiting does not mend', async (status, reason) => {
    onWatch = (_request, response) => sendStatus(response, status, reason);
    start();
    const error = await reader.ended();
    expect(error).toBeInstanceOf(KubernetesError);
    expect(error).toMatchObject({ status, reason, retryable: false });
  });

  test("within milliseconds of an abort, with the signal's reason and its socket closed", async () => {
    start();
    const stream = await connected(1);
    await reader.take(1);
    const aborted = performance.now();
    reader.abort(new Error('seen enough'));
    expect(await reader.ended()).toEqual(new Error('seen enough'));
    expect(performance.now() - aborted).toBeLessThan(100);
    await reader.until(() => stream.destroyed, 'the end of the connection');
  });

  test('at once also while it waits to connect again', async () => {
    onWatch = (_request, response) =>
      sendStatus(response, 429, 'TooManyRequests', {}, { 'retry-after': '30' });
    start();
    await reader.until(() => versions().length === 1, 'the refusal');
    reader.abort(new Error('seen enough'));
    expect(await reader.ended()).toEqual(new Error('seen enough'));
  });

  test('when its consumer leaves the loop, and closes its socket', async () => {
    start();
    const stream = await connected(1);
    const open = onWatch;
    onWatch = (request, response) => {
      open(request, response);
      response.write(event('ADDED', 'b', '11'));
    };
    const own = new AbortController();
    for await (const first of api.gateway.watch(CONFIG_MAPS, { signal: own.signal, resourceVersion: '1' })) {
      expect(first.type).toBe('ADDED');
      break;
    }
    expect(stream.destroyed).toBe(false);
    await reader.until(() => streams[1]?.destroyed === true, 'the end of the left connection');
  });

  test('when the gateway is closed', async () => {
    start();
    await connected(1);
    await api.gateway.close();
    expect(await reader.ended()).toMatchObject({ reason: 'GatewayClosed' });
  });
});
