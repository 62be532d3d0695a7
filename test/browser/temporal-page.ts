import type { FrameLocator, Locator, Page } from 'playwright-core';

/** The Temporal UI as a person uses it: clicks and typing, nothing by its API. */
export class TemporalPage {
  readonly #page: Page;
  readonly #address: string;

  constructor(page: Page, address: string) {
    this.#page = page;
    this.#address = address;
    page.setDefaultTimeout(20_000);
  }

  /** Fills in the Start Workflow form, starting from the list of runs. */
  async startWorkflow(form: { type: string; queue: string; id: string; input: string }): Promise<void> {
    const page = this.#page;
    await page.goto(`${this.#address}/namespaces/default/workflows`);
    await page.getByRole('button', { name: 'Start Workflow' }).first().click();
    await page.getByLabel('Workflow ID').fill(form.id);
    await page.getByLabel('Task Queue').fill(form.queue);
    await page.getByLabel('Workflow Type').fill(form.type);
    await page.locator('main .cm-content').click();
    await page.keyboard.type(form.input);
    // Leaving the input formats it, and the answer about the queue comes in: both move the button.
    await page.getByRole('heading', { name: 'Start a Workflow' }).click();
    await page.getByText('Task Queue is Active').waitFor();
    const sent = page.waitForResponse((response) => response.request().method() === 'POST');
    await page.locator('main').getByRole('button', { name: 'Start Workflow' }).click();
    await sent;
  }

  async openRun(id: string): Promise<void> {
    await this.#page.goto(`${this.#address}/namespaces/default/workflows/${id}`);
    await this.#page.getByRole('heading', { name: id }).waitFor();
  }

  async openTab(name: 'History' | 'User Metadata'): Promise<void> {
    await this.#page.getByRole('tab', { name }).click();
  }

  /** The run's current details, as the UI renders their Markdown. */
  get details(): FrameLocator {
    return this.#page.frameLocator('iframe');
  }

  async refreshDetails(): Promise<void> {
    await this.#page.keyboard.press('r');
  }

  /** Marks a paragraph of the details with three clicks and copies it; returns what is in the clipboard then. */
  async copyParagraph(text: string): Promise<string> {
    await this.#page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await this.details.getByText(text).click({ clickCount: 3 });
    await this.#page.keyboard.press('ControlOrMeta+C');
    return await this.#page.evaluate('navigator.clipboard.readText()');
  }

  /** The dialog More Actions → Send an Update, filled in and submitted. It closes when the update is taken. */
  async sendUpdate(name: string, json: string): Promise<Locator> {
    return await this.#send('Send an Update', 'Select an Update', name, json);
  }

  async sendSignal(name: string, json: string): Promise<Locator> {
    return await this.#send('Send a Signal', 'Select a Signal', name, json);
  }

  async #send(action: string, prompt: string, name: string, json: string): Promise<Locator> {
    const page = this.#page;
    await page.getByRole('button', { name: 'More Actions' }).click();
    await page.getByRole('menuitem', { name: action }).click();
    const dialog = page.getByRole('dialog', { name: action });
    await dialog.getByRole('button', { name: prompt }).click();
    await page.getByRole('option', { name }).click();
    await dialog.locator('.cm-content').click();
    await page.keyboard.insertText(json);
    await dialog.getByText('Data').click();
    await dialog.getByRole('button', { name: 'Submit' }).click();
    return dialog;
  }

  get text(): Locator {
    return this.#page.locator('main');
  }

  /** What stands under the heading Result. */
  get result(): Locator {
    return this.#page.locator('main .cm-content').last();
  }

  async reload(): Promise<void> {
    await this.#page.reload();
  }

  async screenshot(file: string): Promise<void> {
    await this.#page.screenshot({ path: file });
  }
}
