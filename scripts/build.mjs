// Compiles the published package: dist/ holds plain JavaScript that Node 24 runs without a build step, and the bundled workflows.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { ensurePackages, handOver, root } from '../bin/bootstrap.mjs';

ensurePackages();
rmSync(join(root, 'dist'), { recursive: true, force: true });
const steps = [
  [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', 'tsconfig.build.json'],
  [join(root, 'scripts', 'bundle-workflows.mjs')],
];
for (const step of steps) {
  process.exitCode = await handOver(step, { cwd: root });
  if (process.exitCode !== 0) break;
}
