/** An AWS KMS that answers Sign, GetPublicKey, DescribeKey and GetKeyPolicy (JSON 1.1) on loopback, with a key that it alone has. */

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
import { closeServer, listenOnLoopback, staysOpen } from '../loopback-http.ts';

export interface KmsServer {
  readonly endpoint: string;
  readonly publicKey: KeyObject;
  /** Names of the actions that were asked for, in order. */
  readonly asked: string[];
  /** From now on: an answer, an error of that name, silence, or a signature of something else. */
  behave(how: Behaviour): void;
  /** The connections of the next requests, so many, are cut when they have been read. */
  cut(requests: number): void;
  /** What DescribeKey and GetKeyPolicy say from now on. */
  describeAs(changes: Partial<KeyDescription>): void;
  stop(): Promise<void>;
}

type Behaviour =
  | 'answer'
  | 'silent'
  | 'forge'
  /** Of that action alone, or of every one. */
  | { readonly error: string; readonly action?: string };

export interface KeyDescription {
  readonly arn: string;
  readonly state: 'Enabled' | 'Disabled' | 'PendingDeletion';
  readonly usage: string;
  readonly policy: object;
}

export const keyArn = 'arn:aws:kms:us-east-1:123456789012:key/11111111-2222-4333-8444-555555555555';
const ownPolicy = {
  Version: '2012-10-17',
  Statement: [
    {
      Effect: 'Allow',
      Principal: { AWS: 'arn:aws:iam::123456789012:root' },
      Action: 'kms:*',
      Resource: '*',
    },
  ],
};
const specs = { ed25519: 'ECC_NIST_EDWARDS25519', p256: 'ECC_NIST_P256', rsa: 'RSA_2048' };

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
  let how: Behaviour = 'answer';
  let toCut = 0;
  let described: KeyDescription = {
    arn: keyArn,
    state: 'Enabled',
    usage: 'SIGN_VERIFY',
    policy: ownPolicy,
  };

  const answer = (action: string, body: string): [status: number, body: object] => {
    if (typeof how === 'object' && (how.action ?? action) === action) {
      return [400, { __type: how.error, message: 'as the test asked' }];
    }
    if (action === 'GetPublicKey') {
      const spki = publicKey.export({ type: 'spki', format: 'der' });
      return [200, { KeyUsage: 'SIGN_VERIFY', PublicKey: spki.toString('base64') }];
    }
    const managed = answerAboutKey(action, body);
    if (managed !== undefined) return [200, managed];
    return answerSign(body);
  };

  const answerSign = (body: string): [status: number, body: object] => {
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

  const answerAboutKey = (action: string, body: string): object | undefined => {
    switch (action) {
      case 'DescribeKey': {
        const { arn: Arn, state: KeyState, usage: KeyUsage } = described;
        const [KeyId, KeySpec] = [keyArn.split('/')[1], specs[kind]];
        return { KeyMetadata: { Arn, KeyId, KeySpec, KeyState, KeyUsage } };
      }
      case 'GetKeyPolicy':
        return { Policy: JSON.stringify(described.policy), PolicyName: 'default' };
      case 'PutKeyPolicy':
        described = { ...described, policy: JSON.parse(JSON.parse(body).Policy) };
        return {};
      case 'EnableKey':
        described = { ...described, state: 'Enabled' };
        return {};
      case 'CancelKeyDeletion':
        described = { ...described, state: 'Disabled' };
        return { KeyId: keyArn };
      default:
        return undefined;
    }
  };

  const server = createServer(staysOpen, async (request, response) => {
    const action = actionOf(request);
    const body = await text(request);
    asked.push(action);
    if (how === 'silent') return;
    if (toCut > 0) {
      toCut -= 1;
      request.socket.resetAndDestroy();
      return;
    }
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
    cut: (requests) => {
      toCut = requests;
    },
    describeAs(changes) {
      described = { ...described, ...changes };
    },
    stop: () => closeServer(server),
  };
}

function actionOf({ headers }: IncomingMessage): string {
  return String(headers['x-amz-target']).replace('TrentService.', '');
}
