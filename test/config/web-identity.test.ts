import { describe, expect, it } from '@jest/globals';
import { configText } from '../../emulators/config-text.ts';
import { configFaultLine } from '../../src/config/fault.ts';
import { ConfigError, parseConfig } from '../../src/config/load.ts';

const kms = (keyId: string) => ({ kms: { keyId, region: 'us-east-1' } });
const good = {
  issuer: 'https://identity.example.com/broker',
  keys: { current: kms('alias/identity') },
};

/** Faults of a configuration with this section; empty if it is accepted. */
function faults(webIdentity: object, profile = 'production'): readonly string[] {
  const pool = 'us-east-1_AbCdEf123';
  const config = {
    profile,
    identity: {
      userPools: [
        { pool, issuer: `https://cognito-idp.us-east-1.amazonaws.com/${pool}`, clients: ['c'] },
      ],
    },
    policy: { table: 'role-mappings', region: 'us-east-1' },
    sts: { endpoints: [{ region: 'us-east-1' }] },
    audit: { stdout: true },
    webIdentity,
  };
  try {
    parseConfig({ path: 'config.yaml', text: configText(config) }, { env: {}, rules: [] });
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.faults.map(configFaultLine);
    throw error;
  }
}

describe('webIdentity', () => {
  it('is accepted with an issuer that IAM takes and a key of KMS', () => {
    expect(faults(good)).toEqual([]);
    expect(faults({ ...good, issuer: 'https://identity.example.com' })).toEqual([]);
    const keys = { current: kms('a'), next: kms('b'), previous: kms('c') };
    expect(faults({ ...good, keys })).toEqual([]);
  });

  it.each<[string, string, string]>([
    ['a port', 'https://identity.example.com:8443', 'no port'],
    ['the usual port', 'https://identity.example.com:443', 'written plainly'],
    ['a query', 'https://identity.example.com?x=1', 'no query'],
    ['an empty query', 'https://identity.example.com?', 'no query'],
    ['a fragment', 'https://identity.example.com#x', 'no query'],
    ['a final slash', 'https://identity.example.com/', 'not end with a slash'],
    ['a final slash after a path', 'https://identity.example.com/a/', 'not end with a slash'],
    ['user information', 'https://a@identity.example.com', 'no user information'],
    ['plain http', 'http://identity.example.com', 'https'],
    ['an upper-case host', 'https://Identity.example.com', 'written plainly'],
    ['an escape', 'https://identity.example.com/%61', 'written plainly'],
    ['dot segments', 'https://identity.example.com/a/../b', 'written plainly'],
    ['an empty segment', 'https://identity.example.com/a//b', 'written plainly'],
    ['a name for what comes there', 'https://identity.example.com/:a', 'written plainly'],
    ['a colon', 'https://identity.example.com/a:/b', 'written plainly'],
    ['a host of letters that are not ASCII', 'https://identität.example.com', 'written plainly'],
    ['no host', 'https:identity', 'written plainly'],
    ['an address', 'https://192.0.2.1', 'must name another host'],
    ['a local host', 'https://localhost', 'must name another host'],
    ['256 characters', `https://identity.example.com/${'a'.repeat(227)}`, '255 characters'],
    ['what is no URL', 'identity', 'https URL'],
    [
      'the issuer of a pool',
      'https://cognito-idp.us-east-1.amazonaws.com/us-east-1_AbCdEf123',
      'is that of a pool',
    ],
  ])('is refused with an issuer with %s (T250)', (_what, issuer, words) => {
    expect(faults({ ...good, issuer })).toEqual([
      expect.stringMatching(/^config\.yaml:\d+:\d+: webIdentity\.issuer: /),
    ]);
    expect(faults({ ...good, issuer }).join()).toContain(words);
  });

  it('signs in production by KMS alone', () => {
    expect(faults({ issuer: good.issuer }).join()).toContain('must name a key of KMS');
    const endpoint = { kms: { ...kms('a').kms, endpoint: 'http://kms.example.com' } };
    expect(faults({ ...good, keys: { current: endpoint } }).join()).toContain(
      'webIdentity.keys.current.kms.endpoint',
    );
    expect(faults({ ...good, keys: { next: kms('a') } }).join()).toContain('current');
    const twice = { current: kms('a'), previous: kms('a') };
    expect(faults({ ...good, keys: twice }).join()).toContain('the same key twice');
  });

  it('may have a key that is gone with its process, and a port of this machine, in development', () => {
    const local = { issuer: 'http://127.0.0.1:8082' };
    expect(faults(local, 'development')).toEqual([]);
    expect(faults({ ...local, issuer: 'http://192.0.2.1:8082' }, 'development').length).toBe(2);
  });
});
