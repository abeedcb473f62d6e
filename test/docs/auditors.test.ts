import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Command } from 'commander';
import { addAuditCommands } from '../../src/cli/commands/audit.ts';
import { addCloudTrailCommands } from '../../src/cli/commands/cloudtrail.ts';
import { addReviewCommand } from '../../src/cli/commands/review.ts';
import { systemClock } from '../../src/kit/timing/clock.ts';
import {
  exchangeRecord,
  fileLog,
  mappingChange,
  newDirectory,
  removeDirectories,
} from '../audit/audit-fixture.ts';
import { processEdge, runCommandLine } from '../support/command-line.ts';
import { readDocument } from '../support/markdown.ts';
import { createTestClock } from '../support/test-clock.ts';

const groups = {
  audit: addAuditCommands,
  cloudtrail: addCloudTrailCommands,
  review: addReviewCommand,
};
const page = readDocument('auditors.md');
const commandsOf = (text: string) =>
  [...text.replaceAll(/ \\\n +/g, ' ').matchAll(/^token-broker (.+)$/gm)].map(
    ([, words = '']) => words,
  );
const all = commandsOf(page);
const [, afterAnIncident = ''] = readDocument('operations.md').split(
  '## Who got what: after an incident\n',
);
const [ofIncidents = ''] = afterAnIncident.split('\n## ');
/** Runs until it is told to stop. */
const watches = all.filter((words) => words.startsWith('cloudtrail watch'));
const commands = all.filter((words) => !watches.includes(words));
const dayMs = 86_400_000;
const places: Record<string, string> = {};

/** A log with an answer to each question of the page, a trail and the mappings. */
beforeAll(async () => {
  const root = newDirectory();
  const [audit, trail, mappings] = ['audit', 'AWSLogs', 'mappings'].map((name) =>
    path.join(root, name),
  );
  for (const folder of [audit, trail, mappings]) mkdirSync(folder ?? '');
  Object.assign(places, {
    ...{ '/mnt/audit': audit, '.local/audit': audit },
    ...{ 'AWSLogs/': trail, '.local/cloudtrail.jsonl': trail },
    // What is packed away elsewhere is another folder like it.
    ...{ '/var/log/token-broker': audit, 'archive/': audit },
    'mappings/': mappings,
    'unused/': path.join(root, 'unused'),
  });
  mkdirSync(path.join(audit ?? '', 'pod-a'));
  const ago = (days: number) => new Date(systemClock.now() - days * dayMs).toISOString();
  const { log } = fileLog(path.join(audit ?? '', 'pod-a'), {
    clock: createTestClock(Date.parse('2026-01-01T00:00:00Z')),
  });
  await log.start();
  const subject = '5f2c9d0e-0000-4000-8000-0123456789ab';
  await log.record(exchangeRecord('EXAMPLE', { time: '2026-02-01T00:00:00.000Z' }));
  await log.record({ ...mappingChange(10), time: '2026-02-02T00:00:00.000Z' });
  await log.record(
    exchangeRecord('r2', {
      time: ago(2),
      token: { sha256: 'a', subject, description: { username: 'alice' } },
    }),
  );
  await log.record(
    exchangeRecord('r3', {
      time: ago(0.5),
      traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
      outcome: 'denied',
      reason: 'no_mapping',
    }),
  );
  await log.stop();
  const role = 'arn:aws:iam::123456789012:role/broker/orders-writer';
  const event = {
    eventTime: '2026-02-03T00:00:00Z',
    eventSource: 'sts.amazonaws.com',
    eventName: 'AssumeRoleWithWebIdentity',
    requestParameters: { roleArn: role },
    recipientAccountId: '123456789012',
  };
  writeFileSync(path.join(trail ?? '', 'events.json'), JSON.stringify({ Records: [event] }));
  writeFileSync(
    path.join(mappings ?? '', 'never.yaml'),
    `id: never\nprincipal: { pool: us-east-1_AbCdEf123, client: 4abc0exampleclientid }\neffect: allow\nrole: ${role}\nowner: payments\n`,
  );
});
afterAll(removeDirectories);

describe('docs/auditors.md', () => {
  it('has a command under each question', () => {
    const questions = [...page.matchAll(/^## .+\?$/gm)];
    expect(commands.length).toBeGreaterThanOrEqual(questions.length);
    expect(commandsOf(ofIncidents).length).toBeGreaterThan(0);
  });

  it.each([...commands, ...commandsOf(ofIncidents)])(
    'token-broker %s gives an answer',
    async (line) => {
      const words = line.split(' ').map((word) => places[word] ?? word);
      const add = groups[words[0] as keyof typeof groups];
      const { code, out, err } = await runCommandLine(add, words);
      const isAnswer = words[0] === 'audit' ? code === 0 : code === 2;
      expect({ isAnswer, err }).toEqual({ isAnswer: true, err: '' });
      expect(out.split('\n').length).toBeGreaterThan(2);
    },
  );

  it.each(watches)('token-broker %s is a command that there is', (line) => {
    const program = new Command().exitOverride();
    addCloudTrailCommands(program, processEdge());
    let given = {};
    for (const command of program.commands.flatMap((group) => group.commands))
      command.action((options) => {
        given = options;
      });
    program.parse(line.split(' '), { from: 'user' });
    expect(given).toMatchObject({
      trail: ['s3://org-trail/AWSLogs/'],
      queue: expect.stringMatching(/^https:/),
    });
  });
});
