import { expect, test } from '@jest/globals';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { createAuthority, issueCertificate } from '../../src/local/certificates.ts';

const commonName = 'authority';
const authority = { ...createAuthority(commonName), commonName };
const issuer = new X509Certificate(authority.certificate);

test('an authority is a certificate authority, signed by itself', () => {
  expect(issuer.ca).toBe(true);
  expect(issuer.verify(issuer.publicKey)).toBe(true);
});

test('a server certificate is signed by its authority, holds for its hosts and fits its key', () => {
  const hosts = ['127.0.0.1', 'localhost'];
  const issued = issueCertificate(
    authority,
    { commonName: 'someone', organization: 'system:masters' },
    hosts,
  );
  const certificate = new X509Certificate(issued.certificate);
  expect(certificate.checkIssued(issuer)).toBe(true);
  expect(certificate.verify(issuer.publicKey)).toBe(true);
  expect(certificate.checkPrivateKey(createPrivateKey(issued.key))).toBe(true);
  expect(certificate.subject).toBe('O=system:masters\nCN=someone');
  expect(certificate.checkIP('127.0.0.1')).toBe('127.0.0.1');
  expect(certificate.checkHost('localhost')).toBe('localhost');
  expect(certificate.checkIP('10.0.0.1')).toBeUndefined();
});

test('a certificate is valid now and for a month at most', () => {
  const certificate = new X509Certificate(issueCertificate(authority, { commonName: 'someone' }).certificate);
  const days = (new Date(certificate.validTo).getTime() - Date.now()) / 86_400_000;
  expect(new Date(certificate.validFrom).getTime()).toBeLessThan(Date.now());
  expect(days).toBeGreaterThan(29);
  expect(days).toBeLessThanOrEqual(30);
});
