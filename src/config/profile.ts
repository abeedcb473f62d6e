/** What each profile refuses, beyond the shape of single settings. */

import { isLoopbackHost } from '../kit/net/secure-url.ts';
import { namesPeople } from './admin-access.ts';
import { checkProductionIssuers } from './configured-issuers.ts';
import { type ConfigRule, fault } from './fault.ts';
import type { Config } from './schema.ts';
import { listenerNames } from './sections/listeners.ts';
import { checkProductionEndpoints } from './services.ts';
import { whereSettled } from './settled.ts';

export const profileRules: readonly ConfigRule[] = [
  inProfile('development', listensOnLoopback),
  ...[
    checkProductionIssuers,
    peopleSignInAgain,
    consoleHasOrigin,
    checkpointKeyIsOutside,
    sealKeyIsOutside,
    tokenKeyIsOutside,
    checkProductionEndpoints,
    speaksTlsBeyondThisHost,
  ].map((rule) => inProfile('production', rule)),
];

function inProfile(profile: Config['profile'], rule: ConfigRule): ConfigRule {
  return (config) => (config.profile === profile ? rule(config) : []);
}

function listensOnLoopback({ listeners }: Config) {
  return whereSettled(listenerNames, (name) =>
    isLoopbackHost(listeners[name].host)
      ? []
      : [fault(`listeners.${name}.host`, 'must be a loopback address in the development profile')],
  );
}

function speaksTlsBeyondThisHost({ listeners }: Config) {
  return whereSettled(listenerNames, (name) => {
    if (name === 'ops') return [];
    const { host, tls, tlsTerminatedUpstream } = listeners[name];
    if (isLoopbackHost(host) || tls !== undefined || tlsTerminatedUpstream) return [];
    return [
      fault(
        `listeners.${name}`,
        'would speak plain HTTP beyond this host: set tls, or tlsTerminatedUpstream: true if something in front terminates TLS',
      ),
    ];
  });
}

function* checkpointKeyIsOutside({ audit }: Config) {
  if (audit.checkpoints?.keyFile === undefined) return;
  yield fault(
    'audit.checkpoints.keyFile',
    'must not be set in the production profile: whoever can change the log could sign for it too. Use kms',
  );
}

function* sealKeyIsOutside({ policy }: Config) {
  if (policy.seal?.keyFile === undefined) return;
  yield fault(
    'policy.seal.keyFile',
    'must not be set in the production profile: whoever reads the file could seal forged changes. Use kms',
  );
}

function* tokenKeyIsOutside({ webIdentity }: Config) {
  if (webIdentity === undefined || webIdentity.keys !== undefined) return;
  yield fault(
    'webIdentity.keys',
    'must name a key of KMS in the production profile: without one the process makes a key, and whoever reads its memory could sign for every role',
  );
}

/** A browser left open must not be an administrator tomorrow: refreshing goes on for weeks. */
function* peopleSignInAgain({ admin }: Config) {
  if (admin === undefined || !namesPeople(admin) || admin.maxSignInAgeSeconds !== undefined) return;
  yield fault(
    'admin.maxSignInAgeSeconds',
    'must be set in the production profile where people are administrators, for example to 3600: a token can be refreshed for weeks after the sign-in',
  );
}

/** Its own address is a guess of whoever deploys it: behind a proxy, browsers have never seen it. */
function* consoleHasOrigin({ admin }: Config) {
  if (admin?.console === undefined || admin.console.origin !== undefined) return;
  yield fault(
    'admin.console.origin',
    'must be set in the production profile: the name by which browsers find the admin listener',
  );
}
