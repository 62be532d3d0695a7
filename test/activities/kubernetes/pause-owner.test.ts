import { ApplicationFailure } from '@temporalio/activity';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { loadTarget } from '../../../src/activities/targets/profiles.ts';
import type { KubernetesObject, ObjectRef } from '../../../src/contracts/kubernetes.ts';
import type { OwnerPause, OwnerPausePlan } from '../../../src/contracts/owner-pause.ts';
import type { Written } from '../../../src/contracts/plan.ts';
import type { Target } from '../../../src/contracts/target.ts';
import { waitFor } from '../../../src/local/wait.ts';
import { unique } from '../../support/stack.ts';
import { enough, narrowWorker } from '../support/narrow-worker.ts';
import { aRun, holder, Place } from '../support/place.ts';
import { act, failureOf } from '../support/run-activity.ts';

const argo = { apiVersion: 'argoproj.io/v1alpha1', kind: 'Application' };
const flux = { apiVersion: 'helm.toolkit.fluxcd.io/v2', kind: 'HelmRelease' };
const skip = 'argocd.argoproj.io/skip-reconcile';
const reconcile = 'kustomize.toolkit.fluxcd.io/reconcile';

let place: Place;
beforeAll(async () => {
  place = await Place.open();
  await install(argo, 'applications');
  await install(flux, 'helmreleases');
});
afterAll(async () => {
  await place.close();
});

