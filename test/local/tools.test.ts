import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Tool } from '../../src/local/pins.ts';
import { obtainTool, stampOf, toolVariable } from '../../src/local/tools.ts';

const tool: Tool = {
  name: 'runbooks-example-tool',
  version: 'v1.2.3',
  versionArguments: ['--version'],
  build: { package: 'example.invalid/tool' },
};
const silent = (): void => undefined;

let scratch = '';
let folder = '';
const environment = { ...process.env };

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'runbooks-tools-'));
  folder = join(scratch, 'tools');
  mkdirSync(folder);
});

afterEach(() => {
  process.env['PATH'] = environment['PATH'];
  Reflect.deleteProperty(process.env, toolVariable(tool));
  rmSync(scratch, { recursive: true, force: true });
});

/** A program that prints that version, and its path. */
function program(directory: string, version: string): string {
  mkdirSync(directory, { recursive: true });
  const path = join(directory, tool.name);
  writeFileSync(path, `#!/bin/sh\necho "tool version ${version}"\n`);
  chmodSync(path, 0o755);
  return path;
}

function onPath(version: string): string {
  const directory = join(scratch, 'path');
  process.env['PATH'] = `${directory}:${environment['PATH'] ?? ''}`;
  return program(directory, version);
}

function inFolder(stamp: string): string {
  const path = program(folder, '1.2.3');
  writeFileSync(`${path}.stamp`, stamp);
  return path;
}

const obtain = (): Promise<unknown> => obtainTool(tool, { onPhase: silent, directory: folder });

describe('a tool is looked for', () => {
  test('first at the path that the environment names', async () => {
    onPath('1.2.3');
    inFolder(stampOf(tool));
    const path = program(join(scratch, 'named'), 'anything');
    process.env[toolVariable(tool)] = path;
    expect(await obtain()).toEqual({ path, from: 'environment' });
  });

  test('then on PATH with exactly the pinned version', async () => {
    const path = onPath('v1.2.3');
    inFolder(stampOf(tool));
    expect(await obtain()).toEqual({ path, from: 'path' });
  });

  test.each(['1.2.2', '1.2.30', '11.2.3'])(
    'not on PATH with version %s, then in the tool folder',
    async (version) => {
      onPath(version);
      const path = inFolder(stampOf(tool));
      expect(await obtain()).toEqual({ path, from: 'folder' });
    },
  );

  test('not in the tool folder when it was built for another pin', async () => {
    inFolder(stampOf({ ...tool, version: 'v1.2.2' }));
    process.env['PATH'] = '/nowhere';
    await expect(obtain()).rejects.toThrow('runbooks-example-tool v1.2.3 is missing');
  });
});

test('an environment variable that names no program is an error, not a reason to look elsewhere', async () => {
  process.env[toolVariable(tool)] = join(scratch, 'absent');
  await expect(obtain()).rejects.toThrow('RUNBOOK_TOOL_RUNBOOKS_EXAMPLE_TOOL=');
});

test('without the tool and without Go the message says what to install and names the containers', async () => {
  process.env['PATH'] = '/nowhere';
  await expect(obtain()).rejects.toThrow(
    /install Go 1\.26.*RUNBOOK_TOOL_RUNBOOKS_EXAMPLE_TOOL.*docker compose up/s,
  );
});
