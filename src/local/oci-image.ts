import { createHash } from 'node:crypto';
import { createTar, type TarEntry } from './tar.ts';

/** What an image is made of; equal input gives equal bytes and therefore the same digest. */
export interface ImageSource {
  /** The full reference, for example registry.example/name:tag. */
  reference: string;
  layers: readonly Buffer[];
  command: readonly string[];
  environment?: Readonly<Record<string, string>>;
  workingDirectory?: string;
  user?: string;
  labels?: Readonly<Record<string, string>>;
}

export interface Blob {
  digest: string;
  content: Buffer;
  mediaType: string;
}

export interface Image {
  reference: string;
  manifest: Blob;
  config: Blob;
  layers: Blob[];
}

const types = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
} as const;

const architectures: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/** Builds an OCI image in memory; no container engine is involved. */
export function buildImage(source: ImageSource): Image {
  const layers = source.layers.map((content) => blob(content, types.layer));
  const config = jsonBlob(types.config, {
    created: '1970-01-01T00:00:00Z',
    architecture: architectures[process.arch] ?? process.arch,
    os: 'linux',
    config: {
      Cmd: source.command,
      Env: Object.entries(source.environment ?? {}).map(([name, value]) => `${name}=${value}`),
      WorkingDir: source.workingDirectory ?? '/',
      User: source.user ?? '0:0',
      Labels: source.labels ?? {},
    },
    rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) },
    history: layers.map(() => ({ created: '1970-01-01T00:00:00Z' })),
  });
  const manifest = jsonBlob(types.manifest, {
    schemaVersion: 2,
    mediaType: types.manifest,
    config: descriptor(config),
    layers: layers.map(descriptor),
  });
  return { reference: source.reference, manifest, config, layers };
}

/** An OCI layout with several images, in which a layer that they share is stored once. */
export function imageArchive(images: readonly Image[]): Buffer {
  const blobs = new Map<string, Blob>();
  for (const image of images) {
    for (const part of [...image.layers, image.config, image.manifest]) blobs.set(part.digest, part);
  }
  const index = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: images.map((image) => ({
      ...descriptor(image.manifest),
      annotations: {
        'io.containerd.image.name': image.reference,
        'org.opencontainers.image.ref.name': image.reference.slice(image.reference.lastIndexOf(':') + 1),
      },
    })),
  };
  const entries: TarEntry[] = [
    { path: 'oci-layout', content: Buffer.from('{"imageLayoutVersion":"1.0.0"}') },
    { path: 'index.json', content: Buffer.from(JSON.stringify(index)) },
    { path: 'blobs/' },
    { path: 'blobs/sha256/' },
    ...[...blobs.values()].map(({ digest, content }) => ({
      path: `blobs/${digest.replace(':', '/')}`,
      content,
    })),
  ];
  return createTar(entries);
}

function blob(content: Buffer, mediaType: string): Blob {
  return { digest: `sha256:${createHash('sha256').update(content).digest('hex')}`, content, mediaType };
}

function jsonBlob(mediaType: string, value: unknown): Blob {
  return blob(Buffer.from(JSON.stringify(value)), mediaType);
}

function descriptor({ mediaType, digest, content }: Blob): {
  mediaType: string;
  digest: string;
  size: number;
} {
  return { mediaType, digest, size: content.length };
}
