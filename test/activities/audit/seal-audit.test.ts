import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { createAuditActivities } from '../../../src/activities/audit/index.ts';
import { KubernetesError } from '../../../src/clients/kubernetes/errors.ts';
import { createObjectStorage, type ObjectStorage } from '../../../src/clients/object-storage.ts';
import type { AuditEvent } from '../../../src/contracts/audit.ts';
import type { Target } from '../../../src/contracts/target.ts';
import { stack, unique } from '../../support/stack.ts';
import { aRun, Place } from '../support/place.ts';
import { act, failureOf } from '../support/run-activity.ts';

let place: Place;
let storage: ObjectStorage;
let target: Target;

beforeAll(async () => {
  place = await Place.open();
  const { bucket, endpoint, region } = stack().s3;
  storage = createObjectStorage({ bucket, endpoint, region, prefix: unique('seal') });
});
afterAll(async () => {
  storage.close();
  await place.close();
});
beforeEach(async () => {
  const name = unique('target');
  place.writeProfile(name);
  ({ target } = await act(place.activities.resolveTarget, { target: name }));
});

const event = (run: string): AuditEvent => ({
  id: `${run}/1`,
  at: new Date().toISOString(),
  kind: 'outcome',
  sentence: 'succeeded',
});

describe('the last events of a run', () => {
  test('are in the log once, however often they are sent, although nobody may sign it', async () => {
    const { sealAudit } = createAuditActivities({ storage, gatewayFor: () => place.gateway });
    const run = aRun();
    const request = { target, run, events: [event(run.firstRunId)] };
    const sealed = await act(sealAudit, request);
    expect(sealed).toMatchObject({ state: 'kept', checkpoint: { sequence: 1 } });
    expect(sealed.signed).toBeDefined();
    expect((await act(sealAudit, request)).checkpoint).toEqual(sealed.checkpoint);
  });

  test('are in the log although the cluster does not answer, and the note says so', async () => {
    const error = new KubernetesError({ operation: 'GET', reason: 'ConnectionRefused', retryable: true });
    const gateway = new Proxy(place.gateway, { get: () => () => Promise.reject(error) });
    const { sealAudit } = createAuditActivities({ storage, gatewayFor: () => gateway });
    const run = aRun();
    expect(await act(sealAudit, { target, run, events: [event(run.firstRunId)] })).toMatchObject({
      state: 'kept',
      checkpoint: { sequence: 1 },
      signed: { state: 'notSigned', note: expect.stringMatching(/^the checkpoint was not signed: /) },
    });
  });

  test('without a bucket are kept nowhere, and it says so', async () => {
    const { sealAudit } = createAuditActivities({ storage: undefined, gatewayFor: () => place.gateway });
    const run = aRun();
    expect(await act(sealAudit, { target, run, events: [event('x')] })).toEqual({
      state: 'notConfigured',
    });
  });

  test('that storage does not take are told to be tried again', async () => {
    const nowhere = createObjectStorage({
      bucket: 'nowhere',
      endpoint: 'http://127.0.0.1:9',
      region: 'us-east-1',
      prefix: '',
    });
    const { sealAudit } = createAuditActivities({ storage: nowhere, gatewayFor: () => place.gateway });
    const run = aRun();
    const failure = await failureOf(act(sealAudit, { target, run, events: [event('x')] }));
    expect(failure).toMatchObject({ type: 'StorageUnavailable', nonRetryable: false });
    nowhere.close();
  });
});
