import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type BrokerFixture, startBrokerFixture } from '../support/broker-fixture.ts';
import { codeBlocks, readDocument, tableRows } from '../support/markdown.ts';
import { clients } from '../support/outside-world.ts';

interface Denial {
  readonly says: string;
  readonly reason: boolean;
  readonly requests?: number;
}

const root = fileURLToPath(new URL('../..', import.meta.url));
const inRepository = (path: string) => readFileSync(join(root, path), 'utf8');
const conformance = (path: string) => inRepository(`conformance/sdks/${path}`);
const { denials } = (await import(join(root, 'conformance/sdks/denials.js'))) as {
  readonly denials: Readonly<Record<string, Readonly<Record<string, Denial>>>>;
};

const document = readDocument('clients.md');
const [stsSettings = '', containerSettings = ''] = codeBlocks(document, 'sh');
const [javaScript = ''] = codeBlocks(document, 'js');

describe('docs/clients.md', () => {
  it('tells to set variables with which the SDKs were run', () => {
    const run = conformance('ways.js') + conformance('check.js');
    const named = codeBlocks(document, 'sh').flatMap((block) => block.match(/AWS_[A-Z_]+/g) ?? []);
    expect(named.length).toBeGreaterThan(5);
    expect(named.filter((name) => !run.includes(name))).toEqual([]);
  });

  it.each([
    ['js', 'javascript/whoami.js'],
    ['python', 'python/whoami.py'],
    ['go', 'go/main.go'],
    ['java', 'java/src/main/java/com/example/WhoAmI.java'],
  ])('shows in %s what was run, in under ten lines with what is to be set', (language, program) => {
    const [example = ''] = codeBlocks(document, language);
    expect(conformance(program)).toContain(example);
    for (const settings of [stsSettings, containerSettings]) {
      const lines = `${settings}${example}`.split('\n').filter((line) => line.trim() !== '');
      expect(lines.length).toBeLessThan(10);
    }
  });

  it('lists the versions that are pinned', () => {
    const first = (text: string, pattern: RegExp) => pattern.exec(text)?.[1];
    const pins = conformance('python/requirements.txt');
    const older = first(conformance('python-older/requirements.txt'), /^boto3==(.+)$/m);
    expect(document).toContain(`a boto3 of 2023 (${older})`);
    const { dependencies } = JSON.parse(inRepository('package.json')) as {
      readonly dependencies: Readonly<Record<string, string>>;
    };
    const header =
      '| SDK | version | on | STS protocol | container credentials | `credential_process` | agent |';
    const versions = tableRows(document, header).map(([sdk = '', version]) => [
      /`(.+)`/.exec(sdk)?.[1],
      version,
    ]);
    expect(Object.fromEntries(versions)).toEqual({
      '@aws-sdk/client-sts': dependencies['@aws-sdk/client-sts'],
      boto3: first(pins, /^boto3==(.+)$/m),
      awscli: first(pins, /^awscli==(.+)$/m),
      config: first(conformance('go/go.mod'), /aws-sdk-go-v2\/config v(\S+)/),
      'aws-sdk-sts': first(conformance('rust/Cargo.toml'), /aws-sdk-sts = .*"=([^"]+)"/),
      'software.amazon.awssdk:sts': first(conformance('java/pom.xml'), /<version>(2\.[^<]+)</),
    });
  });

  it('says of each denial what is checked', () => {
    const names: Readonly<Record<string, string>> = {
      JavaScript: 'javascript',
      Python: 'python',
      'boto3 1.26': 'python-older',
      'AWS CLI': 'aws-cli',
      Go: 'go',
      Java: 'java',
      Rust: 'rust',
      'STS protocol': 'sts',
      'container credentials': 'container',
      'container credentials by value': 'container-token',
      credential_process: 'credential-process',
      agent: 'agent',
      'agent by value': 'agent-token',
    };
    const header = '| SDK | way | text | requests | has the reason |';
    const listed = tableRows(document, header).map((cells) =>
      cells.map((cell) => cell.replaceAll('`', '')),
    );
    const checked = Object.entries(denials).flatMap(([sdk, ways]) =>
      Object.entries(ways).map(([way, { says, requests = '—', reason }]) =>
        [sdk, way, says, requests, reason ? 'yes' : 'no'].join(' | '),
      ),
    );
    expect(
      listed.map(([sdk = '', way = '', ...rest]) => [names[sdk], names[way], ...rest].join(' | ')),
    ).toEqual(checked);
  });
});

describe('the example in JavaScript', () => {
  let broker: BrokerFixture;
  beforeAll(async () => {
    broker = await startBrokerFixture();
  });
  afterAll(() => broker.stop());

  /** What the page says to set, with this broker for the one on the page and files here for those there. */
  function settings(block: string): Readonly<Record<string, string>> {
    const here = block
      .replaceAll('https://broker.example.com', broker.urls.api)
      .replaceAll('/run/orders/', `${broker.directory}/`);
    return Object.fromEntries(
      [...here.matchAll(/(AWS_[A-Z_]+)=(\S+)/g)].map(([, name = '', value = '']) => [name, value]),
    );
  }

  it.each([
    ['the STS protocol', stsSettings],
    ['container credentials', containerSettings],
  ])('prints its identity by %s, as the page has it', async (_way, block) => {
    writeFileSync(join(broker.directory, 'jwt'), broker.token('orders'));
    writeFileSync(join(broker.directory, 'authorization'), `Bearer ${broker.token('orders')}`);
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--input-type=module', '--eval', javaScript],
      {
        cwd: root,
        env: {
          HOME: broker.directory,
          AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
          // In the place of AWS, unless the page has another.
          AWS_ENDPOINT_URL_STS: broker.sts.url,
          ...settings(block),
        },
      },
    );
    expect(stdout.trim()).toBe(
      `arn:aws:sts::123456789012:assumed-role/orders-writer/${clients.orders.clientId}`,
    );
  });
});
