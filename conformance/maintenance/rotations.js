/** Keys replaced in the order of docs/maintenance.md and docs/table.md, on three brokers under load: nobody is refused. */

import { strict as assert } from 'node:assert';
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startKmsServer } from '../../build/emulators/kms/kms-server.js';
import { Administrator } from '../../build/faults/administrator.js';
import { Connection, runLoad, Turnstile } from '../../build/faults/load.js';
import { mappingOf, region, roleNamed, tableName } from '../../build/faults/world.js';
import { readAnchor, unprovenSeal } from '../../build/src/dynamodb/seal-anchor.js';
import { run } from '../commands.js';
import { Fleet } from '../fleet.js';
import { thisTree } from '../release.js';

const places = ['a', 'b', 'c'];
const origin = 'conformance.example.com/audit';
/** What is promised is five seconds; on a busy machine the poll itself is late. */
const inForceMs = 30_000;
/** An SDK asks for new credentials five minutes before those that it has end. */
const lifeMs = 5 * 60_000 + 2_000;
/** Yet the local DynamoDB takes them no longer than this: who has not asked for new ones by then is refused. */
const countsMs = 30_000;

/** Says what was replaced, in a line. */
export async function replaceKeys(world, directory) {
  mkdirSync(directory);
  const started = [];
  const begun = async (part) => {
    started.push(await part);
    return started.at(-1);
  };
  try {
    const platform = await begun(startPlatform(world.dynamodb.url));
    const [oldSeal, newSeal, oldNotary, newNotary] = [
      await begun(startKmsServer('p256')),
      await begun(startKmsServer('p256')),
      await begun(startKmsServer('p256')),
      await begun(startKmsServer('p256')),
    ];
    const fleet = await begun(
      new Fleet(world, directory, { policy: { endpoint: platform.dynamodb } }, platform.env),
    );
    const publicKey = (kms, name) => {
      const file = join(directory, `${name}.pem`);
      writeFileSync(file, kms.publicKey.export({ type: 'spki', format: 'pem' }));
      return file;
    };
    const keys = {
      oldSeal: publicKey(oldSeal, 'old-seal'),
      newSeal: publicKey(newSeal, 'new-seal'),
      oldNotary: publicKey(oldNotary, 'old-notary'),
      newNotary: publicKey(newNotary, 'new-notary'),
    };
    const { anchor: found } = await readAnchor(
      world.table,
      await world.table.loadAll(),
      unprovenSeal(tableName),
    );
    const anchor = { revision: found.revision, chain: found.digest };
    const kmsOf = ({ endpoint }) => ({ keyId: 'alias/conformance', region, endpoint });
    const sections = (publicKeyFiles, seals, notary) => ({
      policy: { seal: { publicKeyFiles, kms: kmsOf(seals), anchor } },
      audit: { checkpoints: { origin, kms: kmsOf(notary) } },
    });
    const rollOut = async (...settings) => {
      for (const place of places) {
        await fleet.end(place);
        await fleet.start(place, thisTree, sections(...settings));
      }
    };
    const first = sections([keys.oldSeal], oldSeal, oldNotary);
    for (const place of places) await fleet.start(place, thisTree, first);
    const editor = new Editor(world, fleet);
    const load = startLoad(world, fleet);

    await editor.edit();
    // The users of the load keep the tokens that they have; services get new ones.
    await world.issuer.rotateKeys();
    await answers(fleet, world.service('orders'));
    await rollOut([keys.oldSeal, keys.newSeal], oldSeal, oldNotary);
    await editor.edit();
    await rollOut([keys.oldSeal, keys.newSeal], newSeal, oldNotary);
    await editor.edit();
    const kept = await keptCheckpoints(fleet, directory);
    await rollOut([keys.newSeal], newSeal, newNotary);
    await editor.edit();
    await platform.replaced();
    await editor.edit();

    const asked = await load.stop();
    for (const place of places) await fleet.end(place);
    await checkpointsHold(fleet, kept, keys);
    assert.equal(oldSeal.asked.includes('Sign') && newSeal.asked.includes('Sign'), true);
    assert.deepEqual(platform.refused, []);
    return `keys of the issuer, of seals and of checkpoints, ${platform.made} times the broker's own AWS credentials: ${asked} requests, none refused`;
  } finally {
    for (const part of started.reverse()) await part.stop();
  }
}

