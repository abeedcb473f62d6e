/** A rotation as docs/web-identity.md has it refuses nobody, and neither does a clock that is minutes off. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { keySetPath, publicDocuments } from '../../src/web-identity/documents.ts';
import { EphemeralTokenSigner } from '../../src/web-identity/ephemeral-token-signer.ts';
import { TokenIssuer, type TokenIssuerOptions } from '../../src/web-identity/token-issuer.ts';
import { type DocumentHost, startDocumentHost } from '../support/document-host.ts';
import { planned } from '../support/session-plans.ts';
import { failureOf, roleArn, type StsHarness, startStsHarness } from '../support/sts-harness.ts';
import { createTestClock } from '../support/test-clock.ts';

const terms = {
  issuer: 'https://identity.example.com',
  audience: 'sts.amazonaws.com',
  lifetimeSeconds: 60,
};
const folder = mkdtempSync(join(tmpdir(), 'token-broker-rotation-'));
let sts: StsHarness;
let host: DocumentHost;
beforeAll(async () => {
  sts = await startStsHarness();
  host = await startDocumentHost(folder);
  const { issuer, audience } = terms;
  const jwksUri = `${host.url}${keySetPath}`;
  sts.sts.putProvider({ accountId: '123456789012', issuer, jwksUri, clientIds: [audience] });
  const Federated = 'arn:aws:iam::123456789012:oidc-provider/identity.example.com';
  sts.sts.putRole({
    arn: roleArn,
    trustPolicy: sts.trustPolicy({
      Principal: { Federated },
      Condition: { Bool: { 'sts:RoleAuthorizedByIdp': 'true' } },
    }),
  });
});
afterAll(async () => {
  await Promise.all([sts.stop(), host.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

/** Two for all tests: each is an RSA key of its own. */
const [old, fresh] = [new EphemeralTokenSigner(), new EphemeralTokenSigner()];

async function issuerWith(
  signers: TokenIssuerOptions['signers'],
  clock: TokenIssuerOptions['clock'] = sts.clock,
): Promise<TokenIssuer> {
  const limits = { clock, timeoutMs: 60_000, maxInFlight: 1000 };
  const tokens = new TokenIssuer({ terms, signers, ...limits });
  await tokens.start();
  return tokens;
}

function publish({ published }: TokenIssuer): void {
  const body = publicDocuments(terms.issuer, published)[1]?.text ?? '';
  host.answer = { status: 200, body };
}

const { plan } = planned({ roleArn });
const several = (tokens: TokenIssuer) =>
  Promise.all(Array.from({ length: 10 }, async () => (await tokens.issue(plan)).token));
const show = (WebIdentityToken: string) => sts.exchange({ WebIdentityToken });

it('a rotation in the documented order refuses nobody, whoever is under way', async () => {
  const steps: (() => Promise<TokenIssuer>)[] = [
    () => issuerWith({ current: old, next: fresh }),
    () => issuerWith({ current: fresh, previous: old }),
    () => issuerWith({ current: fresh }),
  ];
  let tokens = await issuerWith({ current: old });
  publish(tokens);
  const sessions = [...(await Promise.all((await several(tokens)).map(show)))];
  for (const step of steps) {
    const underWay = await several(tokens);
    tokens = await step();
    publish(tokens);
    sessions.push(...(await Promise.all([...underWay, ...(await several(tokens))].map(show))));
    // STS keeps a key set for a while; the order waits for longer, and for the last token that is under way.
    await sts.clock.advance(3_600_000);
  }
  expect(sessions).toHaveLength(70);
  const withdrawn = await issuerWith({ current: old });
  expect(await failureOf(show((await withdrawn.issue(plan)).token))).toMatchObject({
    code: 'InvalidIdentityToken',
  });
});

it.each([
  ['public, max-age=300', 'ok', 1],
  ['no-cache', 'InvalidIdentityToken', 2],
])(
  'STS keeps a key set of Cache-Control %s: the key that is gone is %s',
  async (cacheControl, answer, fetched) => {
    const tokens = await issuerWith({ current: old });
    host.cacheControl = cacheControl;
    publish(tokens);
    await sts.clock.advance(3_600_000);
    const before = host.asked.length;
    await show((await tokens.issue(plan)).token);
    publish(await issuerWith({ current: fresh }));
    const shown = await show((await tokens.issue(plan)).token).then(
      () => 'ok',
      (error: Error & { readonly Code?: string }) => error.Code,
    );
    host.cacheControl = 'public, max-age=300';
    expect([shown, host.asked.length - before]).toEqual([answer, fetched]);
  },
);

it.each([-240, 240])('a clock that is %i s off refuses nobody', async (seconds) => {
  const clock = createTestClock(sts.clock.now() + seconds * 1000);
  const tokens = await issuerWith({ current: fresh }, clock);
  publish(tokens);
  await sts.clock.advance(61_000);
  await clock.advance(61_000);
  expect((await show((await tokens.issue(plan)).token)).Credentials).toBeDefined();
});

it.each([
  [-361, 'ExpiredTokenException'],
  [301, 'InvalidIdentityToken'],
])('a clock that is %i s off is found out by STS', async (seconds, code) => {
  const clock = createTestClock(sts.clock.now() + seconds * 1000);
  const tokens = await issuerWith({ current: fresh }, clock);
  publish(tokens);
  expect(await failureOf(show((await tokens.issue(plan)).token))).toMatchObject({ code });
});
