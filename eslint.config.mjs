import js from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import { builtinModules } from 'node:module';
import tseslint from 'typescript-eslint';

const hostGlobals = ['process', 'crypto', 'fetch', 'performance', 'Buffer', 'global', 'globalThis'];
const dynamicImport = { selector: 'ImportExpression', message: 'Import at the top, where the rules see it.' };
const clockReadings = [
  "NewExpression[callee.name='Date'][arguments.length=0]",
  "CallExpression[callee.name='Date']",
].map((selector) => ({ selector, message: 'Pure code is told the time.' }));

export default defineConfig(
  globalIgnores(['dist', '.local', 'node_modules']),
  js.configs.recommended,
  {
    files: ['**/*.mjs', '**/*.js'],
    languageOptions: {
      globals: {
        process: 'readonly',
        console: 'readonly',
        URL: 'readonly',
        fetch: 'readonly',
        setTimeout: 'readonly',
        clearTimeout: 'readonly',
        setInterval: 'readonly',
        clearInterval: 'readonly',
        Buffer: 'readonly',
        AbortSignal: 'readonly',
      },
    },
  },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      'no-undef': 'off',
      '@typescript-eslint/consistent-type-imports': 'error',
      // `import { type A } from` would stay as an import at run time and pull the module in.
      '@typescript-eslint/no-import-type-side-effects': 'error',
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: false },
      ],
      eqeqeq: 'error',
      '@typescript-eslint/no-unused-vars': ['error', { ignoreRestSiblings: true }],
    },
  },
  {
    // The workflow sandbox is deterministic: no Node builtins, no clocks of the host, no I/O.
    files: ['src/contracts/**/*.ts', 'src/domain/**/*.ts', 'src/workflows/**/*.ts'],
    rules: {
      'no-restricted-imports': ['error', { paths: builtinModules, patterns: [{ group: ['node:*'] }] }],
      'no-restricted-syntax': ['error', dynamicImport],
      'no-restricted-globals': ['error', ...hostGlobals],
    },
  },
  {
    // Pure code is told the time; only a workflow has a clock (the sandbox's own) and timers.
    files: ['src/contracts/**/*.ts', 'src/domain/**/*.ts'],
    rules: {
      'no-restricted-syntax': ['error', dynamicImport, ...clockReadings],
      'no-restricted-globals': ['error', ...hostGlobals, 'setTimeout', 'setInterval', 'setImmediate'],
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now' },
        { object: 'Math', property: 'random' },
      ],
    },
  },
  // A factory's return type is its contract; writing it twice would only let the two drift.
  {
    files: ['src/activities/**/index.ts'],
    rules: { '@typescript-eslint/explicit-module-boundary-types': 'off' },
  },
  { files: ['test/**/*.ts'], rules: { '@typescript-eslint/no-non-null-assertion': 'off' } },
);
