/** `token-broker doctor`: what is wrong between the broker and an account, read only, with the credentials of whoever runs it. */

import { InvalidArgumentError, Option } from 'commander';
import { TokenBrokerError } from '../../client/broker-client.ts';
import { readTokenFile } from '../../client/token-file.ts';
import type { Config } from '../../config/schema.ts';
import { roleArnPattern } from '../../core/aws-names.ts';
import { BrokerError } from '../../core/errors.ts';
import type { RoleMapping } from '../../core/policy/role-mapping.ts';
import { AccountReader } from '../../doctor/account/account-reader.ts';
import { type CheckedFinding, examine } from '../../doctor/examine.ts';
import { readSampleToken, type SampleToken } from '../../doctor/sample-token.ts';
import { isSecureUrl } from '../../kit/net/secure-url.ts';
import { systemClock } from '../../kit/timing/clock.ts';
import type { AddCommand, Edge } from '../edge.ts';
import { findingsReport } from '../findings-report.ts';
import { type MappingSource, mappingsFrom } from '../mapping-sources.ts';
import { exitCodes, refuse } from '../output.ts';
import { type OutputFormat, outputFormats } from '../output-format.ts';
import { withConfig } from '../read-config.ts';
import { trustSources } from '../trust-sources.ts';

interface DoctorArguments {
  readonly config: string;
  readonly role: readonly string[];
  readonly mappings?: string;
  readonly tokenFile?: string;
  readonly try?: boolean;
  readonly brokerRole?: string;
  readonly sourceVpce?: string;
  readonly iamEndpoint?: string;
  readonly cognitoEndpoint?: string;
  readonly output: OutputFormat;
}

export const addDoctorCommand: AddCommand = (program, edge) => {
  program
    .command('doctor')
    .description('say what is wrong between the broker and an account, and what mends it')
    .requiredOption('--config <file>', 'configuration file (YAML)')
    .option('--role <arn...>', 'roles to look at; default: every role that a mapping allows', [])
    .option('--mappings <dir>', 'folder with the role mappings; default: the table')
    .option('--token-file <file>', 'file with a token of a caller, to be judged; it is not printed')
    .option('--try', 'also make one real exchange of that token for each role')
    .option('--broker-role <arn>', 'role of the broker itself, to look at what it may do')
    .option('--source-vpce <id>', "VPC endpoint that callers' own tokens come through")
    .option('--iam-endpoint <url>', 'IAM endpoint, where it is not that of AWS', secureUrl)
    .option(
      '--cognito-endpoint <url>',
      'endpoint of user pools, where it is not that of AWS',
      secureUrl,
    )
    .addOption(
      new Option('-o, --output <format>', 'how the result is printed')
        .choices(outputFormats)
        .default('table'),
    )
    .addHelpText('after', help)
    .action((options: DoctorArguments) =>
      withConfig(options.config, edge, (config) => doctor(options, config, edge)),
    );
};

/** Signed requests go there. */
function secureUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && isSecureUrl(url) && !/[?#@]/.test(text)) return text;
  throw new InvalidArgumentError('Use an https URL, or http to this machine.');
}

const help = `
Examples:
  token-broker doctor --config config.yaml
  token-broker doctor --config config.yaml --role arn:aws:iam::123456789012:role/broker/orders-writer
  token-broker doctor --config config.yaml --mappings mappings/ --token-file token.jwt --try
  token-broker doctor --config config.yaml --broker-role arn:aws:iam::123456789012:role/token-broker -o json

It only reads, but for --try, with your AWS credentials (AWS_PROFILE and the like), and never with the broker's.
What it needs to see and what each check means: docs/diagnosis.md.
Exit codes: 0 every check passes, 1 one fails, 2 none fails and one is unknown, or wrong usage, 78 invalid configuration.`;

/** Nothing has failed, and something was not looked at. */
const unknown = 2;

/** Exit code: 0 every check passes, 1 one fails, 2 none fails and one is unknown, or wrong usage. */
async function doctor(args: DoctorArguments, config: Config, edge: Edge): Promise<number> {
  const { output, terminal } = edge;
  const { role: roles, try: tries = false, brokerRole } = args;
  const clock = systemClock;
  const usage = (why: string) => refuse(output, why, exitCodes.usage);
  const arns = [...roles, ...(brokerRole === undefined ? [] : [brokerRole])];
  const odd = arns.find((arn) => !roleArnPattern.test(arn));
  if (odd !== undefined) return usage(`${odd} is not the ARN of one IAM role.`);
  if (tries && args.tokenFile === undefined) {
    return usage('--try shows STS a token: name a file with one by --token-file.');
  }
  const token = await sampleOf(args.tokenFile);
  if (typeof token === 'string') return usage(token);
  const mappings = await mappingsOf({ config, mappings: args.mappings, output, terminal });
  if (mappings === undefined) return unknown;
  const account = new AccountReader({ clock, ...placesOf(config, args) });
  try {
    const findings = await examine(
      {
        ...{ config, mappings, roles, token, tries, brokerRole, account, clock },
        sources: trustSources(config, args.sourceVpce),
      },
      (check) => terminal.showProgress(`Looking at ${check} …`),
    );
    terminal.showProgress('');
    output.out(findingsReport(findings, { format: args.output, terminal }));
    return exitCodeOf(findings);
  } finally {
    terminal.showProgress('');
    account.stop();
  }
}

/** A text says what is wrong with the file; never what is in it. */
async function sampleOf(file: string | undefined): Promise<SampleToken | undefined | string> {
  if (file === undefined) return undefined;
  try {
    return readSampleToken(await readTokenFile(file)) ?? `${file} must hold one JWT.`;
  } catch (error) {
    if (!(error instanceof TokenBrokerError)) throw error;
    return error.message;
  }
}

/** Undefined after it was said why there are none. */
async function mappingsOf(source: MappingSource): Promise<readonly RoleMapping[] | undefined> {
  try {
    return await mappingsFrom(source);
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    refuse(
      source.output,
      `The role mappings cannot be read: ${error.message} Name a folder with them by --mappings, or use credentials that may dynamodb:Query and dynamodb:Scan the table.`,
    );
    return undefined;
  }
}

function placesOf({ policy, sts }: Config, { iamEndpoint, cognitoEndpoint }: DoctorArguments) {
  const { region } = policy;
  const [first = { region }] = sts.endpoints;
  return {
    iam: { region, endpoint: iamEndpoint },
    cognito: (ofPool: string) => ({ region: ofPool, endpoint: cognitoEndpoint }),
    sts: first,
    dynamodb: { region, endpoint: policy.endpoint },
  };
}

function exitCodeOf(findings: readonly CheckedFinding[]): number {
  if (findings.some(({ status }) => status === 'fail')) return exitCodes.failed;
  return findings.some(({ status }) => status === 'unknown') ? unknown : exitCodes.ok;
}
