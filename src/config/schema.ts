/** Every setting, with its type, default and meaning. docs/configuration.md is held against this. */

import { z } from 'zod';
import { defaultGuardrails } from '../core/guardrails.ts';
import { maxDurationSeconds, minDurationSeconds, poolIdPattern } from '../core/role-mapping.ts';

const url = z.url({ protocol: /^https?$/, error: 'must be an http or https URL' });
const plainUrl = url.refine((text) => !/[?#@]/.test(text), {
  error: 'must have no user information, query or fragment',
});
const path = z.string().min(1);
const port = z.int().min(0).max(65_535);
const poolId = z.string().regex(poolIdPattern, 'must be a user pool id or an identity pool id');
const region = z
  .string()
  .regex(/^[a-z]{2,4}(?:-[a-z]+)+-\d$/, 'must be an AWS region such as us-east-1');
const cidr = z.union([z.cidrv4(), z.cidrv6()], { error: 'must be an IPv4 or IPv6 CIDR block' });

const tls = z.strictObject({
  certFile: path.describe('PEM file with the certificate chain.'),
  keyFile: path.describe('PEM file with the private key.'),
});

function listener(defaultPort: number) {
  return z
    .strictObject({
      host: z.string().min(1).default('127.0.0.1').describe('Address to listen on.'),
      port: port.default(defaultPort).describe('TCP port; 0 takes a free one.'),
      tls: tls
        .optional()
        .describe('Serve HTTPS with this certificate; without it the listener speaks HTTP.'),
      tlsTerminatedUpstream: z
        .boolean()
        .default(false)
        .describe(
          'States that something in front terminates TLS, so that plain HTTP is meant here.',
        ),
      maxConnections: z
        .int()
        .min(1)
        .default(10_000)
        .describe('Connections beyond this number are closed at once.'),
    })
    .prefault({});
}

const userPool = z.strictObject({
  pool: poolId.describe('User pool id, as role mappings name it.'),
  issuer: plainUrl.describe(
    'Exact `iss` of its tokens. A pool has one of two forms; it is data, never derived.',
  ),
  jwksUri: plainUrl
    .optional()
    .describe('Where its keys are; default: issuer + `/.well-known/jwks.json`.'),
  clients: z
    .array(z.string().min(1).max(128))
    .min(1, 'must list at least one app client')
    .describe('App clients whose tokens are accepted.'),
  tokenUse: z
    .array(z.enum(['access', 'id']))
    .min(1)
    .default(['access'])
    .describe('Kinds of tokens that are accepted.'),
});

/** Told apart from user names and addresses, which people can change: those would never match, or match a stranger. */
const userSub = z
  .string()
  .regex(
    /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
    'must be the "sub" of a user: in Cognito a UUID in lower case, never a user name or an address',
  );

/** As they stand in `cognito:groups`, which is read in this normal form only. */
const groupName = z
  .string()
  .regex(
    /^[^\p{Cc}\p{Cs}*]{1,128}$/u,
    'must be the exact name of one group: there are no wildcards',
  )
  .refine((name) => name.normalize('NFC') === name, {
    error: 'must be in Unicode normalization form C',
  });

const identityPool = z.strictObject({
  pool: poolId.describe('Identity pool id, which its OpenID tokens carry as `aud`.'),
  issuer: plainUrl
    .default('https://cognito-identity.amazonaws.com')
    .describe('Exact `iss` of its tokens.'),
  jwksUri: plainUrl
    .optional()
    .describe('Where its keys are; default: issuer + `/.well-known/jwks_uri`.'),
  allowUnauthenticated: z
    .boolean()
    .default(false)
    .describe('Accept the tokens of guest identities.'),
});

function rate(perSecond: number, burst: number, of: string) {
  return z
    .strictObject({
      perSecond: z.number().min(1).max(1_000_000).default(perSecond).describe(`${of} per second.`),
      burst: z
        .int()
        .min(1)
        .max(1_000_000)
        .default(burst)
        .describe(`${of} at once, after a time without any.`),
    })
    .prefault({});
}

/**
 * User names can be chosen by users, the preferred one at any time (OpenID Connect Core 1.0 section 5.7), and the others are fixed
 * by the token check itself.
 */
const neverMatchable = [
  'username',
  'cognito:username',
  'preferred_username',
  'iss',
  'aud',
  'azp',
  'exp',
  'iat',
  'nbf',
  'jti',
];

