import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { createKubernetesGateway, type KubernetesGateway } from '../../../src/clients/kubernetes/gateway.ts';
import type { WatchEvent } from '../../../src/clients/kubernetes/watch.ts';
import { unique } from '../../support/stack.ts';
import {
  ownNamespace,
  proxiedKubeconfig,
  realGateway,
  scratch,
  startProxyToCluster,
} from './support/cluster.ts';
import type { TcpProxy } from './support/tcp-proxy.ts';
import { WatchReader } from './support/watch-reader.ts';

const files = scratch();
let direct: KubernetesGateway;
let namespace: Awaited<ReturnType<typeof ownNamespace>>;
let proxy: TcpProxy;
/** Watches through the proxy, while changes are made directly. */
let watching: KubernetesGateway;
let reader: WatchReader;
let label: string;

beforeAll(async () => {
  direct = realGateway();
  namespace = await ownNamespace(direct);
});

beforeEach(async () => {
  proxy = await startProxyToCluster();
  label = unique('watch');
  const kubeconfigPath = files.file('kubeconfig', JSON.stringify(proxiedKubeconfig(proxy.port)));
  watching = createKubernetesGateway({ kubeconfigPath });
});

afterEach(async () => {
  await reader.stop();
  await watching.close();
  await proxy.close();
});

afterAll(async () => {
  await namespace.remove();
  await direct.close();
  files.remove();
});

function start(silenceSeconds: number): void {
  const query = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    namespace: namespace.name,
    labelSelector: `w=${label}`,
  };
  reader = new WatchReader((signal) => watching.watch(query, { signal, silenceSeconds }));
}

async function create(name: string): Promise<void> {
  const metadata = { name: `${label}-${name}`, namespace: namespace.name, labels: { w: label } };
  await direct.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata }, { fieldManager: 'test' });
}

/** `ADDED a`, without the prefix that makes names unique. */
function told(event: WatchEvent): string {
  return event.type === 'SYNC'
    ? `SYNC ${event.items.length}`
    : `${event.type} ${event.object.metadata.name.slice(label.length + 1)}`;
}

test('a real watch loses nothing and repeats nothing when its connection is reset', async () => {
  start(30);
  await create('a');
  const seen = (await reader.take(1)).map(told);
  if (seen[0] === 'SYNC 0') expect((await reader.take(1)).map(told)).toEqual(['ADDED a']);
  proxy.cut();
  await create('b');
  await create('c');
  expect((await reader.take(2)).map(told)).toEqual(['ADDED b', 'ADDED c']);
});

test('a real watch whose connection hangs half-open goes on over another', async () => {
  start(0.3);
  expect((await reader.take(1)).map(told)).toEqual(['SYNC 0']);
  await reader.until(() => proxy.accepted() >= 1 && proxy.open() >= 1, 'the connection');
  proxy.freezeOpen();
  await create('a');
  expect((await reader.take(1)).map(told)).toEqual(['ADDED a']);
});

test('a change reaches the consumer within 50 ms of being made', async () => {
  start(30);
  await reader.take(1);
  await create('first'); // the connection is certainly up once this has come
  await reader.take(1);
  const delays: number[] = [];
  for (let round = 0; round < 20; round += 1) {
    const made = performance.now();
    const [, event] = await Promise.all([create(String(round)), reader.take(1)]);
    expect(event.map(told)).toEqual([`ADDED ${round}`]);
    delays.push(performance.now() - made);
  }
  expect(delays.sort((a, b) => a - b)[10]).toBeLessThan(50);
});