/** The kind without its controller: nothing reverts anything here. It stays, for tests of other files. */
async function install({ apiVersion, kind }: typeof argo, plural: string): Promise<void> {
  const [group = '', version = ''] = apiVersion.split('/');
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
  await place.gateway.apply(
    {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: `${plural}.${group}` },
      spec: {
        group,
        scope: 'Namespaced',
        names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` },
        versions: [{ name: version, served: true, storage: true, schema }],
      },
    },
    { fieldManager: 'test', force: true },
  );
  await waitFor(() => place.gateway.list({ apiVersion, kind, namespace: place.namespace }), {
    what: `the kind ${kind} to be served`,
    timeoutMilliseconds: 30_000,
  });
}

async function ownerOf(kind: typeof argo, content: Record<string, unknown> = {}): Promise<string> {
  const name = unique('owner');
  const { metadata, ...rest } = content;
  await place.create({ ...kind, metadata: { ...(metadata as object), name }, spec: {}, ...rest });
  return name;
}

/** A Deployment that Argo CD has from an Application, which knows it. */
async function argoOwned(
  content: Record<string, unknown> = {},
): Promise<{ name: string; application: ObjectRef }> {
  const name = unique('web');
  const resources = [{ group: 'apps', kind: 'Deployment', namespace: place.namespace, name }];
  const owner = await ownerOf(argo, { status: { resources }, ...content });
  const id = `${place.namespace}_${owner}:apps/Deployment:${place.namespace}/${name}`;
  await place.deploySettled(name, { metadata: { annotations: { 'argocd.argoproj.io/tracking-id': id } } });
  return { name, application: place.ref(owner, argo.apiVersion, argo.kind) };
}

async function fluxOwned(
  content: Record<string, unknown> = {},
): Promise<{ name: string; release: ObjectRef }> {
  const owner = await ownerOf(flux, content);
  const name = unique('web');
  const labels = {
    'helm.toolkit.fluxcd.io/name': owner,
    'helm.toolkit.fluxcd.io/namespace': place.namespace,
  };
  await place.deploySettled(name, { metadata: { labels } });
  return { name, release: place.ref(owner, flux.apiVersion, flux.kind) };
}

async function kustomized(annotations: Record<string, string> = {}): Promise<string> {
  const name = unique('web');
  await place.deploySettled(name, {
    metadata: { labels: { 'kustomize.toolkit.fluxcd.io/name': 'apps' }, annotations },
  });
  return name;
}

async function planFor(name: string, activities = place.activities): Promise<OwnerPausePlan> {
  const { metadata } = await place.live(name);
  const pin = { ...place.ref(name), uid: metadata.uid!, resourceVersion: metadata.resourceVersion! };
  return await act(activities.planOwnerPause, { target: await targetOf(name), pin });
}

async function pauseOf(name: string): Promise<OwnerPause> {
  const planned = await planFor(name);
  if (planned.state !== 'pause') throw new Error(`expected a pause, but: ${planned.sentence}`);
  return planned.pause;
}

function targetOf(name: string): Promise<Target> {
  return loadTarget(place.targetsFolder, name, undefined);
}

/** Writes the pause as a run does: with the activity that writes everything else. */
async function write(name: string, { write: one }: OwnerPause, marker: string): Promise<Written> {
  return await act(place.activities.applyWrite, { target: await targetOf(name), write: one, marker, holder });
}

/** Takes the pause back as a run does, again when the object moved meanwhile; returns what drifted. */
async function resume(name: string, pause: OwnerPause, run: ReturnType<typeof aRun>): Promise<string[]> {
  const target = await targetOf(name);
  const marker = run.marker('resume');
  for (;;) {
    const input = { target, change: pause, owner: run };
    const { write: one, drift } = await act(place.activities.readForUndo, input);
    try {
      await act(place.activities.applyWrite, { target, write: one, marker, holder });
      return drift;
    } catch (error) {
      if (!(error instanceof ApplicationFailure) || error.type !== 'Moved') throw error;
    }
  }
}

async function annotationsOf(ref: ObjectRef): Promise<Record<string, string>> {
  return (await place.gateway.get(ref)).metadata.annotations ?? {};
}

async function specOf(ref: ObjectRef): Promise<unknown> {
  return ((await place.gateway.get(ref)) as KubernetesObject & { spec: unknown }).spec;
}

describe('a Flux Kustomization', () => {
  test('is paused by an annotation on the workload, with our marker, and goes on when that is removed', async () => {
    const name = await kustomized();
    const run = aRun();
    const pause = await pauseOf(name);
    expect(pause).toMatchObject({ owner: 'flux-kustomization', images: {}, formerImages: {} });
    expect(pause.sentence).toBe(
      `pauses Deployment ${place.namespace}/${name} (metadata/annotations/kustomize.toolkit.fluxcd.io~1reconcile: "disabled"): Flux leaves this object alone, and nothing else, until it is resumed`,
    );
    await write(name, pause, run.marker('pause'));
    expect(await annotationsOf(place.ref(name))).toMatchObject({
      [reconcile]: 'disabled',
      'runbook/change': run.marker('pause'),
    });
    expect(await resume(name, pause, run)).toEqual([]);
    expect(await annotationsOf(place.ref(name))).not.toHaveProperty([reconcile]);
  });

  test('the change of the workload is planned after the pause, undone before it, and both fit', async () => {
    const name = await kustomized();
    const run = aRun();
    const early = await place.plan(name);
    const pause = await pauseOf(name);
    await write(name, pause, run.marker('pause'));
    expect((await failureOf(place.write(early, run.marker('change')))).type).toBe('Moved');
    const change = await place.plan(name);
    await place.write(change, run.marker('change'));
    await place.settled(name);
    await place.undo(change, run);
    expect(await place.liveImage(name)).toBe('registry.example/web:1');
    expect(await annotationsOf(place.ref(name))).toHaveProperty([reconcile], 'disabled');
    await place.settled(name);
    expect(await resume(name, pause, run)).toEqual([]);
    expect(await annotationsOf(place.ref(name))).not.toHaveProperty([reconcile]);
  });

  test('that was told otherwise before has its former value back', async () => {
    const name = await kustomized({ [reconcile]: 'enabled' });
    const run = aRun();
    const pause = await pauseOf(name);
    expect(pause.resumeCommand).toMatch(/ --overwrite kustomize\.toolkit\.fluxcd\.io\/reconcile=enabled$/);
    await write(name, pause, run.marker('pause'));
    await resume(name, pause, run);
    expect(await annotationsOf(place.ref(name))).toHaveProperty([reconcile], 'enabled');
  });
});

describe('an Argo CD Application', () => {
  test('is paused as a whole, also one without any annotation, and resumed', async () => {
    const { name, application } = await argoOwned();
    const run = aRun();
    const pause = await pauseOf(name);
    expect(pause.owner).toBe('argo-cd');
    expect(pause.write.pin).toMatchObject(application);
    expect(pause.resumeCommand).toBe(
      `kubectl --namespace ${place.namespace} annotate application.argoproj.io/${application.name} argocd.argoproj.io/skip-reconcile-`,
    );
    await write(name, pause, run.marker('pause'));
    expect(await annotationsOf(application)).toEqual({
      [skip]: 'true',
      'runbook/change': run.marker('pause'),
    });
    await resume(name, pause, run);
    expect(await annotationsOf(application)).toEqual({ 'runbook/change': run.marker('resume') });
  });

  test('written twice is written once: the second attempt knows its own', async () => {
    const { name, application } = await argoOwned();
    const run = aRun();
    const pause = await pauseOf(name);
    const first = await write(name, pause, run.marker('pause'));
    expect(await write(name, pause, run.marker('pause'))).toEqual(first);
    expect((await place.gateway.get(application)).metadata.resourceVersion).toBe(first.resourceVersion);
  });

  test('a late attempt after the undo writes nothing', async () => {
    const { name, application } = await argoOwned();
    const run = aRun();
    const pause = await pauseOf(name);
    await resume(name, pause, run);
    expect((await failureOf(write(name, pause, run.marker('pause')))).type).toBe('Moved');
    expect(await annotationsOf(application)).not.toHaveProperty([skip]);
  });

  test('that someone else told otherwise meanwhile stays so, and is drift', async () => {
    const { name, application } = await argoOwned();
    const run = aRun();
    const pause = await pauseOf(name);
    await write(name, pause, run.marker('pause'));
    const path = '/metadata/annotations/argocd.argoproj.io~1skip-reconcile';
    await place.gateway.jsonPatch(application, [{ op: 'replace', path, value: 'false' }], {
      fieldManager: 'someone-else',
    });
    expect(await resume(name, pause, run)).toEqual([
      'metadata/annotations/argocd.argoproj.io~1skip-reconcile',
    ]);
    expect(await annotationsOf(application)).toHaveProperty([skip], 'false');
  });

  test('that another run wrote since is left as it is', async () => {
    const { name, application } = await argoOwned();
    const run = aRun();
    const pause = await pauseOf(name);
    await write(name, pause, run.marker('pause'));
    const path = '/metadata/annotations/runbook~1change';
    await place.gateway.jsonPatch(application, [{ op: 'replace', path, value: aRun().marker('pause') }], {
      fieldManager: 'someone-else',
    });
    expect((await failureOf(resume(name, pause, run))).type).toBe('Refused');
    expect(await annotationsOf(application)).toHaveProperty([skip], 'true');
  });

  test('that is paused already needs nothing, and is not ours to resume', async () => {
    const { name } = await argoOwned({ metadata: { annotations: { [skip]: 'true' } } });
    const planned = await planFor(name);
    expect(planned).toMatchObject({ state: 'notNeeded', owner: 'argo-cd' });
    expect(planned).toHaveProperty('sentence', expect.stringContaining('was paused already'));
  });

  test('that does not list the workload is not paused, whatever the workload says', async () => {
    const { name, application } = await argoOwned({ status: { resources: [] } });
    const planned = await planFor(name);
    expect(planned.state).toBe('cannot');
    expect(planned).toHaveProperty('sentence', expect.stringContaining('does not list Deployment'));
    expect(await annotationsOf(application)).toEqual({});
  });

  test('that has an owner itself may be resumed by it, and the sentence says so', async () => {
    const { name } = await argoOwned({ metadata: { labels: { 'argocd.argoproj.io/instance': 'apps' } } });
    expect((await pauseOf(name)).sentence).toMatch(
      /it is owned itself \(argo-cd\), and its owner may resume it$/,
    );
  });

  test('that is not there is named, with what to do', async () => {
    const { name, application } = await argoOwned();
    const { metadata } = await place.gateway.get(application);
    await place.gateway.delete(application, { preconditions: { uid: metadata.uid! } });
    expect(await planFor(name)).toEqual({
      state: 'cannot',
      sentence: `Application ${place.namespace}/${application.name} (argoproj.io/v1alpha1), which owns the workload, is not in this cluster; pause it by hand`,
    });
  });

  test('that the worker may not read is named, with the Role that allows it', async () => {
    const { name } = await argoOwned();
    const worker = await narrowWorker(place, enough);
    expect(await planFor(name, worker.activities)).toMatchObject({
      state: 'cannot',
      sentence: expect.stringMatching(
        /may not read Application .*role of deploy\/kubernetes\/pause-owner.yaml/,
      ) as unknown,
    });
    await worker.close();
  });
});

describe('a Flux HelmRelease', () => {
  test.each([
    ['was never suspended', {}],
    ['was resumed before', { suspend: false }],
  ])('that %s is suspended as a whole, and is afterwards as it was', async (_how, spec) => {
    const { name, release } = await fluxOwned({ spec: { interval: '5m', ...spec } });
    const run = aRun();
    const pause = await pauseOf(name);
    expect(pause.sentence).toContain(
      `Flux leaves the whole release ${place.namespace}/${release.name} alone`,
    );
    expect(pause.resumeCommand).toBe(
      `kubectl --namespace ${place.namespace} patch helmrelease.helm.toolkit.fluxcd.io/${release.name} --type merge --patch '{"spec":{"suspend":false}}'`,
    );
    await write(name, pause, run.marker('pause'));
    expect(await specOf(release)).toEqual({ interval: '5m', suspend: true });
    expect(await resume(name, pause, run)).toEqual([]);
    expect(await specOf(release)).toEqual({ interval: '5m', ...spec });
  });

  test('that is suspended already needs nothing', async () => {
    const { name } = await fluxOwned({ spec: { suspend: true } });
    expect(await planFor(name)).toMatchObject({ state: 'notNeeded', owner: 'flux-helm' });
  });

  test('that moved since it was planned is not written', async () => {
    const { name, release } = await fluxOwned();
    const pause = await pauseOf(name);
    await place.gateway.jsonPatch(release, [{ op: 'add', path: '/spec/interval', value: '1m' }], {
      fieldManager: 'someone-else',
    });
    expect((await failureOf(write(name, pause, aRun().marker('pause')))).type).toBe('Moved');
    expect(await specOf(release)).toEqual({ interval: '1m' });
  });
});

test('a workload of nobody needs no pause', async () => {
  const name = unique('web');
  await place.deploySettled(name);
  expect(await planFor(name)).toMatchObject({ state: 'notNeeded', owner: 'none' });
});

test('a workload that is gone, or was made anew, ends it', async () => {
  const name = await kustomized();
  const pin = { ...place.ref(name), uid: 'another', resourceVersion: '1' };
  const plan = async (): Promise<OwnerPausePlan> =>
    await act(place.activities.planOwnerPause, { target: await targetOf(name), pin });
  expect((await failureOf(plan())).message).toMatch(/was deleted and made anew/);
  await place.remove(name);
  expect((await failureOf(plan())).type).toBe('NotFound');
});
