/** A proxy that runs as long as it is asked through. On Unix sockets no port is taken. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const startMs = 20_000;
const requestMs = 10_000;

/**
 * Writes `configuration(directory)` beside its sockets, starts `command` with `args(file)`, waits until all `sockets`
 * are there and it answers on the port `listensOn`, if there is one, and calls `use(directory)`. Sockets have short names: their whole path may have 107 characters.
 */
export async function withProxy({ command, args, configuration, sockets = [], listensOn, use }) {
  const directory = mkdtempSync(join(tmpdir(), 'proxy-'));
  const file = join(directory, 'proxy.conf');
  writeFileSync(file, configuration(directory));
  const child = spawn(command, args(file), { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] });
  const said = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => said.push(part));
  const ended = once(child, 'close');
  try {
    const deadline = performance.now() + startMs;
    const isUp = async () =>
      sockets.every((name) => existsSync(join(directory, name))) &&
      (listensOn === undefined || (await takesConnections(listensOn)));
    while (!(await isUp())) {
      const late = performance.now() > deadline;
      assert(!late && child.exitCode === null, `${command} did not start:\n${said.join('')}`);
      await sleep(20);
    }
    return await use(directory);
  } finally {
    child.kill('SIGTERM');
    const killing = setTimeout(() => child.kill('SIGKILL'), startMs);
    await ended;
    clearTimeout(killing);
    rmSync(directory, { recursive: true, force: true });
  }
}

function takesConnections(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** `{ status, text }` of a request through a socket. */
export function ask(socketPath, { method = 'GET', path, headers = {}, body = '' }) {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, method, path, headers, timeout: requestMs }, (res) => {
      const parts = [];
      res.on('data', (part) => parts.push(part));
      res.once('error', reject);
      res.once('end', () => {
        resolve({ status: res.statusCode, text: Buffer.concat(parts).toString() });
      });
    });
    sent.once('timeout', () => sent.destroy(new Error(`${path}: no answer`)));
    sent.once('error', reject);
    sent.end(body);
  });
}

/** Credentials for the caller, by both protocols that have a body or none. */
export async function checkCredentials(socketPath, token) {
  const headers = { authorization: `Bearer ${token}` };
  const json = { ...headers, 'content-type': 'application/json;charset=utf8' };
  for (const question of [
    { method: 'POST', path: '/v1/credentials', headers: json, body: '{"role":"orders-writer"}' },
    { path: '/v1/credentials/orders-writer', headers },
  ]) {
    const { status, text } = await ask(socketPath, question);
    assert.equal(status, 200, `${question.path}: ${status} ${text}`);
  }
}
