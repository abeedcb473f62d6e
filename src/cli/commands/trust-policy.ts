/** The command line of `token-broker trust-policy`. */

import { Option } from 'commander';
import { readConfig } from '../config-check.ts';
import { exitCodes } from '../output.ts';
import { type PolicyFormat, policyFormats } from '../policy-text.ts';
import { trustPolicyCommand } from '../trust-policy.ts';
import type { AddCommand } from './edge.ts';

interface TrustPolicyArguments {
  readonly config: string;
  readonly role?: string;
  readonly organization?: boolean;
  readonly mappings?: string;
  readonly format: PolicyFormat;
  readonly sourceVpce?: string;
}

export const addTrustPolicyCommand: AddCommand = (program, edge) => {
  const { configSource, output, terminal, finish } = edge;
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
    .action(async ({ config: file, organization, role, ...options }: TrustPolicyArguments) => {
      if ((role === undefined) !== (organization === true)) {
        output.err('Name a role with --role, or ask for --organization.\n');
        return finish(exitCodes.usage);
      }
      const config = readConfig(configSource(file), output);
      if (config === undefined) return finish(exitCodes.config);
      const { mappings, format, sourceVpce } = options;
      const asked = { config, role, mappings, format, sourceVpce, output, terminal };
      finish(await trustPolicyCommand(asked));
    });
};
