import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { isIPv4 } from 'node:net';

/**
 * X.509 certificates for one stack's cluster, written here because Node can read but not make them
 * and the host need not have openssl. Only what the Kubernetes servers ask for: P-256 keys, one
 * authority, client and server certificates.
 */
export interface KeyPair {
  certificate: string;
  key: string;
}

export interface Subject {
  commonName: string;
  organization?: string;
}

const day = 24 * 60 * 60_000;
// A stack lives for hours; a forgotten kubeconfig should not open anything for long.
const validDays = 30;

// Tags and object identifiers of ASN.1, as far as they occur below.
const oid = {
  ecdsaWithSha256: '06082a8648ce3d040302',
  commonName: '0603550403',
  organization: '060355040a',
  basicConstraints: '0603551d13',
  keyUsage: '0603551d0f',
  extendedKeyUsage: '0603551d25',
  subjectAlternativeName: '0603551d11',
  serverAuthentication: '06082b06010505070301',
  clientAuthentication: '06082b06010505070302',
} as const;

function der(tag: number, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  if (body.length < 128) return Buffer.concat([Buffer.from([tag, body.length]), body]);
  const size = Buffer.from(body.length.toString(16).padStart(body.length > 255 ? 4 : 2, '0'), 'hex');
  return Buffer.concat([Buffer.from([tag, 0x80 | size.length]), size, body]);
}

const sequence = (...parts: Buffer[]): Buffer => der(0x30, ...parts);
const identifier = (name: keyof typeof oid): Buffer => Buffer.from(oid[name], 'hex');
const algorithm = sequence(identifier('ecdsaWithSha256'));

function nameOf({ commonName, organization }: Subject): Buffer {
  const part = (name: 'commonName' | 'organization', value: string): Buffer =>
    der(0x31, sequence(identifier(name), der(0x0c, Buffer.from(value))));
  return sequence(
    ...(organization === undefined ? [] : [part('organization', organization)]),
    part('commonName', commonName),
  );
}

function utcTime(milliseconds: number): Buffer {
  const digits = new Date(milliseconds).toISOString().replace(/[-:T]/g, '').slice(2, 14);
  return der(0x17, Buffer.from(`${digits}Z`));
}

function extension(name: keyof typeof oid, value: Buffer, critical = false): Buffer {
  const flag = critical ? [der(0x01, Buffer.from([0xff]))] : [];
  return sequence(identifier(name), ...flag, der(0x04, value));
}

function alternativeNames(hosts: readonly string[]): Buffer {
  return sequence(
    ...hosts.map((host) =>
      isIPv4(host) ? der(0x87, Buffer.from(host.split('.').map(Number))) : der(0x82, Buffer.from(host)),
    ),
  );
}

interface Request {
  subject: Subject;
  issuer: Subject;
  issuerKey: KeyObject;
  publicKey: KeyObject;
  extensions: Buffer[];
}

function signCertificate({ subject, issuer, issuerKey, publicKey, extensions }: Request): string {
  const serial = randomBytes(16);
  serial[0] = 0x40 | ((serial[0] ?? 0) & 0x3f); // positive, and without a leading zero
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, serial),
    algorithm,
    nameOf(issuer),
    sequence(utcTime(Date.now() - day), utcTime(Date.now() + validDays * day)),
    nameOf(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...extensions)),
  );
  const signature = der(0x03, Buffer.from([0]), sign('sha256', body, issuerKey));
  const base64 = sequence(body, algorithm, signature).toString('base64');
  return `-----BEGIN CERTIFICATE-----\n${base64.replace(/.{1,64}/g, '$&\n')}-----END CERTIFICATE-----\n`;
}

function newKey(): { privateKey: KeyObject; publicKey: KeyObject; pem: string } {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { privateKey, publicKey: createPublicKey(privateKey), pem };
}

/** A new self-signed authority. */
export function createAuthority(commonName: string): KeyPair {
  const { privateKey, publicKey, pem } = newKey();
  const subject = { commonName };
  const extensions = [
    extension('basicConstraints', sequence(der(0x01, Buffer.from([0xff]))), true),
    extension('keyUsage', der(0x03, Buffer.from([2, 0b1000_0100])), true), // signatures and certificates
  ];
  const certificate = signCertificate({
    subject,
    issuer: subject,
    issuerKey: privateKey,
    publicKey,
    extensions,
  });
  return { certificate, key: pem };
}

/** A certificate for a client, and also for a server when hosts are given. */
export function issueCertificate(
  authority: KeyPair & { commonName: string },
  subject: Subject,
  hosts: readonly string[] = [],
): KeyPair {
  const { publicKey, pem } = newKey();
  const usages = [identifier('clientAuthentication')];
  const extensions = [extension('keyUsage', der(0x03, Buffer.from([7, 0b1000_0000])), true)];
  if (hosts.length > 0) {
    usages.push(identifier('serverAuthentication'));
    extensions.push(extension('subjectAlternativeName', alternativeNames(hosts)));
  }
  extensions.push(extension('extendedKeyUsage', sequence(...usages)));
  const issuerKey = createPrivateKey(authority.key);
  const issuer = { commonName: authority.commonName };
  return { certificate: signCertificate({ subject, issuer, issuerKey, publicKey, extensions }), key: pem };
}

/** A key pair for signing service-account tokens; the servers read the public half as PEM. */
export function createSigningKey(): { privateKey: string; publicKey: string } {
  const { publicKey, pem } = newKey();
  return { privateKey: pem, publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString() };
}
