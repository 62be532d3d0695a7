import type { Json } from '../contracts/json.ts';
import type { KubernetesObject } from '../contracts/kubernetes.ts';
import type { Container, Deployment } from './deployment.ts';
import type { Difference } from './plan/paths.ts';

/** The pod template without the label that the Deployment controller adds to a ReplicaSet's copy. */
export function templateOf(object: KubernetesObject): Json {
  const { template } = object.spec as {
    template: { metadata?: { labels?: Record<string, string> } } & Record<string, Json>;
  };
  const { 'pod-template-hash': ignored, ...labels } = template.metadata?.labels ?? {};
  return { ...template, metadata: { ...template.metadata, labels } };
}

/** Containers and init containers of a template. */
export function allContainers({ spec }: Pick<Deployment, 'spec'>): Container[] {
  const { containers, initContainers = [] } = spec.template.spec;
  return [...containers, ...initContainers];
}

/** Image per container of a template. */
export function imagesOf(object: Pick<Deployment, 'spec'>): Record<string, string> {
  return Object.fromEntries(allContainers(object).map(({ name, image = '' }) => [name, image]));
}

/**
 * The same differences without the literal values of environment variables, which may be passwords: of those it
 * says only where they are, and on the later side whether the same variable had another value before.
 */
export function hideEnvironment(differences: Difference[]): Difference[] {
  return differences.map(({ path, before, after }) => {
    const known = new Set<string>();
    const hidden = replaceValues(before, placeOf(path), (name, value) => {
      known.add(JSON.stringify([name, value]));
      return '(hidden)';
    });
    const shown = replaceValues(after, placeOf(path), (name, value) =>
      known.has(JSON.stringify([name, value])) ? '(hidden)' : '(hidden, differs)',
    );
    return {
      path,
      ...(hidden === undefined ? {} : { before: hidden }),
      ...(shown === undefined ? {} : { after: shown }),
    };
  });
}

/** What a value is by itself: the value of a variable, a variable, a list of them, or something around such lists. */
type Place = 'value' | 'variable' | 'list' | 'around';

/** Keys escape slashes and brackets, so that these ends cannot be part of one. */
function placeOf(path: string): Place {
  if (/\/env\[name=[^/]*\]\/value$/.test(path)) return 'value';
  if (/\/env\[name=[^/]*\]$/.test(path)) return 'variable';
  return path.endsWith('/env') ? 'list' : 'around';
}

function replaceValues(
  value: Json | undefined,
  place: Place,
  replace: (name: Json, value: Json) => Json,
): Json | undefined {
  if (value === undefined) return undefined;
  if (place === 'value') return replace('', value);
  if (Array.isArray(value)) {
    const inside = place === 'list' ? 'variable' : 'around';
    return value.map((item) => replaceValues(item, inside, replace) ?? null);
  }
  if (typeof value !== 'object' || value === null || JSON.isRawJSON(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => {
      if (place === 'variable' && key === 'value') return [key, replace(value.name ?? '', inner)];
      const inside = key === 'env' && Array.isArray(inner) ? 'list' : 'around';
      return [key, replaceValues(inner, inside, replace) ?? null];
    }),
  );
}
