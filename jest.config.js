/** Tests run as ES modules under Node 24. `pure` needs no server; one local stack serves all of `servers`. */
const common = {
  // Not the rest: servers write files into .local that jest takes for its own, such as etcd's *.snap.
  roots: ['<rootDir>/test'],
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2024' }, module: { type: 'es6' } },
    ],
  },
};

const pure = [
  'domain',
  'contracts',
  'project',
  'config',
  'replay',
  'encryption',
  'activities/approvals',
  'activities/backup-keys',
  'cli/signing',
  'cli/keys',
  'cli/shown',
  'notifiers',
  'activities/notifications',
  'activities/backups/stored',
  'metrics',
];

/** What floods or outlasts the other tests runs alone, with `npm run faults`. */
const long = '<rootDir>/test/long/';
const wanted = process.env.RUNBOOK_TEST_LONG === 'yes' ? [] : [long];

export default {
  // Two cores: a second process keeps tests going while the first waits for servers.
  maxWorkers: 2,
  projects: [
    {
      ...common,
      displayName: 'pure',
      testMatch: pure.map((folder) => `<rootDir>/test/${folder}/**/*.test.ts`),
    },
    {
      ...common,
      displayName: 'servers',
      testMatch: ['<rootDir>/test/**/*.test.ts'],
      testPathIgnorePatterns: [
        '/node_modules/',
        ...wanted,
        ...pure.map((folder) => `<rootDir>/test/${folder}/`),
      ],
      globalSetup: '<rootDir>/test/support/global-setup.ts',
      globalTeardown: '<rootDir>/test/support/global-teardown.ts',
      setupFilesAfterEnv: ['<rootDir>/test/support/timeouts.ts'],
    },
  ],
};
