/** Every example of every `--help`, in one world: a local stack, its files, and two administrators who are signed in. */

import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { main, runCommand } from '../support/command.ts';
import { type LocalStackProcess, startLocalStackProcess } from '../support/local-stack.ts';
import { runSignedIn } from '../support/signed-in-shell.ts';

/** Exit code, or why the example cannot be run as it stands. */
type Outcome = number | string;

const asksAtATerminal =
  'asks at a terminal; admin-commands.test.ts and admin-proposals.test.ts answer';
const keptElsewhere = 'needs what somebody kept elsewhere; test/audit has both';
const inS3 = 'reads from S3; test/cloudtrail has a server for it';
const usualPort =
  'asks the port that a broker has by default, which another may have here; the next one names it';
const needsIam = 'asks IAM, which the local stack has none of; test/doctor has tests with one';
const needsKey = 'needs a key that signs web identity tokens; test/web-identity has them';
const needsTrail = 'needs files of CloudTrail; test/cloudtrail/check.test.ts has them';
const goesOn = 'goes on until it is told to stop; tests with processes of their own do that';

/** In the order in which they are run: the later ones build on the earlier. */
const outcomes: Readonly<Record<string, Outcome>> = {
  'token-broker serve --config /etc/token-broker/config.yaml': goesOn,
  'token-broker healthcheck': usualPort,
  'token-broker healthcheck --url http://127.0.0.1:9090/readyz': 0,
  'token-broker config check --config config.yaml': 0,
  'token-broker config check --config config.yaml --file-only --json': 0,
  'token-broker config schema > schemas/config.v1.json': 0,
  'token-broker table create --config config.yaml': 0,
  'token-broker mappings validate mappings/': 0,
  'token-broker mappings validate . --json': 0,
  'token-broker mappings test mappings/': 0,
  'token-broker mappings plan mappings/ --config config.yaml': 0,
  'token-broker mappings plan mappings/ --config config.yaml --owner payments --prune --out plan.json': 0,
  'token-broker mappings apply mappings/ --config config.yaml --reason "ORD-12: new service"':
    asksAtATerminal,
  'token-broker mappings apply --plan plan.json --config config.yaml --reason "ORD-12" --yes': 0,
  'token-broker table anchor --config config.yaml --unsealed': 0,
  // Nothing of that table is sealed.
  'token-broker table anchor --config config.yaml': 1,
  'token-broker mappings export --config config.yaml --directory mappings': 0,
  'token-broker mappings export --config config.yaml --update mappings/': 0,
  'token-broker mappings schema role-mapping > mappings/schemas/role-mapping.v1.json': 0,
  'token-broker mappings list': 0,
  'token-broker mappings list --owner orders-team --effect allow -o json': 0,
  'token-broker mappings get orders-writer': 0,
  'token-broker mappings get orders-writer --version 1 -o json': 0,
  'token-broker mappings history orders-writer': 0,
  'token-broker mappings diff orders-writer': 0,
  'token-broker mappings diff orders-writer --from 1 --to 2': 0,
  'token-broker mappings diff main/mappings/ mappings/': 0,
  'token-broker mappings diff main/mappings/ mappings/ --config config.yaml --markdown': 0,
  "token-broker mappings edit orders-writer --reason 'ORD-12: longer sessions'": asksAtATerminal,
  "token-broker mappings edit orders-writer --file orders-writer.yaml --reason 'ORD-12' --dry-run": 0,
  "token-broker mappings edit orders-writer --for 1d --reason 'ORD-13: for the migration' --dry-run": 0,
  "token-broker mappings undo orders-writer --reason 'INC-1234: too wide' --yes": 0,
  "token-broker mappings undo orders-writer --to 1 --reason 'INC-1234' --dry-run": 0,
  'token-broker mappings who-can arn:aws:iam::123456789012:role/broker/orders-writer': 0,
  'token-broker mappings what-can --pool us-east-1_Local0001 --client 1orders0example0client0id0': 0,
  'token-broker mappings what-can --pool us-east-1_Local0001 --group broker-admins --group reports-team': 0,
  'token-broker proposals list --state open': 0,
  'token-broker proposals list --state applied -o json': 0,
  'token-broker proposals show 019c1d5e7a00-0123456789abcdef': 0,
  'token-broker proposals show 019c1d5e7a00-0123456789abcdef -o yaml': 0,
  "token-broker proposals approve 019c1d5e7a00-0123456789abcdef --reason 'ORD-12: read and agreed'":
    asksAtATerminal,
  "token-broker proposals approve 019c1d5e7a00-0123456789abcdef --yes --hash 5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9 --reason 'ORD-12'": 0,
  "token-broker proposals reject 019c1d5e7a00-0123456789abcdef --reason 'ORD-12: not needed'": 0,
  "token-broker proposals withdraw 019c1d5e7a00-0123456789abcdef --reason 'ORD-12: not needed'": 0,
  'token-broker login --admin-url https://broker-admin.example.com': 0,
  'token-broker login --admin-url https://broker-admin.example.com --token-endpoint https://example.auth.us-east-1.amazoncognito.com/oauth2/token --client-id 5admin0exampleclientid --client-secret-file /run/secrets/admin': 0,
  'token-broker logout': 0,
  'token-broker trust-policy --config config.yaml --role arn:aws:iam::123456789012:role/broker/orders-writer': 0,
  'token-broker trust-policy --config config.yaml --role arn:aws:iam::123456789012:role/broker/orders-writer --mappings mappings/ --format terraform': 0,
  'token-broker trust-policy --config config.yaml --organization': 0,
  'token-broker web-identity render documents/ --config config.yaml': needsKey,
  'token-broker web-identity check --config config.yaml': needsKey,
  'token-broker doctor --config config.yaml': needsIam,
  'token-broker doctor --config config.yaml --role arn:aws:iam::123456789012:role/broker/orders-writer':
    needsIam,
  'token-broker doctor --config config.yaml --mappings mappings/ --token-file token.jwt --try':
    needsIam,
  'token-broker doctor --config config.yaml --broker-role arn:aws:iam::123456789012:role/token-broker -o json':
    needsIam,
  'token-broker explain --token-file orders.jwt --role orders-writer': 0,
  'token-broker explain --pool us-east-1_Local0001 --client 2reports0example0client0id --role reports-reader': 1,
  'token-broker explain --pool us-east-1_Local0001 --group reports-team --role reports-reader': 1,
  'token-broker explain --request-id 3f1c2a9e-0b7d-4f6e-9c55-5d0a8f1b2c3d': 1,
  'token-broker credential-process --broker https://broker.example.com --role orders-writer --token-file /run/orders/jwt': 0,
  'token-broker agent --broker https://broker.example.com --role orders-writer --port 9911 --token-endpoint https://example.auth.us-east-1.amazoncognito.com/oauth2/token --client-id 4abc0exampleclientid --client-secret-file /etc/orders/client-secret --authorization-file /run/orders/authorization':
    goesOn,
  'source <(token-broker completion bash)': 0,
  'source <(token-broker completion zsh)':
    'needs that shell, which is not everywhere; completion.test.ts reads what is printed',
  'token-broker completion fish | source':
    'needs that shell, which is not everywhere; completion.test.ts reads what is printed',
  'token-broker audit verify --directory /var/log/token-broker': 0,
  'token-broker audit verify --directory /var/log/token-broker --expect-head 9f86d081…':
    keptElsewhere,
  'token-broker audit verify --directory /var/log/token-broker --checkpoint kept-elsewhere/ --key audit-key.pem':
    keptElsewhere,
  'token-broker audit verify --directory archive/ --first-seq 41022': keptElsewhere,
  'token-broker audit verify --directory collected.log --collected': 0,
  'token-broker audit find --directory /var/log/token-broker --access-key-id ASIAEXAMPLE': 1,
  'token-broker audit find --directory /mnt/audit --user 5f2c9d0e-0000-4000-8000-0123456789ab --last 7d': 1,
  'token-broker audit find --directory /mnt/audit archive/ --type mapping_change --since 2026-01-01 --until 2026-03-31': 1,
  'token-broker audit export --directory /mnt/audit --format ocsf --last 24h': 0,
  'token-broker audit export --directory /mnt/audit --format csv --outcome issued --since 2026-01-01 > issued.csv': 0,
  'token-broker review --unused 90d --audit /mnt/audit --mappings mappings/': 1,
  'token-broker review --unused 90d --audit /mnt/audit archive/ --mappings mappings/ --write unused/': 1,
  "token-broker review --unused 90d --audit /mnt/audit --mappings mappings/ --propose --reason 'access review 2026-Q1'": 1,
  'token-broker review --unused 90d --audit /mnt/audit --mappings mappings/ --trail AWSLogs/':
    needsTrail,
  'token-broker cloudtrail check --audit /mnt/audit --trail AWSLogs/': needsTrail,
  'token-broker cloudtrail check --audit /mnt/audit archive/ --trail AWSLogs/ --unused': needsTrail,
  'token-broker cloudtrail check --audit s3://audit-copies/logs/ --trail s3://org-trail/AWSLogs/ --region eu-central-1':
    inS3,
  'token-broker cloudtrail watch --audit /mnt/audit --trail /mnt/AWSLogs --state /var/lib/token-broker/trail.json':
    goesOn,
  'token-broker cloudtrail watch --audit /mnt/audit --trail s3://org-trail/AWSLogs/ --region eu-central-1 --state trail.json --host 0.0.0.0':
    goesOn,
  'token-broker cloudtrail watch --audit /mnt/audit --trail s3://org-trail/AWSLogs/ --region eu-central-1 --queue https://sqs.eu-central-1.amazonaws.com/123456789012/trail --state trail.json':
    goesOn,
  // Lifting the last one waits for a second administrator: what comes behind it would find everything denied.
  "token-broker freeze --pool us-east-1_Local0001 --client 1orders0example0client0id0 --reason 'INC-1234: secret leaked' --dry-run": 0,
  "token-broker freeze --pool us-east-1_Local0001 --client 1orders0example0client0id0 --reason 'INC-1234: secret leaked' --yes": 0,
  "token-broker unfreeze freeze-372a0784e6d9bf5cdf2bd22d --reason 'INC-1234: secret rotated' --yes": 3,
  'token-broker freezes': 0,
  'token-broker freezes -o yaml': 0,
};

