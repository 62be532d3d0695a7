import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, parseAllDocuments } from 'yaml';
import { parseProfile } from '../../src/activities/targets/profiles.ts';
import { readConfig } from '../../src/config.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

interface Service {
  image?: string;
  build?: string;
  command?: string[];
  environment?: Record<string, string>;
  ports?: string[];
  volumes?: string[];
  healthcheck?: { test: string[] };
  depends_on?: Record<string, { condition: string }>;
}

const compose = parse(read('docker-compose.yml'), { merge: true }) as {
  services: Record<string, Service>;
  volumes: Record<string, unknown>;
};
const services = Object.entries(compose.services);
const variables = [...read('src/config.ts').matchAll(/\b(RUNBOOK_[A-Z_]+): z/g)].map(([, name]) => name);
const isKnown = (name: string): boolean => variables.includes(name) || /^(TEMPORAL|AWS)_/.test(name);

describe.each(services)('service %s', (_name, service) => {
  test('runs an image of one version', () => {
    expect(service.image).toMatch(/:.*\d+\.\d+|:RELEASE\.\d{4}-/);
    expect(service.image).not.toContain('latest');
  });

  test('listens on this machine only', () => {
    const open = (service.ports ?? []).filter((port) => !/^127\.0\.0\.1:\d+:\d+$/.test(port));
    expect(open).toEqual([]);
  });

  test('uses volumes that are declared, or folders of this project', () => {
    const strange = (service.volumes ?? [])
      .map((volume) => volume.split(':')[0] ?? '')
      .filter((source) => !source.startsWith('./') && !Object.hasOwn(compose.volumes, source));
    expect(strange).toEqual([]);
  });

  test('waits for what the others can tell', () => {
    for (const [name, { condition }] of Object.entries(service.depends_on ?? {})) {
      const other = compose.services[name];
      expect(other).toBeDefined();
      if (condition === 'service_healthy') expect(other?.healthcheck).toBeDefined();
      else expect(condition).toBe('service_completed_successfully');
    }
  });
});

test("the worker's environment is one that the worker reads and accepts", () => {
  const environment = compose.services['worker']?.environment ?? {};
  expect(Object.keys(environment).filter((name) => !isKnown(name))).toEqual([]);
  expect(readConfig(environment)).toMatchObject({ storage: { bucket: 'runbooks' } });
});

test('the image is built from pinned images, and nothing runs as root', () => {
  const dockerfile = read('Dockerfile');
  const images = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, image = '']) => image);
  for (const image of images) expect(image).toMatch(/^node:24\.\d+\.\d+-slim$/);
  expect(dockerfile.slice(dockerfile.lastIndexOf('FROM'))).toMatch(/^USER node$/m);
});

test('the image starts a worker as small as bin/runbook.mjs does', () => {
  const settings = [...read('Dockerfile').matchAll(/^ENV (.+)$/gm)].flatMap(([, line = '']) =>
    line.split(' ').map((one) => one.split('=')),
  );
  const launcher = read('bin/bootstrap.mjs');
  for (const [name = '', ...value] of settings) {
    if (name === 'NODE_ENV') continue;
    const said = name === 'NODE_OPTIONS' ? `flags: ['${value.join('=')}']` : `${name}: '${value.join('=')}'`;
    expect(launcher).toContain(said);
  }
  expect(settings.length).toBeGreaterThan(3);
});

test('what the image copies is let through to the build', () => {
  const allowed = [...read('.dockerignore').matchAll(/^!(.+)$/gm)].map(([, path]) => path);
  const copied = [...read('Dockerfile').matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, paths = '']) =>
    paths.split(' '),
  );
  expect([...new Set(copied)].sort()).toEqual([...allowed].sort());
});

describe('the manifest of a worker in a cluster', () => {
  const objects = parseAllDocuments(read('deploy/kubernetes/worker.yaml')).map(
    (document) => document.toJS() as { kind: string } & Record<string, unknown>,
  );
  const find = (kind: string): Record<string, unknown> => objects.find((one) => one.kind === kind) ?? {};

  test('sets variables that the worker reads and accepts', () => {
    const { spec } = find('Deployment') as {
      spec: { template: { spec: { containers: { env: { name: string; value?: string }[] }[] } } };
    };
    const env = spec.template.spec.containers.flatMap((container) => container.env);
    expect(env.map(({ name }) => name).filter((name) => !isKnown(name))).toEqual([]);
    expect(() =>
      readConfig(Object.fromEntries(env.map(({ name, value }) => [name, value ?? 'x']))),
    ).not.toThrow();
  });

  test('holds profiles that are valid', () => {
    const { data } = find('ConfigMap') as { data: Record<string, string> };
    for (const [file, text] of Object.entries(data)) {
      const name = file.replace(/\.yaml$/, '');
      expect(parseProfile(name, text).target).toBe(name);
    }
  });

  test('grants no more than the table of the architecture page', () => {
    const roles = objects.filter(({ kind }) => kind === 'Role') as unknown as {
      rules: { apiGroups: string[]; resources: string[]; resourceNames?: string[]; verbs: string[] }[];
    }[];
    const rules = roles.flatMap((role) => role.rules);
    const granted = rules.flatMap((rule) =>
      rule.resources.map((resource) => `${resource}: ${rule.verbs.join(', ')}`),
    );
    expect(granted).toEqual([
      'deployments: get, list, watch, patch',
      'replicasets: list, watch',
      'pods: list, watch',
      'events: list, watch',
      'resourcequotas: list',
      'limitranges: list',
      'poddisruptionbudgets: list',
      'horizontalpodautoscalers: list',
      'configmaps: get',
      'serviceaccounts: get',
      'persistentvolumeclaims: get',
      'pods/portforward: get, create',
      'leases: get, list, watch, create, update',
      'secrets: get',
    ]);
    expect(rules.find((rule) => rule.resources.includes('secrets'))?.resourceNames).toEqual([
      'runbook-audit-key',
    ]);
    expect(rules.find((rule) => rule.resources.includes('deployments'))?.resourceNames).toEqual([
      'alecs-server',
    ]);
    expect(objects.map(({ kind }) => kind)).not.toContain('ClusterRole');
  });
});
