/** The certificate of a listener is renewed with files that cannot be used. */

import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { type SelfSigned, selfSigned } from '../../test/support/self-signed.ts';
import type { Lab } from '../lab.ts';
import { pause } from '../load.ts';
import { failures, seconds } from '../measures.ts';
import type { Outcome, Row, RowContext } from '../row.ts';
import { pool } from '../world.ts';

export const tlsRows: readonly Row[] = [
  {
    id: 'tls-renewal',
    fault:
      'a certificate is renewed with an empty file, with only one of both files, or with one that has ended',
    promise:
      'The old pair goes on serving, the refusal is counted and logged, and the repair is taken soon.',
    demanded:
      '0 handshakes fail; refused within 16 s; the repaired pair serves within 6 s; 0 errors elsewhere',
    operators:
      'TokenBrokerTlsFilesRefused, then TokenBrokerCertificateEndsSoon: write certificate and key of one renewal. Nothing needs a restart.',
    run: renewal,
  },
];

const commonName = 'broker';

/** What a renewal that goes wrong leaves, made from a good pair of another kind of key. */
const mishaps: readonly ((renewed: SelfSigned) => Partial<SelfSigned>)[] = [
  ({ key }) => ({ cert: '', key }),
  ({ cert }) => ({ cert }),
  ({ key }) => ({ key }),
  ({ cert }) => ({ cert, key: '' }),
  () => selfSigned(commonName, { notAfter: '250101000000Z' }),
];

async function renewal({ lab: newLab, pick, atMost }: RowContext): Promise<Outcome> {
  let inUse = selfSigned(commonName);
  // Before there is load: to make one takes as long as many requests.
  const rsa = { keys: generateKeyPairSync('rsa', { modulusLength: 2048 }) };
  const lab = await newLab({
    config(world, directory) {
      install(directory, inUse);
      const tls = { certFile: join(directory, 'tls.crt'), keyFile: join(directory, 'tls.key') };
      return {
        listeners: { api: { port: 0 }, admin: { port: 0, tls }, ops: { port: 0 } },
        admin: { pool, clients: world.clientIds.slice(0, 1), machines: true },
      };
    },
  });
  const load = lab.load({ connections: 5, perSecond: 100, make: (index) => lab.warm(index) });
  const rounds: Round[] = [];
  for (const mishap of mishaps.slice(0, pick(1, mishaps.length))) {
    const renewed = selfSigned(commonName, rounds.length % 2 === 0 ? rsa : {});
    rounds.push(await mishapAndRepair(lab, { inUse, renewed, found: mishap(renewed) }));
    inUse = renewed;
  }
  const answers = await load.stop();
  const bad = failures(answers);
  const failed = rounds.reduce((sum, round) => sum + round.failed, 0);
  const noticedMs = Math.max(...rounds.map((round) => round.noticedMs));
  const renewedMs = Math.max(...rounds.map((round) => round.renewedMs));
  return {
    seen: `${failed} of ${rounds.length * handshakes} handshakes failed; refused within ${seconds(noticedMs)}; repaired pair serves within ${seconds(renewedMs)}; ${bad.length} of ${answers.length} errors elsewhere`,
    met: failed === 0 && bad.length === 0 && atMost(noticedMs, 16_000) && atMost(renewedMs, 6_000),
  };
}

const handshakes = 20;

interface Round {
  /** Of the handshakes while the files were bad. */
  readonly failed: number;
  readonly noticedMs: number;
  readonly renewedMs: number;
}

interface Pairs {
  readonly inUse: SelfSigned;
  readonly renewed: SelfSigned;
  /** What the renewal leaves at first. */
  readonly found: Partial<SelfSigned>;
}

async function mishapAndRepair(lab: Lab, { inUse, renewed, found }: Pairs): Promise<Round> {
  const url = new URL(lab.broker.urls.admin ?? '');
  const refused = () => lab.broker.metric('tokenbroker_tls_refused_files_total{listener="admin"');
  const before = await refused();
  install(lab.directory, found);
  const noticedMs = await until(async () => (await refused()) > before);
  let failed = 0;
  for (let count = 0; count < handshakes; count += 1) {
    if (!(await completes(url, inUse))) failed += 1;
  }
  install(lab.directory, renewed);
  const renewedMs = await until(() => completes(url, renewed));
  return { failed, noticedMs, renewedMs };
}

function install(directory: string, { cert, key }: Partial<SelfSigned>): void {
  if (cert !== undefined) writeFileSync(join(directory, 'tls.crt'), cert);
  if (key !== undefined) writeFileSync(join(directory, 'tls.key'), key);
}

/** How long that took; what takes too long ends all the same. */
async function until(condition: () => Promise<boolean>): Promise<number> {
  const startedAt = performance.now();
  const tookMs = () => performance.now() - startedAt;
  while (!(await condition()) && tookMs() < 30_000) await pause(100);
  return tookMs();
}

/** A handshake with a client that trusts that certificate alone. */
function completes(url: URL, { cert }: SelfSigned): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({
      host: url.hostname,
      port: Number(url.port),
      ca: cert,
      checkServerIdentity: () => undefined,
    });
    socket.setTimeout(5_000, () => socket.destroy());
    let done = false;
    socket.once('secureConnect', () => {
      done = true;
      socket.destroy();
    });
    socket.on('error', () => undefined);
    socket.once('close', () => resolve(done));
  });
}