const root = mkdtempSync(join(tmpdir(), 'token-broker-examples-'));
const world = join(root, 'world');
const minutesMs = 60_000;
let stack: LocalStackProcess;
let env: Readonly<Record<string, string>>;
let variables: Readonly<Record<string, string>>;
/** What examples name, and what has that name here. */
let names: readonly (readonly [written: string, here: string])[];

const sh = (script: string, people: readonly string[] = []) =>
  runSignedIn(`eval "$(cat "$LOCAL_ENV")"\ntoken-broker() { node "$MAIN" "$@"; }\n${script}`, {
    cwd: world,
    env,
    people,
    timeoutMs: 5 * minutesMs,
  });

const prepared = `
export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local
TOKEN_BROKER_SESSION_FILE=$PWD/bob/session.json token-broker login
TOKEN_BROKER_SESSION_FILE=$PWD/alice/session.json token-broker login
export TOKEN_BROKER_SESSION_FILE=$PWD/alice/session.json
cp "$CONFIG" config.yaml
token-broker mappings apply mappings --config config.yaml --signed-in --yes --reason 'a world to play with' --audit-directory applied
mkdir main && cp -r mappings main/
token-broker mappings get orders-writer -o json > /dev/null
cat > orders-writer.yaml <<'YAML'
id: orders-writer
description: from a file
principal: { pool: us-east-1_Local0001, client: 1orders0example0client0id0 }
effect: allow
role: arn:aws:iam::123456789012:role/broker/orders-writer
conditions: { caller: machine, scopes: [orders/write] }
owner: orders-team
YAML
token-broker mappings edit orders-writer --file orders-writer.yaml --reason 'a second version' --yes
for days in 1 2 3; do
  token-broker mappings edit reports-archiver --for "\${days}d" --reason "days $days" --yes || test $? -eq 3
done
token-broker proposals list --state open -o yaml > proposals.yaml
token-broker mappings schema role-mapping > /dev/null
`;

