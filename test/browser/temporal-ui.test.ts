import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { chromium, type Browser, type Page } from 'playwright-core';
import { waitFor } from '../../src/local/wait.ts';
import { onRealNode, stack, unique } from '../support/stack.ts';
import { image, World } from '../support/world.ts';
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

  async function startRun(tag: string): Promise<string> {
    const id = unique('alecs-rolling-update');
    const input = JSON.stringify({ image: image(tag) });
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
  async function jsonToPaste(index: number): Promise<string> {
    const json = await ui.details.locator('pre').nth(index).innerText();
    return json.replace('YOUR NAME', 'Robin Doe');
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
});