/** What a platform gives a pod: AWS credentials that end, by an endpoint; and a DynamoDB that knows which have. */
async function startPlatform(dynamodbUrl) {
  const madeAt = new Map();
  const refused = [];
  const credentials = createServer((_, res) => {
    const AccessKeyId = `ASIACONFORMANCE${String(madeAt.size).padStart(5, '0')}`;
    madeAt.set(AccessKeyId, Date.now());
    const Expiration = new Date(Date.now() + lifeMs).toISOString();
    const answer = { AccessKeyId, SecretAccessKey: 'not-a-secret', Token: 'none', Expiration };
    res.setHeader('content-type', 'application/json').end(JSON.stringify(answer));
  });
  const { hostname, port } = new URL(dynamodbUrl);
  const dynamodb = createServer((req, res) => {
    const id = /Credential=([^/]+)/.exec(req.headers.authorization ?? '')?.[1];
    const ageMs = Date.now() - madeAt.get(id);
    if (!(ageMs < countsMs)) {
      refused.push(`${id} after ${ageMs} ms`);
      req.resume();
      const body = { __type: 'com.amazon.coral.service#ExpiredTokenException', message: 'ended' };
      res.writeHead(400, { 'content-type': 'application/x-amz-json-1.0' });
      res.end(JSON.stringify(body));
      return;
    }
    const { method, url: path, headers } = req;
    const onward = request({ hostname, port, method, path, headers }, (answer) => {
      res.writeHead(answer.statusCode, answer.headers);
      answer.pipe(res);
    });
    onward.on('error', () => res.destroy());
    req.pipe(onward);
  });
  const urls = await Promise.all([credentials, dynamodb].map(listening));
  return {
    dynamodb: urls[1],
    env: {
      AWS_ACCESS_KEY_ID: undefined,
      AWS_SECRET_ACCESS_KEY: undefined,
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `${urls[0]}/credentials`,
    },
    refused,
    get made() {
      return madeAt.size;
    },
    /** Resolves when nothing that was given out before counts any more. */
    replaced: () => sleep(countsMs + 1_000),
    async stop() {
      for (const server of [credentials, dynamodb]) {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
    },
  };
}

function listening(server) {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${server.address().port}`));
  });
}

function startLoad(world, fleet) {
  const others = [];
  let asked = 0;
  const turnstile = new Turnstile((index) =>
    index % 4 === 0 ? { caller: world.service('reports') } : { caller: world.user(index) },
  );
  const ended = runLoad({
    connections: 4,
    perSecond: 20,
    next: turnstile.next,
    url: () => fleet.inTurn[asked % fleet.inTurn.length]?.urls.api,
    onAnswer({ status, code }) {
      asked += 1;
      if (status !== 200) others.push(`${status} ${code}`);
    },
  });
  return {
    async stop() {
      turnstile.close();
      await ended;
      assert.deepEqual(others, []);
      return asked;
    },
  };
}

/** One mapping that is edited again and again, through each broker in turn; its caller sees each edit on all of them. */
class Editor {
  #world;
  #fleet;
  #version;
  #turn = 0;

  constructor(world, fleet) {
    this.#world = world;
    this.#fleet = fleet;
  }

  async edit() {
    const { urls } = this.#fleet.inTurn[this.#turn % places.length];
    this.#turn += 1;
    const enabled = this.#turn % 2 === 1;
    const mapping = { ...mappingOf('late', 'stranger'), enabled };
    const administrator = new Administrator(this.#world, () => urls.admin);
    ({ version: this.#version } = await administrator.put(mapping, this.#version));
    await answers(this.#fleet, this.#world.service('stranger'), enabled ? 200 : 403);
  }
}

/** Every broker gives this answer, soon. */
async function answers(fleet, caller, status = 200) {
  const role = caller.role ?? roleNamed('late');
  const deadline = performance.now() + inForceMs;
  for (const { urls } of fleet.inTurn) {
    const connection = new Connection(urls.api);
    let answer = await connection.ask({ caller, role });
    while (answer.status !== status && performance.now() < deadline) {
      await sleep(50);
      answer = await connection.ask({ caller, role });
    }
    connection.close();
    assert.equal(answer.status, status, answer.code);
  }
}

/** Those that the brokers have signed so far, in a folder of their own. */
async function keptCheckpoints(fleet, directory) {
  const kept = join(directory, 'old-checkpoints');
  mkdirSync(kept);
  let count = 0;
  for (const [index, folder] of fleet.auditDirectories.entries()) {
    for (const name of checkpointsIn(folder)) {
      cpSync(join(folder, name), join(kept, `${index}-${name}`));
      count += 1;
    }
  }
  assert(count >= places.length, `${count} checkpoints of the old key`);
  return kept;
}

function checkpointsIn(folder) {
  return readdirSync(folder).filter((name) => /^checkpoint-.*\.txt$/.test(name));
}

/** Each key vouches for what it has signed, and for nothing else. */
async function checkpointsHold(fleet, kept, { oldNotary, newNotary }) {
  const verify = (folder, checkpoint, key) =>
    run(
      process.execPath,
      [
        ...[thisTree.main, 'audit', 'verify', '--directory', folder],
        ...['--checkpoint', checkpoint, '--key', key],
      ],
      { cwd: tmpdir(), timeoutMs: 60_000 },
    );
  for (const [index, folder] of fleet.auditDirectories.entries()) {
    const old = readdirSync(kept).filter((name) => name.startsWith(`${index}-`));
    for (const name of old) await verify(folder, join(kept, name), oldNotary);
    for (const name of checkpointsIn(folder)) {
      const file = join(folder, name);
      await verify(folder, file, newNotary);
      await assert.rejects(verify(folder, file, oldNotary), /ended with 2/);
      assert.match(readFileSync(file, 'utf8'), new RegExp(`^${origin}/`));
    }
  }
}
