import { httpGetThroughPod } from '../../../src/clients/kubernetes/pod-http.ts';
import type { Target } from '../../../src/contracts/target.ts';
import type { Written } from '../../../src/contracts/plan.ts';
import { waitFor } from '../../../src/local/wait.ts';
import { image } from '../../support/world.ts';
import type { Place } from './place.ts';
import { act } from './run-activity.ts';

/** A service whose health answer is set from outside: `/set?mode` to ok, wrong-status, wrong-body, once, die. */
const program = `
let mode = 'ok';
require('node:http').createServer((request, response) => {
  const [path, wish] = request.url.split('?');
  if (path === '/set') { mode = wish; response.end(); if (mode === 'die') process.exit(1); return; }
  if (path === '/ready') return response.end();
  const bad = mode === 'wrong-status' || mode === 'once';
  if (mode === 'once') mode = 'ok';
  response.statusCode = bad ? 503 : 200;
  response.end(JSON.stringify({ status: mode === 'wrong-body' ? 'degraded' : 'healthy' }));
}).listen(8080);`;

/** A container that runs the service. */
export function talkingContainer(): Record<string, unknown> {
  return {
    image: image('1.7.4'),
    imagePullPolicy: 'IfNotPresent',
    command: ['/usr/local/bin/node', '-e', program],
    // Enough to start in time while other tests use both cores.
    resources: { requests: { cpu: '50m' } },
    readinessProbe: { httpGet: { path: '/ready', port: 8080 }, periodSeconds: 1, timeoutSeconds: 3 },
  };
}

/** Waits until every pod of a Deployment is ready. */
export async function ready(place: Place, name: string): Promise<void> {
  await waitFor(
    async () => {
      const { spec, status, metadata } = await place.live(name);
      const seen = status?.observedGeneration === metadata.generation;
      return seen && status?.availableReplicas === spec.replicas ? true : undefined;
    },
    { what: `the pods of ${name}`, timeoutMilliseconds: 60_000 },
  );
}

/** Names of the pods of a Deployment. */
export async function podsOf(place: Place, name: string): Promise<string[]> {
  const query = { apiVersion: 'v1', kind: 'Pod', namespace: place.namespace, labelSelector: `app=${name}` };
  const { items } = await place.gateway.list(query);
  return items.map(({ metadata }) => metadata.name).sort();
}

export async function setMode(place: Place, pod: string, mode: string): Promise<void> {
  const address = { namespace: place.namespace, pod, port: 8080, path: `/set?${mode}` };
  await httpGetThroughPod(place.gateway, address, {});
}

/** The Deployment as a write of it would have answered. */
export async function writtenOf(place: Place, name: string): Promise<Written> {
  const { uid = '', resourceVersion = '', generation = 0 } = (await place.live(name)).metadata;
  return { ...place.ref(name), uid, resourceVersion, generation };
}

export async function targetOf(place: Place, name: string): Promise<Target> {
  const { target } = await act((request: { target: string }) => place.activities.resolveTarget(request), {
    target: name,
  });
  return target;
}
