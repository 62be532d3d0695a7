// A worker whose memory and event loop are watched; `bench/measured-worker.ts` starts it and asks.
import { readFileSync, writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Runtime, DefaultLogger } from '@temporalio/worker';

// Built just before: scripts/run.mjs.
const dist = new URL('../dist/', import.meta.url).href;
const { readConfig } = await import(`${dist}config.js`);
const { createWorker } = await import(`${dist}worker.js`);
Runtime.install({ logger: new DefaultLogger('ERROR') });
const delays = monitorEventLoopDelay({ resolution: 1 });
const { worker, close } = await createWorker(readConfig(process.env), { log: () => undefined });
// A measurement that failed leaves nobody to stop this worker.
process.on('disconnect', () => process.exit(1));
const running = worker.run();
process.send?.('ready');
process.on('message', (message) => {
  if (message === 'begin') {
    // 5 forgets the peak of the resident memory so far.
    writeFileSync('/proc/self/clear_refs', '5');
    delays.reset();
    delays.enable();
    process.send?.('begun');
  }
  if (message === 'tell') {
    delays.disable();
    const [, peak = '0'] = /VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
    process.send?.({
      peakMib: Number(peak) / 1024,
      p999Milliseconds: delays.percentile(99.9) / 1e6,
      worstMilliseconds: delays.max / 1e6,
    });
  }
  if (message === 'end') worker.shutdown();
});
await running;
await close();
process.exit();