beforeAll(async () => {
  stack = await startLocalStackProcess(root);
  mkdirSync(join(world, 'mappings', 'schemas'), { recursive: true });
  mkdirSync(join(world, 'schemas'));
  mkdirSync(join(world, 'fresh'));
  const mapping = `id: payments-writer
principal: { pool: us-east-1_Local0001, client: 3stranger0example0client0i }
effect: allow
role: arn:aws:iam::123456789012:role/broker/payments-writer
conditions: { caller: machine, scopes: [orders/write] }
owner: payments
`;
  writeFileSync(join(world, 'mappings', 'payments-writer.yaml'), mapping);
  writeFileSync(
    join(world, 'mappings', 'payments.test.yaml'),
    'tests: [{ name: no, caller: { pool: us-east-1_Local0001, client: x }, expect: { decision: deny } }]',
  );
  env = { MAIN: main, LOCAL_ENV: stack.environment, HOME: root, TMPDIR: root };
  variables = Object.fromEntries(
    [...readFileSync(stack.environment, 'utf8').matchAll(/^export (\w+)='(.*)'$/gm)].map(
      ([, name = '', value = '']) => [name, value],
    ),
  );
  const { TOKEN_ENDPOINT = '', CONFIG = '' } = variables;
  const authorization = `Basic ${btoa(`${variables['ORDERS_CLIENT_ID']}:${variables['ORDERS_CLIENT_SECRET']}`)}`;
  const answer = await fetch(TOKEN_ENDPOINT, {
    method: 'POST',
    headers: { authorization },
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
  });
  const { access_token: token } = (await answer.json()) as { readonly access_token: string };
  writeFileSync(join(world, 'orders.jwt'), token);
  writeFileSync(join(world, 'admin.secret'), variables['ADMIN_CLIENT_SECRET'] ?? '', {
    mode: 0o600,
  });
  writeFileSync(join(world, 'trail.json'), '');
  const ready = await sh(prepared, ['bob', 'alice']);
  expect([ready.code, ready.err]).toEqual([0, expect.any(String)]);
  const audit = join(dirname(CONFIG), 'audit');
  cpSync(audit, join(world, 'archive'), { recursive: true });
  cpSync(join(audit, 'audit.jsonl'), join(world, 'collected.log'));
  mkdirSync(join(world, 'AWSLogs'));
  const proposals = [
    ...readFileSync(join(world, 'proposals.yaml'), 'utf8').matchAll(
      /^ {2}- id: (\S+)[\s\S]*?sha256: (\S+)/gm,
    ),
  ];
  const [[, first = '', hash = ''] = [], [, second = ''] = [], [, third = ''] = []] = proposals;
  names = [
    ['proposals reject 019c1d5e7a00-0123456789abcdef', `proposals reject ${second}`],
    ['proposals withdraw 019c1d5e7a00-0123456789abcdef', `proposals withdraw ${third}`],
    ['019c1d5e7a00-0123456789abcdef', first],
    ['5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9', hash],
    ['/etc/token-broker/config.yaml', CONFIG],
    ['/var/log/token-broker', audit],
    ['/mnt/audit', audit],
    ['/run/orders/jwt', 'orders.jwt'],
    ['/run/secrets/admin', 'admin.secret'],
    ['https://broker-admin.example.com', variables['ADMIN_URL'] ?? ''],
    ['https://broker.example.com', variables['BROKER'] ?? ''],
    ['https://example.auth.us-east-1.amazoncognito.com/oauth2/token', TOKEN_ENDPOINT],
    ['5admin0exampleclientid', variables['ADMIN_CLIENT_ID'] ?? ''],
    ['http://127.0.0.1:9090', variables['OPS'] ?? ''],
    ['--directory mappings', '--directory fresh'],
    ['validate . --json', 'validate mappings --json'],
    [
      'role/broker/orders-writer --mappings mappings/',
      'role/broker/payments-writer --mappings mappings/',
    ],
  ];
}, 5 * minutesMs);

