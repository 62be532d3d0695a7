/** The process that holds a stack started with --detach; its one argument is the options as JSON. */
import { upInForeground, type DetachedOptions, type SupervisorMessage } from './up.ts';
import { messageOf } from './wait.ts';

const options = JSON.parse(process.argv[2] ?? '{}') as DetachedOptions;
let ready = false;

const tell = (message: SupervisorMessage): void => {
  if (process.connected) process.send?.(message);
};

// Nobody waits for this stack any more, and nobody was told that it exists.
process.on('disconnect', () => {
  if (!ready) process.kill(process.pid, 'SIGTERM');
});

try {
  const reason = await upInForeground(
    {
      ...options,
      onPhase: (event) => {
        tell({ kind: 'phase', event });
      },
    },
    (endpoints) => {
      ready = true;
      console.log(`${new Date().toISOString()} ready`);
      tell({ kind: 'ready', endpoints });
    },
  );
  console.log(`${new Date().toISOString()} stopped${reason === undefined ? '' : `: ${reason}`}`);
  process.exitCode = reason === undefined ? 0 : 1;
} catch (error) {
  console.error(`${new Date().toISOString()} ${messageOf(error)}`);
  tell({ kind: 'failed', message: messageOf(error) });
  process.exitCode = 1;
}
if (process.connected) process.disconnect();
