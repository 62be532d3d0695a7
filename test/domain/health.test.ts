import { describe, expect, test } from '@jest/globals';
import { targetProfileSchema } from '../../src/contracts/target.ts';
import { judgeAnswer, probeOf } from '../../src/domain/health.ts';
import { hostileTexts } from '../support/builders.ts';

const expected = { path: '/health', expectStatus: 200, expectBody: {} };
const healthy = { ...expected, expectBody: { status: 'healthy' } };

describe('an answer of a health endpoint', () => {
  test('none at all is unknown: it says nothing about the service', () => {
    expect(judgeAnswer({ unreachable: 'ECONNREFUSED' }, expected)).toEqual({
      verdict: 'unknown',
      sentence: 'no answer from /health: ECONNREFUSED',
    });
  });

  test('passes with the expected status when no body is asked for, whatever the body', () => {
    expect(judgeAnswer({ status: 200, body: 'not JSON' }, expected).verdict).toBe('pass');
  });

  test.each([199, 201, 204, 301, 404, 500, 503])('fails with status %d', (status) => {
    expect(judgeAnswer({ status, body: '{"status":"healthy"}' }, healthy)).toEqual({
      verdict: 'fail',
      sentence: `/health answered ${status}, expected 200`,
    });
  });

  test('a profile may expect another status', () => {
    expect(judgeAnswer({ status: 204, body: '' }, { ...expected, expectStatus: 204 }).verdict).toBe('pass');
  });

  test('passes when every expected field has its value, and says which', () => {
    const both = { ...expected, expectBody: { status: 'healthy', ready: true, version: 2 } };
    expect(
      judgeAnswer({ status: 200, body: '{"status":"healthy","ready":true,"version":2,"more":{}}' }, both),
    ).toEqual({
      verdict: 'pass',
      sentence: '/health answered 200 with status: healthy, ready: true, version: 2',
    });
  });

  test.each([
    ['another value', '{"status":"degraded"}'],
    ['another type', '{"status":true}'],
    ['the field missing', '{}'],
    ['the field nested', '{"data":{"status":"healthy"}}'],
    ['a list', '[{"status":"healthy"}]'],
    ['null', 'null'],
    ['text', '"healthy"'],
    ['nothing', ''],
    ['JSON that was cut', '{"status":"healthy"'],
  ])('fails with %s', (_case, body) => {
    expect(judgeAnswer({ status: 200, body }, healthy).verdict).toBe('fail');
  });

  test('a field that every object inherits is missing like any other', () => {
    const inherited = { ...expected, expectBody: { constructor: 'x' } };
    expect(judgeAnswer({ status: 200, body: '{}' }, inherited).verdict).toBe('fail');
  });

  test.each(hostileTexts.map((text) => [text.slice(0, 20), text]))(
    'never quotes a body: %j',
    (_name, text) => {
      for (const body of [text, JSON.stringify({ status: text })]) {
        const { sentence } = judgeAnswer({ status: 200, body }, healthy);
        expect(sentence.length).toBeLessThan(100);
        expect(sentence).not.toContain(text);
      }
    },
  );
});

test("a workload with a probe of its own is asked its own way, every other the target's", () => {
  const health = { via: 'port-forward', path: '/health', port: 8080 };
  const workload = { kind: 'Deployment', container: 'app' };
  const own = { via: 'url', path: '/ready', url: 'http://api.example' };
  const profile = targetProfileSchema.parse({
    target: 'shop',
    namespace: 'shop',
    workload: 'web',
    workloads: { web: workload, api: { ...workload, health: own } },
    health,
  });
  expect(probeOf(profile, 'api')).toMatchObject({ ...own, expectStatus: 200 });
  for (const name of ['web', 'gone', 'constructor']) expect(probeOf(profile, name)).toEqual(profile.health);
});
