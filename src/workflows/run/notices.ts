import { CancellationScope, condition } from '@temporalio/workflow';
import type { Notification } from '../../contracts/notification.ts';
import type { RunRef } from '../../contracts/run.ts';
import type { Target } from '../../contracts/target.ts';
import { tell } from '../activity-options.ts';

/** How long the end of a run waits for the messages about it. A notifier that is down never holds up more than that. */
const lastWords = '5 seconds';

/** What a message says beside what every message does. */
type Message = Omit<Notification, 'id' | 'at' | 'target' | 'run'>;

/** Tells people what happens, and never waits for it. */
export class Notices {
  readonly #run: RunRef;
  #underWay = 0;

  constructor(run: RunRef) {
    this.#run = run;
  }

  /** `about` makes the message recognisable: the same when the run says it again after it continued as a new one. */
  send(target: Target, about: string, message: Message): void {
    const { notify } = target.profile.approvals;
    if (notify.length === 0) return;
    const notification = {
      ...message,
      id: `${this.#run.firstRunId}/${about}`,
      at: new Date().toISOString(),
      target: target.profile.target,
      run: this.#run,
    };
    this.#underWay += 1;
    void CancellationScope.nonCancellable(async () => {
      try {
        await tell(`Tell: ${message.sentence}`).notify({ channels: notify, notification });
      } catch {
        // Whoever did not hear of it reads it in the run.
      } finally {
        this.#underWay -= 1;
      }
    });
  }

  /** Lets the last messages leave before the run ends. */
  async settle(): Promise<void> {
    if (this.#underWay > 0) await condition(() => this.#underWay === 0, lastWords);
  }
}
