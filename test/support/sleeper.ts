import { demoProfile, type World } from './world.ts';

/** Makes (or resets) a Deployment without pods: the objects are real, its rollouts are complete at once. */
export async function createSleeper(world: World): Promise<void> {
  world.writeProfile('alecs', sleeperProfile(world.namespace));
  await world.kubectl('delete', 'deployment', 'alecs-server', '--ignore-not-found', '--wait=true');
  await world.kubectl('create', 'deployment', 'alecs-server', '--image=sleeper:1', '--replicas=0');
  await world.kubectl('rollout', 'status', 'deployment/alecs-server', '--timeout=30s');
}

/** The profile of that Deployment; kubectl names its container after the image. */
export function sleeperProfile(namespace: string): Record<string, unknown> {
  return {
    ...demoProfile(namespace),
    workloads: { 'alecs-server': { kind: 'Deployment', container: 'sleeper' } },
  };
}
