/** A code decides what may be said with it: held by the compiler, which this file is for. */

import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { BrokerError, type BrokerErrorCode } from '../../src/core/errors.ts';
import type { Fault } from '../../src/core/fault.ts';
import { isJsonPointer, jsonPointer } from '../../src/kit/json/json-pointer.ts';

describe('an error', () => {
  it('takes the reasons of its code, and no other', () => {
    const rateLimit = { policy: 'caller', quota: 1, windowSeconds: 1 } as const;
    const made = [
      new BrokerError('access_denied', { reason: 'no_mapping' }),
      new BrokerError('rate_limited', { reason: 'caller', rateLimit, retryAfterSeconds: 1 }),
      // @ts-expect-error a reason of another code
      new BrokerError('access_denied', { reason: 'policy_too_large' }),
      // @ts-expect-error a slip
      new BrokerError('signature_invalid', { reason: 'signature_apsent' }),
      // @ts-expect-error a code without reasons, by a spread
      new BrokerError('route_not_found', { ...{ reason: 'no_mapping' as const } }),
      // @ts-expect-error a slip in what is compared with it
      new BrokerError('rate_limited', { reason: 'caller', rateLimit }).reason === 'calller',
    ];
    expect(made).toHaveLength(6);
  });

  it('takes what its code carries, and must be given it', () => {
    const made = [
      new BrokerError('method_not_allowed', { allow: ['GET'] }),
      // @ts-expect-error nothing is said of the methods
      new BrokerError('method_not_allowed'),
      // @ts-expect-error nor of the choices
      new BrokerError('role_ambiguous', { detail: 'x' }),
      // @ts-expect-error a scope is of another code
      new BrokerError('access_denied', { scope: 'x' }),
      // @ts-expect-error only a limit says when there is room again
      new BrokerError('internal_error', { retryAfterSeconds: 1 }),
    ];
    expect(made).toHaveLength(5);
  });

  it('narrows nothing away: what was caught is of any code', () => {
    const caught: unknown = new BrokerError('token_missing');
    if (!(caught instanceof BrokerError)) throw caught;
    const code: BrokerErrorCode = caught.code;
    // @ts-expect-error there is no such code
    expect(code === 'token_mising').toBe(false);
    expect(caught.name).toBe('BrokerError');
  });
});

describe('the place of a fault', () => {
  it('is a JSON Pointer', () => {
    const places: Fault['pointer'][] = ['', '/a/0', jsonPointer(['a/b', 0])];
    // @ts-expect-error a path with dots
    places.push('http.maxBodyBytes');
    expect(places.map(isJsonPointer)).toEqual([true, true, true, false]);
    expect(['/a~2', 'a', '/~', 1].map(isJsonPointer)).toEqual([false, false, false, false]);
  });
});

describe('numbers and patterns of IAM and STS', () => {
  const src = resolve(import.meta.dirname, '../../src');
  const holders = (pattern: RegExp) =>
    readdirSync(src, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .filter((file) => {
        const code = readFileSync(join(src, file), 'utf8').replaceAll(
          /^\s*(?:\/?\*|\/\/).*$/gm,
          '',
        );
        return pattern.test(code);
      });

  it.each([
    ['the shortest session', /\b900\b(?!_)/],
    ['the longest session', /\b43_?200\b/],
    ['the name of a session', /@-\]\{2,64\}\$/],
    ['the ARN of a role', /:role\\\//],
    ['the ARN of a policy', /:policy\\\//],
    ['the account of an ARN', /split\(':', 5\)/],
  ])('stand in one place: %s', (_what, pattern) => {
    expect(holders(pattern)).toEqual(['core/aws-names.ts']);
  });
});