afterAll(async () => {
  await stack.stop();
  rmSync(root, { recursive: true, force: true });
});

/** Of a command and of all below it. */
async function examplesOf(path: readonly string[]): Promise<readonly string[]> {
  const { out } = await runCommand([...path, '--help']);
  const [, listed = ''] = /\nCommands:\n([\s\S]*?)(?:\n\n|$)/.exec(out) ?? [];
  const below = [...listed.matchAll(/^ {2}([a-z][a-z-]*)/gm)]
    .map(([, name = '']) => name)
    .filter((name) => name !== 'help');
  if (below.length > 0) {
    const found: (readonly string[])[] = [];
    for (const name of below) found.push(await examplesOf([...path, name]));
    return found.flat();
  }
  const [, text = ''] = /\nExamples:\n((?: {2}.*\n)+)/.exec(out) ?? [];
  const lines = text.replaceAll(/ \\\n +/g, ' ').split('\n');
  const examples = lines.map((line) => line.trim()).filter((line) => line.includes('token-broker'));
  return examples.length > 0 ? examples : [`${path.join(' ')} --help has no example`];
}

describe('the examples of --help', () => {
  it(
    'are all in the table, and no others',
    async () => {
      const examples = await examplesOf([]);
      expect(new Set(examples)).toEqual(new Set(Object.keys(outcomes)));
    },
    5 * minutesMs,
  );

  const runnable = Object.entries(outcomes).filter(([, outcome]) => typeof outcome === 'number');

  it.each(runnable)(
    'do what they say: %s',
    async (example, outcome) => {
      const here = names.reduce((text, [written, name]) => text.replaceAll(written, name), example);
      const who = /token-broker log(?:in|out)/.test(example)
        ? 'somebody'
        : /proposals (?:approve|reject)/.test(example)
          ? 'bob'
          : 'alice';
      const { code, err } = await sh(
        `export TOKEN_BROKER_SESSION_FILE=$PWD/${who}/session.json AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local\n${here}`,
        ['alice'],
      );
      expect([code, err]).toEqual([outcome, expect.any(String)]);
    },
    minutesMs,
  );

  it('have a reason where they cannot be run', () => {
    for (const outcome of Object.values(outcomes)) {
      expect(typeof outcome === 'number' || outcome.length > 20).toBe(true);
    }
  });
});
