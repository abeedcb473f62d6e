/** A certificate and its key from files, checked before they are used, and their replacements when the files change. */

import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { readGivenFileSync } from '../kit/files/given-file.ts';
import { FileRefusedError } from '../kit/files/regular-file.ts';
import type { Clock } from '../kit/timing/clock.ts';

export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

export interface TlsMaterial {
  readonly cert: string;
  readonly key: string;
  /** When the certificate ends; epoch milliseconds. */
  readonly notAfter: number;
}

/** Why a pair of files is not used. */
export const tlsFaults = [
  'unreadable',
  'malformed',
  'mismatched',
  'not_yet_valid',
  'expired',
] as const;
export type TlsFault = (typeof tlsFaults)[number];

export class TlsFilesError extends Error {
  override readonly name = 'TlsFilesError';
  readonly fault: TlsFault;
  /** The setting below `tls` whose file is at fault. */
  readonly setting: keyof TlsFiles;

  constructor(
    fault: TlsFault,
    about: { setting: keyof TlsFiles; detail: string },
    cause?: unknown,
  ) {
    super(about.detail, cause === undefined ? undefined : { cause });
    this.fault = fault;
    this.setting = about.setting;
  }
}

/**
 * Never less than TLS 1.2, and of that only what keeps what was said secret when the key becomes known later
 * (RFC 9325 sections 3.1.1 and 4.2).
 */
export const tlsProtocol: SecureContextOptions = Object.freeze({
  minVersion: 'TLSv1.2',
  ciphers: [
    'TLS_AES_128_GCM_SHA256',
    'TLS_AES_256_GCM_SHA384',
    'TLS_CHACHA20_POLY1305_SHA256',
    'ECDHE-ECDSA-AES128-GCM-SHA256',
    'ECDHE-RSA-AES128-GCM-SHA256',
    'ECDHE-ECDSA-AES256-GCM-SHA384',
    'ECDHE-RSA-AES256-GCM-SHA384',
    'ECDHE-ECDSA-CHACHA20-POLY1305',
    'ECDHE-RSA-CHACHA20-POLY1305',
  ].join(':'),
});

const maxFileBytes = 1024 * 1024;

/**
 * Both files, if a listener can serve with them at the instant `now`.
 *
 * @throws TlsFilesError that names the file and what is wrong with it.
 */
export function readTlsFiles(files: TlsFiles, now: number): TlsMaterial {
  const cert = readText(files, 'certFile');
  const key = readText(files, 'keyFile');
  const leaf = parseChain(files, cert);
  const { notAfter } = checkValidity(files, leaf, now);
  if (!leaf.checkPrivateKey(parseKey(files, key))) {
    throw new TlsFilesError('mismatched', {
      setting: 'keyFile',
      detail: `${files.keyFile} is not the key of the certificate in ${files.certFile}: replace both`,
    });
  }
  try {
    createSecureContext({ ...tlsProtocol, cert, key });
  } catch (cause) {
    const detail = `${files.certFile} and ${files.keyFile} are not accepted for TLS${codeOf(cause)}`;
    throw new TlsFilesError('malformed', { setting: 'certFile', detail }, cause);
  }
  return { cert, key, notAfter };
}

function readText(files: TlsFiles, setting: keyof TlsFiles): string {
  const file = files[setting];
  const unreadable = (detail: string, cause?: unknown) =>
    new TlsFilesError('unreadable', { setting, detail: `${file} ${detail}` }, cause);
  let text: string;
  try {
    text = readGivenFileSync(file, maxFileBytes).toString();
  } catch (cause) {
    if (cause instanceof FileRefusedError) {
      throw unreadable('is no regular file, or larger than 1 MiB', cause);
    }
    throw unreadable(`cannot be read${codeOf(cause)}`, cause);
  }
  if (text.trim() === '') throw unreadable('is empty');
  return text;
}

