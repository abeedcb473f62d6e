/** An AWS KMS that answers Sign and GetPublicKey (JSON 1.1) on loopback, with a key that it alone has. */

import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

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

const algorithms = { ed25519: 'ED25519_SHA_512', p256: 'ECDSA_SHA_256' };

export async function startKmsServer(kind: keyof typeof algorithms): Promise<KmsServer> {
  const { publicKey, privateKey } =
    kind === 'ed25519'
      ? generateKeyPairSync('ed25519')
      : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const asked: string[] = [];
  let how: Parameters<KmsServer['behave']>[0] = 'answer';

  const answer = (action: string, body: string): [status: number, body: object] => {
    if (typeof how === 'object') return [400, { __type: how.error, message: 'as the test asked' }];
    if (action === 'GetPublicKey') {
      const spki = publicKey.export({ type: 'spki', format: 'der' });
      return [200, { KeyUsage: 'SIGN_VERIFY', PublicKey: spki.toString('base64') }];
    }
    const { Message, MessageType, SigningAlgorithm }: SignRequest = JSON.parse(body);
    if (MessageType !== 'RAW' || SigningAlgorithm !== algorithms[kind]) {
      return [400, { __type: 'ValidationException', message: 'not with this key' }];
    }
    const message = Buffer.from(how === 'forge' ? 'c29tZXRoaW5nIGVsc2U=' : Message, 'base64');
    const signature = sign(kind === 'p256' ? 'sha256' : null, message, privateKey);
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
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    publicKey,
    asked,
    behave: (next) => {
      how = next;
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function actionOf({ headers }: IncomingMessage): string {
  return String(headers['x-amz-target']).replace('TrentService.', '');
}
