import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { askPod } from '../../../src/activities/probes/ask-pod.ts';
import type { Proof } from '../../../src/contracts/run.ts';
import type { Pod } from '../../../src/domain/rollout-health.ts';
import { onRealNode } from '../../support/stack.ts';
import { Place } from '../support/place.ts';
import { act, anEnvironment, failureOf } from '../support/run-activity.ts';
import { podsOf, ready, setMode, talkingContainer, targetOf, writtenOf } from '../support/talking-pods.ts';

const whenReal = onRealNode ? describe : describe.skip;

const health = {
  via: 'port-forward',
  path: '/health',
  port: 8080,
  expectBody: { status: 'healthy' },
  timeoutSeconds: 2,
};

whenReal('the proof by health endpoints', () => {
  let place: Place;
  let server: Server;
  let pods: string[];

  beforeAll(async () => {
    place = await Place.open();
    await Promise.all(
      ['web', 'short'].map((name) =>
        place.deploy(name, { replicas: name === 'web' ? 2 : 1, container: talkingContainer() }),
      ),
    );
    await place.deploy('empty');
    await Promise.all(['web', 'short'].map((name) => ready(place, name)));
    pods = await podsOf(place, 'web');
    server = createServer((request, response) => {
      response.statusCode = request.url === '/health' ? 200 : 404;
      response.end(JSON.stringify({ status: 'healthy', note: 'ü'.repeat(10) }));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterAll(async () => {
    server.closeAllConnections();
    server.close();
    await place.close();
  });

  async function prove(
    name: string,
    change: Record<string, unknown> = {},
    bakeSeconds = 0,
    environment = anEnvironment(),
  ): Promise<Proof> {
    place.writeProfile(name, { health: { ...health, ...change } });
    const target = await targetOf(place, name);
    const written = await writtenOf(place, name);
    const asked = { target, written, images: {}, bakeSeconds };
    return await act(place.activities.proveHealthy, asked, environment);
  }

  const port = (): number => (server.address() as AddressInfo).port;

  test('every new pod is asked, again and again over the bake time', async () => {
    const environment = anEnvironment();
    const said = new Set<unknown>();
    environment.on('heartbeat', (details) => said.add(details));
    const proof = await prove('web', {}, 1, environment);
    expect(proof.verdict).toBe('pass');
    expect([...said]).toContain('2 pods: /health answered 200 with status: healthy; watched for 0 of 1 s');
    expect(proof.evidence[0]).toMatch(
      /^2 pods: \/health answered 200 with status: healthy \(2 rounds in 1 s\)$/,
    );
  });

  test('a pod that answers another status fails, by name', async () => {
    await setMode(place, pods[1]!, 'wrong-status');
    const proof = await prove('web');
    await setMode(place, pods[1]!, 'ok');
    expect(proof).toMatchObject({
      verdict: 'fail',
      evidence: [`pod ${pods[1]!}: /health answered 503, expected 200`],
    });
  });

  test('a pod that answers another body fails', async () => {
    await setMode(place, pods[0]!, 'wrong-body');
    const proof = await prove('web');
    await setMode(place, pods[0]!, 'ok');
    expect(proof.verdict).toBe('fail');
    expect(proof.evidence[0]).toContain('/health answered without status: healthy');
  });

  test('one bad answer among good ones is asked again', async () => {
    await setMode(place, pods[0]!, 'once');
    expect((await prove('web')).verdict).toBe('pass');
  });

  test('a port that nobody listens on is unknown, not a failure of the service', async () => {
    const proof = await prove('web', { port: 9 });
    expect(proof.verdict).toBe('unknown');
    expect(proof.evidence[0]).toMatch(/no answer from \/health: /);
  });

  test('a workload with a probe of its own is asked its own way', async () => {
    const url = `http://127.0.0.1:${port()}`;
    const own = { via: 'url', path: '/own', url };
    place.writeProfile('web', {
      health,
      workloads: { web: { kind: 'Deployment', container: 'main', health: own } },
    });
    const proof = await act(place.activities.proveHealthy, {
      target: await targetOf(place, 'web'),
      written: await writtenOf(place, 'web'),
      images: {},
      bakeSeconds: 0,
    });
    expect(proof.verdict).toBe('fail');
    expect(proof.evidence[0]).toContain('/own answered 404, expected 200');
  });

  test('a workload without pods is unknown', async () => {
    expect(await prove('empty')).toMatchObject({
      verdict: 'unknown',
      evidence: ['the workload is scaled to zero, there is no pod to ask'],
    });
  });

  test('a command inside the container proves by its exit code and its output', async () => {
    const script = (code: string): string[] => ['/usr/local/bin/node', '-e', code];
    const good = script('console.log(JSON.stringify({ status: "healthy" }))');
    expect((await prove('web', { via: 'exec', command: good })).verdict).toBe('pass');
    const silent = await prove('web', { via: 'exec', command: script('0') });
    expect(silent.verdict).toBe('fail');
    const bad = await prove('web', { via: 'exec', command: script('process.exit(3)') });
    expect(bad).toMatchObject({ verdict: 'fail' });
    expect(bad.evidence[0]).toContain('answered 503');
  });

  test('a command that does not exist in the container does not pass', async () => {
    expect((await prove('web', { via: 'exec', command: ['/no/such/program'] })).verdict).not.toBe('pass');
  });

  test('one address for the whole service can prove it', async () => {
    const url = `http://127.0.0.1:${port()}`;
    expect((await prove('web', { via: 'url', url })).verdict).toBe('pass');
    const lost = await prove('web', { via: 'url', url, path: '/elsewhere' });
    expect(lost).toMatchObject({ verdict: 'fail' });
    const dead = await prove('web', { via: 'url', url: 'http://127.0.0.1:1' });
    expect(dead).toMatchObject({ verdict: 'unknown' });
    expect(dead.evidence[0]).toContain('ECONNREFUSED');
  });

  test("a pod's own address can be asked, and a pod without one is unreachable", async () => {
    place.writeProfile('web', { health: { ...health, via: 'pod-address', port: port() } });
    const { profile } = await targetOf(place, 'web');
    const pod = (podIP?: string): Pod => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'web' },
      spec: { containers: [] },
      status: podIP === undefined ? {} : { podIP },
    });
    const signal = AbortSignal.timeout(20_000);
    const answer = await askPod(place.gateway, profile, 'web', pod('127.0.0.1'), signal);
    expect(answer).toMatchObject({
      status: 200,
      body: JSON.stringify({ status: 'healthy', note: 'ü'.repeat(10) }),
    });
    expect(await askPod(place.gateway, profile, 'web', pod(), signal)).toEqual({
      unreachable: 'the pod has no address',
    });
  });

  test('a pod that restarts during the bake time fails the proof', async () => {
    place.writeProfile('short', {
      health,
      proof: { bakeSeconds: 60, intervalSeconds: 1 },
      rollout: { startupAllowanceSeconds: 20 },
    });
    const target = await targetOf(place, 'short');
    const [pod] = await podsOf(place, 'short');
    const environment = anEnvironment();
    const begun = once(environment, 'heartbeat');
    const input = { target, written: await writtenOf(place, 'short'), images: {}, bakeSeconds: 60 };
    const proof = act(place.activities.proveHealthy, input, environment);
    await begun;
    // The second heartbeat comes after the first round.
    await once(environment, 'heartbeat');
    await setMode(place, pod!, 'die').catch(() => undefined);
    expect(await proof).toMatchObject({
      verdict: 'fail',
      evidence: [`pod ${pod!} restarted while it was watched`],
    });
  });

  test('a cancelled proof ends at once', async () => {
    const environment = anEnvironment();
    const begun = once(environment, 'heartbeat');
    const input = {
      target: await targetOf(place, 'web'),
      written: await writtenOf(place, 'web'),
      images: {},
      bakeSeconds: 60,
    };
    const proof = act(place.activities.proveHealthy, input, environment);
    proof.catch(() => undefined);
    await begun;
    environment.cancel();
    await expect(proof).rejects.toThrow(/cancel/i);
  });

  test('a proof never vouches for an image that someone else set', async () => {
    const input = {
      target: await targetOf(place, 'web'),
      written: await writtenOf(place, 'web'),
      images: { app: 'someone-elses:1', alecs: 'someone-elses:1' },
      bakeSeconds: 0,
    };
    expect(await act(place.activities.proveHealthy, input)).toMatchObject({
      verdict: 'fail',
      evidence: [expect.stringMatching(/^someone else changed the image of container/)],
    });
  });

  test('a workload that is gone cannot be proven', async () => {
    const written = { ...(await writtenOf(place, 'empty')), name: 'gone' };
    const input = { target: await targetOf(place, 'empty'), written, images: {}, bakeSeconds: 0 };
    expect((await failureOf(act(place.activities.proveHealthy, input))).type).toBe('NotFound');
  });
});