/** The first certificate, which is the listener's own; those behind it must be certificates as well. */
function parseChain({ certFile }: TlsFiles, text: string): X509Certificate {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  const begun = text.split('-----BEGIN').length - 1;
  const malformed = (detail: string, cause?: unknown) =>
    new TlsFilesError('malformed', { setting: 'certFile', detail: `${certFile} ${detail}` }, cause);
  try {
    const [leaf] = blocks.map((pem) => new X509Certificate(pem));
    if (leaf !== undefined && blocks.length === begun) return leaf;
  } catch (cause) {
    throw malformed('has a certificate that cannot be read', cause);
  }
  throw malformed('has no certificate, or one that is cut off, or something else beside it');
}

function parseKey({ keyFile }: TlsFiles, text: string): KeyObject {
  try {
    return createPrivateKey(text);
  } catch {
    // No cause: nothing of a key belongs into a log.
    const detail = `${keyFile} has no private key that can be read without a passphrase`;
    throw new TlsFilesError('malformed', { setting: 'keyFile', detail });
  }
}

function checkValidity(
  { certFile }: TlsFiles,
  { validFrom, validTo }: X509Certificate,
  now: number,
): { readonly notAfter: number } {
  const notAfter = Date.parse(validTo);
  const refuse = (fault: TlsFault, detail: string) =>
    new TlsFilesError(fault, { setting: 'certFile', detail: `${certFile} ${detail}` });
  // So that an instant that cannot be read refuses.
  if (!(Date.parse(validFrom) <= now)) {
    throw refuse('not_yet_valid', `has a certificate that is valid only from ${validFrom}`);
  }
  if (!(now < notAfter)) throw refuse('expired', `has a certificate that ended on ${validTo}`);
  return { notAfter };
}

function codeOf(error: unknown): string {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? ` (${code})` : '';
}

export const checkIntervalMs = 15_000;
/** While the files are refused: the repair must not wait. */
const recheckIntervalMs = 5_000;

export interface TlsWatchOptions {
  readonly files: TlsFiles;
  readonly current: TlsMaterial;
  readonly clock: Clock;
  readonly use: (material: TlsMaterial) => void;
  /** Called at each look that finds files that cannot be used; what is in use stays. */
  readonly onRefused: (error: TlsFilesError) => void;
}

export interface TlsWatch {
  /** Whether these files are watched and have been taken over. */
  isInUse(files: TlsFiles, material: TlsMaterial): boolean;
  /** These from now on. Returns how to undo it. @throws what `use` throws; then nothing has changed. */
  switchTo(files: TlsFiles, material: TlsMaterial): () => void;
  stop(): void;
}

/** Looks four times a minute, so that a renewed certificate needs no restart. */
export function watchTlsFiles(options: TlsWatchOptions): TlsWatch {
  const { current, clock, use, onRefused } = options;
  let { files } = options;
  let inUse = current;
  const isSame = ({ cert, key }: TlsMaterial) => cert === inUse.cert && key === inUse.key;
  const switchTo = (itsFiles: TlsFiles, material: TlsMaterial) => {
    const before = { files, inUse };
    if (!isSame(material)) use(material);
    files = itsFiles;
    inUse = material;
    return () => void switchTo(before.files, before.inUse);
  };
  const look = () => {
    let nextMs = checkIntervalMs;
    try {
      const found = readTlsFiles(files, clock.now());
      if (!isSame(found)) switchTo(files, found);
    } catch (error) {
      nextMs = recheckIntervalMs;
      onRefused(error instanceof TlsFilesError ? error : unexpected(error));
    }
    timer = clock.after(nextMs, look);
  };
  let timer = clock.after(checkIntervalMs, look);
  return {
    isInUse: ({ certFile, keyFile }, material) =>
      certFile === files.certFile && keyFile === files.keyFile && isSame(material),
    switchTo,
    stop: () => timer.cancel(),
  };
}

function unexpected(cause: unknown): TlsFilesError {
  const detail = `the files are not accepted for TLS${codeOf(cause)}`;
  return new TlsFilesError('malformed', { setting: 'certFile', detail }, cause);
}
