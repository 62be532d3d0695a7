import { createServer, connect, type Server } from 'node:net';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createObjectStorage } from '../../src/clients/object-storage.ts';
import type { RunRecord } from '../../src/contracts/run.ts';
import { verifyChain } from '../../src/domain/audit.ts';
import { readAuditLog } from '../support/audit-log.ts';
import { freePort } from '../support/free-port.ts';
import { createSleeper } from '../support/sleeper.ts';
import { stack } from '../support/stack.ts';
import { decisionFor, World } from '../support/world.ts';

let world: World;
let door: Server | undefined;
let port: number;
beforeAll(async () => {
  port = await freePort();
  world = await World.create({
    namespace: true,
    env: { RUNBOOK_STORAGE_ENDPOINT: `http://127.0.0.1:${port}` },
  });
  await createSleeper(world);
});
afterAll(async () => {
  door?.close();
  await world.close();
});

test('a run does not wait for storage that is down: its report and its last entries of the audit log come when storage answers', async () => {
  const run = await world.start({ image: 'sleeper:2' });
  await run.decide(decisionFor(await run.gate(), 'reject'));
  const { report } = await run.end();
  expect(report.outcome).toBe('rejected');
  expect(report.evidence.state).toBe('pending');
  await run.saveHistory('storage-down');

  door = await openDoor(port);
  const upload = world.attach(`evidence/${report.run.firstRunId}/${report.run.firstRunId}`);
  const evidence = (await upload.handle.result()) as { state: string; location: string };
  expect(evidence.state).toBe('stored');

  const { s3 } = stack();
  const storage = createObjectStorage({
    bucket: s3.bucket,
    endpoint: s3.endpoint,
    region: s3.region,
    prefix: '',
  });
  const stored = JSON.parse(
    await storage.get(evidence.location.replace(`s3://${s3.bucket}/`, '')),
  ) as RunRecord;
  storage.close();
  expect(stored.outcome).toBe('rejected');
  const entries = await readAuditLog('alecs', world.queue);
  expect(verifyChain('alecs', entries).findings).toEqual([]);
  expect(entries.at(-1)?.entry).toMatchObject({
    kind: 'outcome',
    run: { workflowId: run.handle.workflowId },
  });
  // The log's state is signed as at the end of any run.
  expect(await upload.activities()).toEqual(['storeReport', 'sealAudit']);
  await upload.saveHistory('storage-down');
});

/** Opens the way to the real storage at a port that refused until now. */
async function openDoor(at: number): Promise<Server> {
  const storage = new URL(stack().s3.endpoint);
  const server = createServer((incoming) => {
    const outgoing = connect(Number(storage.port), storage.hostname);
    incoming.pipe(outgoing).pipe(incoming);
    incoming.on('error', () => outgoing.destroy());
    outgoing.on('error', () => incoming.destroy());
  });
  server.listen(at, '127.0.0.1');
  await once(server, 'listening');
  return server;
}