/** A key that signs: one of KMS, or a file in development. */
const signingKey = {
  kms: z
    .strictObject({
      keyId: z
        .string()
        .min(1)
        .describe(
          'Id, ARN or alias of the key that signs: ECC_NIST_EDWARDS25519 or ECC_NIST_P256.',
        ),
      region: region.describe('Region of the key.'),
      endpoint: plainUrl.optional().describe('KMS endpoint, where it is not the regional one.'),
    })
    .optional(),
  keyFile: path
    .optional()
    .describe('PEM file with a private key (Ed25519 or P-256), for development.'),
};

export const configSchema = z.strictObject({
  profile: z
    .enum(['production', 'development'])
    .describe(
      '`production` refuses unsafe settings; `development` refuses to listen beyond loopback.',
    ),
  listeners: z
    .strictObject({ api: listener(8080), admin: listener(8081), ops: listener(9090) })
    .prefault({}),
  http: z
    .strictObject({
      allowedHosts: z
        .array(z.string().min(1))
        .default([])
        .describe('Host names that the api listener answers for; empty accepts any.'),
      trustedProxies: z
        .array(cidr)
        .default([])
        .describe(
          'Networks whose X-Forwarded-For header is believed: those of the proxies alone, never of callers.',
        ),
      maxBodyBytes: z
        .int()
        .min(256)
        .max(1_048_576)
        .default(16_384)
        .describe('Largest request body.'),
      drainSeconds: z
        .number()
        .min(0)
        .max(60)
        .default(5)
        .describe(
          'After SIGTERM, how long requests are still accepted while readiness already fails.',
        ),
      shutdownSeconds: z
        .number()
        .min(1)
        .max(120)
        .default(10)
        .describe('After draining, how long requests in flight may take.'),
    })
    .prefault({}),
  limits: z
    .strictObject({
      perCaller: rate(100, 1000, 'Requests of one caller'),
      failedTokensPerAddress: rate(10, 100, 'Refused tokens from one address'),
      addressBitsIpv4: z
        .int()
        .min(8)
        .max(32)
        .default(32)
        .describe(
          'Leading bits of an IPv4 address that tell apart whose refused tokens count together.',
        ),
      addressBitsIpv6: z
        .int()
        .min(32)
        .max(128)
        .default(64)
        .describe('The same of an IPv6 address; 128 inside a network in which many share a /64.'),
      maxInFlight: z
        .int()
        .min(1)
        .max(1_000_000)
        .default(10_000)
        .describe('Requests being answered at once on the api listener.'),
      maxEventLoopDelayMs: z
        .int()
        .min(10)
        .max(10_000)
        .default(200)
        .describe('Delay of the event loop beyond which some requests are refused unread.'),
    })
    .prefault({}),
  identity: z.strictObject({
    userPools: z
      .array(userPool)
      .default([])
      .describe('Cognito user pools whose tokens are accepted.'),
    identityPools: z
      .array(identityPool)
      .default([])
      .describe('Cognito identity pools whose OpenID tokens are accepted.'),
    matchableClaims: z
      .array(
        z
          .string()
          .min(1)
          .max(128)
          .refine((name) => !neverMatchable.includes(name), {
            error: 'is a claim that mappings may never match',
          }),
      )
      .default([])
      .describe('Claims, besides `sub` and `client_id`, that role mappings may use.'),
    maxTokenBytes: z.int().min(1024).max(16_384).default(8192).describe('Largest bearer token.'),
    maxTokenAgeSeconds: z
      .int()
      .min(60)
      .max(86_400)
      .default(86_400)
      .describe('Longest lifetime (`exp` minus `iat`) of a token.'),
    clockToleranceSeconds: z
      .int()
      .min(0)
      .max(60)
      .default(30)
      .describe('Tolerance for `exp`, `nbf` and `iat`.'),
    maxVerifiedTokens: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(10_000)
      .describe('Verified tokens to remember.'),
  }),
  guardrails: z
    .strictObject({
      allowedPartitions: z
        .array(z.string().regex(/^aws(?:-[a-z]+)*$/, 'must be an AWS partition such as aws-us-gov'))
        .min(1)
        .optional()
        .describe('Partitions whose roles may be mapped; default: those of the STS endpoints.'),
      allowedAccounts: z
        .array(
          z
            .string('must be an account id in quotes')
            .regex(/^\d{12}$/, 'must be the twelve digits of an account id'),
        )
        .default([])
        .describe('Accounts whose roles may be mapped; empty allows any.'),
      rolePathPrefixes: z
        .array(
          z
            .string()
            .max(512)
            .regex(/^\/(?:[\x21-\x29\x2b-\x7e]*\/)?$/, 'must begin and end with a slash'),
        )
        .default([])
        .describe(
          'Beginnings, like `/broker/`, of the paths of roles that may be mapped; empty allows any.',
        ),
      forbiddenRoleNames: z
        .array(
          z
            .string()
            .regex(/^\*?[\w+=,.@-]{1,64}\*?$/, 'must be a role name; "*" may stand at either end'),
        )
        .default([...defaultGuardrails.forbiddenRoleNames])
        .describe(
          'Names of roles that may never be mapped, in any case of letters; `*` at either end stands for anything.',
        ),
      maxSessionSeconds: z
        .int()
        .min(minDurationSeconds)
        .max(maxDurationSeconds)
        .default(defaultGuardrails.maxSessionSeconds)
        .describe('Longest session that a role mapping may allow.'),
    })
    .prefault({}),
  keys: z
    .strictObject({
      refreshSeconds: z
        .int()
        .min(30)
        .max(86_400)
        .default(300)
        .describe('How often key sets are fetched anew.'),
      maxAgeSeconds: z
        .int()
        .min(300)
        .max(86_400)
        .default(86_400)
        .describe('How long a key set is trusted while its issuer cannot be reached.'),
      cooldownSeconds: z
        .int()
        .min(1)
        .max(300)
        .default(30)
        .describe('Pause between fetches that unknown key ids cause.'),
      timeoutMs: z.int().min(100).max(10_000).default(2000).describe('Deadline of one fetch.'),
      directory: path.optional().describe('Where key sets are kept for the next start.'),
    })
    .prefault({}),
  policy: z.strictObject({
    table: z
      .string()
      .regex(/^[A-Za-z0-9_.-]{3,255}$/, 'must be a DynamoDB table name')
      .describe('DynamoDB table with the role mappings.'),
    region: region.describe('Region of the table.'),
    endpoint: plainUrl.optional().describe('DynamoDB endpoint, where it is not the regional one.'),
    pollSeconds: z
      .number()
      .min(0.1)
      .max(5)
      .default(2)
      .describe('How often the table is asked for changes.'),
    reloadSeconds: z
      .int()
      .min(10)
      .max(86_400)
      .default(600)
      .describe('How often the whole table is read again.'),
    maxAgeSeconds: z
      .int()
      .min(60)
      .max(86_400)
      .default(14_400)
      .describe('How long the last good policy serves while the table cannot be reached.'),
    emergencyFile: path
      .optional()
      .describe(
        'File on this instance whose denies count whatever else is down; its folder must be there.',
      ),
    seal: z
      .strictObject({
        publicKeyFiles: z
          .array(path)
          .min(1)
          .max(10)
          .describe('PEM files; the change log must be sealed by one of these keys.'),
        ...signingKey,
        fromRevision: z
          .int()
          .min(1)
          .default(1)
          .describe(
            'First revision that must be sealed: 1 for a new table, else the one after the newest.',
          ),
        name: z
          .string()
          .regex(/^[A-Za-z0-9_.-]{3,255}$/, 'must be a DynamoDB table name')
          .optional()
          .describe('Name of the table in its seals, where that is not its name any more.'),
        signTimeoutMs: z
          .int()
          .min(100)
          .max(10_000)
          .default(3000)
          .describe('An edit whose seal is not made by then is refused.'),
      })
      .optional(),
    snapshotFile: path
      .optional()
      .describe('Where the last good policy is kept for the next start.'),
    acceptShrink: z
      .boolean()
      .default(false)
      .describe(
        'Take the table once as the first load finds it: shrunken, put back, or written around the API.',
      ),
  }),
  sts: z.strictObject({
    endpoints: z
      .array(
        z.strictObject({
          region: region.describe('Region of the endpoint.'),
          endpoint: plainUrl.optional().describe('URL, where it is not the regional one.'),
        }),
      )
      .min(1)
      .describe('STS endpoints in the order in which they are tried.'),
    connectTimeoutMs: z
      .int()
      .min(50)
      .max(10_000)
      .default(1000)
      .describe('Deadline of one connection.'),
    requestTimeoutMs: z.int().min(50).max(10_000).default(2000).describe('Deadline of one try.'),
    totalTimeoutMs: z
      .int()
      .min(50)
      .max(30_000)
      .default(3000)
      .describe('Deadline of all tries together.'),
    maxConcurrent: z
      .int()
      .min(1)
      .max(10_000)
      .default(200)
      .describe('Exchanges in flight at once; half of them for one caller.'),
    perAccount: rate(50, 100, 'Exchanges for the roles of one account'),
  }),
  cache: z
    .strictObject({
      maxEntries: z.int().min(1).max(1_000_000).default(10_000).describe('Sessions to keep.'),
      maxEntriesPerCaller: z
        .int()
        .min(1)
        .max(1000)
        .default(16)
        .describe('Sessions to keep for one caller: roles, durations, names and policies.'),
      maxBytes: z
        .int()
        .min(65_536)
        .default(67_108_864)
        .describe('Memory for sessions, in bytes, estimated.'),
      maxBackgroundRefreshes: z
        .int()
        .min(1)
        .max(1000)
        .default(20)
        .describe('Sessions renewed ahead of time at once.'),
    })
    .prefault({}),
  audit: z.strictObject({
    directory: path
      .optional()
      .describe('Where the audit log is written; its records are synced to disk.'),
    stdout: z
      .boolean()
      .default(false)
      .describe('Write audit records to standard output, where the platform collects them.'),
    deadlineMs: z
      .int()
      .min(50)
      .max(10_000)
      .default(1000)
      .describe('A record not accepted by then refuses the request.'),
    rotateBytes: z
      .int()
      .min(65_536)
      .default(67_108_864)
      .describe('Size at which an audit file is closed and the next begun.'),
    reserveBytes: z
      .int()
      .min(0)
      .default(67_108_864)
      .describe(
        'End of the disk that is kept for administrators; a quarter of it at most. The last half is theirs alone.',
      ),
    maxQueuedRecords: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(10_000)
      .describe('Records waiting for the disk; beyond that requests are refused.'),
    checkpoints: z
      .strictObject({
        origin: z
          .string()
          .regex(
            /^[A-Za-z0-9.-]+(?:\/[A-Za-z0-9._-]+)*$/,
            'must be a name such as example.com/audit',
          )
          .max(200)
          .describe(
            'Name of the logs in their checkpoints, such as `example.com/audit`; each chain adds its id.',
          ),
        ...signingKey,
        intervalSeconds: z
          .int()
          .min(1)
          .max(3600)
          .default(60)
          .describe('How often a checkpoint is signed, while records come.'),
        everyRecords: z
          .int()
          .min(1)
          .max(1_000_000)
          .default(10_000)
          .describe('Records after which one is signed before its time.'),
        deadlineMs: z
          .int()
          .min(100)
          .max(30_000)
          .default(5000)
          .describe('A checkpoint not signed by then is given up; no request waits for it.'),
      })
      .optional(),
  }),
  admin: z
    .strictObject({
      pool: poolId.describe('User pool of the administrators; one of `identity.userPools`.'),
      clients: z
        .array(z.string().min(1))
        .min(1)
        .describe('App clients that administrators use; being one of their users is not enough.'),
      groups: z
        .array(groupName)
        .default([])
        .describe('People: groups of the pool whose members are administrators.'),
      users: z
        .array(userSub)
        .default([])
        .describe('People: users of the pool who are administrators, by their `sub`.'),
      machines: z
        .boolean()
        .default(false)
        .describe(
          'Machines: the listed app clients are administrators themselves, by the client-credentials grant.',
        ),
      maxTokenAgeSeconds: z
        .int()
        .min(60)
        .max(86_400)
        .default(3600)
        .describe('Oldest token (since `iat`) that is accepted.'),
      maxSignInAgeSeconds: z
        .int()
        .min(60)
        .max(86_400)
        .optional()
        .describe('How long ago people may have signed in (`auth_time`).'),
      requiredAmr: z
        .array(z.string().min(1).max(128))
        .default([])
        .describe('Values that the `amr` claim of people must all have, such as `mfa`.'),
      readScope: z.string().min(1).default('broker/admin.read').describe('Scope for reading.'),
      writeScope: z
        .string()
        .min(1)
        .default('broker/admin.write')
        .describe('Scope for editing, and for lifting a freeze.'),
      freezeScope: z.string().min(1).default('broker/admin.freeze').describe('Scope for freezing.'),
    })
    .optional()
    .describe('Who may use the admin listener; without it the listener is not started.'),
  log: z
    .strictObject({
      level: z
        .enum(['debug', 'info', 'warn', 'error', 'silent'])
        .default('info')
        .describe('Least severe log level written, to standard error.'),
    })
    .prefault({}),
});

export type Config = z.output<typeof configSchema>;
export type ListenerConfig = Config['listeners']['api'];
