/** An AWS KMS that answers Sign and GetPublicKey (JSON 1.1) on loopback, with a key that it alone has. */

import {
  constants,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  privateEncrypt,
  sign,
} from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { closeServer, listenOnLoopback } from '../loopback-http.ts';

export interface KmsServer {
  readonly endpoint: string;
  readonly publicKey: KeyObject;
  /** Names of the actions that were asked for, in order. */
  readonly asked: string[];
  /** From now on: an answer, an error of that name, silence, or a signature of something else. */
  behave(how: 'answer' | 'silent' | 'forge' | { readonly error: string }): void;
  stop(): Promise<void>;
}

interface SignRequest {
  readonly KeyId: string;
  readonly Message: string;
  readonly MessageType: string;
  readonly SigningAlgorithm: string;
}

const algorithms = {
  ed25519: 'ED25519_SHA_512',
  p256: 'ECDSA_SHA_256',
  rsa: 'RSASSA_PKCS1_V1_5_SHA_256',
};

type Kind = keyof typeof algorithms;

/** DER of the DigestInfo of SHA-256 up to the digest (RFC 8017 section 9.2). */
const sha256Info = Buffer.from('3031300d060960864801650304020105000420', 'hex');

/** `rsaKey` (PEM) saves the time that making one takes. */
function keyPair(kind: Kind, rsaKey: string | undefined) {
  if (rsaKey !== undefined) {
    const privateKey = createPrivateKey(rsaKey);
    return { privateKey, publicKey: createPublicKey(privateKey) };
  }
  if (kind === 'rsa') return generateKeyPairSync('rsa', { modulusLength: 2048 });
  return kind === 'ed25519'
    ? generateKeyPairSync('ed25519')
    : generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

function signatureOf(kind: Kind, message: Buffer, key: KeyObject): Buffer {
  if (kind !== 'rsa') return sign(kind === 'p256' ? 'sha256' : null, message, key);
  // What is signed is a digest already.
  const padding = constants.RSA_PKCS1_PADDING;
  return privateEncrypt({ key, padding }, Buffer.concat([sha256Info, message]));
}

export async function startKmsServer(kind: Kind, rsaKey?: string): Promise<KmsServer> {
  const { publicKey, privateKey } = keyPair(kind, rsaKey);
  const asked: string[] = [];
  let how: Parameters<KmsServer['behave']>[0] = 'answer';

  const answer = (action: string, body: string): [status: number, body: object] => {
    if (typeof how === 'object') return [400, { __type: how.error, message: 'as the test asked' }];
    if (action === 'GetPublicKey') {
      const spki = publicKey.export({ type: 'spki', format: 'der' });
      return [200, { KeyUsage: 'SIGN_VERIFY', PublicKey: spki.toString('base64') }];
    }
    const { Message, MessageType, SigningAlgorithm }: SignRequest = JSON.parse(body);
    if (
      MessageType !== (kind === 'rsa' ? 'DIGEST' : 'RAW') ||
      SigningAlgorithm !== algorithms[kind]
    ) {
      return [400, { __type: 'ValidationException', message: 'not with this key' }];
    }
    const given = Buffer.from(Message, 'base64');
    const message = how === 'forge' ? Buffer.from(given).reverse() : given;
    const signature = signatureOf(kind, message, privateKey);
    return [200, { Signature: signature.toString('base64'), SigningAlgorithm }];
  };

  const server = createServer(async (request, response) => {
    const action = actionOf(request);
    const body = await text(request);
    asked.push(action);
    if (how === 'silent') return;
    const [status, content] = answer(action, body);
    response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' });
    response.end(JSON.stringify(content));
  });
  const endpoint = await listenOnLoopback(server);
  return {
    endpoint,
    publicKey,
    asked,
    behave: (next) => {
      how = next;
    },
    stop: () => closeServer(server),
  };
}

function actionOf({ headers }: IncomingMessage): string {
  return String(headers['x-amz-target']).replace('TrentService.', '');
}
