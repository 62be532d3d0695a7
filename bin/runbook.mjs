#!/usr/bin/env node
import { join } from 'node:path';
import { ensurePackages, handOver, isClone, root } from './bootstrap.mjs';

ensurePackages();
const entry = isClone ? join(root, 'src', 'cli', 'main.ts') : join(root, 'dist', 'cli', 'main.js');
process.exitCode = await handOver([entry, ...process.argv.slice(2)]);
