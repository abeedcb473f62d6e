/** Commands with many role mappings: how long a person or a pipeline waits. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { configText } from '../build/emulators/config-text.js';
import { mappingYaml } from '../dist/mapping-files/mapping-yaml.js';
import { note } from './figures.js';
import { clientOf, pool, roleMappingOf, tableName } from './policy-under-test.js';
import { firstLine, measuredNode, startNode, stopProcess, usageOf } from './processes.js';

const many = Number(process.env.BENCH_COMMAND_MAPPINGS ?? 100_000);
const changes = 2_000;
const demand = { atMost: 10 };

export async function commands({ directory }) {
  console.error(`Writing ${many} files, and filling a table with as many role mappings …`);
  const all = folderOf(join(directory, 'all'), { from: 0, to: many });
  const some = folderOf(join(directory, 'some'), { from: many, to: many + changes });
  const server = startNode(1, ['bench/policy-table.js', String(many)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const config = configFile(directory, await firstLine(server));
    const timed = async (what, args, code = 0) => {
      const { seconds, cpuSeconds } = await timeOf([...args, '--config', config], code);
      note(`${what}: seconds`, seconds, demand);
      // Of the command alone: beside other work, and where the table is slow, seconds say little of it.
      note(`${what}: seconds of CPU`, cpuSeconds, demand);
    };
    await timed(`mappings validate, ${many} files`, ['mappings', 'validate', all]);
    await timed(`mappings plan, ${many} files and rows`, ['mappings', 'plan', all]);
    const reason = ['--reason', 'benchmark', '--yes'];
    await timed(`mappings apply, ${changes} changes`, ['mappings', 'apply', some, ...reason]);
  } finally {
    await stopProcess(server);
  }
}

function folderOf(folder, { from, to }) {
  mkdirSync(folder, { recursive: true });
  for (let index = from; index < to; index += 1) {
    // As `mappings export` writes them.
    writeFileSync(join(folder, `bench-${index}.yaml`), mappingYaml(roleMappingOf(index)));
  }
  return folder;
}

function configFile(directory, endpoint) {
  const file = join(directory, 'config.yaml');
  const clients = Array.from({ length: many + changes }, (_, index) => clientOf(index));
  const config = {
    profile: 'development',
    identity: {
      userPools: [
        // Of commands that never ask it.
        { pool, issuer: `http://127.0.0.1:1/${pool}`, jwksUri: 'http://127.0.0.1:1/jwks', clients },
      ],
    },
    policy: { table: tableName, region: 'us-east-1', endpoint },
    sts: { endpoints: [{ region: 'us-east-1', endpoint: 'http://127.0.0.1:1' }] },
    admin: { pool, clients: [clients[0]], machines: true },
    audit: { directory: join(directory, 'audit') },
  };
  writeFileSync(file, configText(config));
  return file;
}

const lookEveryMs = 50;

async function timeOf(args, expected) {
  const startedAt = performance.now();
  const child = spawn(measuredNode, ['dist/main.js', ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, AWS_ACCESS_KEY_ID: 'bench', AWS_SECRET_ACCESS_KEY: 'bench' },
  });
  let said = '';
  child.stderr.on('data', (text) => {
    said = `${said}${text}`.slice(-2_000);
  });
  let cpuSeconds = 0;
  const looking = setInterval(() => {
    // Nothing is to be had of a process that has ended.
    cpuSeconds = usageOf(child.pid)?.cpuSeconds || cpuSeconds;
  }, lookEveryMs);
  const [code] = await once(child, 'exit');
  clearInterval(looking);
  if (code !== expected) throw new Error(`${args.join(' ')} ended with ${code}: ${said}`);
  return { seconds: (performance.now() - startedAt) / 1000, cpuSeconds };
}
