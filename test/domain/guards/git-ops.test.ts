import { describe, expect, test } from '@jest/globals';
import { checkGitOps } from '../../../src/domain/guards/git-ops.ts';
import { aDeployment, hostileTexts } from '../../support/builders.ts';

const managedBy = (manager: string): ReturnType<typeof aDeployment> =>
  aDeployment({ metadata: { managedFields: [{ manager: 'kubectl' }, { manager, operation: 'Apply' }] } });

describe('an object that a GitOps controller owns', () => {
  test.each([
    ['Argo CD', 'annotations', 'argocd.argoproj.io/tracking-id'],
    ['Argo CD', 'labels', 'argocd.argoproj.io/instance'],
    ['Flux', 'labels', 'kustomize.toolkit.fluxcd.io/name'],
    ['Flux', 'labels', 'helm.toolkit.fluxcd.io/name'],
    ['Helm', 'annotations', 'meta.helm.sh/release-name'],
  ])('%s, by its %s %s, stops the run and says where to change it', (controller, where, key) => {
    const finding = checkGitOps(aDeployment({ metadata: { [where]: { [key]: 'shop' } } }), 'stop');
    expect(finding.verdict).toBe('stops');
    expect(finding.sentence).toContain(`Deployment web belongs to ${controller} (${key}: shop)`);
    expect(finding.sentence).toMatch(
      /Change it in the (repository|values) of that .*, or set gitOps: ignore/,
    );
  });

  test.each([
    ['Argo CD', 'argocd-controller'],
    ['Argo CD', 'argocd-application-controller'],
    ['Flux', 'kustomize-controller'],
    ['Flux', 'helm-controller'],
    ['Helm', 'helm'],
  ])('%s, by its field manager %s, stops the run', (controller, manager) => {
    const finding = checkGitOps(managedBy(manager), 'stop');
    expect(finding.verdict).toBe('stops');
    expect(finding.sentence).toContain(`belongs to ${controller} (field manager ${manager})`);
  });

  test('a Flux HelmRelease is named before the Helm release that it makes', () => {
    const both = aDeployment({
      metadata: {
        labels: { 'helm.toolkit.fluxcd.io/name': 'shop' },
        annotations: { 'meta.helm.sh/release-name': 'shop' },
      },
    });
    expect(checkGitOps(both, 'stop').sentence).toContain('belongs to Flux');
  });

  test('is named even when the profile says to ignore it', () => {
    const finding = checkGitOps(managedBy('helm'), 'ignore');
    expect(finding.verdict).toBe('clear');
    expect(finding.sentence).toContain(
      'belongs to Helm (field manager helm); the profile says gitOps: ignore',
    );
  });

  test.each([
    'kubectl-client-side-apply',
    'kube-controller-manager',
    'runbook',
    'helmsman',
    'constructor',
    '__proto__',
    '',
  ])('the field manager %j is none', (manager) => {
    expect(checkGitOps(managedBy(manager), 'stop').verdict).toBe('clear');
  });

  test('an object without labels, annotations and managers has none', () => {
    const bare = aDeployment();
    delete bare.metadata.annotations;
    expect(checkGitOps(bare, 'stop')).toEqual({
      guard: 'gitOps',
      verdict: 'clear',
      sentence: 'no GitOps controller owns Deployment web',
    });
    expect(checkGitOps(aDeployment({ metadata: { managedFields: [{}] } }), 'stop').verdict).toBe('clear');
  });

  test.each(hostileTexts.map((text) => [text.slice(0, 20), text]))(
    '%j as its mark is shortened',
    (_name, text) => {
      const { sentence } = checkGitOps(
        aDeployment({ metadata: { labels: { 'argocd.argoproj.io/instance': text } } }),
        'stop',
      );
      expect(sentence.length).toBeLessThan(400);
      expect(sentence).not.toMatch(/[\p{Cc}\p{Cs}]/u);
    },
  );
});
