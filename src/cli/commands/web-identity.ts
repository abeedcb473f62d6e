/** `token-broker web-identity …`: the two public documents of the broker as an issuer. */

import { dirname, join } from 'node:path';
import { configuredTokenIssuer } from '../../broker/configured/token-issuer.ts';
import type { Config } from '../../config/schema.ts';
import { makeFolderSync } from '../../kit/files/make-folder.ts';
import { replaceFileSync } from '../../kit/files/replace-file.ts';
import { systemClock } from '../../kit/timing/clock.ts';
import { documentsCacheControl, publicDocuments } from '../../web-identity/documents.ts';
import type { PublishedKey } from '../../web-identity/public-key.ts';
import { checkPublished } from '../../web-identity/published-documents.ts';
import { TokenKeyError } from '../../web-identity/token-issuer.ts';
import { type AddCommand, helpText } from '../edge.ts';
import { exitCodes, type Output, refuse } from '../output.ts';
import { printable } from '../printable.ts';
import { withConfig } from '../read-config.ts';

interface ConfigArgument {
  readonly config: string;
}

export const addWebIdentityCommands: AddCommand = (program, edge) => {
  const { output } = edge;
  const webIdentity = program
    .command('web-identity')
    .description('work with the public documents of the broker as an issuer that STS trusts');
  webIdentity
    .command('render <dir>')
    .description('write discovery document and key set into a folder, for a static host')
    .requiredOption('--config <file>', 'configuration file (YAML)')
    .addHelpText(
      'after',
      helpText(
        ['token-broker web-identity render documents/ --config config.yaml'],
        '0 written, 1 not written, 2 wrong usage, 78 invalid configuration',
      ),
    )
    .action((directory: string, options: ConfigArgument) =>
      withConfig(options.config, edge, (config) =>
        webIdentityRender(directory, { config, output }),
      ),
    );
  webIdentity
    .command('check')
    .description('fetch both as STS would, and compare them with the keys')
    .requiredOption('--config <file>', 'configuration file (YAML)')
    .addHelpText(
      'after',
      helpText(
        ['token-broker web-identity check --config config.yaml'],
        '0 STS would get what it needs, 1 it would not, 2 wrong usage, 78 invalid configuration',
      ),
    )
    .action((options: ConfigArgument) =>
      withConfig(options.config, edge, (config) => webIdentityCheck({ config, output })),
    );
};

export interface WebIdentityOptions {
  readonly config: Config;
  readonly output: Output;
}

/** Exit code: 0 written; 1 a key cannot be had or cannot sign, or the folder cannot be written; 2 nothing to render. */
export async function webIdentityRender(
  directory: string,
  { config, output }: WebIdentityOptions,
): Promise<number> {
  const { webIdentity } = config;
  if (webIdentity === undefined) return unconfigured(output);
  if (webIdentity.keys === undefined) {
    return refuse(
      output,
      'Without webIdentity.keys each process has a key of its own, which its listener serves.',
      exitCodes.usage,
    );
  }
  const keys = await provenKeys(config, output);
  if (keys === undefined) return exitCodes.failed;
  for (const { path, text } of publicDocuments(webIdentity.issuer, keys)) {
    const file = join(directory, path);
    makeFolderSync(dirname(file), 0o777);
    // Somebody may publish from there at any moment, and after a render that failed.
    replaceFileSync(file, text, 0o666);
    output.out(`${printable(file)}\n`);
  }
  output.err(
    `Publish them below ${webIdentity.issuer} as application/json with Cache-Control: ${documentsCacheControl}; then run web-identity check.\n`,
  );
  return exitCodes.ok;
}

/** Exit code: 0 as it should be; 1 a key cannot be had or cannot sign, or a document is wrong or cannot be had; 2 nothing to check. */
export async function webIdentityCheck({ config, output }: WebIdentityOptions): Promise<number> {
  const { webIdentity } = config;
  if (webIdentity === undefined) return unconfigured(output);
  const configured = webIdentity.keys !== undefined;
  // Whether a key that a process made for itself is the one that it serves, nobody else can say.
  const keys = configured ? await provenKeys(config, output) : undefined;
  if (configured && keys === undefined) return exitCodes.failed;
  const findings = await checkPublished({ issuer: webIdentity.issuer, keys }, systemClock);
  for (const { kind, detail } of findings) output.out(`${kind}: ${printable(detail)}\n`);
  for (const { kid } of keys ?? []) output.out(`key: ${kid}\n`);
  const bad = findings.some(({ kind }) => kind !== 'doubtful');
  if (!bad) output.out(`${webIdentity.issuer}: as STS needs it\n`);
  return bad ? exitCodes.failed : exitCodes.ok;
}

/** Undefined after what is wrong with them was printed. */
async function provenKeys(
  config: Config,
  output: Output,
): Promise<readonly PublishedKey[] | undefined> {
  const tokens = configuredTokenIssuer(config, systemClock);
  try {
    // Whoever publishes need not be able to sign: the key policy of the stack lets the broker's role alone.
    await tokens?.start(({ kid }) => {
      output.err(
        `doubtful: KMS lets these credentials not sign with ${kid}, so it was not tried. A broker tries it at its start.\n`,
      );
    });
    const names = Object.keys(config.webIdentity?.keys ?? {});
    const published = tokens?.published ?? [];
    if (published.length < names.length) {
      output.err(
        `doubtful: of ${names.join(', ')} in webIdentity.keys two are one key under other names.\n`,
      );
    }
    return published;
  } catch (error) {
    if (!(error instanceof TokenKeyError)) throw error;
    refuse(output, error.message);
    return undefined;
  } finally {
    tokens?.stop();
  }
}

function unconfigured(output: Output): number {
  const why = 'The configuration has no webIdentity: this broker issues no tokens.';
  return refuse(output, why, exitCodes.usage);
}
