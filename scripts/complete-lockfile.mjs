// Completes package-lock.json with the optional packages of other platforms: `node scripts/complete-lockfile.mjs [--check]`.
// A registry that holds only this platform's packages makes npm leave the others out, and `npm ci` then refuses the
// lockfile everywhere. Their parents pin them exactly, so version, system and processor follow from what is there.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const file = join(import.meta.dirname, '..', 'package-lock.json');
const text = readFileSync(file, 'utf8');
const lock = JSON.parse(text);

for (const [path, { dev, optionalDependencies = {} }] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(optionalDependencies)) {
    if (isLocked(path, name)) continue;
    lock.packages[`node_modules/${name}`] = describe(name, version, dev);
  }
}
lock.packages = Object.fromEntries(
  Object.entries(lock.packages).sort(([left], [right]) => (left < right ? -1 : 1)),
);

const complete = `${JSON.stringify(lock, null, 2)}\n`;
if (complete !== text && process.argv.includes('--check')) {
  console.error(
    'package-lock.json lacks optional packages of other platforms; run: node scripts/complete-lockfile.mjs',
  );
  process.exit(1);
}
writeFileSync(file, complete);

/** Looks where Node would: beside the parent, then upwards. */
function isLocked(path, name) {
  for (let at = path; ; at = at.slice(0, Math.max(0, at.lastIndexOf('node_modules/') - 1))) {
    if (`${at === '' ? '' : `${at}/`}node_modules/${name}` in lock.packages) return true;
    if (at === '') return false;
  }
}

function describe(name, version, dev) {
  const os = /darwin|win32|android|freebsd|openharmony|linux|sunos|aix|openbsd|netbsd|fsevents/.exec(
    name,
  )?.[0];
  const cpu = /arm64|x64|ia32|ppc64|s390x|riscv64|loong64|wasm32|arm/.exec(name)?.[0];
  return {
    version: version.replace(/^[\^~]/, ''),
    ...(cpu === undefined ? {} : { cpu: [cpu] }),
    ...(dev ? { dev: true } : {}),
    optional: true,
    ...(os === undefined ? {} : { os: [os === 'fsevents' ? 'darwin' : os] }),
  };
}
