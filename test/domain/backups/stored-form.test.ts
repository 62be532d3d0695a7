import { describe, expect, test } from '@jest/globals';
import { parseLossless, stringifyLossless } from '../../../src/clients/kubernetes/lossless-json.ts';
import type { Json, JsonObject } from '../../../src/contracts/json.ts';
import type { KubernetesObject } from '../../../src/contracts/kubernetes.ts';
import { storedForm } from '../../../src/domain/backups/stored-form.ts';
import { canonicalJson } from '../../../src/domain/plan/canonical-json.ts';

const read = (text: string): KubernetesObject => parseLossless(text) as unknown as KubernetesObject;

function anObject(
  more: Record<string, unknown> = {},
  metadata: Record<string, unknown> = {},
): KubernetesObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', ...metadata }, ...more };
}

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !JSON.isRawJSON(value);

/** Puts what was dropped back in its place. */
function whole(stored: JsonObject, dropped: JsonObject): JsonObject {
  const merged = Object.entries(dropped).map(([key, value]): [string, Json] => {
    const there = Object.hasOwn(stored, key) ? stored[key] : undefined;
    return [key, isObject(there) && isObject(value) ? whole(there, value) : value];
  });
  return Object.fromEntries([...Object.entries(stored), ...merged]);
}

function expectNothingLost(object: KubernetesObject): ReturnType<typeof storedForm> {
  const before = stringifyLossless(object);
  const { stored, dropped } = storedForm(object);
  expect(canonicalJson(whole(stored as unknown as JsonObject, dropped))).toBe(canonicalJson(object));
  expect(stringifyLossless(object)).toBe(before);
  return { stored, dropped };
}

test('what the server sets and what names another life is dropped, and kept beside', () => {
  const server = {
    uid: 'u',
    resourceVersion: '7',
    generation: 2,
    creationTimestamp: '2026-01-01T00:00:00Z',
    selfLink: '/x',
    managedFields: [{ manager: 'kubectl' }],
    ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'b', uid: 'v' }],
  };
  const kept = { labels: { app: 'a' }, annotations: { note: 'x' }, finalizers: ['example.com/hold'] };
  const object = anObject({ data: { key: 'value' }, status: { ready: true } }, { ...server, ...kept });
  const { stored, dropped } = expectNothingLost(object);
  expect(stored).toEqual(anObject({ data: { key: 'value' } }, kept));
  expect(dropped).toEqual({ metadata: server, status: { ready: true } });
});

test('an object without any of it stays as it is', () => {
  expect(storedForm(anObject())).toEqual({ stored: anObject(), dropped: { metadata: {} } });
});

test('integers of 64 bits, odd keys, nulls and nesting survive', () => {
  const text =
    '{"apiVersion":"example.com/v1","kind":"Thing","metadata":{"name":"a","uid":"u","labels":{"__proto__":"l"}},' +
    '"spec":{"big":9007199254740993,"negative":-9223372036854775808,"__proto__":{"x":1},"constructor":"c",' +
    '"none":null,"empty":{},"list":[[[{"deep":[null,0,false,""]}]]]},"status":{"__proto__":9007199254740995}}';
  const { stored, dropped } = expectNothingLost(read(text));
  expect(stringifyLossless(stored)).toBe(text.replace('"uid":"u",', '').replace(/,"status":\{.*?\}/, ''));
  expect(stringifyLossless(dropped)).toBe('{"metadata":{"uid":"u"},"status":{"__proto__":9007199254740995}}');
});

describe('status', () => {
  test('is kept where it is a field like others', () => {
    const object = anObject({ status: { ready: true } });
    expect(storedForm(object, { statusIsData: true }).stored).toEqual(object);
  });

  test.each([
    ['a text', 'Active'],
    ['a list', ['x']],
    ['null', null],
  ])('that is %s is no status', (_what, status) => {
    const object = anObject({ status });
    expect(storedForm(object)).toEqual({ stored: object, dropped: { metadata: {} } });
  });
});

describe('what Kubernetes generates of a kind', () => {
  const labels = {
    app: 'a',
    'controller-uid': 'u',
    'job-name': 'a',
    'batch.kubernetes.io/controller-uid': 'u',
    'batch.kubernetes.io/job-name': 'a',
  };
  const job = (spec: Record<string, unknown>): KubernetesObject => ({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'a', labels },
    spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { x: 1 } }, ...spec },
  });

  test('of a Job: selector and labels with its uid', () => {
    const { stored } = expectNothingLost(job({}));
    expect(stored.metadata.labels).toEqual({ app: 'a' });
    expect(stored.spec).toEqual({ template: { metadata: { labels: { app: 'a' } }, spec: { x: 1 } } });
  });

  test('of a Job with a selector made by hand: nothing', () => {
    const object = job({ manualSelector: true });
    expect(expectNothingLost(object).stored).toEqual(object);
  });

  test('of a Job of another group: nothing', () => {
    const object = { ...job({}), apiVersion: 'batch.example.com/v1' };
    expect(storedForm(object).stored).toEqual(object);
  });

  test('of a pod: containers for debugging', () => {
    const object = { ...anObject({ spec: { containers: [1], ephemeralContainers: [2] } }), kind: 'Pod' };
    expect(expectNothingLost(object).stored.spec).toEqual({ containers: [1] });
  });

  test('of a volume: which life of the claim it is bound to, but not the claim', () => {
    const claimRef = {
      kind: 'PersistentVolumeClaim',
      name: 'c',
      namespace: 'n',
      uid: 'u',
      resourceVersion: '7',
    };
    const object = { ...anObject({ spec: { claimRef } }), kind: 'PersistentVolume' };
    const { stored } = expectNothingLost(object);
    expect(stored.spec).toEqual({ claimRef: { kind: 'PersistentVolumeClaim', name: 'c', namespace: 'n' } });
  });

  test('of a token made by hand: the token and the uid of the account', () => {
    const annotations = {
      'kubernetes.io/service-account.name': 'a',
      'kubernetes.io/service-account.uid': 'u',
    };
    const data = { token: 't', 'ca.crt': 'c', namespace: 'n', mine: 'm' };
    const type = 'kubernetes.io/service-account-token';
    const object = { ...anObject({ type, data }, { annotations }), kind: 'Secret' };
    const { stored } = expectNothingLost(object);
    expect(stored.data).toEqual({ mine: 'm' });
    expect(stored.metadata.annotations).toEqual({ 'kubernetes.io/service-account.name': 'a' });
  });

  test('of a Secret of any other type: nothing', () => {
    const object = { ...anObject({ type: 'Opaque', data: { token: 't', namespace: 'n' } }), kind: 'Secret' };
    expect(expectNothingLost(object).stored).toEqual(object);
  });

  test.each([
    ['no spec', {}],
    ['spec null', { spec: null }],
    ['a spec that is a text', { spec: 'x' }],
    ['a template that is a list', { spec: { template: [] } }],
  ])('a Job with %s is taken as it is', (_what, more) => {
    expectNothingLost({ apiVersion: 'batch/v1', kind: 'Job', metadata: { name: 'a' }, ...more });
  });
});
