import { describe, expect, test } from '@jest/globals';
import { parseLossless } from '../../src/clients/kubernetes/lossless-json.ts';
import type { Json } from '../../src/contracts/json.ts';
import { differences } from '../../src/domain/plan/paths.ts';
import { hideEnvironment, imagesOf, templateOf } from '../../src/domain/pod-template.ts';
import { aDeployment } from '../support/builders.ts';

const canary = 'canary-5c1e';
const variable = (name: string, value: string): Json => ({ name, value });

/** What a plan shows of two templates whose only container has this environment. */
function shown(before: Json[] | undefined, after: Json[] | undefined): object[] {
  const template = (env: Json[] | undefined): Json => ({
    spec: { containers: [{ name: 'app', ...(env === undefined ? {} : { env }) }] },
  });
  return hideEnvironment(differences(template(before), template(after), 'template'));
}
const list = 'template/spec/containers[name=app]/env';

describe('values of environment variables are hidden', () => {
  test.each<[string, Json[] | undefined, Json[] | undefined, object[]]>([
    [
      'changed',
      [variable('A', canary)],
      [variable('A', `${canary}2`)],
      [{ path: `${list}[name=A]/value`, before: '(hidden)', after: '(hidden, differs)' }],
    ],
    [
      'added',
      [],
      [variable('A', canary)],
      [{ path: `${list}[name=A]`, after: { name: 'A', value: '(hidden, differs)' } }],
    ],
    [
      'removed',
      [variable('A', canary)],
      [],
      [{ path: `${list}[name=A]`, before: { name: 'A', value: '(hidden)' } }],
    ],
    [
      'the whole list added',
      undefined,
      [variable('A', canary)],
      [{ path: list, after: [{ name: 'A', value: '(hidden, differs)' }] }],
    ],
    [
      'in another order: what stayed the same does not differ',
      [variable('A', canary), variable('B', canary)],
      [variable('B', `${canary}2`), variable('A', canary)],
      [
        {
          path: list,
          before: [variable('A', '(hidden)'), variable('B', '(hidden)')],
          after: [variable('B', '(hidden, differs)'), variable('A', '(hidden)')],
        },
      ],
    ],
    [
      'the same name twice',
      [variable('A', canary), variable('A', canary)],
      [],
      [{ path: list, before: [variable('A', '(hidden)'), variable('A', '(hidden)')], after: [] }],
    ],
    [
      'a name with every character that paths escape',
      [variable('a/b[c]~d]', canary)],
      [variable('a/b[c]~d]', 'x')],
      [{ path: `${list}[name=a~1b~2c]~0d]]/value`, before: '(hidden)', after: '(hidden, differs)' }],
    ],
    [
      'a value that comes from elsewhere now is named, not hidden',
      [variable('A', canary)],
      [{ name: 'A', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } }],
      [
        { path: `${list}[name=A]/value`, before: '(hidden)' },
        { path: `${list}[name=A]/valueFrom`, after: { secretKeyRef: { name: 's', key: 'k' } } },
      ],
    ],
  ])('%s', (_case, before, after, expected) => {
    expect(shown(before, after)).toEqual(expected);
    expect(JSON.stringify(shown(before, after))).not.toContain(canary);
  });

  test('in whole containers, init containers and templates that come and go', () => {
    const container = { name: 'app', image: 'web:1', env: [variable('A', canary), { name: 'EMPTY' }] };
    const template = { spec: { containers: [container], initContainers: [{ ...container, name: 'init' }] } };
    for (const [before, after] of [
      [template, {}],
      [{}, template],
      [template, { spec: { containers: [{ name: 'other' }] } }],
    ] as [Json, Json][]) {
      const text = JSON.stringify(hideEnvironment(differences(before, after, 'template')));
      expect(text).not.toContain(canary);
      expect(text).toContain('web:1');
      expect(text).toContain('EMPTY');
    }
    expect(JSON.stringify(hideEnvironment([{ path: 'template', before: template }]))).not.toContain(canary);
  });

  test('a label that is called env, and everything else, stays as it is', () => {
    const others = [
      { path: 'template/metadata/labels/env', before: 'test', after: 'production' },
      { path: 'template/metadata/labels', after: { env: 'production', value: 'x' } },
      { path: 'template/spec/containers[name=app]/args', before: ['--env', 'a'], after: null },
      { path: 'template/spec/replicas', before: 1, after: parseLossless('9007199254740993') },
    ];
    expect(hideEnvironment(others)).toEqual(others);
  });
});

test("a template is the same in a Deployment and in its ReplicaSet's copy", () => {
  const deployment = aDeployment();
  const { template } = deployment.spec;
  const labels = { ...template.metadata?.labels, 'pod-template-hash': '5d8f' };
  const copy = aDeployment({ spec: { template: { ...template, metadata: { labels } } } });
  expect(templateOf(copy)).toEqual(templateOf(deployment));
  const bare = aDeployment({ spec: { template: { spec: template.spec } } });
  expect(templateOf(bare)).toEqual({ metadata: { labels: {} }, spec: template.spec });
});

test('images are those of containers and init containers', () => {
  const podSpec = { initContainers: [{ name: 'init', image: 'init:1' }, { name: 'bare' }] };
  expect(imagesOf(aDeployment({ podSpec }))).toEqual({ app: 'web:2', init: 'init:1', bare: '' });
});
