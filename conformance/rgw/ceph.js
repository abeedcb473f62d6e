/** The smallest Ceph that has an object gateway: one monitor, one store in memory, one `radosgw`, all on loopback. */

import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../commands.js';
import { startDaemon, waitFor } from '../daemon.js';
import { freePorts } from '../free-ports.js';

export const cephTools = [
  { name: 'radosgw', command: 'radosgw', args: ['--version'] },
  { name: 'ceph-mon', command: 'ceph-mon', args: ['--version'] },
  { name: 'ceph-osd', command: 'ceph-osd', args: ['--version'] },
];

const startMs = 120_000;
const commandMs = 60_000;
/** Whatever becomes of this process, none of them outlives that. */
const lifeSeconds = 900;

/** `{ url, admin(...args), stop() }`: `admin` runs `radosgw-admin` and parses what it prints. */
export async function startCeph(directory) {
  const [monitorPort, gatewayPort] = await freePorts(2);
  const [cluster, store] = [randomUUID(), randomUUID()];
  const configFile = join(directory, 'ceph.conf');
  const keyring = join(directory, 'keyring');
  const monitorMap = join(directory, 'monmap');
  for (const name of ['mon', 'osd', 'rgw']) mkdirSync(join(directory, name), { recursive: true });
  writeFileSync(keyring, '');
  writeFileSync(configFile, configuration({ directory, cluster, monitorPort, gatewayPort }));
  const conf = ['-c', configFile];
  const once = (command, ...args) => run(command, args, { cwd: directory, timeoutMs: commandMs });
  const daemons = [];
  const begin = (name, command, ...args) => {
    const bounded = ['--kill-after=10', String(lifeSeconds), command, ...conf, ...args, '-f'];
    const logFile = join(directory, `${name}.out`);
    daemons.push(startDaemon('timeout', bounded, { logFile }));
  };
  const stop = async () => {
    // The gateway first: what it stands on is asked to the end.
    for (const daemon of daemons.reverse()) await daemon.stop();
  };
  try {
    const address = `v2:127.0.0.1:${monitorPort}`;
    await once('monmaptool', '--create', '--fsid', cluster, '--addv', 'a', address, monitorMap);
    const fresh = ['--mkfs', '-i', 'a', '--monmap', monitorMap, '--keyring', keyring];
    await once('ceph-mon', ...conf, ...fresh);
    begin('mon', 'ceph-mon', '-i', 'a');
    await once('ceph', ...conf, 'osd', 'new', store);
    await once('ceph-osd', ...conf, '-i', '0', '--mkfs', '--osd-uuid', store);
    begin('osd', 'ceph-osd', '-i', '0');
    begin('rgw', 'radosgw', '-n', 'client.rgw');
    const url = `http://127.0.0.1:${gatewayPort}`;
    await answers(url, daemons);
    const admin = async (...args) => {
      const out = await once('radosgw-admin', ...conf, '-n', 'client.rgw', ...args);
      return out.trim() === '' ? undefined : JSON.parse(out);
    };
    return { url, admin, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function answers(url, daemons) {
  const isUp = async () => {
    const signal = AbortSignal.timeout(5_000);
    const response = await fetch(url, { signal }).catch(() => undefined);
    await response?.arrayBuffer();
    return response?.ok;
  };
  await waitFor(isUp, { daemons, otherwise: 'Ceph did not start', timeoutMs: startMs });
}

/** Nothing but this machine reaches it, so that nobody has to authenticate inside: `auth … none`, and no encryption either. */
function configuration({ directory, cluster, monitorPort, gatewayPort }) {
  const inside = (name) => join(directory, name);
  return `[global]
fsid = ${cluster}
mon host = v2:127.0.0.1:${monitorPort}
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
ms mon client mode = crc
ms client mode = crc
ms cluster mode = crc
ms service mode = crc
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd objectstore = memstore
memstore device bytes = 268435456
mon allow pool size one = true
mon data avail crit = 1
mon data avail warn = 1
mon data = ${inside('mon')}
osd data = ${inside('osd')}
rgw data = ${inside('rgw')}
run dir = ${directory}
keyring = ${inside('keyring')}
log file = ${inside('$name.log')}
pid file = ${inside('$name.pid')}
admin socket = ${inside('$name.$pid.asok')}
rgw frontends = beast endpoint=127.0.0.1:${gatewayPort}
rgw s3 auth use sts = true
rgw sts key = ${randomUUID().slice(0, 16)}
`;
}
