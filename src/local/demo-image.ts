import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { runCommand } from './command.ts';
import { obtainDebianTools } from './debian.ts';
import { required } from './node-namespace.ts';
import { buildImage, imageArchive, type Image } from './oci-image.ts';
import { cacheDirectory, projectDirectory } from './paths.ts';
import { runPhase, type OnPhase } from './phases.ts';
import { createTar, type TarEntry } from './tar.ts';

/** The demo's repository of images; its tags are the files in demo/service/releases. */
export const demoRepository = 'ghcr.io/acedergren/alecs-mcp-server-akamai';
const demoVersions = ['1.7.4', '1.7.5', '1.7.6'] as const;
export type DemoVersion = (typeof demoVersions)[number];

const serviceDirectory = join(projectDirectory, 'demo', 'service');
// A shell and the few commands that a person types into a pod.
const shellCommands = ['sh', 'ls', 'cat', 'ps', 'sleep', 'kill', 'env', 'wget', 'head', 'top'] as const;

/** The layers of the demo's images: Node with its libraries and a shell, the service, and one release. */
export interface DemoLayers {
  runtime: Buffer;
  service: Buffer;
}

export async function demoLayers(onPhase: OnPhase): Promise<DemoLayers> {
  const busybox = required('busybox', await obtainDebianTools(onPhase));
  return { runtime: createTar(await runtimeEntries(busybox)), service: createTar(serviceEntries()) };
}

/** One version of the demo service; all versions share their layers but the smallest. */
export function demoImage(
  layers: DemoLayers,
  version: DemoVersion,
  reference = `${demoRepository}:${version}`,
): Image {
  const release = readFileSync(join(serviceDirectory, 'releases', `${version}.json`));
  return buildImage({
    reference,
    layers: [layers.runtime, layers.service, createTar([{ path: 'app/release.json', content: release }])],
    command: ['/usr/local/bin/node', '/app/server.mjs'],
    environment: { PATH: '/usr/local/bin:/bin', NODE_ENV: 'production' },
    workingDirectory: '/app',
    user: '65532:65532',
    labels: { 'org.opencontainers.image.version': version },
  });
}

/** The archive with all versions; built once and kept, named by what it was built from. */
export async function demoArchive(onPhase: OnPhase): Promise<string> {
  return runPhase(onPhase, 'demo images', async () => {
    const layers = await demoLayers(onPhase);
    const images = demoVersions.map((version) => demoImage(layers, version));
    const digests = images.map(({ manifest }) => manifest.digest).join();
    const key = createHash('sha256').update(digests).digest('hex').slice(0, 16);
    const file = join(cacheDirectory, 'images', `demo-${key}.tar`);
    if (!existsSync(file)) {
      mkdirSync(join(cacheDirectory, 'images'), { recursive: true });
      writeFileSync(`${file}.${process.pid}`, imageArchive(images));
      renameSync(`${file}.${process.pid}`, file);
    }
    return file;
  });
}

async function runtimeEntries(busybox: string): Promise<TarEntry[]> {
  const node = realpathSync(process.execPath);
  const libraries = await librariesOf(node);
  return [
    { path: 'bin/busybox', content: readFileSync(busybox), mode: 0o755 },
    ...shellCommands.map((name) => ({ path: `bin/${name}`, target: 'busybox' })),
    {
      path: 'etc/passwd',
      content: Buffer.from('root:x:0:0::/:/bin/sh\nalecs:x:65532:65532::/app:/bin/sh\n'),
    },
    { path: 'tmp/', mode: 0o1777 },
    { path: 'usr/local/bin/node', content: readFileSync(node), mode: 0o755 },
    ...libraries.map((path) => ({ path: path.slice(1), content: readFileSync(path), mode: 0o755 })),
  ];
}

/** The shared libraries that a program is linked with, at the paths where the loader looks for them. */
async function librariesOf(program: string): Promise<string[]> {
  const listing = await runCommand('ldd', [program]);
  return [...listing.matchAll(/(?:^|=>)\s+(\/\S+) \(0x/gm)].map((match) => match[1] ?? '').sort();
}

function serviceEntries(): TarEntry[] {
  const tools = readdirSync(join(serviceDirectory, 'tools')).sort();
  return ['server.mjs', ...tools.map((name) => `tools/${name}`)].map((name) => ({
    path: `app/${name}`,
    content: readFileSync(join(serviceDirectory, name)),
  }));
}
