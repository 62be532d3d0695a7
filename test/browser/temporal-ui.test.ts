import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { chromium, type Browser, type Page } from 'playwright-core';
import { waitFor } from '../../src/local/wait.ts';
import { GnuPg, hasGnuPg } from '../encryption/support/gnupg.ts';
import { onRealNode, stack, unique } from '../support/stack.ts';
import { demoProfile, image, World } from '../support/world.ts';
import { findChromium } from './chromium.ts';
import { TemporalPage } from './temporal-page.ts';

const found = onRealNode ? await findChromium() : { missing: 'pods of a simulated node serve nothing' };
const whenBrowser = 'program' in found ? describe : describe.skip;
const why = 'missing' in found ? ` (skipped: ${found.missing})` : '';

const chromiumArguments = [
  '--no-sandbox',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const pictures = join(import.meta.dirname, '../../docs/images');

whenBrowser(`a person with the Temporal UI alone${why}`, () => {
  let world: World;
  let browser: Browser;
  let page: Page;
  let ui: TemporalPage;
  beforeAll(async () => {
    world = await World.create({ deploy: true });
    browser = await chromium.launch({
      executablePath: 'program' in found ? found.program : '',
      args: chromiumArguments,
    });
  });
  beforeEach(async () => {
    page = await browser.newPage({ viewport: { width: 1280, height: 1000 } });
    ui = new TemporalPage(page, stack().temporalUi);
  });
  afterEach(async () => {
    await page.close();
  });
  afterAll(async () => {
    await browser.close();
    await world.close();
  });

  async function startRun(tag: string, more: Record<string, string> = {}): Promise<string> {
    const id = unique('alecs-rolling-update');
    const input = JSON.stringify({ image: image(tag), ...more });
    await ui.startWorkflow({ type: 'rollingUpdate', queue: world.queue, id, input });
    await ui.openRun(id);
    await ui.openTab('User Metadata');
    return id;
  }

  /** The details once they show this text; they are as old as the last press of R. */
  async function detailsWith(text: string | RegExp): Promise<string> {
    return await waitFor(
      async () => {
        await ui.refreshDetails();
        const shown = await ui.details.locator('body').innerText({ timeout: 2000 });
        return shown.search(text) >= 0 ? shown : undefined;
      },
      { what: `details with ${text}`, timeoutMilliseconds: 30_000, everyMilliseconds: 300 },
    );
  }

  /** What the details say to paste, with a name filled in. */
  async function jsonToPaste(index: number, name = 'Robin Doe'): Promise<string> {
    const json = await ui.details.locator('pre').nth(index).innerText();
    return json.replace('YOUR NAME', name);
  }

  async function picture(name: string): Promise<void> {
    if (process.env.RUNBOOK_SCREENSHOTS === '1') await ui.screenshot(join(pictures, name));
  }

  test('starts a run, sees its plan, is told why a wrong decision is refused, approves, and sees the result', async () => {
    await startRun('1.7.5');
    const details = await detailsWith('Waits for a decision');
    expect(details).toMatch(/✓\s+Plan\sthe\schange\s+1 value would change/);
    expect(details).toContain(`${image('1.7.4')} → ${image('1.7.5')}`);
    expect(await ui.text.innerText()).toMatch(/Read the workload and plan its new images/);
    expect(await ui.text.innerText()).toMatch(/Deadline of gate-1: Approve the change/);
    await picture('run-waiting.png');

    const right = await jsonToPaste(0);
    const dialog = await ui.sendUpdate('decide', right.replace(/[0-9a-f]{64}/, '0'.repeat(64)));
    await dialog.getByText('plan hash does not match').first().waitFor();
    const refusal = await dialog.innerText();
    expect(refusal).toMatch(/this run waits for [0-9a-f]{64}\. Read the plan that the run shows now/);
    expect(refusal).not.toMatch(/\n\s*at |\.ts\b|\.js\b|node_modules/);
    await picture('run-refused.png');
    await dialog.getByRole('button', { name: 'Cancel' }).last().click();

    await (await ui.sendUpdate('decide', right)).waitFor({ state: 'hidden' });
    await ui.text.getByText('Completed', { exact: true }).first().waitFor({ timeout: 60_000 });
    expect(await detailsWith('Ended: succeeded')).toMatch(/approved by Robin Doe/);
    await ui.openTab('History');
    await ui.text.getByText('"succeeded"').waitFor();
    expect(await ui.result.innerText()).toMatch(/The service is healthy now/);
    expect(await ui.text.innerText()).toMatch(/Follow the rollout of alecs-server/);
    await picture('run-done.png');
    expect(await world.liveImage()).toBe(image('1.7.5'));
  });

  test('approves by a signal', async () => {
    await startRun('1.7.4');
    await detailsWith('Waits for a decision');
    await (await ui.sendSignal('approve', await jsonToPaste(1))).waitFor({ state: 'hidden' });
    await ui.text.getByText('Completed', { exact: true }).first().waitFor({ timeout: 60_000 });
    expect(await detailsWith('Ended: succeeded')).toMatch(/approved by Robin Doe/);
    expect(await world.liveImage()).toBe(image('1.7.4'));
  });

  test('is told in one sentence what is wrong with an input', async () => {
    const id = unique('alecs-rolling-update');
    await ui.startWorkflow({ type: 'rollingUpdate', queue: world.queue, id, input: '{"imgae":"x"}' });
    await ui.openRun(id);
    await ui.text.getByText('Failed', { exact: true }).first().waitFor();
    await ui.text.getByText(/imgae/).first().waitFor();
    await ui.openTab('User Metadata');
    expect(await detailsWith('Ended: failed')).toMatch(/✗\s+Check\sthe\srequest/);
  });

  (hasGnuPg ? describe : describe.skip)('at a gate that takes signed decisions only', () => {
    let gpg: GnuPg;
    let keys: Record<'Ada Lee' | 'Ben Ray', string>;

    beforeAll(() => {
      gpg = new GnuPg();
      keys = { 'Ada Lee': gpg.makeKey('ada'), 'Ben Ray': gpg.makeKey('ben') };
      mkdirSync(join(world.targetsFolder, 'keys'));
      const approvers = Object.entries(keys).map(([name, fingerprint]) => {
        const publicKey = `keys/${fingerprint}.asc`;
        writeFileSync(join(world.targetsFolder, publicKey), gpg.publicKey(fingerprint));
        return [name, { roles: ['oncall'], fingerprint, publicKey }];
      });
      world.writeProfile('alecs', {
        ...demoProfile(world.namespace),
        approvers: Object.fromEntries(approvers),
        approvals: { identity: 'signed' },
      });
    });
    afterAll(() => {
      gpg.close();
      world.writeProfile('alecs', demoProfile(world.namespace));
    });

    /** What the command prints in a terminal of this person. */
    function runInTerminal(command: string, whose: keyof typeof keys): string {
      const withKey = command.replace('| gpg ', `| gpg --batch --local-user ${keys[whose]} `);
      expect(withKey).not.toBe(command);
      const printed = execFileSync('sh', ['-c', withKey], { env: gpg.environment(), encoding: 'utf8' });
      expect(printed).toMatch(/^[A-Za-z0-9+/]+=*\n$/);
      return printed.trim();
    }

    test('copies the command that signs, is told that a key is not theirs, and approves with their own', async () => {
      await startRun('1.7.5', { requestedBy: 'Cleo Tan' });
      expect(await detailsWith('Waits for a decision')).toContain('takes signed decisions only');
      const command = await ui.copyParagraph('gpg --detach-sign');
      expect(command.trim()).toMatch(/^printf .*'decision: approve' .*; echo$/);
      await picture('run-signed.png');
      const json = await jsonToPaste(0, 'Ada Lee');
      const signedBy = (whose: keyof typeof keys): string =>
        json.replace('WHAT THE COMMAND PRINTED', runInTerminal(command, whose));

      const dialog = await ui.sendUpdate('decide', signedBy('Ben Ray'));
      await dialog.getByText(`which is no part of this person's key`).first().waitFor();
      expect(await dialog.innerText()).not.toMatch(/\n\s*at |\.ts\b|\.js\b|node_modules/);
      await dialog.getByRole('button', { name: 'Cancel' }).last().click();

      await (await ui.sendUpdate('decide', signedBy('Ada Lee'))).waitFor({ state: 'hidden' });
      await ui.text.getByText('Completed', { exact: true }).first().waitFor({ timeout: 60_000 });
      expect(await detailsWith('Ended: succeeded')).toMatch(/approved by Ada Lee/);
      expect(await world.liveImage()).toBe(image('1.7.5'));
    });
  });
});
