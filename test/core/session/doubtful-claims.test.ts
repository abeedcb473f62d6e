import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { doubtfulClaims } from '../../../src/core/session/doubtful-claims.ts';
import { renderSessionPolicy } from '../../../src/core/session/session-policy.ts';
import { claimRef } from '../../support/domain.ts';
import { runs, seenMoreThan } from '../../support/fuzz-budget.ts';

type Fields = Readonly<Record<string, unknown>>;

const [team, site, sub, client] = ['team', 'site', 'sub', 'client_id'].map(claimRef) as [
  string,
  string,
  string,
  string,
];
const bucket = (path: string) => `arn:aws:s3:::b/${path}`;

function policyOf(fields: Fields) {
  return { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 's3:*', ...fields }] };
}

const warned = (fields: Fields) => doubtfulClaims(policyOf(fields)).map(({ pointer }) => pointer);
const tested = (operator: string, effect = 'Allow', value = team) =>
  warned({ Effect: effect, Resource: '*', Condition: { [operator]: { 's3:prefix': value } } });
const at = (operator: string) => `/Statement/0/Condition/${operator}/s3:prefix`;

describe('a claim that says what a session policy takes away (T185)', () => {
  it.each<[string, Fields, readonly string[]]>([
    ['denied resource', { Effect: 'Deny', Resource: bucket(`${team}/*`) }, ['Resource']],
    ['resource that is left out', { NotResource: [bucket(team), '*'] }, ['NotResource/0']],
    ['denied one, by who somebody is', { Effect: 'Deny', Resource: bucket(`${sub}/*`) }, []],
    ['denied rest', { Effect: 'Deny', NotResource: bucket(`${team}/*`) }, []],
    ['allowed one', { Resource: bucket(`${team}/*`) }, []],
  ])('is told to the author of a %s', (_what, fields, places) => {
    expect(warned(fields)).toEqual(places.map((place) => `/Statement/0/${place}`));
  });

  it.each([
    'StringNotEquals',
    'StringNotLike',
    'ArnNotLike',
    'StringNotEqualsIfExists',
    'ForAllValues:StringNotLike',
    'ForAnyValue:ArnNotEquals',
  ])('is told to the author of an allow with %s, and not of a deny', (operator) => {
    expect(tested(operator)).toEqual([at(operator)]);
    expect(tested(operator, 'Deny')).toEqual([]);
  });

  it.each(['StringEquals', 'StringLike', 'ForAnyValue:StringEqualsIfExists', 'ArnEquals'])(
    'is told to the author of a deny with %s, and not of an allow',
    (operator) => {
      expect(tested(operator, 'Deny')).toEqual([at(operator)]);
      expect(tested(operator)).toEqual([]);
    },
  );
});

describe('a claim whose value can reach what belongs to another value (T185)', () => {
  it.each([
    `${team}*`,
    `${team}-*`,
    `*.${team}`,
    `${team}?`,
    `${team}${site}`,
    `${team}-${site}/*`,
    `*/${team}/*`,
    `${sub}/${team}=${client}`,
    `*${sub}*`,
    `${team}-\${aws:username}`,
  ])('is told to the author of %s', (path) => {
    expect(warned({ Resource: bucket(path) })).toEqual(['/Statement/0/Resource']);
    expect(tested('StringLike', 'Allow', path)).toEqual([at('StringLike')]);
  });

  it.each([
    team,
    `${team}/*`,
    `*/${team}`,
    `home-${team}/*`,
    `${team}/${site}/*`,
    `${sub}*`,
    `${sub}-${client}`,
    `${team}\${*}`,
    `\${aws:username}/${team}`,
  ])('is not what the author of %s is warned of', (path) => {
    expect(warned({ Resource: bucket(path) })).toEqual([]);
    expect(tested('StringLike', 'Allow', path)).toEqual([]);
  });

  it('is not what a wildcard does in another part of an ARN, or where it is none', () => {
    expect(warned({ Resource: `arn:aws:dynamodb:*:*:table/${team}/*` })).toEqual([]);
    expect(warned({ Resource: `arn:aws:sqs:us-east-1:${team}*:q` })).not.toEqual([]);
    expect(tested('StringEquals', 'Allow', `${team}*`)).toEqual([]);
  });

  it('is warned of wherever one caller can reach what another one has', () => {
    const value = fc.stringMatching(/^[ab.-]{1,3}$/);
    const piece = fc.constantFrom(team, site, '*', '?', '/', '-', 'a');
    const seen = { apart: 0, together: 0 };
    fc.assert(
      fc.property(
        fc.array(piece, { minLength: 1, maxLength: 7 }),
        fc.tuple(value, value),
        fc.tuple(value, value),
        fc.array(fc.stringMatching(/^[ab/-]{1,4}$/), { minLength: 7, maxLength: 7 }),
        (pieces, mine, theirs, wild) => {
          const path = pieces.join('');
          const used = [team, site].map((name) => path.includes(name));
          if (!mine.some((own, index) => used[index] === true && own !== theirs[index])) return;
          const quiet = warned({ Resource: bucket(path) }).length === 0;
          const reached = globOf(filled(path, mine)).test(instance(filled(path, theirs), wild));
          if (reached) seen.together += 1;
          else if (quiet) seen.apart += 1;
          expect(quiet && reached).toBe(false);
        },
      ),
      runs(20_000),
    );
    expect(seen.apart).toBeGreaterThan(seenMoreThan(1000));
    expect(seen.together).toBeGreaterThan(seenMoreThan(20));
  });
});

/** What STS would be sent of the resource. */
function filled(path: string, [teamValue, siteValue]: readonly [string, string]): string {
  const claims = new Map([
    ['team', teamValue],
    ['site', siteValue],
  ]);
  const result = renderSessionPolicy(policyOf({ Resource: bucket(path) }), claims);
  if (result.kind !== 'rendered') throw new Error('the claim was not taken');
  return JSON.parse(result.text).Statement[0].Resource;
}

/** As IAM compares the resource of a request. */
function globOf(resource: string): RegExp {
  const literal = resource.replace(/[.^$+(){}|[\]\\-]/g, '\\$&');
  return new RegExp(`^${literal.replaceAll('*', '.*').replaceAll('?', '.')}$`);
}

/** Something that the resource matches. */
function instance(resource: string, wild: readonly string[]): string {
  let index = 0;
  return resource.replace(/[*?]/g, (mark) => {
    const text = wild[index++] ?? '';
    return mark === '*' ? text : text.slice(0, 1);
  });
}
