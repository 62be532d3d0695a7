import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from '../../../src/local/command.ts';

/** Tests that need GnuPG are listed as skipped where it is missing. */
export const hasGnuPg = findProgram('gpg') !== undefined;

/** How a text is signed. */
export interface SignOptions {
  by: string | string[];
  /** When the signer's clock says it is; without it the real time. */
  at?: Date;
  form?: '--detach-sign' | '--clearsign' | '--sign';
  more?: string[];
}

/** The GnuPG of this machine with a key ring of its own. */
export class GnuPg {
  // The agent's socket lies in it, and the paths of sockets are short.
  readonly home = mkdtempSync('/tmp/gpg-');

  /** Makes a key and returns its fingerprint. `expires` is what gpg understands: never, 1y, 2d. */
  makeKey(
    name: string,
    { algorithm = 'ed25519', expires = 'never', at = undefined as Date | undefined } = {},
  ): string {
    this.run([
      ...clock(at),
      '--quick-generate-key',
      `${name} <${name}@example.org>`,
      algorithm,
      'sign',
      expires,
    ]);
    return this.fingerprintOf(name);
  }

  /** Adds a subkey that may sign and returns its fingerprint. */
  addSubkey(primary: string, { expires = 'never', at = undefined as Date | undefined } = {}): string {
    this.run([...clock(at), '--quick-add-key', primary, 'ed25519', 'sign', expires]);
    return this.fingerprints(primary).at(-1) ?? '';
  }

  addEncryptionSubkey(primary: string, algorithm: string, at?: Date): void {
    this.run([...clock(at), '--quick-add-key', primary, algorithm, 'encr', 'never']);
  }

  revokeSubkey(primary: string, number: number): void {
    this.run(['--command-fd', '0', '--edit-key', primary], `key ${number}\nrevkey\ny\n1\n\ny\nsave\n`);
  }

  revoke(primary: string): void {
    const certificate = readFileSync(join(this.home, 'openpgp-revocs.d', `${primary}.rev`), 'utf8');
    this.run(['--import'], certificate.replace(/^:-----BEGIN/m, '-----BEGIN'));
  }

  publicKey(...names: string[]): string {
    return this.run(['--armor', '--export', ...names]).toString();
  }

  privateKey(...names: string[]): string {
    return this.run(['--armor', '--export-secret-keys', ...names]).toString();
  }

  /** Signs with gpg as a person would; returns the bytes that it prints. */
  sign(text: string, { by, at, form = '--detach-sign', more = [] }: SignOptions): Buffer {
    const users = [by].flat().flatMap((name) => ['--local-user', name]);
    return this.run([...clock(at), ...users, ...more, form], text);
  }

  /** The same as one base64 line. */
  signLine(text: string, options: SignOptions): string {
    return this.sign(text, options).toString('base64');
  }

  /** Of the primary key, in capitals. */
  fingerprintOf(name: string): string {
    return this.fingerprints(name)[0] ?? '';
  }

  run(args: string[], input: string | Buffer = ''): Buffer {
    return execFileSync(
      'gpg',
      ['--batch', '--quiet', '--pinentry-mode', 'loopback', '--passphrase', '', ...args],
      {
        input,
        env: this.environment(),
        stdio: ['pipe', 'pipe', 'ignore'],
      },
    );
  }

  environment(): NodeJS.ProcessEnv {
    return { ...process.env, GNUPGHOME: this.home };
  }

  close(): void {
    execFileSync('gpgconf', ['--kill', 'all'], { env: this.environment() });
    rmSync(this.home, { recursive: true, force: true });
  }

  private fingerprints(name: string): string[] {
    const listed = this.run(['--with-colons', '--list-keys', name]).toString();
    return [...listed.matchAll(/^fpr:+([0-9A-F]+):/gm)].map(([, one = '']) => one);
  }
}

function clock(at: Date | undefined): string[] {
  return at === undefined ? [] : ['--faked-system-time', String(Math.floor(at.getTime() / 1000))];
}
