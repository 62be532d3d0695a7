/** The import law: contracts <- domain <- workflows; contracts, domain <- activities; see CONTRIBUTING.md. */
const law = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });

export default {
  forbidden: [
    law(
      'contracts-import-nothing',
      'contracts are plain data and names',
      { path: '^src/contracts/' },
      { path: '^src/', pathNot: '^src/contracts/' },
    ),
    law(
      'domain-is-pure',
      'domain decides from data; it sees contracts only',
      { path: '^src/domain/' },
      { path: '^src/', pathNot: '^src/(contracts|domain)/' },
    ),
    law(
      'the-core-uses-only-plain-packages',
      'contracts and domain are bundled with workflows',
      { path: '^src/(contracts|domain)/' },
      { path: '^node_modules/', pathNot: '^node_modules/(@temporalio/common|zod)/' },
    ),
    law(
      'workflows-see-activities-by-type',
      'workflow code is bundled: a value import would pull clients into the sandbox',
      { path: '^src/workflows/' },
      { path: '^src/activities/', dependencyTypesNot: ['type-only'] },
    ),
    law(
      'workflows-stay-inside',
      'workflows use contracts, domain and activity types',
      { path: '^src/workflows/' },
      { path: '^src/', pathNot: '^src/(contracts|domain|workflows|activities)/' },
    ),
    law(
      'workflows-use-only-the-workflow-sdk',
      'other packages may not be deterministic',
      { path: '^src/workflows/' },
      { path: '^node_modules/', pathNot: '^node_modules/(@temporalio/(workflow|common)|zod|long)/' },
    ),
    law(
      'activities-import-inwards',
      'activities act: contracts, domain, clients, encryption, notifiers',
      { path: '^src/activities/' },
      { path: '^src/(worker\\.ts|(workflows|cli|gateway|local)/)' },
    ),
    law(
      'clients-know-nothing-of-us',
      'clients wrap one foreign system each',
      { path: '^src/clients/' },
      { path: '^src/', pathNot: '^src/(clients|contracts)/' },
    ),
    law(
      'encryption-knows-nothing-of-us',
      'encryption verifies and signs what it is given',
      { path: '^src/encryption/' },
      { path: '^src/', pathNot: '^src/(encryption|contracts)/' },
    ),
    law(
      'notifiers-know-nothing-of-us',
      'notifiers wrap one way to tell people each',
      { path: '^src/notifiers/' },
      { path: '^src/', pathNot: '^src/(notifiers|contracts)/' },
    ),
    law(
      'workflows-are-imported-by-the-worker-only',
      'starters use types; the worker bundles by path',
      { path: '^src/', pathNot: '^src/(worker\\.ts|workflows/)' },
      { path: '^src/workflows/', dependencyTypesNot: ['type-only'] },
    ),
    law(
      'the-product-does-not-know-the-local-stack',
      'only the command line starts servers',
      { path: '^src/', pathNot: '^src/(local|cli)/' },
      { path: '^src/local/' },
    ),
    law(
      'the-demo-service-stands-alone',
      'it knows nothing of the worker, and the worker nothing of it',
      { path: '^demo/' },
      { path: '^src/' },
    ),
    law('nobody-imports-the-demo-service', 'see the rule above', { path: '^src/' }, { path: '^demo/' }),
    law(
      'the-product-does-not-know-its-tests',
      'tests and scripts are not published',
      { path: '^src/' },
      { path: '^(test|scripts)/' },
    ),
    law('no-cycles', 'a cycle hides what depends on what', {}, { circular: true }),
    law('resolvable', 'an import that does not resolve', {}, { couldNotResolve: true }),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      conditionNames: ['import', 'node', 'default', 'types'],
      exportsFields: ['exports'],
    },
  },
};
