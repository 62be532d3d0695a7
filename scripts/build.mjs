// Compiles the published package: dist/ holds plain JavaScript that Node 24 runs without a build step.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { ensurePackages, handOver, root } from '../bin/bootstrap.mjs';

ensurePackages();
rmSync(join(root, 'dist'), { recursive: true, force: true });
process.exitCode = await handOver(
  [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', 'tsconfig.build.json'],
  { cwd: root },
);
