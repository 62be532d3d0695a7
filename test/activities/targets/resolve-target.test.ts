import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTargetActivities } from '../../../src/activities/targets/index.ts';
import { act, failureOf } from '../support/run-activity.ts';

const root = mkdtempSync(join(tmpdir(), 'runbook-profiles-'));
const folder = join(root, 'targets');
beforeAll(() => {
  mkdirSync(folder);
  writeFileSync(join(root, 'outside.yaml'), good('outside'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
  mkdirSync(folder);
});
afterAll(() => {
  rmSync(root, { recursive: true });
});

function good(name: string, more = ''): string {
  return `target: ${name}
namespace: shop
workload: web
workloads:
  web: { kind: Deployment, container: main }
health: { via: port-forward, path: /health, port: 8080 }
${more}`;
}

function write(name: string, text = good(name), ending = 'yaml'): void {
  writeFileSync(join(folder, `${name}.${ending}`), text);
}

async function resolve(target?: string, defaultTarget?: string, targetsFolder = folder) {
  const activities = createTargetActivities({ targetsFolder, defaultTarget, searchAttributes: true });
  return await act((request: { target?: string }) => activities.resolveTarget(request), {
    ...(target === undefined ? {} : { target }),
  });
}

async function fault(text: string): Promise<string> {
  write('shop', text);
  const failure = await failureOf(resolve('shop'));
  expect(failure.type).toBe('InvalidProfile');
  expect(failure.nonRetryable).toBe(true);
  return failure.message;
}

test('a profile is read with its defaults and a digest of its content', async () => {
  write('shop');
  const { target, searchAttributes } = await resolve('shop');
  expect(searchAttributes).toBe(true);
  expect(target.profile.gitOps).toBe('stop');
  expect(target.digest).toMatch(/^[0-9a-f]{64}$/);
});

test('the digest follows the meaning of a profile, not its spelling', async () => {
  write('shop');
  const { digest } = (await resolve('shop')).target;
  write('shop', good('shop', '# a remark\ngitOps: "stop"\n'));
  expect((await resolve('shop')).target.digest).toBe(digest);
  write('shop', good('shop', 'gitOps: ignore\n'));
  expect((await resolve('shop')).target.digest).not.toBe(digest);
});

test('files may end in yml', async () => {
  write('shop', good('shop'), 'yml');
  expect((await resolve('shop')).target.profile.target).toBe('shop');
});

test('the default target, or the only one, is meant when a request names none', async () => {
  write('shop');
  expect((await resolve()).target.profile.target).toBe('shop');
  write('bank');
  expect((await resolve(undefined, 'bank')).target.profile.target).toBe('bank');
  const failure = await failureOf(resolve());
  expect(failure.type).toBe('InvalidRequest');
  expect(failure.message).toBe(
    'target is missing and there is no default target, add "target":"bank"; known targets: bank, shop',
  );
});

test.each([
  '../outside',
  '..',
  '.',
  '',
  'shop.yaml',
  '/etc/passwd',
  'SHOP',
  'shop\u0000',
  '__proto__',
  'constructor',
  'toString',
])('the name %j reaches no file', async (name) => {
  write('shop');
  const failure = await failureOf(resolve(name));
  expect(failure.type).toBe('NotFound');
  expect(failure.message).toMatch(/^there is no target ".*"; known targets: shop$/);
});

test('a name of a megabyte gets a short answer', async () => {
  write('shop');
  const { message } = await failureOf(resolve('x'.repeat(1_000_000)));
  expect(message.length).toBeLessThan(200);
});

test('an empty folder and a missing one say what to do', async () => {
  expect((await failureOf(resolve('shop'))).message).toBe('there is no target "shop"; known targets: none');
  const missing = await failureOf(resolve('shop', undefined, join(root, 'nowhere')));
  expect(missing.type).toBe('NotFound');
  expect(missing.message).toMatch(/set RUNBOOK_TARGETS to a folder/);
});

test('something that cannot be read as a file is a fault of the profile', async () => {
  mkdirSync(join(folder, 'shop.yaml'));
  const failure = await failureOf(resolve('shop'));
  expect(failure.type).toBe('InvalidProfile');
  expect(failure.message).toBe('target profile shop cannot be read (EISDIR)');
});

test('broken YAML is named with its line', async () => {
  expect(await fault('target: shop\nnamespace: [shop\nworkload: web\n')).toMatch(
    /is not valid YAML: line \d+: /,
  );
});

test('a key that stands twice is named with its line', async () => {
  expect(await fault(good('shop', 'namespace: other\n'))).toMatch(/line \d+: DUPLICATE_KEY/);
});

test('a second document in the file is refused', async () => {
  expect(await fault(`${good('shop')}---\n${good('shop')}`)).toMatch(/MULTIPLE_DOCS/);
});

test.each(['', '42', '- a\n- b\n', 'null\n'])('a file that holds %j is no profile', async (text) => {
  expect(await fault(text)).toMatch(/^target profile shop: must be an object/);
});

test('a file that is not named like its target is refused', async () => {
  expect(await fault(good('bank'))).toMatch(/target: must be "shop", like the file's name/);
});

test('every fault of a profile is named at once, without its values', async () => {
  const message = await fault(`target: shop
namespace: NOT_A_NAME
workload: gone
workloads: { web: { kind: ReplicaSet, container: main } }
health: { via: exec, path: relative, timeoutSeconds: lots }
secret: canary-4711
`);
  for (const path of [
    'namespace',
    'workloads.web.kind',
    'health.path',
    'health.timeoutSeconds',
    'unknown field "secret"',
  ])
    expect(message).toContain(path);
  expect(message).not.toContain('canary');
  expect(message).not.toContain('NOT_A_NAME');
});

test('a bomb of aliases is refused before it grows', async () => {
  const levels = Array.from({ length: 20 }, (_, level) => {
    const former = level === 0 ? '"x"' : `*a${level - 1}`;
    return `a${level}: &a${level} [${Array.from({ length: 10 }, () => former).join(', ')}]`;
  });
  expect(await fault(`${levels.join('\n')}\n`)).toMatch(/more YAML aliases than a profile needs/);
});

test('a file far larger than any profile is refused', async () => {
  expect(await fault(`# ${'x'.repeat(300 * 1024)}\n${good('shop')}`)).toMatch(/is larger than/);
});

test('names of prototypes as keys are unknown fields', async () => {
  expect(await fault(good('shop', '__proto__: { gitOps: ignore }\nconstructor: x\n'))).toMatch(
    /unknown field "__proto__".*unknown field "constructor"|unknown field "constructor"/,
  );
});
