import type { Blob, Image } from './oci-image.ts';

/**
 * Pushes an image to an OCI registry that is spoken to over plain HTTP, under a repository and tag.
 * Returns its reference by digest. Blobs that the registry has are not sent again.
 */
export async function pushImage(
  registry: string,
  repository: string,
  tag: string,
  image: Image,
): Promise<string> {
  const base = `http://${registry}/v2/${repository}`;
  for (const blob of [...image.layers, image.config]) await pushBlob(base, blob);
  const { manifest } = image;
  await send(`${base}/manifests/${tag}`, 'PUT', manifest.content, manifest.mediaType);
  return `${registry}/${repository}@${manifest.digest}`;
}

async function pushBlob(base: string, { digest, content }: Blob): Promise<void> {
  const known = await fetch(`${base}/blobs/${digest}`, { method: 'HEAD' });
  if (known.ok) return;
  const begun = await send(`${base}/blobs/uploads/`, 'POST');
  const upload = new URL(begun.headers.get('location') ?? '', base);
  upload.searchParams.set('digest', digest);
  await send(upload.href, 'PUT', content, 'application/octet-stream');
}

async function send(url: string, method: 'POST' | 'PUT', content?: Buffer, type?: string): Promise<Response> {
  const body = content === undefined ? {} : { body: new Uint8Array(content) };
  const response = await fetch(url, {
    method,
    ...body,
    headers: type === undefined ? {} : { 'content-type': type },
  });
  const text = await response.text();
  if (!response.ok)
    throw new Error(`${method} ${new URL(url).pathname}: ${response.status} ${text.slice(0, 200)}`);
  return response;
}
