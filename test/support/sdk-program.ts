import { fileURLToPath } from 'node:url';
import { resultOf, spawnNode } from './command.ts';

const program = `
  import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
  const aws = new STSClient({ region: 'us-east-1', endpoint: process.env.STS_ENDPOINT });
  console.log((await aws.send(new GetCallerIdentityCommand({}))).Arn);
`;

/** The ARN that a program with a stock AWS SDK has, which knows of credentials only what its environment says. */
export async function arnOfSdkProgram(
  stsEndpoint: string,
  environment: Readonly<Record<string, string>>,
): Promise<string> {
  const child = spawnNode(['--input-type=module', '-e', program], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    env: { STS_ENDPOINT: stsEndpoint, ...environment },
  });
  const { code, out, err } = await resultOf(child);
  if (code !== 0) throw new Error(`the program ended with ${code}: ${err}`);
  return out.trim();
}
