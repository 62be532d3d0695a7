import { generateKey } from 'openpgp';

/** A key pair made here, without a passphrase, of the kind that GnuPG 2.2 reads. */
export interface KeyPair {
  privateKey: string;
  publicKey: string;
  fingerprint: string;
}

/** Makes a key that signs, and one below it that is encrypted to. */
export async function makeKeyPair(name: string): Promise<KeyPair> {
  const { privateKey, publicKey } = await generateKey({
    type: 'ecc',
    curve: 'curve25519Legacy',
    userIDs: { name },
    format: 'object',
  });
  return {
    privateKey: privateKey.armor(),
    publicKey: publicKey.armor(),
    fingerprint: publicKey.getFingerprint().toUpperCase(),
  };
}
