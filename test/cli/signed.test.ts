import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { controls, type Gate } from '../../src/contracts/run.ts';
import { waitFor } from '../../src/local/wait.ts';
import { GnuPg, hasGnuPg } from '../encryption/support/gnupg.ts';
import { runbook, startRunbook, type Ended } from '../support/command.ts';
import { createSleeper, sleeperProfile } from '../support/sleeper.ts';
import { unique } from '../support/stack.ts';
import { World, type TestRun } from '../support/world.ts';

const passphrase = 'canary open sesame';

(hasGnuPg ? describe : describe.skip)('the command line at a gate that takes signed decisions only', () => {
  let world: World;
  let gpg: GnuPg;
  const folder = mkdtempSync(join(tmpdir(), 'runbook-cli-'));
  const file = (name: string): string => join(folder, name);
  let id: string;
  let run: TestRun;
  let gate: Gate;

  beforeAll(async () => {
    gpg = new GnuPg();
    world = await World.create({ namespace: true });
    await createSleeper(world);
    // gpg takes the last passphrase that it is given.
    gpg.run(['--passphrase', passphrase, '--quick-generate-key', 'ben', 'ed25519', 'sign']);
    const fingerprints = { ada: gpg.makeKey('ada'), ben: fingerprintOf('ben'), eve: gpg.makeKey('eve') };
    mkdirSync(join(world.targetsFolder, 'keys'));
    const approvers = Object.entries(fingerprints).map(([name, fingerprint]) => {
      writeFileSync(join(world.targetsFolder, 'keys', `${name}.asc`), gpg.publicKey(fingerprint));
      return [name, { roles: ['oncall'], fingerprint, publicKey: `keys/${name}.asc` }];
    });
    world.writeProfile('alecs', {
      ...sleeperProfile(world.namespace),
      approvers: Object.fromEntries(approvers),
      approvals: { identity: 'signed', rules: [{ need: [{ role: 'oncall', count: 2 }] }] },
    });
    writeFileSync(file('ada.asc'), gpg.privateKey('ada'), { mode: 0o600 });
    const locked = gpg.run(['--passphrase', passphrase, '--armor', '--export-secret-keys', 'ben']);
    writeFileSync(file('ben.asc'), locked, { mode: 0o600 });
    writeFileSync(file('passphrase'), `${passphrase}\n`, { mode: 0o600 });
  });
  afterAll(async () => {
    gpg.close();
    await world.close();
    rmSync(folder, { recursive: true });
  });
  beforeEach(async () => {
    id = unique('cli');
    run = await world.start({ image: 'sleeper:2', requestedBy: 'cleo' }, id);
    gate = await run.gate();
  });

  function fingerprintOf(name: string): string {
    const listed = gpg.run(['--with-colons', '--list-keys', name]).toString();
    return /^fpr:+([0-9A-F]+):/m.exec(listed)?.[1] ?? '';
  }

  async function approve(...line: string[]): Promise<Ended> {
    const ended = await runbook(['approve', id, '--plan', gate.planHash.slice(0, 12), ...line], {
      RUNBOOK_TASK_QUEUE: world.queue,
    });
    expect(ended.out + ended.err).not.toMatch(/canary|PRIVATE KEY|\n\s+at /);
    return ended;
  }

  async function approvedBy(): Promise<string[] | undefined> {
    return (await run.describe()).waitingFor?.approvedBy;
  }

  /** The run has nothing to roll out here. */
  async function end(): Promise<void> {
    await run.handle.signal(controls.abort);
    await run.end();
  }

  test('signs with a key from a file, locked or not, and tells whose approvals are still needed', async () => {
    const ada = await approve('--as', 'ada', '--sign', file('ada.asc'), '--reason', ' the fix 🚒, at 50% ');
    expect(ada).toEqual({
      code: 0,
      out: 'Approved by ada; still needed: 1 approval of role oncall.\n',
      err: '',
    });
    expect(await approvedBy()).toEqual(['ada']);

    const noTerminal = await approve('--as', 'ben', '--sign', file('ben.asc'));
    expect(noTerminal).toMatchObject({ code: 2, out: '' });
    expect(noTerminal.err).toContain('use --passphrase-file FILE');

    const ben = await approve(
      ...['--as', 'ben', '--sign', file('ben.asc'), '--passphrase-file', file('passphrase')],
    );
    expect(ben).toEqual({ code: 0, out: 'Approved; the run checks again and goes on.\n', err: '' });
    await end();
  });

  test('says why a signature by the key of somebody else does not count', async () => {
    const refused = await approve('--as', 'eve', '--sign', file('ada.asc'));
    expect(refused).toMatchObject({ code: 1, out: '' });
    expect(refused.err).toMatch(/^refused: .*no part of this person's key/);
    expect(await approvedBy()).toEqual([]);
    await end();
  });

  test('prints the signed decision instead of sending it, and the update takes what it printed', async () => {
    const printed = await approve('--as', 'ada', '--sign', file('ada.asc'), '--print');
    expect(printed).toMatchObject({ code: 0, err: '' });
    expect((await run.describe()).decisions).toEqual([]);
    expect(await run.decide(JSON.parse(printed.out))).toMatch(/^Approved by ada; /);
    await end();
  });

  test('without a key sends nothing and explains both ways, of which the one by hand works as it is printed', async () => {
    const unsigned = await approve('--as', 'ada', '--reason', 'the fix');
    expect(unsigned).toMatchObject({ code: 2, out: '' });
    expect(unsigned.err).toContain('add --sign FILE');
    expect((await run.describe()).decisions).toEqual([]);

    const [command = ''] = /^printf .*$/m.exec(unsigned.err) ?? [];
    const [json = ''] = /^\{.*\}$/m.exec(unsigned.err) ?? [];
    const signature = execFileSync(
      'sh',
      ['-c', command.replace('| gpg ', '| gpg --batch --local-user ada ')],
      {
        env: gpg.environment(),
        encoding: 'utf8',
      },
    );
    expect(await run.decide({ ...(JSON.parse(json) as object), signature })).toMatch(/^Approved by ada; /);
    await end();
  });

  test('shows at the gate who is needed, and a command that leads to both ways of signing', async () => {
    const waiting = startRunbook(
      ['start', 'rolling-update', '--set', 'image=sleeper:2', '--set', 'requestedBy=cleo', '--wait'],
      { RUNBOOK_TASK_QUEUE: world.queue },
    );
    const shows = async (text: RegExp): Promise<RegExpExecArray> =>
      await waitFor(() => Promise.resolve(text.exec(waiting.printed()) ?? undefined), {
        what: `${text} on the terminal`,
        timeoutMilliseconds: 60_000,
      });
    await shows(/needs 2 approvals of role oncall\n/);
    const [, started = '', plan = ''] = await shows(/runbook approve '(.*?)' --plan (\w+)/);
    const unsigned = await runbook(['approve', started, '--plan', plan]);
    expect(unsigned).toMatchObject({ code: 2, out: '' });
    expect(unsigned.err).toMatch(/add --sign FILE.*\n\nprintf /);

    const signed = ['--as', 'ada', '--sign', file('ada.asc')];
    expect(await runbook(['approve', started, '--plan', plan, ...signed])).toMatchObject({ code: 0 });
    await shows(/needs 1 approval of role oncall; approved by ada\n/);
    const rejected = await runbook(['reject', started, ...signed, '--reason', 'not today']);
    expect(rejected).toEqual({
      code: 0,
      out: expect.stringMatching(/^Rejected; /),
      err: '',
    });
    expect(await waiting.ended).toMatchObject({ code: 3 });
    await end();
  });
});
