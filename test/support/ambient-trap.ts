/** An environment and shared AWS files that send every SDK client to a server of their own, which counts who came. */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface AmbientTrap {
  readonly env: Readonly<Record<string, string>>;
  /** Options of Node under which a process writes down the names that it looks up; none is found. */
  readonly nodeOptions: readonly string[];
  /** Connections so far. */
  readonly visits: number;
  /** Names that were looked up, each once, in order. */
  lookedUp(): readonly string[];
  stop(): Promise<void>;
}

const preload = fileURLToPath(new URL('./lookups.js', import.meta.url));

/** `directory` keeps its files. */
export async function startAmbientTrap(directory: string): Promise<AmbientTrap> {
  let visits = 0;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    visits += 1;
    sockets.add(socket);
    socket
      .on('error', () => undefined)
      .end('HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const lookups = join(directory, 'lookups');
  const config = join(directory, 'aws-config');
  const credentials = join(directory, 'aws-credentials');
  writeFileSync(config, sharedConfig(url));
  writeFileSync(credentials, `[default]\nendpoint_url = ${url}\n`);
  return {
    env: {
      ...variables(url),
      AWS_CONFIG_FILE: config,
      AWS_SHARED_CREDENTIALS_FILE: credentials,
      LOOKUPS_FILE: lookups,
    },
    nodeOptions: ['--import', preload],
    get visits() {
      return visits;
    },
    lookedUp: () => [
      ...new Set(existsSync(lookups) ? readFileSync(lookups, 'utf8').trim().split('\n') : []),
    ],
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function variables(url: string): Record<string, string> {
  const services = ['DYNAMODB', 'STS', 'SSO', 'SSO_OIDC', 'SIGNIN', 'KMS', 'S3'];
  return {
    ...Object.fromEntries(services.map((name) => [`AWS_ENDPOINT_URL_${name}`, url])),
    AWS_ENDPOINT_URL: url,
    AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'false',
    AWS_REGION: 'xx-nowhere-1',
    AWS_DEFAULT_REGION: 'xx-nowhere-1',
    AWS_USE_FIPS_ENDPOINT: 'true',
    AWS_USE_DUALSTACK_ENDPOINT: 'true',
    AWS_ENABLE_ENDPOINT_DISCOVERY: 'true',
    AWS_ACCOUNT_ID: '999999999999',
    AWS_ACCOUNT_ID_ENDPOINT_MODE: 'required',
    AWS_STS_REGIONAL_ENDPOINTS: 'legacy',
    AWS_DEFAULTS_MODE: 'auto',
    AWS_RETRY_MODE: 'adaptive',
    AWS_MAX_ATTEMPTS: '9',
    AWS_AUTH_SCHEME_PREFERENCE: 'noAuth,sigv4a',
    AWS_SIGV4A_SIGNING_REGION_SET: '*',
    AWS_SDK_UA_APP_ID: 'hostile',
    AWS_EC2_METADATA_DISABLED: 'true',
    HTTP_PROXY: url,
    HTTPS_PROXY: url,
    http_proxy: url,
    https_proxy: url,
    ALL_PROXY: url,
  };
}

function sharedConfig(url: string): string {
  const nested = ['dynamodb', 'sts', 'sso', 'sso_oidc', 'signin', 'kms', 's3'];
  return [
    '[default]',
    `endpoint_url = ${url}`,
    'services = everything',
    'ignore_configured_endpoint_urls = false',
    'region = xx-nowhere-1',
    'use_fips_endpoint = true',
    'use_dualstack_endpoint = true',
    'endpoint_discovery_enabled = true',
    'account_id_endpoint_mode = required',
    'sts_regional_endpoints = legacy',
    'defaults_mode = auto',
    '[profile sso]',
    'services = everything',
    'sso_start_url = https://example.awsapps.com/start',
    'sso_region = eu-west-1',
    'sso_account_id = 123456789012',
    'sso_role_name = administrator',
    '[profile assumed]',
    'services = everything',
    'role_arn = arn:aws:iam::123456789012:role/administrator',
    'source_profile = keys',
    '[profile keys]',
    'aws_access_key_id = AKIAAAAAAAAAAAAAAAAA',
    'aws_secret_access_key = secret',
    '[services everything]',
    ...nested.flatMap((service) => [`${service} =`, `  endpoint_url = ${url}`]),
    '',
  ].join('\n');
}
