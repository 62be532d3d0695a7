import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectDirectory } from '../../src/local/paths.ts';
import { freePorts } from '../../src/local/ports.ts';
import { waitFor } from '../../src/local/wait.ts';

const source = join(projectDirectory, 'demo/service');
let directory = '';
let child: ChildProcess | undefined;
let logs = '';

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'runbooks-service-'));
  cpSync(source, directory, { recursive: true });
  writeFileSync(join(directory, 'edgerc'), '[default]\nclient_token = made-up\n');
});

afterEach(() => {
  child?.kill('SIGKILL');
});

afterAll(() => {
  rmSync(directory, { recursive: true });
});

/** Starts a release as its image does, and waits until it answers; returns its address. */
async function start(version: string, environment: Record<string, string> = {}): Promise<string> {
  cpSync(join(source, 'releases', `${version}.json`), join(directory, 'release.json'));
  const [port = 0] = await freePorts(1);
  const env = { HTTP_PORT: String(port), HTTP_HOST: '127.0.0.1', AKAMAI_EDGERC: join(directory, 'edgerc') };
  logs = '';
  const started = spawn(process.execPath, [join(directory, 'server.mjs')], {
    env: { ...env, ...environment },
  });
  started.stdout.on('data', (chunk: Buffer) => (logs += chunk.toString()));
  child = started;
  const url = `http://127.0.0.1:${port}`;
  await waitFor(() => fetch(`${url}/metrics`), { what: 'the service', timeoutMilliseconds: 5_000 });
  return url;
}

async function get(url: string, method = 'GET'): Promise<{ status: number; body: unknown }> {
  const response = await fetch(url, { method });
  return { status: response.status, body: await response.json() };
}

test('a good release is healthy and names its version', async () => {
  const url = await start('1.7.5');
  expect(await get(`${url}/health`)).toEqual({ status: 200, body: { status: 'healthy', version: '1.7.5' } });
  expect(await get(`${url}/health/detailed`)).toMatchObject({
    status: 200,
    body: { checks: { tools: { count: 3 } } },
  });
});

test('the bad release is unhealthy because a tool of its own list has no module', async () => {
  const url = await start('1.7.6');
  expect(await get(`${url}/health`)).toMatchObject({
    status: 503,
    body: { status: 'unhealthy', version: '1.7.6' },
  });
  expect(await get(`${url}/tools/validate`)).toMatchObject({ status: 500, body: { valid: false } });
  expect(logs).toContain('no module for purge-status');
});

test('an instance without credentials is unhealthy, whatever its release', async () => {
  const url = await start('1.7.5', { AKAMAI_EDGERC: '/nowhere/edgerc' });
  expect(await get(`${url}/health`)).toMatchObject({ status: 503 });
});

test('the cache is used, counted and cleared', async () => {
  const url = await start('1.7.4');
  await get(`${url}/tools/validate`);
  await get(`${url}/tools/validate`);
  const metrics = await (await fetch(`${url}/metrics`)).text();
  expect(metrics).toContain('alecs_cache_hits_total 2\n');
  expect(metrics).toContain('alecs_cache_requests_total 4\n');
  expect(metrics).toContain('alecs_cache_hit_rate 0.5\n');
  expect(metrics).toMatch(/alecs_requests_total\{status="200"\} \d+\n/);
  expect(metrics).toMatch(/alecs_request_duration_seconds_bucket\{le="\+Inf"\} \d+\n/);
  expect(await get(`${url}/admin/cache/clear`, 'POST')).toEqual({ status: 200, body: { cleared: 2 } });
  expect(await get(`${url}/admin/cache/clear`)).toMatchObject({ status: 405 });
});

test('a profile is one that V8 writes, and takes the time asked for', async () => {
  const url = await start('1.7.4');
  const profile = await get(`${url}/debug/pprof/profile?seconds=0.2`);
  expect(profile).toMatchObject({
    status: 200,
    body: { nodes: expect.any(Array), samples: expect.any(Array) },
  });
  const { startTime, endTime } = profile.body as { startTime: number; endTime: number };
  expect((endTime - startTime) / 1e6).toBeGreaterThan(0.19);
  expect(await get(`${url}/debug/pprof/profile?seconds=61`)).toMatchObject({ status: 400 });
});

test('SIGTERM ends it with code 0, with a log of the shape of pino', async () => {
  await start('1.7.4');
  child?.kill('SIGTERM');
  expect(await once(child!, 'exit')).toEqual([0, null]);
  const lines = logs
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
  expect(lines.at(-1)).toMatchObject({
    level: 30,
    time: expect.any(Number),
    pid: expect.any(Number),
    msg: 'stopped',
  });
});
