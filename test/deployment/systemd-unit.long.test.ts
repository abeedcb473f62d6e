import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';

const file = fileURLToPath(new URL('../../deploy/token-broker.service', import.meta.url));
const unit = readFileSync(file, 'utf8');
const dockerfile = readFileSync(new URL('../../Dockerfile', import.meta.url), 'utf8');
const hasAnalyze = spawnSync('systemd-analyze', ['--version']).status === 0;
/** `systemd-analyze security`: 0 is nothing exposed, 10 all. What is left is the network, and a compiler in the process. */
const mostExposed = 1.5;

function setting(name: string): string | undefined {
  const joined = unit.replace(/\\\n\s*/g, '');
  return new RegExp(`^${name}=(.*)$`, 'm').exec(joined)?.[1];
}

describe('the systemd unit', () => {
  it('starts the broker with the rights that the image has', () => {
    const [, entrypoint = '[]'] =
      /^ENTRYPOINT (\[[^\]]*\])/m.exec(dockerfile.replace(/\\\n\s*/g, '')) ?? [];
    const flags = (JSON.parse(entrypoint) as string[]).slice(1, -1);
    expect(flags.length).toBeGreaterThan(0);
    expect(setting('ExecStart')).toBe(
      `/usr/bin/node ${flags.join(' ')} /opt/token-broker/dist/main.js serve --config /etc/token-broker/config.yaml`,
    );
  });

  it('gives an end the time that the pods have, and leaves no core file', () => {
    expect(setting('TimeoutStopSec')).toBe('40');
    expect(setting('LimitCORE')).toBe('0');
  });

  (hasAnalyze ? it : it.skip)('leaves little exposed, by the judgement of systemd (T280)', () => {
    const judged = spawnSync(
      'systemd-analyze',
      ['security', '--offline=true', '--no-pager', file],
      {
        encoding: 'utf8',
      },
    );
    const [, score = 'none'] = /Overall exposure level for .+: ([\d.]+)/.exec(judged.stdout) ?? [];
    expect({ score: Number(score), said: judged.stderr }).toEqual({
      score: expect.any(Number),
      said: '',
    });
    expect(Number(score)).toBeLessThanOrEqual(mostExposed);
  });
});
