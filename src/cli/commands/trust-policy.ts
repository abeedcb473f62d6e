/** `token-broker trust-policy`: what a role must trust, so that its mappings work and nobody else gets in. */

import { Option } from 'commander';
import { roleArnPattern } from '../../core/aws-names.ts';
import { resourceControlPolicy, trustPolicy } from '../../web-identity/trust-policy.ts';
import { type AddCommand, helpText } from '../edge.ts';
import { type MappingSource, mappingsFrom } from '../mapping-sources.ts';
import { exitCodes, refuse } from '../output.ts';
import { type PolicyFormat, policyFormats, policyText } from '../policy-text.ts';
import { withConfig } from '../read-config.ts';
import { trustSources } from '../trust-sources.ts';

interface TrustPolicyArguments {
  readonly config: string;
  readonly role?: string;
  readonly organization?: boolean;
  readonly mappings?: string;
  readonly format: PolicyFormat;
  readonly sourceVpce?: string;
}

export const addTrustPolicyCommand: AddCommand = (program, edge) => {
  const { output, terminal, finish } = edge;
  program
    .command('trust-policy')
    .description('print what a role must trust, so that its mappings work and nobody else gets in')
    .requiredOption('--config <file>', 'configuration file (YAML)')
    .option('--role <arn>', 'ARN of the role')
    .addOption(
      new Option(
        '--organization',
        'the resource control policy for all accounts instead',
      ).conflicts(['role', 'mappings', 'sourceVpce']),
    )
    .option('--mappings <dir>', 'folder with the role mappings; default: the table')
    .option('--source-vpce <id>', "VPC endpoint that callers' own tokens must come through")
    .addOption(
      new Option('--format <format>', 'what the policy is printed for')
        .choices(policyFormats)
        .default('json'),
    )
    .addHelpText(
      'after',
      helpText(
        [
          'token-broker trust-policy --config config.yaml --role arn:aws:iam::123456789012:role/broker/orders-writer',
          'token-broker trust-policy --config config.yaml --role arn:aws:iam::123456789012:role/broker/orders-writer --mappings mappings/ --format terraform',
          'token-broker trust-policy --config config.yaml --organization',
        ],
        '0 printed, 1 nothing gives that role, or it cannot be known; 2 wrong usage, 78 invalid configuration',
      ),
    )
    .action(async ({ config: file, organization, role, ...options }: TrustPolicyArguments) => {
      if ((role === undefined) !== (organization === true)) {
        const why = 'Name a role with --role, or ask for --organization.';
        return finish(refuse(output, why, exitCodes.usage));
      }
      const { mappings, format, sourceVpce } = options;
      const asked = { role, mappings, format, sourceVpce, output, terminal };
      await withConfig(file, edge, (config) => trustPolicyCommand({ ...asked, config }));
    });
};

export interface TrustPolicyOptions extends MappingSource {
  /** Undefined prints the policy for the whole organization. */
  readonly role: string | undefined;
  readonly format: PolicyFormat;
  readonly sourceVpce: string | undefined;
}

/**
 * Exit code: 0 printed; 1 no mapping allows the role, or the mappings have faults; 2 wrong usage.
 *
 * @throws BrokerError `table_unavailable`
 */
export async function trustPolicyCommand(options: TrustPolicyOptions): Promise<number> {
  const { config, role, format, sourceVpce, output } = options;
  if (role === undefined) {
    const broker = config.webIdentity;
    if (broker === undefined) {
      const why =
        'The policy of an organization is for tokens of the broker: configure webIdentity.';
      return refuse(output, why, exitCodes.usage);
    }
    output.out(policyText(resourceControlPolicy(broker.issuer), format, 'Content'));
    return exitCodes.ok;
  }
  if (!roleArnPattern.test(role)) {
    return refuse(output, '--role must be the ARN of one IAM role.', exitCodes.usage);
  }
  const mappings = await mappingsFrom(options);
  if (mappings === undefined) return exitCodes.failed;
  const policy = trustPolicy(role, mappings, trustSources(config, sourceVpce));
  if (policy.Statement.length === 0) {
    return refuse(
      output,
      'No role mapping in force allows this role: there is nothing that it should trust.',
    );
  }
  output.out(policyText(policy, format));
  return exitCodes.ok;
}
