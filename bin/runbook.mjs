#!/usr/bin/env node
import { join } from 'node:path';
import { ensurePackages, handOver, isClone, root, workerProcess } from './bootstrap.mjs';

ensurePackages();
const entry = isClone ? join(root, 'src', 'cli', 'main.ts') : join(root, 'dist', 'cli', 'main.js');
const { flags, env } = process.argv[2] === 'worker' ? workerProcess : { flags: [], env: {} };
process.exitCode = await handOver([...flags, entry, ...process.argv.slice(2)], {
  defaults: env,
});
